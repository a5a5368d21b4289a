"""Heavy-tailed SGD: gradient descent with stable noise on the hidden layers, on data.

Definition. With step size eta, and xi^l_k standard stable noise of index alpha and one of the types of ``noise.py`` (a
unit's column is its vector), independent over layers l and steps k,

    theta^l_(k+1) = theta^l_k - eta grad_l loss(batch k) + sigma eta^(1/alpha) xi^l_k        hidden layers,
    v_(k+1)       = v_k       - eta grad_v loss(batch k)                                    output layer.

No momentum, no decay, constant eta. Noise is drawn in float64 and rounded once to the weights' type.

Stopping. At steps 0, every, 2 every, ... the network is evaluated on the whole training set. Once its accuracy there is
at least `target`, one last gradient step is taken, without noise, and training is over; else it is over after `cap`
steps.

Everything random is addressed by seed and step (``philox.py``): the state of a run is its step and its weights, a run
that goes on from them has the same bits, and runs of one seed with and without noise share initial weights and batches.
Nothing depends on the number of threads.

What goes wrong. A step that is too large, or noise that is too strong, sends the loss to infinity: `Diverged` says at
which step, and leaves the weights of the last evaluation. A single large jump is no divergence: one unit that jumps by
1e3 may raise the loss to hundreds, and gradient descent with eta times its curvature below 2 brings it down again.

Reference: Wan, Barsbey, Zaidi, Simsekli, Implicit compressibility of overparametrized neural networks trained with
heavy-tailed SGD, ICML 2024 (arXiv 2306.08125), whose experiments these are.
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum import check, mlp, noise
from chaosnum.backprop import Pass
from chaosnum.jit import kernel
from chaosnum.minibatch import Minibatches
from chaosnum.threads import count, over_blocks

KINDS = ("none", *noise.KINDS)
EXPLODED = 1e4  # times the loss of guessing, log C: far beyond what a jump of the noise does, and near overflow
_EXTREME = 300 * math.log(10)  # logarithms of scales beyond it leave double precision
_WORTH = 10**5  # numbers that are worth handing to a thread


class Diverged(ValueError):
    """The loss is not finite, or has exploded; the weights are those of the last evaluation."""


@dataclass(frozen=True)
class Noise:
    """Noise of the hidden layers.

    Attributes
    ----------
    kind : {"none", "I", "II", "III", "III-paper"}
        The types of ``noise.py``; the published experiments' Type III is "III-paper".
    alpha : float
        Tail index, in (0, 2].
    sigma : float
        Scale, 0 or more.
    """

    kind: str = "none"
    alpha: float = 2.0
    sigma: float = 0.0

    def __post_init__(self):
        check.one_of("noise", self.kind, KINDS)
        object.__setattr__(self, "alpha", check.stable_index(self.alpha))
        object.__setattr__(self, "sigma", check.nonnegative("sigma", self.sigma))
        if self.kind != "none" and self.sigma == 0.0:
            raise ValueError(f"sigma must be above 0 with noise of type {self.kind}, got {self.sigma:g}")

    def path(self, layer, shape, eta, *, seed, threads=1):
        """The noise of a layer of this shape -> `noise.Path`, or None without noise."""
        if self.kind == "none":
            return None
        power = math.log(eta) / self.alpha
        size = math.log(self.sigma) + power
        if max(abs(power), abs(size)) > _EXTREME:
            raise ValueError(f"sigma eta^(1/alpha) must lie in [1e-300, 1e300], got 1e{size / math.log(10):+.0f}")
        scale = self.sigma * eta ** (1.0 / self.alpha)
        where = {"seed": seed, "unit": layer * mlp.LAYER, "threads": threads}
        return noise.Path(self.kind, self.alpha, *shape, scale=scale, **where)


@dataclass(frozen=True)
class Schedule:
    """How gradient descent proceeds, and when it ends.

    Attributes
    ----------
    eta : float
        Step size, above 0.
    batch : int or None
        Rows in a minibatch; None for the whole training set.
    target : float or None
        Accuracy on the training set, in (0, 1], at which to stop; None to go on to the cap.
    every : int
        Steps between evaluations.
    cap : int
        Most steps.
    """

    eta: float
    batch: int | None = None
    target: float | None = 0.95
    every: int = 10
    cap: int = 100_000

    def __post_init__(self):
        settle = object.__setattr__
        settle(self, "eta", check.positive("eta", self.eta))
        if self.batch is not None:
            settle(self, "batch", check.at_least("batch", self.batch, 1))
        if self.target is not None:
            settle(self, "target", check.in_range("target", self.target, 0.0, 1.0))
        settle(self, "every", check.at_least("every", self.every, 1))
        settle(self, "cap", check.whole("cap", self.cap, 1, noise.STEPS - 1))


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy on the whole training set after `step` steps."""

    step: int
    loss: float
    accuracy: float


@kernel
def _descend(theta, gradient, eta, start, stop):
    """theta -= eta gradient, rows start..stop."""
    for c in range(start, stop):
        row, slope = theta[c], gradient[c]
        for j in range(row.size):
            row[j] -= eta * slope[j]


@kernel
def _descend_noisily(theta, gradient, xi, eta, start, stop):
    """theta += xi - eta gradient, rows start..stop."""
    for c in range(start, stop):
        row, slope, jump = theta[c], gradient[c], xi[c]
        for j in range(row.size):
            row[j] += jump[j] - eta * slope[j]


