"""The constants A, D, a, d1, d0 and sup|b| of the three test beds, which the explicit bounds need.

With ``b(theta, mu) = -E[d_1 l(int h dmu, y) grad h(theta)]``, ``|h|, |grad h|, |hess h| <= Psi(x)``
and ``|d_1 l|, |d_1^2 l| <= Phi(y)``:

* coarse: ``A = E[Phi Psi]`` bounds b and is its Lipschitz constant in theta, ``D = E[Phi Psi^2]``
  that in the coupled average;
* fine, the sup norms kept apart: ``a = E[|d_1 l| |hess h|]``, ``d1 = E[|d_1^2 l| |grad h|^2]``,
  ``d0 = E[|d_1^2 l| |grad h| sd(h)]`` with sd(h) at most half the range (Popoviciu),
  ``sup|b| <= E[|d_1 l| |grad h|]``.

The expectation is over the data at hand, every row of the same weight. The bounds themselves and
their proofs are in :mod:`chaosnum.bounds`, ``E|X|`` and the tail constants in
:mod:`chaosnum.moments`; their names are offered here too.

What goes wrong
---------------
*Inputs that are not scaled.* a and d1 grow like |x|^2 and the bounds like their exponential: scale
rows to unit norm. *Bed L* has an unbounded drift: a = gamma, d1 = chi are Lipschitz constants, but
d0 is infinite for alpha < 2 (no sd), so C2's bound says nothing; C3's holds with ``sup_t E|b|``
(`mean_b`) in the place of sup|b|. *ReLU units* have no finite constant. *The square loss*
(f - y)^2 / 2 fails A2 as stated, but bounded units keep f bounded, and there
``Phi = max(sup|h| + |y|, 1)``; without the half it, and every constant, is twice that.

References
----------
Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125, assumptions A1-A3.
"""

from dataclasses import dataclass

import numpy as np

from chaosnum import check
from chaosnum.bounds import (
    chaos_bound,
    chaos_bound_fine,
    chaos_bound_path,
    euler_bound,
    euler_bound_max,
    is_vacuous,
    trivial_bound,
)
from chaosnum.moments import mean_norm, norm_moment, tail_constant

__all__ = [
    "Constants",
    "chaos_bound",
    "chaos_bound_fine",
    "chaos_bound_path",
    "euler_bound",
    "euler_bound_max",
    "is_vacuous",
    "kuramoto_constants",
    "linear_constants",
    "mean_norm",
    "network_constants",
    "norm_moment",
    "projected_mean_norm",
    "tail_constant",
    "trivial_bound",
]


@dataclass(frozen=True)
class Constants:
    """Constants of a bed: coarse (A, D), fine (a, d1, d0), bounds of ``|b|`` and ``sup_t E|b|``.

    `within` says whether A1-A3 hold as stated; if not, `reason` says why in one line.
    """

    A: float
    D: float
    a: float
    d1: float
    d0: float
    sup_b: float
    mean_b: float
    within: bool = True
    reason: str = ""


def kuramoto_constants(K, m=None):
    """Bed K: ``Psi = 1``, ``Phi = |K|``, so A = D = a = d1 = sup|b| = |K|.

    Parameters
    ----------
    K : float
        Coupling.
    m : pair of float64 arrays, optional
        ``(m_c, m_s)`` along the limit flow. The average of n copies is off by
        ``sqrt(E|h - m|^2 / n) = sqrt((1 - |m|^2) / n)``, hence ``d0 = |K| sqrt(1 - min |m|^2)``;
        without a flow d0 = |K|. `a` stays |K|: C3 needs it at the system's measure.

    Returns
    -------
    Constants
    """
    K = abs(check.in_range("K", K, -np.inf, np.inf, open_high=True))
    spread = 1.0
    if m is not None:
        m_c, m_s = (check.finite_array(name, part) for name, part in zip(("m_c", "m_s"), m))
        spread = float(np.sqrt(max(0.0, 1.0 - np.min(m_c**2 + m_s**2))))
    return Constants(A=K, D=K, a=K, d1=K, d0=K * spread, sup_b=K, mean_b=K)


