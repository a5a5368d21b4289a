"""C5: the output of heavy-tailed gradient descent is compressible: a few columns carry the norm of the weights.

Statement
    Keep the kappa n columns of largest norm and set the rest to zero. For every kappa in (0, 1) and eps > 0 there is a
    width N such that for n >= N and steps eta <= n^(-alpha/2 - 1) the relative error |kept - Theta|_F / |Theta|_F is
    at most eps with probability at least 1 - eps.

Proof, shorter than the source's and without the condition on the step
    1. The drift is bounded by K, so |Theta_T - Theta_0 - S|_F <= sqrt(n) K T, S the noise of all steps together. The
       error of the best kappa n columns is 1-Lipschitz in the Frobenius norm.
    2. The norms of the columns of S are independent with tail C r^-alpha: the sum of their squares, over n^(2/alpha),
       tends to C^(2/alpha) times a positive alpha/2-stable variable, and sqrt(n) is nothing beside n^(1/alpha).
    3. What is dropped is of order sqrt(n): the columns below the (1 - kappa)-quantile q, n M of squared norm with
       M = E[Y^2; Y <= q].
    So the error falls like n^-(1/alpha - 1/2) for *every* step size, and neither propagation of chaos nor the Euler
    error is needed: C5 cannot test C2 or C3. Unbounded gradients (ReLU, a trained second layer) are outside this proof.

The law of the error to second order [derived]
    error^2 ~ M / (m + n^(2/alpha - 1) C^(2/alpha) S),   E exp(-s S) = exp(-Gamma(1 - alpha/2) s^(alpha/2)),
    m = int_0^inf [P(Y^2 > s) - C s^(-alpha/2)] ds, Y the norm of one column of the limit at time T. On bed K its law is
    known (``chaosnum/line_norm.py``); on bed N M and m come from a reference network of 60,000 units, and C is exact.

What is checked
    The share of independent systems whose error lies below the predicted 5, 50 and 95 % point: 0.05, 0.5, 0.95, within
    a tolerance for terms of third order, 0.02 to 0.04 on bed K. On bed N for every type of noise.
    step-size-condition: the same with the paper's steps eta = n^(-alpha/2 - 1) and with steps of T/4, side by side. The
    paper's steps cost n^(alpha/2 + 2) particle-steps a system, so n is 100 to 400, and the tolerance wider.

Controls
    gaussian-noise: Gaussian columns are not compressible. first-kept: the first kappa n columns in place of the
    largest. no-second-order (bed K): the prediction without m.
"""

import math
from functools import lru_cache

import chaosnum as cn
from proofs_checks.beds import (
    KURAMOTO_DOMAIN,
    NETWORK,
    NETWORK_DOMAIN,
    POSITIVE,
    kuramoto,
    network,
)

SOURCE = "Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125, Theorem 3.1; the law of the error derived"
TAILS = (1.2, 1.5, 1.8)
TAIL_RANGE = (1.0, 1.95)
KINDS = ("I", "II", "III")
MEDIAN, HIGH = "error below its median", "error below its 95 % point"
LEVELS = {"error below its 5 % point": 0.05, MEDIAN: 0.5, HIGH: 0.95}


def _errors(norms, kappa):
    """Relative l_2 errors of the best kappa n columns of each system; norms of shape (systems, n)."""
    import numpy as np

    return np.array([cn.compress.error_curve(row, [kappa])[0] for row in norms])


def _first_kept(norms, kappa):
    """The same where the first kappa n columns are kept in place of the largest."""
    import numpy as np

    squares = norms**2
    return np.sqrt(squares[:, math.floor(kappa * norms.shape[1]) :].sum(axis=1) / squares.sum(axis=1))


@lru_cache(maxsize=1024)
def _points(n, kappa, law):
    """The predicted points of the error."""
    return tuple(cn.compress.error_quantiles(list(LEVELS.values()), n, law.alpha, kappa, law=law))


def _shares(errors, n, kappa, law):
    """Share of the errors below each predicted point."""
    return {name: float((errors <= point).mean()) for name, point in zip(LEVELS, _points(n, kappa, law))}


def _predicts(trials, margins, names=tuple(LEVELS)):
    return {
        name: cn.LimitCurve(LEVELS[name], margin=margin, absolute=True, upper=min(LEVELS[name] + margin, 0.99),
                            statistic="frequency", trials=trials, words=f"{LEVELS[name]:g}")
        for name, margin in zip(LEVELS, margins) if name in names
    }  # fmt: skip


# --- bed K ---------------------------------------------------------------------------------------------------------

SYSTEMS = 50  # systems of bed K behind one replica


