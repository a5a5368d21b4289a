"""C3's proof, its inequalities measured one by one: the steps are those of ``euler_error.py``.

All is measured on one run: the scheme with step eta, and the same scheme with r times as many steps on the same
noise, which stands for the solution. At the fine times s of coarse step k write e_k for the error at its start,
delta_s = theta_s - theta_k for the distance covered since, m and m^ for the averages of h of the two systems.

Step 3 is a mean without a variance. It is taken with the noise's own distance as a control variate:
E|delta_s| = E|noise| + E(|delta_s| - |noise|), the first known, the second bounded by sup|b| s. On bed L the drift is
unbounded as well: there step 3 is taken pathwise, and step 4 on medians. On bed N a unit sees delta_s through
<delta_s, x> only (the bias included in x): |<delta_s, x>| / |x| stands for |delta_s| in the fine bounds, and of the
noise in 65 dimensions little is left (``constants.projected_mean_norm``).

Spoilt: redrawn, wrong-scale. Scheme and solution no longer share a path: step 1 breaks.
"""

from dataclasses import dataclass

import chaosnum as cn
from proofs_checks import euler_error
from proofs_checks.beds import NETWORK, kuramoto, network
from proofs_checks.paths import batches, beside_trivial, drift, rounding, scheme, size

NAME = "euler-error"
THEOREM = "E sup_k |e_k| ≤ C η^(1/α) at grid times, the noise of a step being the sum of the finer scheme's."
SMALLEST = 2.0**-60  # step at which a bound's search for saying something ends


@dataclass(frozen=True)
class Found:
    """What one run of the two schemes gives: pathwise inequalities, and arrays over the replicas."""

    error: object  # Tightest, step 1
    lipschitz: object  # step 2
    covered: object  # step 3 on bed L
    excess: object  # (steps, refine, replicas), mean over particles of |delta_s| - |noise|
    sup: object  # (replicas, n), sup_k |e_k|
    seen_excess: object  # on bed N (steps, refine, replicas, inputs), as `excess` of |<delta_s, x>| / |x|
    constants: object
    norm: float  # E|X|
    seen: object  # on bed N E|<X, x>| / |x| of every input, else E|X| alone
    params: dict


def follow(bed, constants, rays=None, *, seed, control, replicas, n, refine, **params):
    """Run the scheme and its refinement, and take both sides of every step along their paths.

    `rays`, (inputs, p), are bed N's inputs scaled to norm 1.
    """
    import numpy as np

    rule = scheme(**params)
    finer, (error, lipschitz, covered) = rule.refined(refine), (cn.proof.Tightest() for _ in range(3))
    excess, sup = np.zeros((rule.steps, refine, replicas)), np.zeros((replicas, n))
    seen_excess = None if rays is None else np.zeros((*excess.shape, len(rays)))
    for r, systems in batches(bed, replicas):
        own, units = slice(r, r + systems), n * systems
        coarse = cn.particles.start(bed, n, systems, seed, r)
        fine = bed.system(coarse.theta.copy())
        path = finer.path(bed.p, units, seed=seed, replica=r)
        spoil = _spoil(control, bed, rule, units, seed, replicas + r)
        xi = np.empty((bed.p, units))
        e, slip = np.zeros((systems, n)), np.zeros((systems, n))
        for k in range(rule.steps):
            start, held, total = fine.theta.copy(), drift(bed, coarse.theta, coarse.average), np.zeros((bed.p, units))
            drifted, travelled = np.zeros((systems, n)), np.zeros((systems, n))
            for j in range(refine):
                slip = np.maximum(slip, rounding(bed, fine.theta, coarse.theta))
                b, delta = drift(bed, fine.theta, fine.average), size(bed, fine.theta - start)
                noise = size(bed, total.reshape(start.shape))
                difference, off = size(bed, b - held), e + delta
                lipschitz.add(difference, constants.a * off + constants.d1 * off.mean(axis=1, keepdims=True), slip)
                covered.add(delta, travelled + noise, slip)
                excess[k, j, own] = (delta - noise).mean(axis=1)
                if rays is not None:
                    onto = [np.abs(np.einsum("xc,ci->xi", rays, v)) for v in (fine.theta - start, total)]  # no BLAS
                    seen_excess[k, j, r] = (onto[0] - onto[1]).mean(axis=1)
                drifted += finer.eta * difference
                travelled += finer.eta * size(bed, b)
                fine.advance(fine.average, path.fill(k * refine + j, xi), finer.eta)
                total += xi
            spoil(k, total)
            coarse.advance(coarse.average, total, rule.eta)
            before, e = e, size(bed, fine.theta - coarse.theta)
            slip = np.maximum(slip, rounding(bed, fine.theta, coarse.theta))
            error.add(e, before + drifted, slip)
            np.maximum(sup[own], e, out=sup[own])
    norm = cn.moments.mean_norm(rule.noise, rule.alpha, bed.p)
    seen = np.array([norm])
    if rays is not None:  # <X, x> of independent components is stable of scale |x|_alpha
        scale = (np.abs(rays) ** rule.alpha).sum(axis=1) ** (1.0 / rule.alpha)
        seen = cn.moments.mean_norm(rule.noise, rule.alpha) * scale
    params = {"n": n, "refine": refine, **params}
    return Found(error, lipschitz, covered, excess, sup, seen_excess, constants, norm, seen, params)


