"""Functions of the users as objectives of gradient tracking: checked once, and their optimum.

Definition. A user gives gradients of f_1, ..., f_m and their Hessians as two functions of x. Newton's method finds the
zero x* of the summed gradient, with steps halved until the gradient's norm falls.

Both functions are tried before anything is computed: on copies of x, to see whether they write to it; on several
replicas, which they must treat one by one. Results are copied, for a function may return one and the same buffer. At
the optimum the Hessians are compared with difference quotients of the gradients. What cannot be checked: behaviour that
depends on more than x.

Difference quotients. Along a direction v, (g(x + h v) - g(x - h v)) / (2 h) differs from H v by (h / l)^2 / 6 of it, l
the length over which the curvature changes, and by round-off of about eps |x| / h. One of the h from 1e-2 to 1e-6 of
the distance D to the agents' own optima makes both less than 1e-3 if l > 2e-5 D and |x| < 1e6 D, or l > D and
|x| < 1e9 D (with h = 1e-6 D and 1e-2 D); so Hessians are refused only if none of the h agrees to 1e-3, a tenth of what
the laws are trusted to. Looked at are the slowest and the steepest mode of the sum, for an error there spoils rate or
threshold, and a direction in general position, which sees any other.
"""

import numpy as np

from chaosnum.check import finite_array

NEWTON = 200  # iterations, most of them damped
STEPS = 10.0 ** -np.arange(2, 7)  # h of the difference quotients, over the distance to the agents' own optima
TRUE = 1e-3  # relative difference of a Hessian and the best difference quotient
ALIKE = 1e-9  # relative difference of a gradient among other replicas and alone: the order of summation, no more


def checked_gradients(gradients, agents, start):
    """The function that maps x to a new array of its gradients, both float64 (agents, replicas, dim) -> callable.

    Parameters
    ----------
    gradients : callable (x) -> array
    agents : int
    start : ndarray, float64, shape (dim,)
        Where it is tried, and nearby.

    Raises
    ------
    ValueError
        No function, one that raises or writes to x, a result of another shape, dtype or not finite, replicas that
        change each other's gradients.
    """
    near = start + 1e-3 * (1.0 + np.abs(start)) * np.arange(2)[:, None]
    x = np.tile(near, (agents, 1, 1))
    both = _result("gradients", gradients, x)
    for r in range(2):
        alone = _result("gradients", gradients, x[:, r : r + 1])
        if np.abs(both[:, r] - alone[:, 0]).max() > ALIKE * np.abs(both).max():
            raise ValueError("gradients must treat replicas x[:, r] one by one, got some that change with the others")

    def gradient(x):
        found = np.array(gradients(x), dtype=np.float64)
        if found.shape != x.shape:
            raise ValueError(f"gradients must return the shape of x, {x.shape}, got {found.shape}")
        return found

    return gradient


def checked_hessians(hessians, agents, start):
    """The function that maps x (dim,) to the Hessians, float64 (agents, dim, dim) -> callable.

    Raises
    ------
    ValueError
        As :func:`checked_gradients`.
    """
    dim = len(start)
    for x in (start, start + 1e-3 * (1.0 + np.abs(start))):  # one of them is not 0
        _result("hessians", hessians, x, (agents, dim, dim))

    def found(x):
        return _finite("hessians", hessians(x))

    return found


def _result(name, function, x, shape=None):
    """function(x) -> ndarray, float64, of a shape, by default that of x; x is not written to."""
    if not callable(function):
        raise ValueError(f"{name} must be a function of x, got {function!r}")
    own = x.copy()
    try:
        found = function(own)
    except Exception as error:  # whatever the user's function does
        words = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{name} must accept x of shape {x.shape}, got {type(error).__name__}: {words}") from error
    if not np.array_equal(own, x):
        raise ValueError(f"{name} must not write to x, got a function that does")
    shape, found = x.shape if shape is None else shape, _finite(name, found)
    if found.shape != shape:
        wanted = f"the shape of x, {shape}" if shape == x.shape else f"shape {shape}"
        raise ValueError(f"{name} must return {wanted}, got {found.shape}")
    return found


def _finite(name, found):
    return np.array(finite_array(f"the result of {name}", found))


def newton(gradient, hessians, x):
    """The zero of the summed gradient -> ndarray, float64, shape (dim,).

    Parameters
    ----------
    gradient : callable (x) -> ndarray, the sum, shape (dim,)
    hessians : callable (x) -> ndarray, shape (agents, dim, dim)
    x : ndarray, float64, shape (dim,)
        Where the method begins.

    Raises
    ------
    ValueError
        Gradients that are not finite, a sum that is not convex on the way, no optimum.
    """
    g = gradient(x)
    for _ in range(NEWTON):
        if not np.isfinite(g).all():
            raise ValueError("gradients must be finite on Newton's way to the optimum, got NaN or infinity")
        H = hessians(x)
        move, size = np.linalg.solve(positive_sum(H), g), np.linalg.norm(g)
        if np.linalg.norm(move) <= 1e-13 * (1.0 + np.linalg.norm(x)):
            return x - move
        share = 1.0
        while share > 1e-10 and not np.linalg.norm(gradient(x - share * move)) < size:
            share /= 2.0
        if share <= 1e-10:  # round-off, or no descent
            if np.linalg.norm(move) <= 1e-8 * (1.0 + np.linalg.norm(x)):
                return x
            break
        x = x - share * move
        g = gradient(x)
    raise ValueError("the objectives' sum must have an optimum that Newton's method finds from start, got none")


def check_derivatives(gradient, H, x, length):
    """Hessians that are those of the gradients at x -> None.

    Parameters
    ----------
    gradient : callable (x) -> ndarray, both float64 (agents, replicas, dim)
    H : ndarray, float64, shape (agents, dim, dim)
    x : ndarray, float64, shape (dim,)
    length : float > 0
        Over which the gradients change.

    Raises
    ------
    ValueError
        They are not, in one of three directions. Directions along which gradients are not finite are left out.
    """
    general = np.random.default_rng(0).standard_normal(len(x))
    modes = np.linalg.eigh(H.sum(axis=0))[1]
    directions = np.array([modes[:, 0], modes[:, -1], general / np.linalg.norm(general)])
    shifts = length * STEPS[:, None, None] * directions
    points = (x + np.array([shifts, -shifts])).reshape(-1, len(x))
    with np.errstate(all="ignore"):
        slopes = gradient(np.tile(points, (len(H), 1, 1))).reshape(len(H), 2, *shifts.shape)
        found = (slopes[:, 0] - slopes[:, 1]) / (2.0 * length * STEPS[:, None, None])
    wanted = np.einsum("ide,ve->ivd", H, directions)
    off = np.linalg.norm(found - wanted[:, None], axis=-1).max(axis=0)  # of the worst agent, by h and direction
    share = off.min(axis=0) / np.linalg.norm(wanted, axis=-1).max(axis=0)  # NaN where a gradient is not finite
    if (share > TRUE).any():
        words = f"the derivatives of the gradients to {TRUE:g} at the optimum"
        raise ValueError(f"hessians must be {words}, got ones that are off by {np.nanmax(share):.3g} of their size")


def positive_sum(H):
    """The sum of symmetric Hessians, positive definite -> ndarray, float64, shape (dim, dim).

    Raises
    ------
    ValueError
        It is not.
    """
    total = H.sum(axis=0)
    least = np.linalg.eigvalsh(total)[0]
    if not least > 1e-12 * np.abs(H).max():
        raise ValueError(f"hessians must have a positive definite sum, got the eigenvalue {least:g}")
    return total
