"""S4 with noise: where the squared errors settle, and of what order in the noise and in the step (S4.2 to S4.4).

Statement
    noise-floor (S4.2)  E |x_i - x*|^2, E |xhat - x*|^2 and E |x_i - xhat|^2 settle at the solution of the periodic
        Lyapunov equation for noise that enters as e^{k+1} - e^k. Exactly so for quadratics; else up to what the
        linearisation leaves out.
    noise-squared (S4.2)  They are proportional to the noise's variance.
    small-step-laws (S4.3)  For s -> 0 the decay is s a lambda_min(sum H), the average's floor s V. Nothing is random:
        both are compared with the exact ones at a step so small that what the laws lack, which is of order s, is below
        1 %, and extrapolated to s = 0, where only the order s^2 is left.
    orders (S4.4)  For steps from 1/32 of the threshold down, the average's is of order s, the disagreement's of s^2.

Controls
    same-sample, resampled: other methods (``chaosnum/gradient_tracking.py``). no-burn-in: averaged from a far start on.
    mean-for-sum: the laws with the mean of the f_i in place of the sum.
    They are wrong by so much that large steps show it; a verdict at the family-wise level needs replicas.
"""

import chaosnum as cn
from proofs_checks import gradient_tracking_runs as runs
from proofs_checks.gradient_tracking_runs import DERIVED, SOURCE, law, of

CELLS = {"quick": 8, "standard": 18, "full": 96}
SURE = 12  # replicas of a control


def floor(system, scales, common, linear):
    """S4.2, the three floors -> Claim. Arguments as of ``gradient_tracking.make``; `scales` by budget."""

    def exact(key):
        value = law(system, lambda own, scale: getattr(own.floor(scale), key))
        if linear:
            return cn.ExactValue(value, deviation=0.03, words="Lyapunov's")
        return cn.LimitCurve(value, margin=runs.LINEARISED, last=2, words="Lyapunov's")

    predicts = {key: exact(key) for key in ("agents", "average", "consensus")}
    spoilt = {"predicts": {"agents": predicts["agents"]}, "replicas": SURE, "scales": [max(scales["quick"])]}
    return cn.Claim(
        "S4.2", "With noise the mean squared errors settle at the solution of the periodic Lyapunov equation.",
        DERIVED, origin="derived", name="noise-floor", measure=of(runs.plateau, system), predicts=predicts,
        scales=scales, replicas=CELLS, asymptotic="small", **common,
        controls=(
            cn.Control("same-sample", "One sample for both gradients of a difference.",
                       measure=of(runs.plateau, system, method="same-sample"), **spoilt),
            cn.Control("resampled", "A second sample for the old gradient.",
                       measure=of(runs.plateau, system, method="resampled"), **spoilt),
        ),
    )  # fmt: skip


def squared(system, largest, common):
    """S4.2, in proportion to the variance -> Claim."""

    def measure(noise, *, seed, burn=True, **params):
        return runs.plateau(largest / 4, seed=seed, system=system(**params), noise=noise, burn=burn)["agents"]

    return cn.Claim(
        "S4.2", "The floor is proportional to the noise's variance.",
        DERIVED, origin="derived", name="noise-squared", measure=measure, quantity="agents",
        predicts=cn.PowerLaw(2.0, sense="exact", margin=0.03), scales=[0.25, 0.5, 1.0, 2.0],
        replicas={"quick": 5, "standard": 6, "full": 48},
        asymptotic="large", **common | {"scale": "noise"},
        controls=(
            cn.Control("no-burn-in", "Averaged from a far start on.", params={"burn": False}, replicas=SURE),
        ),
    )  # fmt: skip


def orders(system, small, common):
    """S4.4 -> Claim, from the scale `small` down."""
    predicts = {
        "average": cn.PowerLaw(1.0, sense="exact", margin=0.1),
        "consensus": cn.PowerLaw(2.0, sense="exact", margin=0.03),
    }
    return cn.Claim(
        "S4.4", "For small steps the average's squared distance is of order s, the agents' disagreement of order s^2.",
        SOURCE, origin="derived", name="orders", measure=of(runs.plateau, system, batch=256), predicts=predicts,
        scales=runs.halved(small, {"quick": 3, "full": 4}),
        replicas={"quick": 4, "standard": 8, "full": 96}, asymptotic="small", **common,
        controls=(
            cn.Control("no-burn-in", "Averaged from a far start on.",
                       measure=of(runs.plateau, system, burn=False, window=3.0), replicas=SURE,
                       scales=[4 * small, 2 * small, small]),
        ),
    )  # fmt: skip


def laws(system, least, common, *, noisy=True):
    """S4.3, the small-step laws against spectral radius and Lyapunov solution, from the scale `least` down -> Claim."""

    def measure(scale, *, seed, mean=False, **params):
        own = system(**params)
        return runs.small_laws(own.step(scale), seed=seed, system=own, mean=mean, noisy=noisy)

    return cn.Claim(
        "S4.3", "For small steps the decay is s a lambda_min, and the floor s V, V that of fixed weights times "
        "<|w_k|^2> / (m a^2).",
        DERIVED, origin="derived", name="small-step-laws", measure=measure, predicts=small_laws(noisy),
        scales=runs.halved(least, {"quick": 1, "standard": 3}), replicas=2, asymptotic="small", **common,
        qualified="weights that vary in time inflate the floor, never deflate it; the published bounds do not show it",
        controls=(
            cn.Control("mean-for-sum", "The laws for the mean of the objectives.", params={"mean": True}),
        ),
    )  # fmt: skip


def small_laws(noisy=True):
    """1, to 1 % at a thousandth of the threshold, and to 0.1 % where the first order is extrapolated away."""
    predicts = {}
    for name in ("decay", "floor") if noisy else ("decay",):
        predicts[f"{name} / law"] = cn.ExactValue(1.0, rounding=0.01, statistic="every", words="1 to 1 %")
        predicts[f"{name} / law, s to 0"] = cn.ExactValue(1.0, rounding=1e-3, statistic="every", words="1 to 0.1 %")
    return predicts
