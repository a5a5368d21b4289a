"""C2's proof, its inequalities measured one by one: the steps are those of ``propagation_of_chaos.py``.

All is measured on one run of coupled systems: particle i of the n-particle system, and its copy, driven by the same
noise, which reads the limit flow. Write m^n for the system's average of h, mbar for the copies', m for the limit's.
The difference of the drifts splits into

    b(theta^{i,n}, m^n) - b(theta^{i,n}, mbar)      the averages over particles and over copies     (2b)
    b(theta^{i,n}, mbar) - b(theta^{i,n}, m)        the copies' fluctuation, F_t its maximum over i (3)
    b(theta^{i,n}, m) - b(theta^i, m)               a particle against its copy                     (2a)

On bed L the proof goes through to step 2. F_t has no variance there, its mean is of order n^-(1-1/alpha), and in
place of Gronwall the decay gives |gap_t| <= int F_s ds.

Spoilt: common-noise takes the copies' independence away, which step 3 needs; independent-copy takes away the
coupling, which step 1 needs.
"""

from dataclasses import dataclass

import chaosnum as cn
from proofs_checks.beds import NETWORK, kuramoto, kuramoto_flow, network
from proofs_checks.paths import batches, beside_trivial, drift, rounding, scheme, size
from proofs_checks.propagation_of_chaos import REFERENCE_SEED, SOURCE, reference_size

NAME = "propagation-of-chaos"
THEOREM = "E sup_t |θⁱⁿ − θⁱ| ≤ C / √n: the gap between a particle and its copy of the limit, for every α in (1, 2]."


@dataclass(frozen=True)
class Found:
    """What one run of coupled systems gives: pathwise inequalities, and arrays over the replicas."""

    gap: object  # Tightest, step 1
    in_theta: object  # step 2a
    in_average: object  # step 2b
    split: object  # step 2c
    integral: object  # step 4 on bed L
    fluctuation: object  # (steps, replicas), F_t
    sup: object  # (replicas,), the largest gap of a system
    constants: object
    params: dict


def follow(bed, limit, constants, *, seed, control, replicas, n, **params):
    """Run the coupled systems and take both sides of every step along their paths."""
    import numpy as np

    rule, tight = scheme(**params), [cn.proof.Tightest() for _ in range(5)]
    gap, in_theta, in_average, split, integral = tight
    fluctuation, sup = np.zeros((rule.steps, replicas)), np.zeros(replicas)
    for r, systems in batches(bed, replicas):
        own = slice(r, r + systems)
        system = cn.particles.start(bed, n, systems, seed, r)
        copy = bed.system(system.theta.copy())
        path = rule.path(bed.p, n * systems, seed=seed, replica=r)
        other = rule.path(bed.p, n * systems, seed=seed, replica=replicas + r)
        xi = np.empty((bed.p, n * systems))
        apart, drifted, slip = (np.zeros((systems, n)) for _ in range(3))
        shaken = np.zeros((systems, 1))
        for k in range(rule.steps):
            m = limit[k : k + 1]
            slip = np.maximum(slip, rounding(bed, system.theta, copy.theta))
            at_system, at_limit = drift(bed, system.theta, system.average), drift(bed, copy.theta, m)
            at_copies, moved = drift(bed, system.theta, copy.average), drift(bed, system.theta, m)
            mean, most = apart.mean(axis=1, keepdims=True), apart.max(axis=1, keepdims=True)
            shake = size(bed, at_copies - moved).max(axis=1, keepdims=True)
            difference = size(bed, at_system - at_limit)
            in_theta.add(size(bed, moved - at_limit), constants.a * apart, slip)
            in_average.add(size(bed, at_system - at_copies), constants.d1 * mean, slip)
            split.add(difference, (constants.a + constants.d1) * most + shake, slip)
            fluctuation[k, own] = shake[:, 0]
            drifted += rule.eta * difference
            shaken += rule.eta * shake
            path.fill(k, xi)
            if control == "common-noise":
                shared = xi.reshape(bed.p, systems, n)
                shared[:] = shared[:, :, :1]
            system.advance(system.average, xi, rule.eta)
            if control == "independent-copy":
                other.fill(k, xi)
            copy.advance(m, xi, rule.eta)
            apart = size(bed, system.theta - copy.theta)
            slip = np.maximum(slip, rounding(bed, system.theta, copy.theta))
            gap.add(apart, drifted, slip)
            integral.add(apart, shaken, slip)
            np.maximum(sup[own], apart.max(axis=1), out=sup[own])
    return Found(*tight, fluctuation, sup, constants, {"n": n, **params})


def _worst_time(found, right):
    """E F_t at the time where it is largest."""
    return cn.proof.of_mean(found.fluctuation[found.fluctuation.mean(axis=1).argmax()], right)


def _root_n(found):
    return found.params["n"] ** 0.5


