"""S5: Overlap Local-SGD, workers that average in the background: what is exact, what is bounded, and what it saves.

The method (Wang, Liang, Joshi, ICASSP 2020) is in ``chaosnum/local_sgd.py``; on quadratics everything is an exact
linear system (``chaosnum/local_sgd_moments.py``); run time is a max-plus recursion (``chaosnum/max_plus.py``). Workers
are simulated exactly: no cluster, no wall clock. Messages are counted in bits (``chaosnum.local_sgd.message_bits``).

Claims
    S5.1  effective step (1 - pull)/(1 - pull beta), exact for any gradients (``local_sgd_step``)
    S5.2  nonconvex rate (m K)^-1/2 and an explicit bound (``local_sgd_rate``)
    S5.3  disagreement by noise, noise floor; S5.4 drift by unlike data (``local_sgd_spread``)
    S5.5  run time: hidden communication, waiting, the slow worker (``local_sgd_runtime``)
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
from proofs_checks import local_sgd_ranking, local_sgd_rate, local_sgd_runtime, local_sgd_spread, local_sgd_step

CLAIMS = (
    *local_sgd_step.CLAIMS, *local_sgd_rate.CLAIMS, *local_sgd_spread.CLAIMS, *local_sgd_runtime.CLAIMS,
    *local_sgd_ranking.CLAIMS,
)  # fmt: skip
ROUNDS = 25  # of a run on which the virtual sequence is checked
FAR = 1e6  # times the start: models that are this far after ROUNDS rounds diverge


def claims_for(problem=None, *, step=None, tau=(1, 4), pull=0.6, beta=0.0, start=None, workers=None, constants=None,
               iterations=(1024, 4096), compute=None, comm=None):  # fmt: skip
    """The claims of S5 on one's own problem, settings and compute times -> tuple of Claim.

    Parameters
    ----------
    problem : chaosnum.local_sgd_quadratics.Quadratics or callable (x, rng) -> ndarray, optional
        Quadratics: S5.1; with noise S5.3; with unlike workers S5.4. A function of the workers' stochastic gradients,
        arrays (systems, workers, d): S5.1, and S5.2 where its `constants` are known.
    step : float > 0, nominal step; needed with a problem
    tau : sequence of int >= 1, steps in a round, the scale
    pull, beta : float in (0, 1) and in [0, 1)
    start : array_like, float64, shape (d,), needed with a function
    workers : int >= 1, needed with a function or compute times
    constants : dict, optional, for S5.2 (beta = 0)
        L, gap, variance, heterogeneity of ``chaosnum.local_sgd_bound.gradient_bound``, and `full`, grad F as a function
        of arrays (systems, d). The step is then sqrt(m/K)/(L (1 - pull)) at each of the `iterations` K.
    compute : callable (rng, workers, iterations) -> ndarray of times, optional
        S5.5, with the all-reduce taking `comm`.

    Raises
    ------
    ValueError
        A setting outside its range, a step above the stability threshold of the quadratics or of the bound, gradients
        that are zero, NaN or of another shape, negative times, or nothing to claim anything about.
    """
    if problem is None and compute is None:
        raise ValueError("problem or compute must be given, got neither")
    scales = [cn.check.at_least("tau", t, 1) for t in (tau if hasattr(tau, "__iter__") else (tau,))]
    found = []
    if problem is not None:
        if step is None:
            raise ValueError("step must be given with a problem, got none")
        for t in scales:
            cn.local_sgd.Rule(step, t, pull, beta)
        params = {"step": step, "pull": pull, "beta": beta}
        if isinstance(problem, cn.local_sgd_quadratics.Quadratics):
            found += _of_quadratics(problem, params, scales)
        else:
            found += _of_function(problem, params, scales, start, workers)
        if constants is not None:
            known = {"heterogeneity": 0.0, **constants}
            claim = local_sgd_rate.own_bound(
                problem if callable(problem) else problem.gradient, known.pop("full"), start, workers, **known,
                tau=tuple(scales), pull=pull, iterations=list(iterations),
            )  # fmt: skip
            for case in claim.cases():
                for K in iterations:
                    claim.ready(K, **case)
            found.append(claim)
    if compute is not None:
        found.append(_of_times(compute, comm, workers, scales))
    return tuple(found)


def _of_quadratics(problem, params, scales):
    """S5.1, S5.3 and S5.4 for a fleet of quadratics."""
    import numpy as np

    from proofs_checks.local_sgd_fleet import moments

    def noisy():
        return problem

    quiet = cn.local_sgd_quadratics.Quadratics(problem.hessians, problem.slopes)
    exact = [moments(lambda: quiet, t, **params) for t in scales]  # refuses an unstable step
    begin = problem.optimum + 1.0
    found = [
        _virtual(problem.gradient, begin, problem.workers, params, scales),
        local_sgd_step.trajectory_claim(noisy, "own", params=params, scales=scales),
    ]
    if problem.noise:
        systems = max(16, 2048 // (problem.workers * problem.dim))
        found.append(local_sgd_spread.noise_claim(noisy, "own", params={**params, "systems": systems}, scales=scales))
    if problem.workers > 1 and exact[0].disagreement() > 1e-18 * params["step"] ** 2:
        biased = all(m.bias() > 1e-12 * np.square(begin).sum() * params["step"] ** 2 for m in exact)
        claim = local_sgd_spread.drift_claim(lambda: quiet, "own", params=params, scales=scales, biased=biased)
        found.append(claim)
    return found


def _of_function(gradient, params, scales, start, workers):
    """S5.1 for a gradient function."""
    if not callable(gradient):
        raise ValueError(f"problem must be Quadratics or a function of the gradients, got {type(gradient).__name__}")
    begin = cn.check.finite_array("start", [] if start is None else start, ndim=1)
    if not len(begin):
        raise ValueError("start must be a vector with a gradient function, got none")
    count = cn.check.at_least("workers", 0 if workers is None else workers, 1)
    longest = cn.local_sgd.Rule(params["step"], max(scales), params["pull"], params["beta"])
    end = cn.local_sgd.run(gradient, begin, longest, ROUNDS * longest.tau, workers=count)  # refuses bad gradients
    if abs(end.x).max() > FAR * (1.0 + abs(begin).max()):
        raise ValueError(f"step must keep the models bounded, got {longest.step:g}, at which they diverge")
    return [_virtual(gradient, begin, count, params, scales)]


def _virtual(gradient, start, workers, params, scales):
    """The claim on the virtual sequence; without the control of one worker's model where all are equal."""
    from dataclasses import replace

    import numpy as np

    def bed():
        return gradient, start, workers, ROUNDS

    claim = local_sgd_step.virtual_claim(bed, "own", params=params, scales=scales)
    g = gradient(np.tile(start, (1, workers, 1)), np.random.default_rng(0))
    if np.ptp(g, axis=1).max() > 1e-9 * np.abs(g).max():
        return claim
    return replace(claim, controls=tuple(c for c in claim.controls if c.name != "first-worker"))


def _of_times(compute, comm, workers, scales):
    """S5.5 for a sampler of compute times."""
    import numpy as np

    if comm is None or workers is None:
        raise ValueError("comm and workers must be given with compute times, got none")
    comm, m = cn.check.nonnegative("comm", comm), cn.check.at_least("workers", workers, 1)
    times = np.asarray(compute(np.random.default_rng(0), m, max(scales)))
    if times.shape != (m, max(scales)):
        raise ValueError(f"compute must return an array of shape {(m, max(scales))}, got {times.shape}")
    for method in cn.max_plus.METHODS:
        cn.max_plus.times(method, times, comm, max(scales))
    return local_sgd_runtime.ordering_claim(
        lambda: compute, "own", params={"comm": comm, "workers": m, "rounds": 40}, scales=scales
    )