@lru_cache(maxsize=64)
def line_norm(alpha, sigma, K, T, eta, second_order=True):
    """The law of |theta_T| on bed K's limit -> LineNorm."""
    bed = kuramoto(K)
    start = cn.limit.gaussian_modes(bed.mean, bed.sd)
    line = cn.line_law.kuramoto_line_law(alpha, sigma, K, eta, round(T / eta), start)
    return cn.line_norm.LineNorm(line, second_order=second_order)


def kuramoto_shares(n, *, seed, alpha, sigma, K, T, eta, kappa, noise_alpha=None, errors=_errors, second_order=True):
    """A batch of systems of bed K: shares of errors below the predicted points."""
    scheme = cn.particles.Scheme(noise_alpha or alpha, sigma, T, eta)
    theta = cn.particles.simulate(kuramoto(K), int(n), scheme, seed=seed, systems=SYSTEMS, threads=1).theta
    return _shares(errors(abs(theta), kappa), int(n), kappa, line_norm(alpha, sigma, K, T, eta, second_order))


def kuramoto_gaussian(n, **params):
    """`kuramoto_shares` with Gaussian noise."""
    return kuramoto_shares(n, noise_alpha=2.0, **params)


def kuramoto_first_kept(n, **params):
    """`kuramoto_shares` where the first columns are kept."""
    return kuramoto_shares(n, errors=_first_kept, **params)


def kuramoto_without_m(n, **params):
    """`kuramoto_shares` against the prediction without its second-order term."""
    return kuramoto_shares(n, second_order=False, **params)


def _ready(scale, **params):
    if "eta" in params:
        cn.particles.Scheme(params["alpha"], params["sigma"], params["T"], params["eta"])
    if not 1 <= params["kappa"] * scale <= scale - 1:
        raise ValueError(f"kappa must keep 1 to n - 1 of n = {scale:g} columns, got {params['kappa']!r}")
    if "data" in params:
        network(params["data"], params["unit"], params["loss"], POINTS)


MARGINS = (0.02, 0.04, 0.02)


def _control(name, statement, measure, trials, margins, statistics=(MEDIAN, HIGH), **rest):
    """A control, judged by the statistics that it spoils."""
    return cn.Control(name, statement, measure=measure, predicts=_predicts(trials, margins, statistics), **rest)


KURAMOTO = cn.Claim(
    "C5",
    "The error of the best kappa n columns has the predicted law: it falls like n^-(1/alpha - 1/2).",
    SOURCE,
    name="compressibility",
    model="kuramoto",
    measure=kuramoto_shares,
    predicts=_predicts(SYSTEMS, MARGINS),
    scales={"quick": [500, 2000], "standard": [500, 2000, 8000], "full": [500, 2000, 8000, 32000]},
    replicas={"quick": 50, "standard": 120, "full": 600},
    params={"alpha": TAILS, "kappa": 0.1, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 0.05},
    domain={**KURAMOTO_DOMAIN, "alpha": TAIL_RANGE, "kappa": (0.0, 1.0)},
    ready=_ready,
    controls=(
        _control("gaussian-noise", "Gaussian noise.", kuramoto_gaussian, SYSTEMS, MARGINS, scales=[1000], replicas=4),
        _control("first-kept", "The first columns in place of the largest.", kuramoto_first_kept, SYSTEMS, MARGINS,
                 scales=[1000], replicas=4),
        _control("no-second-order", "The prediction without m.", kuramoto_without_m, SYSTEMS, MARGINS, (HIGH,),
                 applies=lambda alpha: alpha >= 1.5, scales=[250], replicas=16),
    ),
)  # fmt: skip


# --- is the condition on the step needed? --------------------------------------------------------------------------

STEPS = ("paper", "large")
CONDITION_SYSTEMS = 100
WIDER = (0.03, 0.08, 0.08)  # 100 columns are few


def condition_shares(n, *, seed, alpha, sigma, K, T, kappa, steps, noise_alpha=None):
    """`kuramoto_shares` with the paper's step, at most n^(-alpha/2 - 1), or with T/4."""
    eta, law = _step(n, alpha, T, steps), _condition_law(alpha, sigma, K, T, steps)
    scheme = cn.particles.Scheme(noise_alpha or alpha, sigma, T, eta)
    bed = kuramoto(K)
    theta = cn.particles.simulate(bed, int(n), scheme, seed=seed, systems=CONDITION_SYSTEMS, threads=1).theta
    return _shares(_errors(abs(theta), kappa), int(n), kappa, law)


def condition_gaussian(n, **params):
    """`condition_shares` with Gaussian noise."""
    return condition_shares(n, noise_alpha=2.0, **params)