def _coarse(found):
    c, n, T = found.constants, found.params["n"], found.params["T"]
    bound = cn.bounds.chaos_bound(n, T, c.A, c.D, eta=found.params["eta"])
    return cn.proof.of_mean(found.sup, bound, **_vacuity(bound, found))


def _vacuity(bound, found):
    """The bound is C / sqrt(n): from which n on does it say something?"""
    sup_b, T = found.constants.sup_b, found.params["T"]

    def says():
        return f"; not so from n = {found.params['n'] * (bound / cn.bounds.trivial_bound(sup_b, T)) ** 2:.3g}"

    return beside_trivial(bound, sup_b, T, says)


def _fine_mean(found):
    bound = _fine_bound(found)
    return cn.proof.of_mean(found.sup, bound, **_vacuity(bound, found))


def _fine_square(found):
    """Root of the second moment; its error is that of the square over twice the root."""
    from dataclasses import replace

    bound = _fine_bound(found)
    square = cn.proof.of_mean(found.sup**2, bound, **_vacuity(bound, found))
    root = square.left**0.5
    return replace(square, left=root, error=square.error / (2.0 * root) if root else 0.0)


def _fine_bound(found):
    """With a, d1 and d0; on bed K with those of every time along the flow."""
    c, p = found.constants, found.params
    if "K" in p:
        r = (kuramoto_flow(p["alpha"], p["sigma"], p["K"], p["T"], p["eta"])[:-1] ** 2).sum(axis=1)  # |m_t|^2
        return float(cn.bounds.chaos_bound_path(p["n"], p["eta"], c.a * r**0.5, c.d1, c.d1 * (1.0 - r) ** 0.5)[-1])
    return cn.bounds.chaos_bound_fine(p["n"], p["T"], c.a, c.d1, c.d0, eta=p["eta"])


_PATHWISE = (
    cn.proof.Step(
        "1", "One noise drives particle and copy: it cancels in the gap, and the drift is left.",
        "|gap_t| ≤ ∫ |b(θⁱⁿ, mⁿ) − b(θⁱ, m)| ds over [0, t]", "tightest i, t, system", lambda found: found.gap.sides(),
    ),
    cn.proof.Step(
        "2a", "b is Lipschitz in θ: constant a ≤ A.",
        "|b(θⁱⁿ, m) − b(θⁱ, m)| ≤ a |gap_i|", "tightest i, t, system", lambda found: found.in_theta.sides(),
    ),
    cn.proof.Step(
        "2b", "b is Lipschitz in the coupled average: constant d1 ≤ D.",
        "|b(θⁱⁿ, mⁿ) − b(θⁱⁿ, m̄)| ≤ d1 mean_j |gap_j|", "tightest i, t, system",
        lambda found: found.in_average.sides(),
    ),
    cn.proof.Step(
        "2c", "So the drifts differ by the gaps and by the fluctuation F_t of the copies' average m̄.",
        "|b(θⁱⁿ, mⁿ) − b(θⁱ, m)| ≤ (a + d1) max_j |gap_j| + F_t", "tightest i, t, system",
        lambda found: found.split.sides(),
    ),
)  # fmt: skip

_BOUNDED = _PATHWISE + (
    cn.proof.Step(
        "3a", "F_t = max_i |b(θⁱⁿ, m̄) − b(θⁱⁿ, m)|. The copies are independent and |h| ≤ Ψ, whatever α is.",
        "E F_t ≤ D / √n", "mean, largest over t",
        lambda found: _worst_time(found, found.constants.D / _root_n(found)),
    ),
    cn.proof.Step(
        "3b", "The same with h's standard deviation in place of Ψ.",
        "E F_t ≤ d0 / √n", "mean, largest over t",
        lambda found: _worst_time(found, found.constants.d0 / _root_n(found)),
    ),
    cn.proof.Step(
        "4a", "Gronwall. F_t is one for all i, so the bound holds for the maximum.",
        "E max_i sup_t |gap| ≤ D (exp((A+D) T) − 1) / ((A+D) √n)", "mean over systems", _coarse,
    ),
    cn.proof.Step(
        "4b", "The same with the fine constants, on bed K with those of every time along the flow.",
        "E max_i sup_t |gap| ≤ d0 (exp((a+d1) T) − 1) / ((a+d1) √n)", "mean over systems", _fine_mean,
    ),
    cn.proof.Step(
        "4c", "All of it holds in L2, with the same constants.",
        "(E max_i sup_t |gap|²)^(1/2) ≤ the same", "root mean square", _fine_square,
    ),
)  # fmt: skip

CONTROLS = (
    cn.proof.Spoilt("common-noise", "One noise shared by all particles: the copies are not independent.", "3"),
    cn.proof.Spoilt("independent-copy", "The copy reads a noise of its own: nothing is coupled.", "1"),
)


