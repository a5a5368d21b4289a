"""The explicit bounds of C2 (propagation of chaos) and C3 (Euler error), derived.

``b(theta, mu) = -E[d_1 l(int h dmu, y) grad h(theta)]`` with ``|h|, |grad h|, |hess h| <= Psi(x)``,
``|d_1 l|, |d_1^2 l| <= Phi(y)``, ``A = E[Phi Psi]``, ``D = E[Phi Psi^2]``. Then ``|b| <= A``, b is
A-Lipschitz in theta, and it moves by at most ``E[Phi Psi |int h d(mu - nu)|]`` with the measure: by
D times the mean distance of two coupled samples.

C2 (explicit form)
------------------
Gap D^i = theta^{i,n} - theta^{i,inf}, M_t = max_i sup_{s<=t} |D^i_s|. Split the difference of the
two drifts into theta^i against its copy (A M_t), the average over the particles against that over
the copies (D M_t), and the average over the copies against its expectation, F_t = E_x[Phi Psi
|(1/n) sum_j h(theta^{j,inf}_t) - m|], where ``E F_t <= D / sqrt(n)`` since the copies are
independent and bounded. None of it depends on i, so Gronwall bounds the maximum:

    E max_i sup_{t<=T} |gap| <= D (exp((A + D) T) - 1) / ((A + D) sqrt(n)).

* *Euler system against the Euler limit, any step eta*:
  ``E M_{k+1} <= E M_k + eta ((A + D) E M_k + D / sqrt(n))``, hence
  ``D ((1 + (A+D) eta)^k - 1) / ((A+D) sqrt(n))``, below the same bound as ``1 + x <= exp(x)``. No
  step-size floor.
* *Second moment*: all of it holds with the L2 norm (Minkowski; ``|F_t|_2 <= D / sqrt(n)`` is what
  was used), so ``E max_i sup |gap|^2`` is at most the square of the bound, with the same constant.
* *Finer*: b moves by ``d_1 = E[|d_1^2 l| |grad h|^2]`` and fluctuates by
  ``d_0 = E[|d_1^2 l| |grad h| sd(h)]``, Lipschitz constant ``a = E[|d_1 l| |hess h|]``; sd(h) is at
  most half the range. In the split above ``d_1 l`` is taken at the *limit's* measure, so on bed K a
  = K |m_t|, d_1 = K, d_0 = K sqrt(1 - |m_t|^2), known along the flow (:func:`chaos_bound_path`).
* *Trivial*: equal noise cancels, so ``|gap| <= 2 sup|b| T`` always. A bound that is no smaller is
  vacuous.

C3 (explicit form)
------------------
Error e^i at coarse grid times, against the exact solution or the scheme of step eta / r on the same
noise. Within a coarse step, s after its start,
``E|theta_s - theta_0| <= sup|b| s + sigma E|X| s^(1/alpha)``: the sum of the fine noises is stable
of scale s^(1/alpha) for all three types. Its integral over the step, or the left-endpoint sum of
the fine scheme, which is smaller since it increases, is at most
``eta (sup|b| eta/2 + sigma E|X| alpha/(alpha+1) eta^(1/alpha))``. With the Lipschitz constant A + D
and Gronwall, ``sum_{j<k} (A+D) eta (1 + (A+D) eta)^j = (1 + (A+D) eta)^k - 1``:

    E sup_k |e^i_k| <= (exp((A+D) T) - 1) (sup|b| eta/2 + sigma E|X| alpha/(alpha+1) eta^(1/alpha)),

with sup|b| <= A, for each i, hence for the mean over particles, for alpha > 1.

*The maximum over particles* is not bounded by this: the largest of n noises grows like n^(1/alpha).
But the drift is bounded, so a step's noise enters i's own term as Z = int min(sigma A |L_s|, 2
sup|b|) ds in [0, 2 sup|b| eta], independent over the steps. With B = sup|b|, s = sigma E|X|
alpha/(alpha+1) eta^(1/alpha) the sum S of the Z has mean <= A T s, variance <= 2 B eta A T s, and
Bernstein's inequality gives E max_i (S^i - E S^i) <= sqrt(4 B eta A T s log n) + (2/3) B eta log n,
so

    E max_i sup_k |e^i_k| <= (exp((A+D) T) - 1) (B eta/2 + s)
                             + exp((A+D) T) (sqrt(4 A B eta T s log n) + (2/3) B eta log n):

order eta^(1/alpha) again (the root is of order (1 + 1/alpha)/2 >= 1/alpha), n enters by log n.
:func:`euler_bound_max`.

References
----------
Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125 (assumptions, C2, C3); A.-S. Sznitman,
    Topics in propagation of chaos (1991).
S. Boucheron, G. Lugosi, P. Massart, Concentration Inequalities (2013), Theorem 2.10 and Corollary
    2.6.
"""

import numpy as np

from chaosnum import check


def chaos_bound(n, T, A, D, *, eta=None):
    """C2's bound ``D (exp((A+D) T) - 1) / ((A+D) sqrt(n))`` -> float.

    Bounds ``E max_i sup_t |gap|`` and ``sqrt(E max_i sup_t |gap|^2)``, in continuous time and for
    Euler of any step against the Euler limit; with `eta` its slightly smaller discrete form.
    """
    return chaos_bound_fine(n, T, A, D, D, eta=eta)


