"""McKean-Vlasov flows: what one particle's law does when the others are infinitely many.

Bed K
-----
``d theta = K (m_s cos theta - m_c sin theta) dt + sigma dL`` with ``m = E(cos, sin)(theta_t)``.
Write ``c_k = E exp(i k theta)``, so ``c_1 = m_c + i m_s = r exp(i psi)`` and the drift is ``K r
sin(psi - theta) = (K / 2i)(c_1 exp(-i theta) - conj(c_1) exp(i theta))``. Ito's formula for ``exp(i
k theta)`` gives

    dc_k/dt = (K k / 2) (c_1 c_{k-1} - conj(c_1) c_{k+1}) - sigma^alpha |k|^alpha c_k,        (1)

closed, because the drift holds one harmonic only. Incoherence (``c_k = 0``) loses stability where
the growth rate ``K/2 - sigma^alpha`` of ``c_1`` changes sign: ``K_c = 2 sigma^alpha``. With
``K = 0`` every mode decays alone.

One step of the Euler scheme is
``theta' = theta + eta K r sin(psi - theta) + sigma eta^(1/alpha) X``, hence

    c_k' = exp(-sigma^alpha |k|^alpha eta) E exp(i k (theta + eta K r sin(psi - theta)))     (2)
         = exp(-sigma^alpha |k|^alpha eta) sum_j J_j(k eta K r) exp(i j psi) c_{k-j},        (3)

(3) by Jacobi-Anger, ``exp(i z sin u) = sum_j J_j(z) exp(i j u)``. Here (2) is evaluated as it
stands: with modes up to N the integrand is band-limited up to the decay of ``J_j``, so the mean
over an equidistant grid of more than ``2 N + N eta K r`` points is exact to round-off. (3) is what
the tests compare it with.

Numerics
--------
(1) is stiff in the damping only, which is diagonal: Krogstad's exponential Runge-Kutta scheme of
order 4, run with h and h/2, their difference controls h and their extrapolation (order 5) is kept.
Modes: 64, then doubled until the last eighth of them has stayed negligible, or (laws without a
density, whose modes do not decay at time 0) until doubling no longer moves c_1: 64 do for K = sigma
= 1, 256 are needed at K = 10, alpha = 1.1. c_1 is right to 1e-10.

What goes wrong
---------------
Coupling an Euler system to the flow (1) leaves a floor of order eta in the gap: couple it to (2).
Integer modes are the law on the circle; they say nothing about tails on the line.

Bed L
-----
``b = -lam theta - chi (theta - E theta)``: the interaction cancels in the mean,
``E theta_t = E theta_0 exp(-lam t)``, under Euler ``E theta_0 (1 - lam eta)^k``. Scales of the law:
:mod:`chaosnum.linear`.

References
----------
S. Krogstad, Generalized integrating factor methods for stiff PDEs, J. Comput. Phys. 203 (2005).
Y. Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984); H. Sakaguchi, Prog. Theor. Phys.
    79 (1988).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from scipy.fft import next_fast_len

from chaosnum import check

FIRST_MODES, MOST_MODES = 64, 8192
NEGLIGIBLE = 1e-13  # size of the last modes, against an accuracy of 1e-10 in c_1
LOCAL_ERROR = 1e-9  # per unit of time, of the solution of order 4; the one kept is far better


@dataclass(frozen=True)
class InitialLaw:
    """The initial law N(mean, sd^2), a point mass if sd = 0; call: ``E exp(i k theta_0)``."""

    mean: float
    sd: float

    def __call__(self, k):
        k = np.asarray(k, dtype=np.float64)
        return np.exp(1j * k * self.mean - 0.5 * (k * self.sd) ** 2)


def gaussian_modes(mean, sd):
    """The Gaussian initial law N(mean, sd^2) -> InitialLaw; sd = 0 is the point mass at `mean`."""
    mean = check.in_range("mean", mean, -np.inf, np.inf, open_high=True)
    return InitialLaw(mean, check.nonnegative("sd", sd))


DEFAULT_LAW = InitialLaw(0.5, 1.0)


def critical_coupling(alpha, sigma):
    """The coupling above which incoherence is unstable on bed K, ``2 sigma^alpha`` -> float."""
    return 2.0 * check.positive("sigma", sigma) ** check.stable_index(alpha)


def kuramoto_flow(times, alpha, sigma=1.0, K=1.0, c0=DEFAULT_LAW):
    """Order parameter of bed K's McKean-Vlasov equation, equation (1), to 1e-10.

    Parameters
    ----------
    times : float or float64 array, shape (m,)
        Non-decreasing times >= 0.
    alpha, sigma, K : float
        Tail index in (0, 2], noise scale > 0, coupling.
    c0 : InitialLaw or hashable callable
        Modes ``k -> E exp(i k theta_0)`` of the initial law.

    Returns
    -------
    m_c, m_s : float64 arrays, read-only, of the shape of `times`
        ``E cos theta_t`` and ``E sin theta_t``; cached.

    Raises
    ------
    ValueError
        A parameter out of its range, or a law that `MOST_MODES` modes do not resolve.
    """
    grid = np.atleast_1d(check.finite_array("times", times))
    if grid.ndim != 1 or grid.size == 0 or grid[0] < 0 or np.any(np.diff(grid) < 0):
        raise ValueError(f"times must be non-decreasing and >= 0, got {times!r}")
    c1 = _flow(tuple(grid.tolist()), *_model(alpha, sigma, K, c0))
    c1 = c1.reshape(np.shape(times))
    return _read_only(c1.real), _read_only(c1.imag)


def kuramoto_euler_flow(alpha, sigma=1.0, K=1.0, eta=0.01, steps=100, c0=DEFAULT_LAW):
    """Order parameter of the Euler-discretised limit of bed K, equation (2), to round-off.

    Parameters
    ----------
    alpha, sigma, K, c0
        As for :func:`kuramoto_flow`.
    eta : float
        Step size > 0.
    steps : int
        Number of steps >= 1.

    Returns
    -------
    m_c, m_s : float64 arrays, read-only, shape (steps + 1,)
        ``E cos`` and ``E sin`` at the grid times 0, eta, ..., steps eta; cached. 0.1 ms a step.
    """
    eta, steps = check.positive("eta", eta), check.at_least("steps", steps, 1)
    c1 = _euler_flow(*_model(alpha, sigma, K, c0), eta, steps)
    return _read_only(c1.real), _read_only(c1.imag)


def linear_flow(times, lam, mean0=0.0):
    """``E theta_t = mean0 exp(-lam t)`` on bed L -> float64 array of the shape of `times`."""
    lam = check.nonnegative("lam", lam)
    return mean0 * np.exp(-lam * check.finite_array("times", times))


def linear_euler_flow(lam, eta, steps, mean0=0.0):
    """``E theta_k = mean0 (1 - lam eta)^k`` on bed L -> float64 array, shape (steps + 1,)."""
    rate = check.nonnegative("lam", lam) * check.positive("eta", eta)
    return mean0 * (1.0 - rate) ** np.arange(check.at_least("steps", steps, 1) + 1)


def _model(alpha, sigma, K, c0):
    K = check.in_range("K", K, -np.inf, np.inf, open_high=True)
    if not callable(c0):
        raise ValueError(f"c0 must be an initial law such as gaussian_modes(mean, sd), got {c0!r}")
    return check.stable_index(alpha), check.positive("sigma", sigma), K, c0


def _read_only(x):
    x = np.ascontiguousarray(x) if x.ndim else x.copy()
    x.setflags(write=False)
    return x


@lru_cache(maxsize=256)
def _flow(times, alpha, sigma, K, c0):
    return _resolved(lambda modes: _exponential_rk(times, alpha, sigma, K, c0, modes), K)


@lru_cache(maxsize=256)
def _euler_flow(alpha, sigma, K, c0, eta, steps):
    return _resolved(lambda modes: _push_forward(alpha, sigma, K, c0, eta, steps, modes), K)


def _resolved(run, K):
    """c_1 from `run(modes) -> (c_1, size of the last modes)`, modes doubled until they suffice."""
    modes, before = FIRST_MODES, None
    while modes <= MOST_MODES:
        c1, last = run(modes)
        if last <= NEGLIGIBLE or K == 0.0:
            return c1
        if before is not None and np.max(np.abs(c1 - before)) <= 10 * NEGLIGIBLE:
            return c1
        modes, before = 2 * modes, c1
    raise ValueError(f"|K| must be small enough for {MOST_MODES} Fourier modes, got K={K!r}")


def _push_forward(alpha, sigma, K, c0, eta, steps, modes):
    """Equation (2) step by step -> c_1 of shape (steps + 1,), largest of the last modes."""
    k = np.arange(modes + 1)
    damping = np.exp(-eta * (sigma * k) ** alpha)
    reach = modes * eta * abs(K)  # J_j(z) is below round-off for j > z + 8 z^(1/3) + 30
    points = next_fast_len(int(2 * modes + reach + 8 * np.cbrt(reach) + 32), real=True)
    circle = 2 * np.pi * np.arange(points) / points
    cosine, sine = np.cos(circle), np.sin(circle)
    # S_k = sum_m w_m u_m^k with k = block g + a is one product of two thin matrices of powers of u.
    block = int(np.ceil(np.sqrt(modes + 1)))
    baby = np.arange(block)[:, None]
    giant = block * np.arange(-(-(modes + 1) // block))[:, None]
    c = np.asarray(c0(k), dtype=np.complex128)
    c1 = np.empty(steps + 1, dtype=np.complex128)
    c1[0], last, tail = c[1], 0.0, modes - modes // 8
    for step in range(steps):
        weight = np.fft.irfft(c.conj(), points)
        moved = circle + (eta * K) * (c[1].imag * cosine - c[1].real * sine)
        far, near = np.exp(1j * giant * moved) * weight, np.exp(1j * baby * moved)
        power = np.einsum("gm,am->ga", far, near)  # not BLAS: its bits may depend on the threads
        c = damping * power.ravel()[: modes + 1]
        c1[step + 1] = c[1]
        last = max(last, np.max(np.abs(c[tail:])))
    return c1, max(last, np.max(np.abs(c0(k[tail:]))))


def _exponential_rk(times, alpha, sigma, K, c0, modes):
    """Equation (1) through `times` -> c_1 of shape (len(times),), largest of the last modes."""
    k = np.arange(modes + 1)
    rate, half_k = (sigma * k) ** alpha, 0.5 * K * k[1:]
    tables = {}

    def field(c):
        out = np.zeros_like(c)
        out[1:] = c[1] * c[:-1]
        out[1:-1] -= np.conj(c[1]) * c[2:]  # c_{modes + 1} is taken as 0
        out[1:] *= half_k
        return out

    def step(c, h):  # Krogstad (2005), stages a, b, c
        if h not in tables:
            tables[h] = _krogstad(-rate * h, h)
        e2, e, q, b0, b1, d0, d1, f1, f2, f3 = tables[h]
        n0 = field(c)
        decayed = e2 * c
        na = field(decayed + q * n0)
        nb = field(decayed + b0 * n0 + b1 * na)
        decayed = e * c
        nc = field(decayed + d0 * n0 + d1 * nb)
        return decayed + f1 * n0 + f2 * (na + nb) + f3 * nc

    c = np.asarray(c0(k), dtype=np.complex128)
    c1 = np.empty(len(times), dtype=np.complex128)
    tail = modes - modes // 8
    now, wish, last = 0.0, 1.0 / 64.0, np.max(np.abs(c[tail:]))
    for m, time in enumerate(times):
        # A uniform grid's gaps differ in their last bits: cut to 13 digits they share a table.
        gap = float(f"{time - now:.13e}")
        now = time
        if gap > 0.0:
            level, done = max(0, int(np.ceil(np.log2(gap / wish) - 1e-9))), 0
            deepest = level + 20
            while done < 2**level:
                h = gap / 2**level
                if level > deepest:
                    return np.full(len(times), np.nan), np.inf  # too few modes: let them be doubled
                with np.errstate(over="ignore", invalid="ignore"):  # NaN is rejected
                    whole, halves = step(c, h), step(step(c, 0.5 * h), 0.5 * h)
                    error = np.max(np.abs(halves - whole))
                if not error <= LOCAL_ERROR * h + 1e-15:
                    level, done, wish = level + 1, 2 * done, 0.5 * h
                    continue
                c, done = halves + (halves - whole) / 15.0, done + 1
                last = max(last, np.max(np.abs(c[tail:])))
                if error < LOCAL_ERROR * h / 50.0 + 2e-16:
                    wish = max(wish, 2.0 * h)
                    if level and done % 2 == 0:
                        level, done = level - 1, done // 2
        c1[m] = c[1]
    return c1, last


def _krogstad(z, h):
    """Coefficients of Krogstad's scheme for the diagonal z = -rate h."""
    p1, p2, p3 = _phi(z)
    h1, h2, _ = _phi(0.5 * z)
    q, b1 = 0.5 * h * h1, h * h2
    tail = (h * (p1 - 3 * p2 + 4 * p3), 2 * h * (p2 - 2 * p3), h * (4 * p3 - p2))
    return (np.exp(0.5 * z), np.exp(z), q, q - b1, b1, h * (p1 - 2 * p2), 2 * h * p2, *tail)


def _phi(z):
    """phi_1, phi_2, phi_3 of z <= 0, by their series where the closed form would cancel."""
    small = np.abs(z) < 1.0
    far = np.where(small, -1.0, z)
    p1 = np.expm1(far) / far
    p2 = (p1 - 1.0) / far
    closed = (p1, p2, (p2 - 0.5) / far)
    near = np.where(small, z, 0.0)
    series = []
    for order in (1, 2, 3):
        total = np.zeros_like(near)
        for j in range(18, -1, -1):
            total = total * near + 1.0 / factorial(j + order)
        series.append(total)
    return [np.where(small, s, c) for s, c in zip(series, closed, strict=True)]
