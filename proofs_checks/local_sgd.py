"""S5: Overlap Local-SGD, workers that average in the background: what is exact, what is bounded, and what it saves.

The method (Wang, Liang, Joshi, ICASSP 2020) is in ``chaosnum/local_sgd.py``; on quadratics everything is an exact
linear system (``chaosnum/local_sgd_moments.py``); run time is a max-plus recursion (``chaosnum/max_plus.py``). Workers
are simulated exactly: no cluster, no wall clock. Messages are counted in bits (``chaosnum.local_sgd.message_bits``).

Claims
    S5.1  effective step (1 - pull)/(1 - pull beta), exact for any gradients (``local_sgd_step``)
    S5.2  nonconvex rate (m K)^-1/2 and an explicit bound (``local_sgd_rate``), its term in kappa (``local_sgd_unlike``)
    S5.3  disagreement by noise, noise floor; S5.4 drift by unlike data (``local_sgd_spread``)
    S5.5  run time: hidden communication, waiting, the slow worker (``local_sgd_runtime``, ``local_sgd_waiting``)
    S5.6  the ranking against CoCoD-SGD and Local SGD, a matter of effective step size (``local_sgd_ranking``)

Claims of one's own
    `claims_for` makes them for a fleet of quadratics, e.g. least squares on one's own rows, for a gradient function,
    and for a sampler of compute times::

        shards = [(X_1, y_1), (X_2, y_2), (X_3, y_3)]
        fleet = cn.local_sgd_quadratics.Quadratics.of_shards(shards, ridge=0.1, noise=0.5)
        verdicts = cn.verify(claims_for(fleet, step=0.05, pull=0.5, beta=0.3, tau=(1, 4)))

        claims_for(compute=lambda rng, workers, iterations: rng.gamma(2.0, 0.5, (workers, iterations)),
                   comm=0.5, workers=8, tau=(1, 4, 16))
"""

import chaosnum as cn
from proofs_checks import (
    local_sgd_fleet,
    local_sgd_ranking,
    local_sgd_rate,
    local_sgd_runtime,
    local_sgd_spread,
    local_sgd_step,
    local_sgd_unlike,
    local_sgd_waiting,
)  # fmt: skip

CLAIMS = (
    *local_sgd_step.CLAIMS, *local_sgd_rate.CLAIMS, *local_sgd_unlike.CLAIMS, *local_sgd_spread.CLAIMS,
    *local_sgd_runtime.CLAIMS, *local_sgd_waiting.CLAIMS, *local_sgd_ranking.CLAIMS,
)  # fmt: skip
FAR = 1e6  # times the start: models that are this far after some rounds diverge
CONSTANTS = ("full", "L", "gap", "variance")
MOST_WORKERS, MOST_TIMES = 100_000, 20_000_000  # of a user's, and compute times of a cell


