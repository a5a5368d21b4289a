"""The instruments' part of `chaosnum bench`: the stable law, Wasserstein distances and tail indices against peers.

The peers are in ``peers_instruments.py``. Everything runs on one thread; the larger pair of samples also with a thread
for each sort of ours, which no peer offers. SciPy's stable law and powerlaw are so slow that they are raced on few
points: ours then spends much of its time on being called, and its rate on a million points stands among the single
figures. The figure of sf shows what SciPy's tail comes to.
"""

from functools import partial

import numpy as np

from chaosnum import peers_instruments as peers
from chaosnum import stable, tails, wasserstein_space
from chaosnum.bench import ALPHA, figure, power_of_ten, race_with, section
from chaosnum.race import Peer, ready, tell
from chaosnum.threads import cores
from chaosnum.wasserstein import sliced, w1

DIMENSION, DIRECTIONS, FAR = 10, 50, 1e4
SQUARE_ROOT = 3000  # draws for the peer that is quadratic in their number


def sections(effort):
    """The sections of `bench.measure` about the instruments."""
    x, y = (stable.rvs(ALPHA, max(effort.pair), seed=seed) for seed in (1, 2))
    yield from (_law(effort, which, x[: effort.law]) for which in ("cdf", "pdf"))
    yield from (_line(effort, x[:n], y[:n], 1) for n in effort.pair)
    if cores() > 1:
        yield _line(effort, x, y, 2)
    yield _sliced(effort)
    yield from (_tails(effort, stable.rvs(ALPHA, n, seed=3)) for n in effort.tails)


def _law(effort, which, x):
    ours = getattr(stable, which)
    others = {f"SciPy levy_stable.{which}": partial(peers.scipy_law, which, x, ALPHA)}
    title = f"stable {which}, {x.size} points"
    rows = race_with(effort, title, lambda: Peer(lambda: ours(x, ALPHA)), others, x.size, ())
    return section(title, "M points/s", 1, rows, lambda rate: rate / 1e6, {"chaosnum": 1.0})


def _line(effort, x, y, threads):
    others = {
        "NumPy, two lines": peers.numpy_w1, "SciPy wasserstein_distance": peers.scipy_w1,
        "POT wasserstein_1d": peers.pot_w1, "POT emd2_1d": peers.pot_emd2_1d,
    }  # fmt: skip
    title = f"W_1 of two samples of {power_of_ten(x.size)}"
    rows = race_with(effort, title, lambda: Peer(lambda: w1(x, y, threads=threads)), others, 1, (x, y))
    targets = {"NumPy, two lines": 1.0}
    if x.size >= 10**6:
        targets |= {"SciPy wasserstein_distance": 20.0, "POT wasserstein_1d": 6.0, "POT emd2_1d": 6.0}
    return section(title, "ms", threads, rows, lambda rate: 1e3 / rate, targets)


def _sliced(effort):
    n = effort.sliced
    X, Y = (stable.rvs(ALPHA, (DIMENSION, n), seed=seed) for seed in (4, 5))
    directions = wasserstein_space.uniform_directions(DIMENSION, DIRECTIONS, 0)
    others = {"NumPy, contiguous": peers.numpy_sliced, "POT": peers.pot_sliced}
    title = f"sliced W_1, n = {power_of_ten(n)}, d = {DIMENSION}, {DIRECTIONS} directions"
    ours = Peer(lambda: sliced(X, Y, n_projections=DIRECTIONS))
    rows = race_with(effort, title, lambda: ours, others, 1, (X, Y, directions))
    return section(title, "ms", 1, rows, lambda rate: 1e3 / rate, {"NumPy, contiguous": 1.0, "POT": 15.0})


def _tails(effort, x):
    others = {"tailestim, Hill": peers.tailestim_index}
    if x.size <= SQUARE_ROOT:
        others["powerlaw"] = peers.powerlaw_index
    title = f"tail index of {power_of_ten(x.size)} draws, all estimators"
    rows = race_with(effort, title, lambda: Peer(lambda: tails.fit(x).alpha), others, 1, (x,))
    return section(title, "ms", 1, rows, lambda rate: 1e3 / rate, {})


def figures(effort):
    """The single figures of `bench.measure` about the instruments."""
    tell("the stable law")
    x = stable.rvs(ALPHA, effort.draws, seed=1)
    for which in ("cdf", "pdf"):
        law = getattr(stable, which)
        seconds = min(ready(Peer(lambda law=law: law(x, ALPHA)), effort.seconds)() for _ in range(effort.rounds))
        yield figure(f"stable {which}", seconds / x.size * 1e9, "ns", f"a point, {x.size} points", target=1000.0)
    ours = float(stable.sf(FAR, ALPHA))
    theirs = float(peers.scipy_law("sf", np.array([FAR]), ALPHA).run()[0])
    expansion = stable.tail_constant(ALPHA) * FAR**-ALPHA
    detail = f"P(X > {FAR:g}), alpha = {ALPHA}; SciPy: {theirs:.3g}; c x^-alpha: {expansion:.3g}"
    yield figure("stable sf", ours, "", detail)
