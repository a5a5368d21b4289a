"""Bed L, the linear mean-field Ornstein-Uhlenbeck system: every law in closed form.

``d theta^i = -lam theta^i dt - chi (theta^i - mean) dt + sigma dL^i``, mean = (1/n) sum_j theta^j,
gamma = lam + chi. In the limit ``mean`` is ``m_t = E theta_t = m_0 exp(-lam t)``. A SaS variable of
scale s has the characteristic function exp(-|s k|^alpha); a sum of weights w_j times independent
standard ones has scale ``(sum_j |w_j|^alpha)^(1/alpha)``. Everything below is linear in the noise,
so it is enough to find the weights.

Derivations
-----------
*Marginal of the limit.* theta_t - m_t = exp(-gamma t)(theta_0 - m_0) + sigma int_0^t exp(-gamma (t
- u)) dL_u, of scale ``sigma ((1 - exp(-alpha gamma t)) / (alpha gamma))^(1/alpha)``; Euler:
``sigma (eta sum_{j<k} |1 - gamma eta|^(alpha j))^(1/alpha)``.

*Gap of a particle to its limit copy*, ``g = theta^{i,n} - theta^{i,inf}``. With e = mean - m: de =
-lam e dt + sigma d(Lbar), dg = (-gamma g + chi e) dt. Noise that entered v ago has grown into ``chi
int_0^v exp(-gamma (v - s)) exp(-lam s) ds = exp(-lam v) - exp(-gamma v)``, and Lbar, a mean of n,
has scale n^(1/alpha - 1):

    scale(g_t) = sigma n^-(1-1/alpha) (int_0^t (exp(-lam v) - exp(-gamma v))^alpha dv)^(1/alpha)

for a deterministic initial value (a random one adds
``(mean_0 - m_0)(exp(-lam t) - exp(-gamma t))``). Under Euler, system and limit alike, the integral
is ``eta sum_{j<k} |(1 - lam eta)^j - (1 - gamma eta)^j|^alpha``. The gap is the same for every i.
The law of sup_t |g_t| has no closed form, but g is a fixed process times n^-(1-1/alpha), so *its*
exponent is exact at every n too. For alpha > 1, ``|g_t| <= chi int_0^t |e_s| ds`` gives a bound of
its mean, :func:`gap_sup_bound`.

*Euler error at a grid time*, step eta against eta / r = h on the same noise. Split theta^i = mean +
deviation: the mean decays with lam and is driven by the mean noise xbar = (1/n) sum_m x^m, the
deviation with gamma, driven by x^i - xbar. The fine noise of sub-step r-1-i, j coarse steps before
the end, is damped by (1 - lam h)^(r j + i) in the fine scheme and by (1 - lam eta)^j in the coarse
one. So with

    a_{ji} = (1 - lam h)^(r j + i) - (1 - lam eta)^j,      b_{ji} the same with gamma,

the error of theta^i is ``sigma h^(1/alpha) sum (b x^i + (a - b) xbar)``: its own noise has weight b
+ (a - b)/n, that of the n - 1 others (a - b)/n. a and b are O(eta): at a fixed time the strong
order is 1 for every alpha.

What goes wrong
---------------
For alpha < 2 variances are infinite: a mean over replicas wanders, fit medians
(:func:`median_abs`). The drift is unbounded, so C2's n^(-1/2) does not apply and is not true; at
alpha = 2 both exponents are -1/2. Euler needs ``eta gamma < 2``, or the scheme diverges; beyond 1
its deviations alternate in sign.

References
----------
G. Samorodnitsky, M. Taqqu, Stable Non-Gaussian Random Processes (1994), sections 1.2 and 3.6.
N. Cavallazzi, arXiv 2301.08594 (rates for unbounded stable-driven systems).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gamma as gamma_function

from chaosnum import check
from chaosnum.linear_system import Line
from chaosnum.stable import BLOCK


def marginal_scale(t, alpha, sigma=1.0, lam=1.0, chi=1.0):
    """SaS scale of the limit's noise part at time `t` -> float64, of the shape of `t`."""
    alpha, sigma, lam, chi = _model(alpha, sigma, lam, chi)
    t, speed = check.finite_array("t", t), alpha * (lam + chi)
    if np.any(t < 0):
        raise ValueError(f"t must be >= 0, got {t.min()}")
    age = t if speed == 0.0 else -np.expm1(-speed * t) / speed
    return sigma * age ** (1.0 / alpha)