def linear_constants(lam, chi, alpha, sigma, T, *, mean0=0.0, sd0=0.0):
    """Bed L: Lipschitz constants A = a = gamma, D = d1 = chi; the drift is unbounded.

    ``mean_b = (gamma + chi) (E|theta_0| + sigma E|X| T^(1/alpha)) >= sup_{t<=T} E|b|`` for every n,
    in continuous time and under Euler with ``eta gamma <= 1``: theta^i is a sum of starts and
    noises, with weights at most 1 in l_alpha. d0 is finite at alpha = 2 alone.
    :func:`chaos_bound` with A and D does *not* apply.

    Returns
    -------
    Constants
        ``sup_b`` is infinite; `mean_b` is, too, for alpha <= 1.
    """
    lam, chi = check.nonnegative("lam", lam), check.nonnegative("chi", chi)
    alpha, sigma = check.stable_index(alpha), check.positive("sigma", sigma)
    T, sd0, slope = check.positive("T", T), check.nonnegative("sd0", sd0), lam + chi
    noise = sigma * mean_norm("I", alpha, 1) * T ** (1.0 / alpha) if alpha > 1.0 else np.inf
    mean_b = (slope + chi) * (np.hypot(mean0, sd0) + noise)
    sd = np.sqrt(sd0**2 + 2.0 * sigma**2 * T) if alpha == 2.0 else np.inf
    reason = "bed L: linear drift and interaction are unbounded, so A1-A3 fail"
    d0 = float(chi * sd) if chi > 0.0 else 0.0
    return Constants(slope, chi, slope, chi, d0, np.inf, float(mean_b), False, reason)


# Bounds of |act|, |act'|, |act''|, and half the range.
_ACTIVATIONS = {
    "tanh": (1.0, 1.0, 4.0 / np.sqrt(27.0), 1.0),
    "sigmoid": (1.0, 0.25, 1.0 / np.sqrt(108.0), 0.5),
    "relu": (np.inf, 1.0, np.inf, np.inf),
}
_LOSSES = ("logistic", "huber", "square")


def network_constants(
    X, y=None, *, act="tanh", loss="logistic", bias=True, outer=None, on_range=False
):
    """Bed N: constants of ``h_x(theta) = outer * act(<w, x> + bias)`` for the data at hand.

    Parameters
    ----------
    X : float64 array, shape (rows, d)
        Inputs, every row of the same weight.
    y : float64 array, shape (rows,), optional
        Targets; labels are -1 and 1, and ``|y| = 1`` is taken without them.
    act : {"tanh", "sigmoid", "relu"}
    loss : {"logistic", "huber", "square"}
        ``log(1 + exp(-y f))``, ``sqrt(1 + (f - y)^2) - 1``, ``(f - y)^2 / 2``.
    bias : bool
        Whether the unit has a bias, i.e. whether x is lengthened by a 1.
    outer : None, float or "tanh"
        Nothing, a fixed factor, or one more trained parameter c that enters as ``tanh(c)``.
    on_range : bool
        Bound the logistic slope on the range of f, ``1/(1 + exp(-sup|h|))``, in place of by 1.

    Returns
    -------
    Constants
        Inputs of unit norm, tanh with bias, logistic: a = 1.5396, d1 = 0.5, d0 = 0.3536.

    Raises
    ------
    ValueError
        Data that are not finite or not two-dimensional, labels other than -1 and 1, unknown names.
    """
    X = check.finite_array("X", X, ndim=2)
    if X.size == 0:
        raise ValueError(f"X must hold at least one row and one column, got shape {X.shape}")
    act, loss = check.one_of("act", act, tuple(_ACTIVATIONS)), check.one_of("loss", loss, _LOSSES)
    length = np.sqrt(np.sum(X**2, axis=1) + bool(bias))
    size, slope, bend, spread = _unit(length, act, outer)
    target = np.ones(len(X)) if y is None else np.abs(check.finite_array("y", y, ndim=1))
    if len(target) != len(X):
        raise ValueError(f"y must hold {len(X)} values, one for each row of X, got {len(target)}")
    if loss == "logistic" and np.any(target != 1.0):
        raise ValueError("y must be -1 or 1 for the logistic loss, got other labels")
    first, second = np.ones(len(X)), np.ones(len(X))
    if loss == "logistic":
        first = first / (1.0 + np.exp(-size)) if on_range else first
        second = 0.25 * second
    elif loss == "square":
        first = size + target
    psi, phi = np.maximum(np.maximum(size, slope), bend), np.maximum(first, second)
    sup_b = float(np.mean(first * slope))
    reasons = []
    if act == "relu":
        reasons.append("ReLU units are unbounded and have no second derivative, so A1 fails")
    if loss == "square":
        reasons.append("the square loss has unbounded derivatives, so A2 fails as stated")
        if act != "relu":
            reasons.append("bounded units bound them on the range of f: Phi = sup|h| + |y|")
    return Constants(
        A=float(np.mean(phi * psi)),
        D=float(np.mean(phi * psi**2)),
        a=float(np.mean(first * bend)),
        d1=float(np.mean(second * slope**2)),
        d0=float(np.mean(second * slope * spread)),
        sup_b=sup_b,
        mean_b=sup_b,
        within=not reasons,
        reason="; ".join(reasons),
    )


