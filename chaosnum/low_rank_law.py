"""Weights that are a fading sum of random low-rank updates: the law of their singular values, and how many are large.

Definition. SGD with weight decay, W <- rho W - mu G with G of rank B, forgets: after many steps

    W = sum_j rho^j (1/B) sum_(b <= B) u_jb v_jb'      (up to the factor mu),

and with the u and v independent and uniform on the unit spheres of R^p and R^q this is the *mechanism* of low rank with
nothing else. Its eps-rank is the number of singular values above eps ||W||.

First count (S2.3). Were all u and all v orthogonal, the singular values would be rho^j / B, each B times, so

    eps-rank = min(d, B ceil(ln(1/eps) / -ln rho)).

That is an upper bound for the rank counted from the largest amplitude, and too large where more than a few percent of
the d directions are taken: the vectors are not orthogonal.

Limit law (derived). Let W = sum_k a_k u_k v_k' with as many terms as one likes, a_k >= 0, and x = w^2. In the limit of
large p, q with the number of amplitudes in every interval proportional to them, take the two diagonal means of the
resolvent of [[0, W], [W', 0]], G_p(w) and G_q(w). A term that is left out sees u' G u = G_p and v' G v = G_q, the rest
being isotropic; summing its geometric series gives

    w G_p = 1 + (1/p) P S(P),   w G_q = 1 + (1/q) P S(P),   S(P) = sum_k a_k^2 / (1 - a_k^2 P),   P = G_p G_q,

so one unknown P remains, x P = (1 + P S/p)(1 + P S/q). For p = q it is free probability's sum of R-diagonal elements,
a free compound Poisson law; with amplitudes e^-s, S P = -(N/2) ln(1 - P) with N = B / -ln rho. The logarithmic
potential of the singular values, int ln(x - t) dF(t), can be integrated in closed form: with Q = P S(P), f = ln P and

    Phi_p = int (G_p / w) dx = int (1 + Q/p) d[ln(1 + Q/p) + ln(1 + Q/q) - ln P],

each term is elementary, as int S dP = -sum_k ln(1 - a_k^2 P). The number of singular values above s is
(p/pi) Im Phi_p(s^2 + i0), which :func:`count_above` evaluates: no histogram, no quadrature. Finite p and q shift the
mean count by O(1), which at p = q = 300 is found to be less than half a singular value.

What goes wrong: Newton's iteration along the real line jumps branches in the gaps between bands that a fast decay
leaves. The solution is continued through the upper half plane, where there is no branch point.

References: Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794; Benaych-Georges, Probab. Theory Relat. Fields 144 (2009);
Haagerup, Schultz, Publ. Math. IHES 109 (2009).
"""

import math

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, in_range, positive, whole

FORGOTTEN = 1e-9  # amplitudes below this share of the first are left out
_NEAR = 1e-11  # distance from the real line, relative, at which the count is read off
_ROUNDS = 60


def amplitudes(decay, batch):
    """The B-fold amplitudes rho^j / B down to `FORGOTTEN` -> ndarray, float64, shape (J,), each of multiplicity B.

    Raises
    ------
    ValueError
        decay outside [0.001, 1), or batch not a whole number >= 1.
    """
    decay, batch = in_range("decay", decay, 1e-3, 1.0, open_low=False, open_high=True), whole("batch", batch, 1)
    return decay ** np.arange(math.ceil(math.log(FORGOTTEN) / math.log(decay))) / batch


def first_count(eps, decay, batch, dim):
    """min(d, B ceil(ln(1/eps) / -ln rho)): the rank if all directions were orthogonal -> int."""
    eps, decay = in_range("eps", eps, 0.0, 1.0, open_high=True), in_range("decay", decay, 0.0, 1.0, open_high=True)
    return min(whole("dim", dim, 1), whole("batch", batch, 1) * math.ceil(math.log(eps) / math.log(decay)))


