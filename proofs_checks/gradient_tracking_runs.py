"""The measures behind S4: systems with their laws, runs of them, spoilt runs.

A *system* is objectives on a sequence of graphs, with its laws computed once. The scale of a measure is the step, or
the step as a fraction of the system's threshold. Each cell averages a batch of independent runs over time; runs begin
with every agent at the optimum and are averaged from three time constants on, for ten: what the transient takes from
the slowest mode's average is e^-6 / 20, or 0.012 %.
"""

import math
from dataclasses import replace
from functools import lru_cache

import chaosnum as cn

SOURCE = "D. T. A. Nguyen, D. T. Nguyen, Nedic, arXiv 2305.00629"
DERIVED = f"derived in chaosnum/gradient_tracking_law.py for {SOURCE}"
LINEARISED = 0.05  # allowed for what the linearisation at the optimum leaves out, which is of the order of the step
BATCH = 512  # runs behind one replica
BURN, WINDOW = 3.0, 10.0  # in time constants 1 / (1 - rate) of the first moments, two of the second
FAR = 10.0  # a far start, in units of the spread
LEAST = 400  # iterations to average over
GROWTH = 900  # iterations of a run near the threshold
DECAYS = 34.0  # e-foldings of a run without noise: to 1e-14
AGENTS, GRAPHS, NOISE = 8, 1, 1.0  # of the built-in system; GRAPHS is the seed of its graphs


def of(measure, system, **options):
    """The measure on the system that the parameters choose."""
    return lambda scale, *, seed, **params: measure(scale, seed=seed, system=system(**params), **options)


def law(system, value):
    """A prediction from the system's laws: value(system, scale)."""
    return lambda scale, **params: value(system(**params), scale)


class System:
    """Objectives on graphs; laws are computed when they are first asked for.

    Parameters
    ----------
    objectives : cn.gradient_tracking_objectives.Objectives
    graphs : cn.digraphs.Digraphs
    unit : float, optional
        Scales are steps in this unit, by default the threshold.
    """

    def __init__(self, objectives, graphs, unit=None):
        self.objectives, self.graphs, self.unit = objectives, graphs, unit
        self.threshold = lru_cache(maxsize=1)(lambda: cn.gradient_tracking_law.threshold(objectives, graphs))
        self.small = lru_cache(maxsize=1)(lambda: cn.gradient_tracking_law.small_step(objectives, graphs))
        self.modes = lru_cache(maxsize=64)(
            lambda scale: cn.gradient_tracking_law.moduli(objectives, graphs, self.step(scale))[:2].tolist()
        )
        self.floor = lru_cache(maxsize=64)(self._floor)

    def rate(self, scale):
        """The exact rate."""
        return self.modes(scale)[0]

    def doubt(self, scale):
        """Relative error that is allowed for the logarithm of a fitted rate.

        The fit begins where the error has fallen to 1e-5 and goes on for 16 e-foldings. The second mode is then smaller
        by q, times 10 where the start favours it: it bends the logarithm by 10 q, and least squares over 16 e-foldings
        by 1.5 (10 q) / 16, relative.
        """
        first, second = self.modes(scale)
        return 1e-3 + (second / first) ** (math.log(1e-5) / math.log(first))

    def remainder(self, scale):
        """What the small-step laws of rate and floor lack at this scale, relative: (rate, floor), exactly."""
        step, small = self.step(scale), self.small()
        rate = -math.log(self.rate(scale)) / (step * small.decay) - 1.0
        return abs(rate), abs(self.floor(scale).average / (step * small.variance) - 1.0) if small.variance else 0.0

    def _floor(self, scale):
        with cn.blas.one_thread():
            return cn.gradient_tracking_law.floor(self.objectives, self.graphs, self.step(scale))

    def step(self, scale):
        """The step at a scale."""
        return scale * (self.threshold() if self.unit is None else self.unit)

    def spread(self):
        """How far the agents' own optima are from the common one (root mean square), or 1 if they all agree."""
        import numpy as np

        slopes = self.objectives.gradient(np.tile(self.objectives.optimum, (self.objectives.agents, 1, 1)))
        steep = np.linalg.norm(self.objectives.hessians.mean(axis=0), 2)
        return float(np.linalg.norm(slopes) / steep / len(slopes) ** 0.5) or 1.0

    def slow_start(self, seed):
        """A spread away in the direction of least curvature, where the slowest mode is, and a third of `start`."""
        import numpy as np

        slow = np.linalg.eigh(self.objectives.hessians.sum(axis=0))[1][:, 0]
        return self.objectives.optimum + self.spread() * slow + (self.start(seed) - self.objectives.optimum) / 3.0

    def start(self, seed, replicas=None, far=1.0):
        """Gaussian initial estimates around the optimum, of the size of the spread, times `far`."""
        import numpy as np

        m, d = self.objectives.agents, self.objectives.dim
        shape = (m, d) if replicas is None else (m, replicas, d)
        return self.objectives.optimum + far * self.spread() * np.random.default_rng(seed).standard_normal(shape)