def projected_mean_norm(X, kind, alpha, *, bias=True):
    """What bed N's drift feels of E|X|: the largest ``E|<noise, x>| / |x|`` over the rows.

    A unit sees its noise through ``<w, x> + bias`` only, so this may stand for ``E|X|`` in
    :func:`chaosnum.bounds.euler_bound` and ``euler_bound_max`` with the fine constants a and d1
    (no trained outer weight). ``<noise, x>`` is SaS of scale ``|sum_j x_j|`` (Type I),
    ``|x|_alpha`` (Type II) or ``|x|`` (Type III): far less than ``E|X|`` in a high dimension.

    Parameters
    ----------
    X : float64 array, shape (rows, d)
    kind : {"I", "II", "III"}
    alpha : float
        Tail index in (1, 2].

    Returns
    -------
    float
    """
    scalar, X = mean_norm(kind, alpha), check.finite_array("X", X, ndim=2)
    if bias:
        X = np.column_stack([X, np.ones(len(X))])
    length = np.linalg.norm(X, axis=1)
    seen = {
        "I": np.abs(X.sum(axis=1)),
        "II": np.sum(np.abs(X) ** alpha, axis=1) ** (1.0 / alpha),
        "III": length,
    }[kind]
    return float(scalar * np.max(seen[length > 0.0] / length[length > 0.0], initial=0.0))


def _unit(length, act, outer):
    """Bounds of |h|, |grad h|, |hess h| and sd(h) for inputs of these (lengthened) norms."""
    size, slope, bend, spread = _ACTIVATIONS[act]
    one = np.ones_like(length)
    if outer == "tanh":
        # With t = tanh(c): grad h = (t act' x, (1 - t^2) act), its square is convex in t^2, largest
        # at an end; hess h has the blocks t act'' xx, (1 - t^2) act' x, -2 t (1 - t^2) act.
        if act == "relu":
            return np.inf * one, np.inf * one, np.inf * one, np.inf * one
        t = np.linspace(0.0, 1.0, 1025)[:, None]
        p, q, r = t * bend * length**2, 2 * t * (1 - t**2) * size, (1 - t**2) * slope * length
        norm = 0.5 * (p + q) + np.hypot(0.5 * (p - q), r)
        # Between grid points the blocks change by at most their slopes times half a spacing.
        margin = (bend * length**2 + 2 * size + 2 * slope * length) / 2048.0
        return size * one, np.maximum(slope * length, size), norm.max(axis=0) + margin, size * one
    scale = 1.0 if outer is None else check.positive("outer", outer)
    bounds = size * one, slope * length, bend * length**2, spread * one
    return tuple(scale * bound for bound in bounds)
