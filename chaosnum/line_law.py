"""The law of one particle of bed K's limit on the real line, under the Euler scheme.

Integer Fourier modes are the law on the circle. The law on the line needs real frequencies xi. With
phi(xi) = E exp(i xi theta), one Euler step theta' = theta + s(theta) + sigma eta^(1/alpha) X, with
s(theta) = eta K (m_s cos theta - m_c sin theta), gives

    phi'(xi) = exp(-eta (sigma |xi|)^alpha) E exp(i xi theta) exp(i xi s(theta)).

The second factor is 2 pi-periodic, so a step couples xi to xi + 1, xi - 1, ... only: every lattice
xi_0 + Z moves by itself, given the flow m of the integer one. On a lattice the expectation is a
mean over a grid on the circle, exact to round-off as in :mod:`chaosnum.limit`.

Inversion. The tails of theta are those of S = theta_0 + sigma T^(1/alpha) X, X standard SaS, to
leading order (the drift is bounded), and E theta is conserved (the drift has mean zero). So with G
the distribution function of mean + sigma T^(1/alpha) X and g its characteristic function,

    F(x) - G(x) = -(1 / 2 pi) int (phi - g)(xi) / (i xi) exp(-i xi x) dxi

has a continuous integrand, |xi|^alpha at its worst, and decays like |x|^(-1-alpha). Frequencies
q / L make it periodic with period 2 pi L: the aliases are of that order, about (400)^(-1-alpha)
times less than 1 for L = 64. Beyond |x - mean| = pi L / 2 the law is taken to be G.

What goes wrong: a density with modulations of period 2 pi in its tail (particles that jumped far
are still drawn to the mean phase) is smoother to look at than it is; the distribution function is
what is accurate here. At 0 < sigma^alpha T << 1 many modes are needed.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import next_fast_len
from scipy.interpolate import CubicSpline

from chaosnum import check
from chaosnum.limit import DEFAULT_LAW, FIRST_MODES, MOST_MODES, NEGLIGIBLE

LATTICES = 64
_POINTS = 2**16  # of the grid in x that the difference F - G is tabulated on


@dataclass(frozen=True, eq=False)
class LineLaw:
    """A law on the line: a SaS law plus a tabulated difference.

    centre, unit, alpha : float
        Of the SaS law: its centre, scale and index.
    order : ndarray of complex128, shape (steps + 1,)
        E exp(i theta) at the grid times.
    """

    centre: float
    unit: float
    alpha: float
    order: np.ndarray
    _difference: CubicSpline
    _reach: float

    def cdf(self, x):
        """P(theta <= x) -> float64 array of the shape of `x`."""
        return self._plus(x, 1.0)

    def sf(self, x):
        """P(theta > x), accurate where it is small -> float64 array of the shape of `x`."""
        return self._plus(x, -1.0)

    def _plus(self, x, sign):
        from chaosnum import stable

        z = np.asarray(x, dtype=np.float64) - self.centre
        near = np.abs(z) < self._reach
        value = np.array(stable.cdf(sign * z / self.unit, self.alpha), dtype=np.float64)
        value[near] += sign * self._difference(z[near])
        return np.clip(value, 0.0, 1.0)


@lru_cache(maxsize=32)
def kuramoto_line_law(alpha, sigma=1.0, K=1.0, eta=0.05, steps=20, c0=DEFAULT_LAW):
    """The law of theta after `steps` Euler steps of bed K's limit, on the real line -> LineLaw, cached.

    Parameters
    ----------
    alpha, sigma, K, eta, steps
        As for :func:`chaosnum.limit.kuramoto_euler_flow`; alpha in (1, 2].
    c0 : chaosnum.limit.InitialLaw
        A Gaussian initial law.

    Raises
    ------
    ValueError
        A parameter out of its range, or a law that needs too many modes.

    Notes
    -----
    About 0.2 s for 20 steps. The distribution function is right to about 1e-6 at alpha = 1.2, 1e-8 at 1.8.
    """
    alpha, sigma = check.stable_index(alpha, low=1.0), check.positive("sigma", sigma)
    eta, steps = check.positive("eta", eta), check.at_least("steps", steps, 1)
    modes = FIRST_MODES
    while modes <= MOST_MODES:
        xi, phi, order, last = _push(alpha, sigma, K, eta, steps, c0, modes)
        if last <= NEGLIGIBLE:
            break
        modes *= 2
    else:
        raise ValueError(f"|K| must be small enough for {MOST_MODES} Fourier modes, got K={K!r}")
    unit = sigma * (eta * steps) ** (1.0 / alpha)
    spectrum = np.zeros(_POINTS, dtype=np.complex128)
    apart = phi * np.exp(-1j * xi * c0.mean) - np.exp(-(np.abs(unit * xi) ** alpha))
    away = xi != 0.0
    index = np.rint(xi * LATTICES).astype(np.int64)
    spectrum[index[away] % _POINTS] = 1j * apart[away] / (2.0 * np.pi * LATTICES * xi[away])
    difference = np.fft.fftshift(np.fft.fft(spectrum).real)
    x = 2.0 * np.pi * LATTICES * (np.arange(_POINTS) / _POINTS - 0.5)
    return LineLaw(c0.mean, unit, alpha, order, CubicSpline(x, difference), 0.5 * np.pi * LATTICES)


def _push(alpha, sigma, K, eta, steps, c0, modes):
    """phi on all lattices -> (xi, phi) flattened, E exp(i theta) at the grid times, size of the last modes."""
    k = np.arange(-modes, modes + 1)
    offset = np.arange(LATTICES)[:, None] / LATTICES
    xi = offset + k
    damping = np.exp(-eta * (sigma * np.abs(xi)) ** alpha)
    reach = modes * eta * abs(K)
    points = next_fast_len(int(2 * modes + reach + 8 * np.cbrt(reach) + 32))
    circle = 2 * np.pi * np.arange(points) / points
    phi = np.asarray(c0(xi), dtype=np.complex128)
    order, last = np.empty(steps + 1, dtype=np.complex128), 0.0
    order[0] = phi[0, modes + 1]
    rows = np.zeros((LATTICES, points), dtype=np.complex128)
    for step in range(steps):
        rows[:] = 0.0
        rows[:, k % points] = phi
        shift = eta * K * (order[step].imag * np.cos(circle) - order[step].real * np.sin(circle))
        weight = np.fft.fft(rows, axis=1) / points * np.exp(1j * offset * shift)
        phi = damping * np.einsum("lm,mk->lk", weight, np.exp(1j * (circle + shift)[:, None] * k))
        order[step + 1] = phi[0, modes + 1]
        last = max(last, np.abs(phi[:, :4]).max(), np.abs(phi[:, -4:]).max())
    return xi.ravel(), phi.ravel(), order, max(last, np.abs(c0(np.array([modes]))).max())