def claims_for(problem=None, *, step=None, tau=(1, 4), pull=0.6, beta=0.0, start=None, workers=None, constants=None,
               iterations=(1024, 4096), compute=None, comm=None):  # fmt: skip
    """The claims of S5 on one's own problem, settings and compute times -> tuple of Claim.

    Parameters
    ----------
    problem : chaosnum.local_sgd_quadratics.Quadratics or callable (x, rng) -> ndarray, optional
        Quadratics: S5.1; with noise S5.3; with unlike workers S5.4, all relative to their optimum. A function of the
        workers' stochastic gradients, arrays (systems, workers, d): S5.1. S5.2 where `constants` are known.
    step : float > 0, nominal step; needed with a problem
    tau : int >= 1 or a sequence of them, steps in a round, the scale
    pull, beta : float in (0, 1) and in [0, 1)
    start : array_like, float64, shape (d,), needed with a function; of Quadratics by default the optimum + 1
    workers : int >= 1, needed with a function or compute times; that of Quadratics is their own
    constants : dict, optional, for S5.2 (beta = 0)
        L, gap, variance, and by choice heterogeneity, of ``chaosnum.local_sgd_bound.gradient_bound``, and `full`,
        grad F as a function of arrays (systems, d). The step is then sqrt(m/K)/(L (1 - pull)) at each of the K of
        `iterations`, an int or a sequence of them.
    compute : callable (rng, workers, iterations) -> ndarray of times, shape (workers, iterations), optional
        S5.5, with the all-reduce taking `comm`.

    Raises
    ------
    ValueError
        A setting outside its range, a step above the stability threshold of the quadratics or of the bound, one so
        small or a tau so large that a run would take hours, a function that fails, writes to its argument or returns
        what is no finite real array of the right shape, negative times, or nothing to claim anything about.
    """
    if problem is None and compute is None:
        raise ValueError("problem or compute must be given, got neither")
    fleet = isinstance(problem, cn.local_sgd_quadratics.Quadratics)
    scales = _whole_numbers("tau", tau)
    if workers is not None:
        workers = cn.check.whole("workers", workers, 1, MOST_WORKERS)
    if fleet:
        if workers not in (None, problem.workers):
            raise ValueError(f"workers must be the {problem.workers} of the quadratics, got {workers}")
        workers = problem.workers
    found = []
    if problem is not None:
        if step is None:
            raise ValueError("step must be given with a problem, got none")
        rules = [cn.local_sgd.Rule(step, t, pull, beta) for t in scales]
        for rule in rules:
            local_sgd_fleet.affordable(problem if fleet else None, rule)
        begin = _begin(problem, start) if fleet or callable(problem) else None
        params = {"step": step, "pull": pull, "beta": beta}
        if fleet:
            found += _of_quadratics(problem, params, scales, begin)
        else:
            found += _of_function(problem, params, scales, begin, workers)
        if constants is not None:
            gradient = problem.gradient if fleet else problem
            found.append(_of_constants(gradient, constants, begin, workers, scales, pull, beta, iterations))
    elif constants is not None or start is not None:
        raise ValueError("problem must be given with constants or start, got none")
    if compute is not None:
        found += _of_times(compute, comm, workers, scales)
    return tuple(found)


def _whole_numbers(name, values):
    """A list of whole numbers >= 1, from one or several."""
    listed = list(values) if hasattr(values, "__iter__") else [values]
    if not listed:
        raise ValueError(f"{name} must hold one number or more, got none")
    return [cn.check.at_least(name, v, 1) for v in listed]


def _begin(problem, start):
    """Where the models begin -> ndarray, shape (d,)."""
    if start is None and callable(problem):
        raise ValueError("start must be a vector with a gradient function, got none")
    begin = problem.optimum + 1.0 if start is None else cn.check.finite_array("start", start, ndim=1)
    if len(begin) != getattr(problem, "dim", len(begin)) or not len(begin):
        raise ValueError(f"start must have {getattr(problem, 'dim', '1 or more')} components, got {len(begin)}")
    return begin


def _of_quadratics(problem, params, scales, begin):
    """S5.1, S5.3 and S5.4 for a fleet of quadratics, moved to where its optimum is 0."""
    from proofs_checks.local_sgd_fleet import moments

    begin, problem = begin - problem.optimum, problem.centred()

    def noisy():
        return problem

    quiet = cn.local_sgd_quadratics.Quadratics(problem.hessians, problem.slopes)
    exact = [moments(lambda: quiet, t, **params) for t in scales]  # refuses an unstable step
    found = [
        _virtual(problem.gradient, begin, problem.workers, params, scales),
        local_sgd_step.trajectory_claim(noisy, "own", params=params, scales=scales, noisy=problem.noise > 0.0),
    ]
    if problem.noise:
        found.append(_noise(noisy, problem, params, scales, exact))
    if problem.workers > 1 and exact[0].disagreement() > 1e-18 * params["step"] ** 2:
        biased = all(m.bias() > 1e-12 * max(1.0, m.disagreement()) * params["step"] ** 2 for m in exact)
        claim = local_sgd_spread.drift_claim(lambda: quiet, "own", params=params, scales=scales, biased=biased)
        found.append(claim)
    return found


