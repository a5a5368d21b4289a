"""The measures behind S4: systems with their laws, runs of them, spoilt runs.

A *system* is objectives on a sequence of graphs, with its laws computed once. The scale of a measure is the step, or
the step as a fraction of the system's threshold. Each cell averages a batch of independent runs over time; runs begin
with every agent at the optimum and are averaged from three time constants on, for ten: what the transient takes from
the slowest mode's average is e^-6 / 20, or 0.012 %; later where the noise is small. Quadratics run in coordinates
relative to their optimum, for which the iteration is equivariant: an optimum far from 0 costs no digits.
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
HIGH = 1e-6  # the fit of a decay begins where the error has fallen to this, and goes on to 1e-12 or round-off
DECAY = 0.01  # allowed for a fitted decay, relative to it
LAW = 1e-3  # of the threshold: where the small-step laws hold to 1 %
BIAS = 1e-4  # relative: what nine time constants leave of a transient in the mean over three more, e^-9 / 3, twice
LONGEST = 1e8  # iterations that a claim may take
AGENTS, GRAPHS, NOISE = 8, 1, 1.0  # of the built-in system; GRAPHS is the seed of its graphs


EXACT_DECAY = cn.ExactValue(1.0, rounding=DECAY, statistic="every", words="1 to 1 %")


def of(measure, system, **options):
    """The measure on the system that the parameters choose."""
    return lambda scale, *, seed, **params: measure(scale, seed=seed, system=system(**params), **options)


def halved(largest, counts):
    """Scales {budget: largest, largest / 2, ...} from {budget: count}."""
    return {budget: [largest / 2**j for j in range(count)] for budget, count in counts.items()}


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
        cn.gradient_tracking_law.check_agents(objectives, graphs)
        self.objectives, self.graphs, self.unit = objectives.centred(), graphs, unit
        own = self.objectives
        self.spread = own.spread
        self.threshold = lru_cache(maxsize=1)(lambda: cn.gradient_tracking_law.threshold(own, graphs))
        self.small = lru_cache(maxsize=1)(lambda: cn.gradient_tracking_small_step.small_step(own, graphs))
        self.modes = lru_cache(maxsize=64)(lambda step: cn.gradient_tracking_law.multipliers(own, graphs, step))
        self.floor_at = lru_cache(maxsize=64)(self._floor_at)
        self.untracked_rate = lru_cache(maxsize=64)(
            lambda scale: cn.gradient_tracking_untracked.untracked_rate(own, graphs, self.step(scale))
        )

    def step(self, scale):
        """The step at a scale."""
        return scale * (self.threshold() if self.unit is None else self.unit)

    def rate(self, scale):
        """The exact rate."""
        return self.rate_at(self.step(scale))

    def rate_at(self, step):
        """The same, of a step."""
        return float(abs(self.modes(step)[0])) ** (1.0 / self.graphs.period)

    def floor(self, scale):
        """The Lyapunov equation's solution."""
        return self.floor_at(self.step(scale))

    def _floor_at(self, step):
        with cn.blas.one_thread():
            return cn.gradient_tracking_law.floor(self.objectives, self.graphs, step)

    def doubt(self, scale):
        """Relative error that is expected of a fitted decay.

        Another mode, r times as fast, is at first a third of the slowest (`slow_start`), and where the fit begins
        smaller by HIGH^(r - 1) besides: it adds a share (r - 1) of that to the slope. Infinite where the slowest modes
        are a complex pair, whose beat has no slope.
        """
        import numpy as np

        modes, high = self.modes(self.step(scale)), max(HIGH, 1e4 * self.roundoff())
        if abs(modes[0].imag) > 1e-9 * abs(modes[0]):
            return math.inf
        with np.errstate(divide="ignore"):
            faster = np.log(np.abs(modes[1:])) / math.log(abs(modes[0])) - 1.0
        return float((faster[np.isfinite(faster)] * high ** faster[np.isfinite(faster)] / 3.0).max(initial=0.0))

    def fits(self, scale):
        """Whether the decay can be fitted to 1 %."""
        return self.doubt(scale) < DECAY

    def transient(self, scale, noise=1.0):
        """Time constants after which the start is 0.1 % of the floor, in the mean over ten more.

        Agents at x* do not stay there: y^0 are their own slopes, which push them s |slope| apart, noise or none.
        """
        import numpy as np

        push = self.step(scale) * np.linalg.norm(self.objectives.hessians.mean(axis=0), 2) * self.spread
        return 0.5 * math.log(1e3 * push**2 / (2.0 * WINDOW * noise**2 * self.floor(scale).agents))

    def roundoff(self):
        """What round-off leaves of a run without noise, in units of the spread: an upper bound of its size."""
        import numpy as np

        own = self.objectives
        slow = np.linalg.eigvalsh(own.hessians.sum(axis=0))[0]
        steep = own.agents * np.abs(np.linalg.eigvalsh(own.hessians)).max()
        return 1e-14 + 1e-15 * float(np.abs(own.optimum).max() / self.spread * steep / slow)

    def left(self):
        """What may be left of the error: a hundred times the round-off, or 1e-10."""
        return max(1e-10, 100.0 * self.roundoff())

    def slow_start(self, seed):
        """A spread away in the direction of least curvature, where the slowest mode is, and a third of it in others."""
        import numpy as np

        slow = np.linalg.eigh(self.objectives.hessians.sum(axis=0))[1][:, 0]
        rest = (self.start(seed) - self.objectives.optimum) / (3.0 * self.objectives.dim**0.5)
        return self.objectives.optimum + self.spread * slow + rest

    def start(self, seed, replicas=None, far=1.0):
        """Gaussian initial estimates around the optimum, of the size of the spread, times `far`."""
        import numpy as np

        m, d = self.objectives.agents, self.objectives.dim
        shape = (m, d) if replicas is None else (m, replicas, d)
        return self.objectives.optimum + far * self.spread * np.random.default_rng(seed).standard_normal(shape)


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
    """Without noise: the fitted decay per iteration, -log(rate), over the exact one, and what is left of the error."""
    rate, step, graphs = system.rate(scale), system.step(scale), system.graphs
    tracking, iterations = cn.gradient_tracking, int(DECAYS / (1.0 - rate)) + 3 * graphs.period
    errors = tracking.errors(system.objectives, graphs, step, iterations, start=system.slow_start(seed), method=method)
    error = float(errors[-1] / errors[0])
    if not system.fits(scale):
        return {"error left": error}
    part = {"high": max(HIGH, 1e4 * system.roundoff()), "low": max(1e-12, 100.0 * system.roundoff())}
    found = tracking.fitted_rate(errors, graphs.period, **part)
    return {"decay / exact": math.log(found) / math.log(rate), "error left": error}