def isotropic_sum(a, multiplicity, rows, cols=None, *, seed):
    """One draw of sum_k a_k u_k v_k', u and v uniform on unit spheres -> ndarray, float64, shape (rows, cols).

    Parameters
    ----------
    a : array_like, float64, shape (J,)
        Positive amplitudes, e.g. :func:`amplitudes`.
    multiplicity : int
        How often each occurs.
    rows, cols : int
        `cols` is `rows` by default.
    seed : int
    """
    a = np.repeat(_checked(a), whole("multiplicity", multiplicity, 1))
    rows = whole("rows", rows, 1)
    rng = np.random.default_rng(seed)
    u, v = sphere(rng, rows, len(a)), sphere(rng, rows if cols is None else whole("cols", cols, 1), len(a))
    with one_thread():
        return (u * a) @ v.T


def sphere(rng, dim, count):
    """Independent points, uniform on the unit sphere, as columns -> ndarray, float64, shape (dim, count)."""
    x = rng.standard_normal((dim, count))
    return x / np.linalg.norm(x, axis=0)


def frobenius(a, multiplicity):
    """The limit of the Frobenius norm: the root of the sum of the squared amplitudes -> float."""
    return math.sqrt(whole("multiplicity", multiplicity, 1) * float(np.sum(np.square(_checked(a)))))


def _checked(a):
    a = finite_array("a", a, ndim=1)
    if not len(a) or not np.all(a > 0):
        raise ValueError(f"a must be positive amplitudes, got {'none' if not len(a) else float(a.min())}")
    return a


def count_above(s, a, multiplicity, rows, cols=None):
    """How many singular values of sum_k a_k u_k v_k' exceed s, by the limit law.

    Parameters
    ----------
    s : float > 0
    a : array_like, float64, shape (J,)
        Positive amplitudes.
    multiplicity : int
        How often each occurs.
    rows, cols : int
        Shape of the matrix; `cols` is `rows` by default.

    Returns
    -------
    float, between 0 and min(rows, cols, J * multiplicity)

    Raises
    ------
    ValueError
        An amplitude that is not positive and finite, a wrong size, or an equation that Newton's iteration did not
        solve.
    """
    s, a = positive("s", s), _checked(a)
    multiplicity, p = whole("multiplicity", multiplicity, 1), whole("rows", rows, 1)
    q = p if cols is None else whole("cols", cols, 1)
    top = float(a.max())
    squares, x = (a / top) ** 2, (s / top) ** 2
    P = _solve(x, squares, multiplicity / p, multiplicity / q)
    return p / math.pi * abs(_potential(P, squares, multiplicity / p, multiplicity / q).imag)


def _solve(x, squares, kp, kq):
    """P at x + i0: from far out in the upper half plane to above x, then down to the real line."""
    far = 1e4 * (1.0 + x + (kp + kq) * float(squares.sum()))
    P = 1.0 / (1j * far)
    logs = np.concatenate([
        np.linspace(math.log(far), math.log(x), 120) + 0.5j * math.pi,
        math.log(x) + 1j * np.geomspace(0.5 * math.pi, _NEAR, 160),
    ])  # fmt: skip
    for goal in logs:
        for _ in range(_ROUNDS):
            weight = squares / (1.0 - squares * P)
            Q = P * weight.sum()
            slope = (weight / (1.0 - squares * P)).sum()  # dQ/dP
            found = np.log(1.0 + kp * Q) + np.log(1.0 + kq * Q) - np.log(P)
            change = (found - goal) / (kp * slope / (1.0 + kp * Q) + kq * slope / (1.0 + kq * Q) - 1.0 / P)
            P -= change
            if abs(change) <= 1e-12 * abs(P):
                break
        else:
            raise ValueError(f"the limit law must have a solution at every s, got none at ln x = {goal:.3g}")
    return P


def _potential(P, squares, kp, kq):
    """int ln(x - t) dF(t) up to a real constant."""
    Q = P * (squares / (1.0 - squares * P)).sum()
    # int (1 + kp Q) d ln(1 + kq Q) = kp Q + (1 - kp/kq) ln(1 + kq Q), and without the rest where p = q
    rest = (1.0 - kp / kq) * np.log(1.0 + kq * Q)
    return 2.0 * kp * Q + rest - np.log(P) + kp * np.log(1.0 - squares * P).sum()