@lru_cache(maxsize=16)
def built_in(period):
    """Eight agents with scalar quadratics of curvature in [0.5, 2], centres N(0, 1), on random graphs."""
    import numpy as np

    rng = np.random.default_rng(GRAPHS)
    objectives = cn.gradient_tracking_objectives.quadratics(
        rng.uniform(0.5, 2.0, AGENTS), rng.standard_normal(AGENTS), NOISE
    )
    return System(objectives, cn.digraphs.random(AGENTS, int(period), seed=GRAPHS))


def one_optimum(system):
    """Quadratics with the system's Hessians, noise and common optimum, which is every agent's own -> System."""
    import numpy as np

    own = system.objectives
    centres = np.tile(own.optimum, (own.agents, 1))
    same = cn.gradient_tracking_objectives.quadratics(own.hessians, centres, own.covariances)
    return System(same, system.graphs, system.unit)


def common_noise(system):
    """The system with one and the same noise for all agents -> System."""
    import numpy as np

    own = system.objectives

    def draw(rng, replicas):
        one = own.draw(rng, replicas)
        return np.broadcast_to(one[:1], one.shape)

    return System(replace(own, draw=draw), system.graphs, system.step(1.0))


def decay(scale, *, seed, system, method="tracking"):
    """Without noise: the fitted rate, the error of its logarithm, this over the small-step law's, and what is left."""
    rate, step, graphs = system.rate(scale), system.step(scale), system.graphs
    tracking, iterations = cn.gradient_tracking, int(DECAYS / (1.0 - rate)) + 3 * graphs.period
    errors = tracking.errors(system.objectives, graphs, step, iterations, start=system.slow_start(seed), method=method)
    found = math.log(tracking.fitted_rate(errors, graphs.period))
    return {
        "rate": math.exp(found),
        "error of decay / allowed": abs(found / math.log(rate) - 1.0) / system.doubt(scale),
        "decay / small-step": -found / (step * system.small().decay),
        "error left": float(errors[-1] / errors[0]),
    }


def plateau(
    scale, *, seed, system, method="tracking", noise=1.0, batch=BATCH, burn=True, burns=BURN, window=WINDOW,
):  # fmt: skip
    """With noise: averages of squared errors. With `burn` False from a far start on, else as the header says."""
    burns = burns if burn else 0
    objectives = system.objectives if noise == 1.0 else system.objectives.with_noise(noise)
    constants, step = 1.0 / (1.0 - system.rate(scale)), system.step(scale)
    found = cn.gradient_tracking.plateau(
        objectives, system.graphs, step, burn=int(burns * constants), window=max(LEAST, int(window * constants)),
        replicas=batch, seed=seed, method=method, start=None if burn else system.start(seed + 1, batch, FAR),
    )  # fmt: skip
    return {
        "agents": found.agents,
        "average": found.average,
        "consensus": found.consensus,
        "average / static": found.average / (step * system.small().static * noise**2),
        "average / small-step": found.average / (step * system.small().variance * noise**2),
    }


def untracked(scale, *, seed, system, method="untracked", of=None):
    """Without tracking, with noise: the mean error, over the phi-weighted optimum's and in standard errors.

    Components along the weighted optimum's displacement from the optimum. `of` is the system that is run, where it
    is not the one that the claim is about.
    """
    run = of or system
    law, step = cn.gradient_tracking_law, system.step(scale)
    way = law.weighted_optimum(system.objectives, system.graphs) - system.objectives.optimum
    constants = 1.0 / (1.0 - system.rate(scale))
    found = cn.gradient_tracking.plateau(
        run.objectives, run.graphs, step, burn=int(3 * BURN * constants), window=max(LEAST, int(BURN * constants)),
        replicas=BATCH, seed=seed, method=method,
    )  # fmt: skip
    along = found.means @ way / (way @ way)
    error = float(along.std(ddof=1)) / BATCH**0.5
    return {"limit": float(along.mean()), "bias in SE": float(along.mean()) / error if error > 0 else 0.0}


def growth(fraction, *, seed, system, method="tracking", share=1.0):
    """Without noise: the factor by which the error of a run changes per iteration, after its first third.

    `fraction` is of the threshold; `share` multiplies the step.
    """
    import numpy as np

    errors = cn.gradient_tracking.errors(
        system.objectives, system.graphs, share * fraction * system.threshold(), GROWTH, start=system.start(seed),
        method=method,
    )  # fmt: skip
    errors = errors[np.isfinite(errors) & (errors > 1e-12 * errors[0])]
    third = len(errors) // 3
    return float(np.exp((np.log(errors[-third:]).mean() - np.log(errors[third : 2 * third]).mean()) / third))