def _spoil(control, bed, rule, units, seed, replica):
    """What changes the coarse noise: nothing, or one of the claims' controls at an address of its own."""
    if control is None:
        return lambda k, total: None
    if control == "redrawn":
        return rule.path(bed.p, units, seed=seed, replica=replica).fill
    return euler_error.wrong_scale(bed, rule, units, seed)


def _noise(found, s, norm=None):
    """sigma E|X| s^(1/alpha), the mean distance covered by the noise in time s."""
    return found.params["sigma"] * (found.norm if norm is None else norm) * s ** (1.0 / found.params["alpha"])


def _within(found):
    """Distance covered since the step began, at the time within a step where the inequality is tightest."""
    return _tightest_mean(found, found.excess[..., None], [found.norm])


def _within_seen(found):
    """The same of what the inputs see of it, at the input where it is tightest."""
    return _tightest_mean(found, found.seen_excess, found.seen)


def _tightest_mean(found, excess, norms):
    fine, most = found.params["eta"] / found.params["refine"], max(norms)
    sides = []
    for j in range(1, found.params["refine"]):
        right = found.constants.sup_b * j * fine + _noise(found, j * fine, most)
        for x, norm in enumerate(norms):
            over = excess[:, j, :, x]
            known = _noise(found, j * fine, norm)
            sides.append(cn.proof.of_mean(known + over[over.mean(axis=1).argmax()], right))
    return min(sides, key=lambda found: found.slack)


def _averaged(found):
    """The same averaged over a step, at the step where it is largest."""
    refine, eta, alpha = found.params["refine"], found.params["eta"], found.params["alpha"]
    known = sum(_noise(found, j * eta / refine) for j in range(refine)) / refine
    right = 0.5 * found.constants.sup_b * eta + alpha / (alpha + 1.0) * _noise(found, eta)
    over = found.excess.mean(axis=1)
    return cn.proof.of_mean(known + over[over.mean(axis=1).argmax()], right)


def _bound(found, eta, A, D, sup_b, norm):
    p = found.params
    return cn.bounds.euler_bound(eta, p["T"], p["alpha"], p["sigma"], A, D, norm, sup_b=sup_b)


def _bound_max(found, eta, A, D, sup_b, norm):
    p = found.params
    return cn.bounds.euler_bound_max(p["n"], eta, p["T"], p["alpha"], p["sigma"], A, D, norm, sup_b=sup_b)


def _beside(found, bound, *constants):
    """The bound at the run's step, and whether it says anything."""
    T, sup_b, eta = found.params["T"], found.constants.sup_b, found.params["eta"]

    def says():
        small = eta
        while small > SMALLEST and cn.bounds.is_vacuous(bound(found, small, *constants), sup_b, T):
            small /= 2.0
        return f"; not so from η = {small:.2g}" if small > SMALLEST else ""

    value = bound(found, eta, *constants)
    return value, beside_trivial(value, sup_b, T, says)