def small_laws(step, *, seed, system, mean=False, noisy=True):
    """Exact rate and floor at a step over the small-step laws, and these ratios extrapolated to s = 0 linearly.

    `mean` takes the mean of the objectives for their sum, in the laws. Nothing is random.
    """
    small, share = system.small(), system.objectives.agents if mean else 1.0
    ratios = {"decay": lambda s: -math.log(system.rate_at(s)) / (s * small.decay) * share}
    if noisy:
        ratios["floor"] = lambda s: system.floor_at(s).average / (s * small.variance) / share
    found = {f"{name} / law": ratio(step) for name, ratio in ratios.items()}
    return found | {f"{name} / law, s to 0": 2.0 * ratio(step / 2) - ratio(step) for name, ratio in ratios.items()}


def plateau(
    scale, *, seed, system, method="tracking", noise=1.0, batch=BATCH, burn=True, burns=BURN, window=WINDOW,
):  # fmt: skip
    """With noise: averages of squared errors. With `burn` False from a far start on, else as the header says."""
    burns = max(burns, system.transient(scale, noise)) if burn else 0
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
    }


def untracked(scale, *, seed, system, method="untracked", of=None):
    """Without tracking: the mean error, over the phi-weighted optimum's and in standard errors.

    Components along the weighted optimum's displacement from the optimum. `of` is the system that is run, where it
    is not the one that the claim is about. Where there is no noise one run goes to its limit, and there are no
    standard errors.
    """
    run, step = of or system, system.step(scale)
    noisy = bool(system.objectives.covariances.any())
    way = cn.gradient_tracking_untracked.weighted_optimum(system.objectives, system.graphs) - system.objectives.optimum
    constants = 1.0 / (1.0 - max(system.rate(scale), system.untracked_rate(scale)))
    found = cn.gradient_tracking.plateau(
        run.objectives, run.graphs, step, burn=int((3 * BURN if noisy else DECAYS) * constants),
        window=max(LEAST, int(BURN * constants)), replicas=BATCH if noisy else 1, seed=seed, method=method,
    )  # fmt: skip
    along = found.means @ way / (way @ way)
    if not noisy:
        return {"limit": float(along.mean())}
    error = float(along.std(ddof=1)) / BATCH**0.5
    return {"limit": float(along.mean()), "bias in SE": abs(float(along.mean())) / error if error > 0 else 0.0}


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