class Training:
    """One run of heavy-tailed SGD.

    Parameters
    ----------
    network : mlp.MLP
    dataset : object with X_train (m, inputs) and y_train (m,), classes 0, ..., C - 1
        As `data.dataset` returns it.
    noise : Noise
    schedule : Schedule
    seed : int
        0 <= seed < 2^64: of initial weights, batches and noise.
    threads : int or None, default 1
        None for one thread a core. No result depends on it.

    Attributes
    ----------
    weights : list of ndarray
    step : int
        Steps taken.
    evaluations : list of Evaluation
    stopped : str
        "" while it goes on, then "target" or "cap".
    last_good : (int, list of ndarray)
        Step and weights of the last evaluation whose loss was finite: what a checkpoint keeps.

    Raises
    ------
    ValueError
        Data that do not fit the network, or a batch larger than the data set.
    """

    def __init__(self, network, dataset, noise, schedule, *, seed, threads=1):
        self.network, self.noise, self.schedule = network, noise, schedule
        self.seed, self.threads = check.seed(seed), count(threads)
        self.X, self.y = mlp.check_data(network, dataset.X_train, dataset.y_train)
        self.batches = Minibatches(len(self.y), schedule.batch, seed=self.seed)
        self._pass = Pass(network, self.batches.batch, self.threads)
        self._eta = np.dtype(network.dtype).type(schedule.eta)
        hidden = network.shapes[:-1]
        self._paths = [
            noise.path(layer, shape, schedule.eta, seed=self.seed, threads=self.threads)
            for layer, shape in enumerate(hidden)
        ]
        self._xi = None if noise.kind == "none" else [np.empty(shape, network.dtype) for shape in hidden]
        self.restore(0, mlp.initial(network, seed=self.seed), [])

    def restore(self, step, weights, evaluations):
        """Go on from a state of a run with the same settings.

        Parameters
        ----------
        step : int
        weights : list of ndarray
        evaluations : sequence of Evaluation
            Those before `step`.

        Raises
        ------
        ValueError
            Weights of another network, or a step at which a run is not evaluated.
        """
        step, every = check.whole("step", step, 0, self.schedule.cap), self.schedule.every
        if step % every:  # the evaluations would come at other steps than in a run that was not interrupted
            raise ValueError(f"step must be a multiple of every = {every}, got {step}")
        weights = self.network.check_weights(weights)
        self.step, self.weights = step, [np.array(w, order="C") for w in weights]
        self.evaluations, self.stopped = list(evaluations), ""
        self._keep()
        return self

    def _keep(self):
        self.last_good = self.step, [w.copy() for w in self.weights]

    def run(self):
        """Train to the end -> self."""
        while not self.stopped:
            self.advance()
        return self

    def advance(self):
        """Evaluate on the training set, and take the steps up to the next evaluation -> Evaluation.

        Raises
        ------
        Diverged
            Weights and step are then those of this evaluation, or of the one before if this one is not finite.
        ValueError
            Training is over.
        """
        if self.stopped:
            raise ValueError(f"training is over at step {self.step} ({self.stopped}), restore a state to go on")
        score = mlp.evaluate(self.network, self.weights, self.X, self.y, threads=self.threads)
        self._check(score.loss)
        found = Evaluation(self.step, score.loss, score.accuracy)
        self.evaluations.append(found)
        self._keep()
        schedule = self.schedule
        reached = schedule.target is not None and score.accuracy >= schedule.target
        for _ in range(1 if reached else min(schedule.every, schedule.cap - self.step)):
            self.take_step(noisy=not reached)
        if reached:
            self.stopped = "target"
        elif self.step >= schedule.cap:
            self.stopped = "cap"
        if self.stopped and not all(np.isfinite(w).all() for w in self.weights):  # nothing evaluates them any more
            self.stopped = ""
            self._give_up("weights that are not finite")
        return found

    def take_step(self, noisy=True):
        """One step, without an evaluation; `advance` counts them and stops.

        Raises
        ------
        Diverged
            The batch's loss is not finite or has exploded.
        """
        rows = self.batches.rows(self.step)
        X, y = (self.X, self.y) if rows is None else (self.X[rows], self.y[rows])
        loss = self._pass.gradient(self.weights, X, y)
        self._check(loss)
        for layer, (theta, gradient) in enumerate(zip(self.weights, self._pass.gradients)):
            path = self._paths[layer] if noisy and layer < len(self._paths) else None
            if path is None:
                self._by_rows(_descend, theta, gradient)
            else:
                self._by_rows(_descend_noisily, theta, gradient, path.fill(self.step, self._xi[layer]))
        self.step += 1

    def _by_rows(self, kernel, theta, *others):
        run = lambda start, stop: kernel(theta, *others, self._eta, start, stop)  # noqa: E731
        over_blocks(run, theta.shape[0], self.threads, least=-(-_WORTH // theta.shape[1]))

    def _check(self, loss):
        if not loss <= EXPLODED * math.log(self.network.classes):  # a NaN is not below anything
            beyond = f", more than {EXPLODED:g} times that of guessing" if loss < math.inf else ""
            self._give_up(f"loss {loss:.3g}{beyond}")

    def _give_up(self, what):
        step, noisy = self.step, self.noise.kind != "none"
        self.step, self.weights = self.last_good
        now = f"eta = {self.schedule.eta:g}" + (f", sigma = {self.noise.sigma:g}" if noisy else "")
        smaller = f"take a smaller eta{' or sigma' if noisy else ''} (now {now})"
        remedy = smaller if step else "scale the data"  # the initial weights know neither eta nor sigma
        raise Diverged(f"training diverged at step {step}: {what}; {remedy}")