def _coarse(found):
    c = found.constants
    value, more = _beside(found, _bound, c.A, c.D, c.A, found.norm)
    return cn.proof.of_mean(found.sup.mean(axis=1), value, **more)


def _fine(found):
    c = found.constants
    value, more = _beside(found, _bound, c.a, c.d1, c.sup_b, max(found.seen))
    return cn.proof.of_mean(found.sup.mean(axis=1), value, **more)


def _largest(found):
    c = found.constants
    value, more = _beside(found, _bound_max, c.a, c.d1, c.sup_b, max(found.seen))
    return cn.proof.of_mean(found.sup.max(axis=1), value, **more)


_PATHWISE = (
    cn.proof.Step(
        "1", "The step's noise is the sum of its fine steps' noise and cancels; the drift is left.",
        "|e_{k+1}| ≤ |e_k| + ∫ |b(θ_s, m_s) − b(θ̂_k, m̂_k)| ds over the step", "tightest i, k, system",
        lambda found: found.error.sides(),
    ),
    cn.proof.Step(
        "2", "b is Lipschitz in the error and the distance δ_s = θ_s − θ_k: a ≤ A, d1 ≤ D.",
        "|b(θ_s, m_s) − b(θ̂_k, m̂_k)| ≤ a (|e_k| + |δ_s|) + d1 mean_j (the same)", "tightest i, s, system",
        lambda found: found.lipschitz.sides(),
    ),
)  # fmt: skip

_WITHIN = (
    cn.proof.Step(
        "3a", "Within a step: the drift is bounded, the noise of scale s^(1/α) has a mean as α > 1.",
        "E|δ_s| ≤ sup|b| s + σ E|X| s^(1/α)", "mean, tightest k and s", _within,
    ),
    cn.proof.Step(
        "3b", "Averaged over the step.",
        "(1/η) ∫ E|δ_s| ds ≤ sup|b| η/2 + σ E|X| α/(α+1) η^(1/α)", "mean, largest over k", _averaged,
    ),
)  # fmt: skip

_SEEN = cn.proof.Step(
    "3c", "A unit sees θ through its inputs only: of the noise's p components each sees one mixture.",
    "E|⟨δ_s, x⟩| / |x| ≤ sup|b| s + σ max_x E|⟨X, x⟩| / |x| s^(1/α)", "mean, tightest k, s, x", _within_seen,
)  # fmt: skip

_GRONWALL_COARSE = cn.proof.Step(
    "4a", "Gronwall.",
    "E sup_k |e_k| ≤ (exp((A+D) T) − 1) (A η/2 + σ E|X| α/(α+1) η^(1/α))", "mean over i, systems", _coarse,
)  # fmt: skip

_GRONWALL_FINE = (
    cn.proof.Step(
        "4b", "The same with the fine constants a, d1 and sup|b| in place of A, D and A (bed N: and E|X| as in 3c).",
        "E sup_k |e_k| ≤ (exp((a+d1) T) − 1) (sup|b| η/2 + σ E|X| α/(α+1) η^(1/α))", "mean over i, systems", _fine,
    ),
    cn.proof.Step(
        "4c", "The largest of n noises is large, but the drift is bounded, by B = sup|b|: Bernstein's inequality, with "
        "s = σ E|X| α/(α+1) η^(1/α).",
        "E max_i sup_k |e_k| ≤ 4b + exp((a+d1) T) (√(4 a B η T s log n) + ⅔ B η log n)", "mean over systems", _largest,
    ),
)  # fmt: skip

_BOUNDED = (*_PATHWISE, *_WITHIN, _GRONWALL_COARSE, *_GRONWALL_FINE)
_ON_INPUTS = (*_PATHWISE, *_WITHIN, _SEEN, _GRONWALL_COARSE, *_GRONWALL_FINE)