def _step(n, alpha, T, steps):
    return T / (math.ceil(T * n ** (alpha / 2 + 1)) if steps == "paper" else 4)


def _condition_law(alpha, sigma, K, T, steps):
    """The paper's steps are so small that the law is the continuous one's; 100 steps are as good."""
    return line_norm(alpha, sigma, K, T, T / (100 if steps == "paper" else 4))


CONDITION = cn.Claim(
    "C5",
    "The paper's condition on the step is not needed: with steps of T/4, too, the error has the predicted law.",
    "derived, in proofs_checks/compressibility.py",
    name="step-size-condition",
    model="kuramoto",
    measure=condition_shares,
    predicts=_predicts(CONDITION_SYSTEMS, WIDER),
    scales={"quick": [100], "standard": [100, 200], "full": [100, 200, 400]},
    replicas={"quick": 10, "standard": 20, "full": 40},
    params={"alpha": (1.2, 1.5), "kappa": 0.1, "steps": STEPS, "sigma": 1.0, "K": 1.0, "T": 1.0},
    domain={"alpha": TAIL_RANGE, "kappa": (0.0, 1.0), "steps": STEPS, "sigma": POSITIVE, "K": POSITIVE, "T": POSITIVE},
    ready=_ready,
    controls=(
        _control("gaussian-noise", "Gaussian noise.", condition_gaussian, CONDITION_SYSTEMS, WIDER,
                 params={"steps": "large"}, scales=[100], replicas=4),
    ),
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------

POINTS = 10  # images
WIDEST = (0.04, 0.1, 0.06)  # M and m have an error of their own, worth some 0.01 of the shares
VECTOR_TAILS = (1.2, 1.5, 1.7)
REFERENCE, REFERENCE_SEED = 60_000, 2**40


def _norms(theta):
    return (theta**2).sum(axis=0) ** 0.5


@lru_cache(maxsize=64)
def network_norm(alpha, sigma, T, eta, noise, data, unit, loss):
    """The law of a unit's norm, from a reference network; its tail constant is exact."""
    bed = network(data, unit, loss, POINTS)
    scheme = cn.particles.Scheme(alpha, sigma, T, eta, noise)
    theta = cn.particles.simulate(bed, REFERENCE, scheme, seed=REFERENCE_SEED, threads=1).theta
    constant = cn.moments.tail_constant(noise, alpha, bed.p) * sigma**alpha * T
    return cn.compress.SampleLaw(_norms(theta), alpha, tail_constant=constant)


def network_shares(n, *, seed, alpha, sigma, T, eta, noise, kappa, data, unit, loss, noise_alpha=None, errors=_errors):
    """One network: whether its error lies below each predicted point."""
    bed = network(data, unit, loss, POINTS)
    scheme = cn.particles.Scheme(noise_alpha or alpha, sigma, T, eta, noise)
    theta = cn.particles.simulate(bed, int(n), scheme, seed=seed, threads=1).theta
    law = network_norm(alpha, sigma, T, eta, noise, data, unit, loss)
    return _shares(errors(_norms(theta)[None], kappa), int(n), kappa, law)


def network_gaussian(n, **params):
    """`network_shares` with Gaussian noise."""
    return network_shares(n, noise_alpha=2.0, **params)


def network_first_kept(n, **params):
    """`network_shares` where the first units are kept."""
    return network_shares(n, errors=_first_kept, **params)


NETWORK_CLAIM = cn.Claim(
    "C5",
    "The units of a network on real data are compressible as predicted, for every type of noise.",
    SOURCE,
    name="compressibility",
    model="network",
    measure=network_shares,
    predicts=_predicts(1, WIDEST),
    scales={"quick": [400], "standard": [400, 1600], "full": [400, 1600, 6400]},
    replicas={"quick": 700, "standard": 1200, "full": 3000},
    params={
        "alpha": VECTOR_TAILS, "noise": KINDS, "kappa": 0.1, "sigma": 1.0, "T": 1.0, "eta": 0.5, **NETWORK,
    },
    domain={
        "alpha": TAIL_RANGE, "noise": KINDS, "kappa": (0.0, 1.0), "sigma": POSITIVE, "T": POSITIVE, "eta": POSITIVE,
        **NETWORK_DOMAIN,
    },
    ready=_ready,
    controls=(
        _control("gaussian-noise", "Gaussian noise.", network_gaussian, 1, WIDEST, scales=[400], replicas=60),
        _control("first-kept", "The first units in place of the largest.", network_first_kept, 1, WIDEST, scales=[400],
                 replicas=60),
    ),
)  # fmt: skip

CLAIMS = (KURAMOTO, CONDITION, NETWORK_CLAIM)