# --- bed K ---------------------------------------------------------------------------------------------------------


def _kuramoto_constants(alpha, sigma, K, T, eta, **_):
    return cn.constants.kuramoto_constants(K, kuramoto_flow(alpha, sigma, K, T, eta)[:-1].T)


def _kuramoto(*, seed, control, **params):
    flow = kuramoto_flow(**{name: params[name] for name in ("alpha", "sigma", "K", "T", "eta")})
    return follow(kuramoto(params["K"]), flow, _kuramoto_constants(**params), seed=seed, control=control, **params)


KURAMOTO = cn.proof.Proof(
    "C2", NAME, "kuramoto", THEOREM, SOURCE, _kuramoto, _BOUNDED,
    params={"alpha": 1.5, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 0.02, "n": 200, "replicas": 800},
    constants=_kuramoto_constants, controls=CONTROLS,
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------


def _network_constants(data, unit, loss, **_):
    return network(data, unit, loss).constants()


def _network(*, seed, control, data, unit, loss, **params):
    bed = network(data, unit, loss)
    size = reference_size(params["n"])
    limit = cn.reference.limit_flow(bed, scheme(**params), size, seed=REFERENCE_SEED).average
    return follow(bed, limit, bed.constants(), seed=seed, control=control, **params)


NETWORK_PROOF = cn.proof.Proof(
    "C2", NAME, "network", THEOREM, SOURCE, _network, _BOUNDED,
    params={"alpha": 1.5, "sigma": 1.0, "T": 1.0, "eta": 0.1, "n": 64, "replicas": 48, **NETWORK},
    constants=_network_constants, controls=CONTROLS,
)  # fmt: skip


# --- bed L ---------------------------------------------------------------------------------------------------------


def _linear_constants(alpha, sigma, lam, chi, T, **_):
    return cn.constants.linear_constants(lam, chi, alpha, sigma, T)


def _linear(*, seed, control, lam, chi, **params):
    bed = cn.linear.Linear(lam, chi)
    limit = cn.limit.linear_euler_flow(lam, params["eta"], scheme(**params).steps).reshape(-1, 1)
    constants = _linear_constants(lam=lam, chi=chi, **params)
    found = follow(bed, limit, constants, seed=seed, control=control, **params)
    found.params.update(lam=lam, chi=chi)
    return found


def _linear_fluctuation(found):
    """F_t is SaS, of scale at most chi sigma t^(1/alpha) n^-(1-1/alpha)."""
    import numpy as np

    p = found.params
    scale = p["chi"] * p["sigma"] * p["T"] ** (1.0 / p["alpha"]) * p["n"] ** (1.0 / p["alpha"] - 1.0)
    worst = np.median(found.fluctuation, axis=1).argmax()
    return cn.proof.of_median(found.fluctuation[worst], scale * cn.linear.median_abs(p["alpha"]))


def _linear_gap(found):
    p = found.params
    mean = cn.linear.gap_sup_bound(p["n"], p["T"], p["alpha"], p["sigma"], p["lam"], p["chi"])
    return cn.proof.of_median(found.sup, 2.0 * mean)


_LINEAR = _PATHWISE + (
    cn.proof.Step(
        "3", "h(θ) = θ is unbounded: F_t is stable and has no variance, so that medians are taken.",
        "med F_t ≤ χ σ med|X| T^(1/α) n^−(1−1/α)", "median, largest over t", _linear_fluctuation,
    ),
    cn.proof.Step(
        "4a", "The gap is one for all i and decays: no Gronwall, |gap_t| is at most what F brings in.",
        "|gap_t| ≤ ∫ F_s ds over [0, t]", "tightest i, t, system", lambda found: found.integral.sides(),
    ),
    cn.proof.Step(
        "4b", "Means of both, and Markov's inequality: a median is at most twice the mean.",
        "med sup_t |gap| ≤ 2 χ σ E|X| n^−(1−1/α) T^(1+1/α) / (1+1/α)", "median over systems", _linear_gap,
    ),
)  # fmt: skip

LINEAR = cn.proof.Proof(
    "C2", NAME, "linear",
    "sup_t |θⁱⁿ − θⁱ| is of order n^−(1−1/α): without boundedness the rate 1/√n is lost.",
    "derived, in chaosnum/linear.py", _linear, _LINEAR,
    params={"alpha": 1.5, "sigma": 1.0, "lam": 1.0, "chi": 1.0, "T": 1.0, "eta": 0.02, "n": 100, "replicas": 800},
    constants=_linear_constants,
    controls=(
        cn.proof.Spoilt("common-noise", "One noise shared by all particles: the copies are not independent.", "3"),
        CONTROLS[1],
    ),
)  # fmt: skip

PROOFS = (KURAMOTO, NETWORK_PROOF, LINEAR)