def chaos_bound_fine(n, T, a, d1, d0, *, eta=None):
    """The same, sup norms kept apart, ``d0 (exp((a+d1) T) - 1) / ((a+d1) sqrt(n))`` -> float."""
    n, T = check.at_least("n", n, 1), check.positive("T", T)
    a, d1, d0 = _size("a", a), _size("d1", d1), _size("d0", d0)
    eta = None if eta is None else check.positive("eta", eta)
    return float(d0 * _growth(a + d1, T, eta) / np.sqrt(n)) if d0 > 0.0 else 0.0


def chaos_bound_path(n, eta, a, d1, d0):
    """C2's bound along an Euler limit whose constants are known step by step.

    ``u_{k+1} = u_k + eta ((a_k + d1) u_k + d0_k / sqrt(n))``, ``u_0 = 0``.

    Parameters
    ----------
    n : int
    eta, d1 : float
    a, d0 : float64 arrays, shape (steps,)
        At the left end of each step.

    Returns
    -------
    float64 array, shape (steps + 1,)
        Bound of ``E max_i sup_{j<=k} |gap_j|``, k = 0..steps.
    """
    n, eta, d1 = check.at_least("n", n, 1), check.positive("eta", eta), _size("d1", d1)
    a, d0 = np.broadcast_arrays(check.finite_array("a", a), check.finite_array("d0", d0))
    bound = np.zeros(a.size + 1)
    for k, (rate, source) in enumerate(zip(a.ravel(), d0.ravel(), strict=True)):
        bound[k + 1] = bound[k] + eta * ((rate + d1) * bound[k] + source / np.sqrt(n))
    return bound


def euler_bound(eta, T, alpha, sigma, A, D, mean_norm, *, sup_b=None):
    """C3's bound of ``E sup_k |error of theta^i|``, the mean over particles included -> float.

    Parameters
    ----------
    eta, T, alpha, sigma : float
        Coarse step, horizon, tail index in (1, 2], noise scale.
    A, D : float
        Lipschitz constants of the drift in theta and in the coupled average (or the finer a, d1).
    mean_norm : float
        ``E|X|``, see :func:`chaosnum.constants.mean_norm`.
    sup_b : float, optional
        Bound of ``|b|``, or of ``sup_t E|b|``; A unless given.
    """
    drift, noise = _local_error(eta, alpha, sigma, A if sup_b is None else sup_b, mean_norm)
    T, slope = check.positive("T", T), _size("A", A) + _size("D", D)
    return slope * _growth(slope, T, None) * (drift + noise) if slope > 0.0 else 0.0


def euler_bound_max(n, eta, T, alpha, sigma, A, D, mean_norm, *, sup_b=None):
    """C3's bound of ``E max_i sup_k |error of theta^i|``, n particles, bounded drift -> float.

    Parameters as for :func:`euler_bound`; here `sup_b` must bound ``|b|`` itself.
    """
    n, T, A = check.at_least("n", n, 1), check.positive("T", T), _size("A", A)
    sup_b = A if sup_b is None else sup_b
    mean = euler_bound(eta, T, alpha, sigma, A, D, mean_norm, sup_b=sup_b)
    drift, noise = _local_error(eta, alpha, sigma, sup_b, mean_norm)
    if not np.isfinite(mean):
        return np.inf
    spread = np.sqrt(8.0 * drift * A * T * noise * np.log(n)) + 4.0 / 3.0 * drift * np.log(n)
    return float(mean + np.exp((A + D) * T) * spread)


def trivial_bound(sup_b, T):
    """``2 sup|b| T``, which no gap between two systems on the same noise can exceed -> float."""
    return 2.0 * _size("sup_b", sup_b) * check.positive("T", T)


def is_vacuous(bound, sup_b, T):
    """Whether `bound` says no more than :func:`trivial_bound` -> bool."""
    return bool(bound >= trivial_bound(sup_b, T))


def _local_error(eta, alpha, sigma, sup_b, mean_norm):
    """Mean distance covered within a step, averaged over it: by the drift, by the noise."""
    eta, alpha = check.positive("eta", eta), check.stable_index(alpha, low=1.0)
    sigma, norm = check.positive("sigma", sigma), check.positive("mean_norm", mean_norm)
    noise = sigma * norm * alpha / (alpha + 1.0) * eta ** (1.0 / alpha)
    return 0.5 * eta * _size("sup_b", sup_b), noise


def _growth(rate, T, eta):
    """``(exp(rate T) - 1) / rate``, or with a step its discrete form; inf where it overflows."""
    if rate == 0.0:
        return T
    with np.errstate(over="ignore"):
        power = rate * T if eta is None else round(T / eta) * np.log1p(rate * eta)
        return float(np.expm1(power) / rate) if np.isfinite(rate) else np.inf


def _size(name, value):
    """A constant >= 0; infinity says that the assumption fails."""
    return np.inf if value == np.inf else check.nonnegative(name, value)