def marginal_scale_euler(steps, eta, alpha, sigma=1.0, lam=1.0, chi=1.0):
    """SaS scale of the Euler limit's noise part after `steps` steps of size `eta` -> float."""
    alpha, sigma, lam, chi = _model(alpha, sigma, lam, chi)
    steps = _stable_steps(steps, eta, lam, chi)
    kept = np.abs((1.0 - (lam + chi) * eta) ** np.arange(steps))
    return sigma * _norm(kept, alpha, eta)


def gap_scale(n, t, alpha, sigma=1.0, lam=1.0, chi=1.0):
    """SaS scale of ``theta^{i,n}_t - theta^{i,inf}_t``, deterministic initial value -> float."""
    alpha, sigma, lam, chi = _model(alpha, sigma, lam, chi)
    n, t = check.at_least("n", n, 1), check.nonnegative("t", t)

    def response(v):
        return (np.exp(-lam * v) * -np.expm1(-chi * v)) ** alpha

    integral = 0.0
    if t * chi > 0.0:
        integral = quad(response, 0.0, t, epsabs=0.0, epsrel=1e-12, limit=200)[0]
    return sigma * n ** (1.0 / alpha - 1.0) * integral ** (1.0 / alpha)


def gap_scale_euler(n, steps, eta, alpha, sigma=1.0, lam=1.0, chi=1.0):
    """SaS scale of the gap after `steps` Euler steps, of system and limit copy alike.

    Parameters
    ----------
    n, steps : int
        Particles >= 1, steps >= 1.
    eta, alpha, sigma, lam, chi : float
        Step with ``eta (lam + chi) < 2``, tail index in (0, 2], noise scale > 0, decay >= 0,
        coupling >= 0.

    Returns
    -------
    float
        ``sigma n^(1/alpha - 1) (eta sum_j |(1 - lam eta)^j - (1 - gamma eta)^j|^alpha)^(1/alpha)``.
    """
    alpha, sigma, lam, chi = _model(alpha, sigma, lam, chi)
    n, steps = check.at_least("n", n, 1), _stable_steps(steps, eta, lam, chi)
    j = np.arange(steps)
    weight = (1.0 - lam * eta) ** j - (1.0 - (lam + chi) * eta) ** j
    return sigma * n ** (1.0 / alpha - 1.0) * _norm(weight, alpha, eta)


def gap_sup_bound(n, T, alpha, sigma=1.0, lam=1.0, chi=1.0):
    """Bound of ``E sup_{t<=T} |gap|``, in continuous time and under Euler -> float.

    ``chi sigma E|X| n^(1/alpha-1) int_0^T s^(1/alpha) ds``: e_s has at most the scale
    ``sigma n^(1/alpha-1) s^(1/alpha)``, and a left-endpoint sum of an increasing function is below
    its integral. alpha > 1, ``eta gamma <= 1``, deterministic initial value.
    """
    alpha, sigma, lam, chi = _model(check.stable_index(alpha, low=1.0), sigma, lam, chi)
    n, T, order = check.at_least("n", n, 1), check.positive("T", T), 1.0 + 1.0 / alpha
    return chi * sigma * _mean_abs(alpha) * n ** (1.0 / alpha - 1.0) * T**order / order


@dataclass(frozen=True)
class EulerError:
    """Law of the Euler error of one particle: `shift` plus SaS of scale `scale`.

    `mean_scale` and `deviation_scale` are those of its parts, average and deviation from it.
    """

    shift: float
    scale: float
    mean_scale: float
    deviation_scale: float