def _noise(make, problem, params, scales, exact):
    """S5.3, with those controls that change what they should: not where drift or bias is nearly all."""
    m, systems = problem.workers, max(16, 1024 // (problem.workers * problem.dim))
    share = min(1.0 - q.bias() / local_sgd_fleet.moments(make, t, **params).floor() for q, t in zip(exact, scales))
    controls = ["local-sgd"] + ["shared-noise"] * (share * (m - 1) / 2.0 > 0.2)
    only = (local_sgd_spread.APART, local_sgd_spread.FLOOR) if m > 1 else (local_sgd_spread.FLOOR,)
    return local_sgd_spread.noise_claim(
        make, "own", params={**params, "systems": systems}, scales=scales, only=only, controls=controls
    )


def _of_function(gradient, params, scales, begin, workers):
    """S5.1 for a gradient function."""
    if not callable(gradient):
        raise ValueError(f"problem must be Quadratics or a function of the gradients, got {type(gradient).__name__}")
    if workers is None:
        raise ValueError("workers must be given with a gradient function, got none")
    longest = cn.local_sgd.Rule(params["step"], max(scales), params["pull"], params["beta"])
    rounds = local_sgd_fleet.ROUNDS
    end = cn.local_sgd.run(gradient, begin, longest, rounds * longest.tau, workers=workers)  # refuses bad gradients
    if abs(end.x).max() > FAR * (1.0 + abs(begin).max()):
        raise ValueError(f"step must keep the models bounded, got {longest.step:g}, at which they diverge")
    return [_virtual(gradient, begin, workers, params, scales)]


def _virtual(gradient, start, workers, params, scales):
    """The claim on the virtual sequence; without the control of one worker's model where all are equal."""
    from dataclasses import replace

    import numpy as np

    def bed():
        return gradient, start, workers, local_sgd_fleet.ROUNDS

    claim = local_sgd_step.virtual_claim(bed, "own", params=params, scales=scales)
    x = np.tile(start, (1, workers, 1))
    g = cn.local_sgd_answer.answer("gradient", gradient, x, np.random.default_rng(0), shape=x.shape)
    if np.ptp(g, axis=1).max() > 1e-9 * np.abs(g).max():
        return claim
    return replace(claim, controls=tuple(c for c in claim.controls if c.name != "first-worker"))


def _of_constants(gradient, constants, begin, workers, scales, pull, beta, iterations):
    """S5.2 for gradients whose constants are known."""
    if not hasattr(constants, "keys"):
        raise ValueError(f"constants must be a dict with {', '.join(CONSTANTS)}, got {type(constants).__name__}")
    missing = [key for key in CONSTANTS if key not in constants]
    unknown = [str(key) for key in constants if key not in (*CONSTANTS, "heterogeneity")]
    if missing or unknown:
        got = f"none for {', '.join(missing)}" if missing else f"also {', '.join(unknown)}"
        raise ValueError(f"constants must hold {', '.join(CONSTANTS)}, and may hold heterogeneity, got {got}")
    if beta:
        raise ValueError(f"beta must be 0 with constants, as the bound is for no momentum, got {beta:g}")
    known = {"heterogeneity": 0.0, **constants}
    full, counts = known.pop("full"), _whole_numbers("iterations", iterations)
    for K in counts:
        cn.check.whole("iterations", K, 1, local_sgd_fleet.LONGEST)
        for t in scales:
            local_sgd_rate.bound_at(K, workers, t, pull, **known)
    return local_sgd_rate.own_bound(
        gradient, full, begin, workers, **known, tau=tuple(scales), pull=pull, iterations=counts
    )


def _of_times(compute, comm, workers, scales):
    """S5.5 for a sampler of compute times."""
    import numpy as np

    if comm is None or workers is None:
        raise ValueError("comm and workers must be given with compute times, got none")
    comm, longest, rounds = cn.check.nonnegative("comm", comm), max(scales), 40
    if workers * longest * rounds > MOST_TIMES:
        most = MOST_TIMES // (workers * rounds)
        raise ValueError(f"tau must be at most {most} for {rounds} rounds of {workers} workers, got {longest}")
    given = (np.random.default_rng(0), workers, longest)
    times = cn.local_sgd_answer.answer("compute", compute, *given, shape=(workers, longest))
    for method in cn.max_plus.METHODS:
        cn.max_plus.times(method, times, comm, longest)
    if not times.any():
        raise ValueError("compute must hold times that are not all 0, got zeros")
    return local_sgd_runtime.ordering_claims(
        lambda: compute, "own", params={"comm": comm, "workers": workers, "rounds": rounds}, scales=scales,
        far=20.0 * float(times.mean()),
    )  # fmt: skip