CONTROLS = (
    cn.proof.Spoilt("redrawn", "The coarse noise is drawn afresh instead of summed: it does not cancel.", "1"),
    cn.proof.Spoilt(
        "wrong-scale", "Coarse noise σ η^(1/2) X in place of σ η^(1/α) X: it does not cancel.", "1",
        applies=lambda alpha: alpha < 2.0,
    ),
)  # fmt: skip


# --- bed K ---------------------------------------------------------------------------------------------------------


def _kuramoto_constants(K, **_):
    return cn.constants.kuramoto_constants(K)


def _kuramoto(*, seed, control, K, **params):
    return follow(kuramoto(K), _kuramoto_constants(K), seed=seed, control=control, **params)


KURAMOTO = cn.proof.Proof(
    "C3", NAME, "kuramoto", THEOREM, euler_error.SOURCE, _kuramoto, _BOUNDED,
    params={"alpha": 1.5, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 2.0**-6, "refine": 8, "n": 200, "replicas": 40},
    constants=_kuramoto_constants, controls=CONTROLS,
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------


def _network_constants(data, unit, loss, **_):
    return network(data, unit, loss).constants()


def _network(*, seed, control, data, unit, loss, **params):
    import numpy as np

    bed = network(data, unit, loss)
    inputs = np.column_stack([bed.X, np.ones(bed.m)])
    return follow(bed, bed.constants(), inputs / size(bed, inputs.T).T, seed=seed, control=control, **params)


NETWORK_PROOF = cn.proof.Proof(
    "C3", NAME, "network", THEOREM, euler_error.SOURCE, _network, _ON_INPUTS,
    params={"alpha": 1.5, "sigma": 1.0, "T": 1.0, "eta": 2.0**-4, "refine": 8, "n": 64, "replicas": 8, **NETWORK},
    constants=_network_constants, controls=CONTROLS,
)  # fmt: skip


# --- bed L ---------------------------------------------------------------------------------------------------------


def _linear_constants(lam, chi, alpha, sigma, T, **_):
    return cn.constants.linear_constants(lam, chi, alpha, sigma, T)


def _linear(*, seed, control, lam, chi, **params):
    constants = _linear_constants(lam, chi, **params)
    return follow(cn.linear.Linear(lam, chi), constants, seed=seed, control=control, **params)


def _linear_median(found):
    """The median over particles and systems, its error from the medians of the systems."""
    import numpy as np

    c = found.constants
    bound = 2.0 * _bound(found, found.params["eta"], c.A, c.D, c.mean_b, found.norm)
    medians = np.median(found.sup, axis=1)
    return cn.proof.Sides(float(np.median(found.sup)), bound, error=float(medians.std(ddof=1) / medians.size**0.5))


LINEAR = cn.proof.Proof(
    "C3", NAME, "linear", "The same, of a linear drift: A = γ, D = χ, and sup_t E|b| in place of sup|b|.",
    "derived, in chaosnum/linear.py", _linear,
    (
        *_PATHWISE,
        cn.proof.Step(
            "3", "The drift has no bound and no variance: the distance covered, pathwise.",
            "|δ_s| ≤ ∫ |b(θ_u, m_u)| du + |noise since k|", "tightest i, s, system",
            lambda found: found.covered.sides(),
        ),
        cn.proof.Step(
            "4", "Means of it, Gronwall, and Markov's inequality: a median is at most twice the mean.",
            "med sup_k |e_k| ≤ 2 (exp((A+D) T) − 1) (sup_t E|b| η/2 + σ E|X| α/(α+1) η^(1/α))",
            "median over i, systems", _linear_median,
        ),
    ),
    params={
        "alpha": 1.5, "sigma": 1.0, "lam": 1.0, "chi": 1.0, "T": 1.0, "eta": 2.0**-6, "refine": 8, "n": 200,
        "replicas": 40,
    },
    constants=_linear_constants, controls=CONTROLS,
)  # fmt: skip

PROOFS = (KURAMOTO, NETWORK_PROOF, LINEAR)