def euler_error(n, steps, eta, ratio, alpha, sigma=1.0, lam=1.0, chi=1.0, start=0.0):
    """Exact law of ``theta^i(eta / ratio) - theta^i(eta)`` after `steps` coarse steps, same noise.

    Parameters
    ----------
    n, steps, ratio : int
        Particles >= 1, coarse steps >= 1, fine steps per coarse step >= 1.
    eta, alpha, sigma, lam, chi : float
        As for :func:`gap_scale_euler`.
    start : float
        The common deterministic initial value.

    Returns
    -------
    EulerError
        Cost: ``steps * ratio`` terms.
    """
    alpha, sigma, lam, chi = _model(alpha, sigma, lam, chi)
    n, ratio = check.at_least("n", n, 1), check.at_least("ratio", ratio, 1)
    steps = _stable_steps(steps, eta, lam, chi)
    fine = eta / ratio
    age = np.arange(steps * ratio)  # age = ratio j + i

    def lag(rate):
        return (1.0 - rate * fine) ** age - (1.0 - rate * eta) ** (age // ratio)

    a, b = lag(lam), lag(lam + chi)
    others = (a - b) / n

    def scale(own, each_other):
        power = np.abs(own) ** alpha + (n - 1) * np.abs(each_other) ** alpha
        return sigma * float(fine * power.sum()) ** (1.0 / alpha)

    return EulerError(
        shift=start * ((1.0 - lam * fine) ** (steps * ratio) - (1.0 - lam * eta) ** steps),
        scale=scale(b + others, others),
        mean_scale=sigma * n ** (1.0 / alpha - 1.0) * _norm(a, alpha, fine),
        deviation_scale=scale(b - b / n, b / n),
    )


@lru_cache(maxsize=64)
def median_abs(alpha):
    """Median of |X| for a standard SaS X, the 3/4 quantile of its law, alpha in [1, 2] -> float.

    Root of ``(1/pi) int_0^inf sin(k x) exp(-k^alpha) / k dk = 1/4``; 1 at alpha = 1, 0.9539 at 2.
    """
    alpha = check.in_range("alpha", alpha, 1.0, 2.0, open_low=False)
    end = 40.0 ** (1.0 / alpha)

    def excess(x):
        def wave(k):
            return x * np.sinc(k * x / np.pi) * np.exp(-(k**alpha))

        return quad(wave, 0.0, end, epsrel=1e-13, epsabs=1e-14)[0] / np.pi - 0.25

    return float(brentq(excess, 0.5, 1.5, xtol=1e-13))


def _mean_abs(alpha):
    return 2.0 / np.pi * gamma_function(1.0 - 1.0 / alpha)


def _norm(weight, alpha, step):
    """``(step sum |w|^alpha)^(1/alpha)``, the scale of a weighted sum of independent noises."""
    return float((step * np.sum(np.abs(weight) ** alpha)) ** (1.0 / alpha))


def _model(alpha, sigma, lam, chi):
    return (
        check.stable_index(alpha),
        check.positive("sigma", sigma),
        check.nonnegative("lam", lam),
        check.nonnegative("chi", chi),
    )


def _stable_steps(steps, eta, lam, chi):
    rate = check.positive("eta", eta) * (lam + chi)
    if rate >= 2.0:
        raise ValueError(f"eta * (lam + chi) must lie in [0, 2), or Euler diverges, got {rate:g}")
    return check.at_least("steps", steps, 1)


class Linear:
    """Bed L.

    Parameters
    ----------
    lam, chi : float, default 1
        Decay and coupling, not negative.
    start : float, default 0
        The common deterministic initial value.

    Raises
    ------
    ValueError
        A negative or infinite rate.
    """

    name = "linear"
    p = 1
    block = BLOCK

    def __init__(self, lam=1.0, chi=1.0, start=0.0):
        self.lam, self.chi = check.nonnegative("lam", lam), check.nonnegative("chi", chi)
        self.start = check.in_range("start", start, -np.inf, np.inf, open_high=True)

    def initial(self, n, *, systems=1, seed=0, replica=0, first=0):
        """The deterministic initial values -> ndarray of float64, shape (systems, n)."""
        return np.full((systems, n), self.start)

    def system(self, theta, threads=1, share=None):
        """Systems in the state theta, (systems, n), which they own and advance in place -> `Line`.

        With a `Share` of a system, theta are the particles of this rank, and all ranks call ``observe()`` first of all.
        """
        return Line(self, theta, threads, share)
