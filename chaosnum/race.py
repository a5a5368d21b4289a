"""Two programs timed against each other on a machine whose speed wanders.

The rate of a shared or throttled processor changes by tens of percent within minutes. So the two are run alternately
(ours, peer, ours, peer, ...), the medians are compared, and the spread is shown: of each rate its lowest and highest,
of the ratio those of neighbouring pairs.
"""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Peer:
    """One way to do a task.

    run : callable, does the task once.
    limits : callable () -> context manager, within which `run` keeps to its number of threads.
    detail : str, which variant it is.
    state : callable () -> array of what `run` advances, for tasks that are steps.
    """

    run: Callable
    limits: Callable = nullcontext
    detail: str = ""
    state: Callable | None = None


def race(ours, others, work, *, rounds, seconds, title=""):
    """Time `ours` alternately with every peer.

    Parameters
    ----------
    ours : callable () -> Peer
    others : dict of str to callable () -> Peer
        One that cannot be imported, or fails, becomes a row without numbers.
    work : float
        Units of work in one run; rates are units a second.
    rounds : int
        Times that each pair is timed.
    seconds : float
        About how long each timing takes, by as many runs as needed.
    title : str
        For the lines on stderr that say what is being measured.

    Returns
    -------
    list of dict
        name, detail, status, median, low, high, and ratio with the same three; ours first, with all its timings.
    """
    mine, all_mine, rows = ready(ours(), seconds), [], []
    for name, make in others.items():
        tell(f"{title}: {name}")
        row = {"name": name, "detail": "", "status": "measured", "median": None, "low": None, "high": None}
        row["ratio"] = None
        try:
            peer = make()
            theirs = ready(peer, seconds)
            pairs = [(work / mine(), work / theirs()) for _ in range(rounds)]
        except ImportError:
            rows.append(row | {"status": "not installed"})
            continue
        except Exception as error:  # whatever ails one peer must not end the comparison with the others
            rows.append(row | {"status": f"failed: {type(error).__name__}"})
            continue
        own, other = zip(*pairs)
        all_mine += own
        ratio = spread([a / b for a, b in pairs]) | {"median": median(own) / median(other)}
        rows.append(row | {"detail": peer.detail, "ratio": ratio} | spread(other))
    all_mine = all_mine or [work / mine() for _ in range(rounds)]
    return [{"name": "chaosnum", "detail": "", "status": "measured", "ratio": None} | spread(all_mine), *rows]


def ready(peer, seconds):
    """Warm up, and choose how many runs take `seconds` -> callable that measures the seconds of one run."""
    with peer.limits():
        peer.run()
        begun = time.perf_counter()
        peer.run()
        times = max(1, round(seconds / (time.perf_counter() - begun)))

    def one():
        with peer.limits():
            begun = time.perf_counter()
            for _ in range(times):
                peer.run()
            return (time.perf_counter() - begun) / times

    return one


def spread(values):
    """Median, lowest and highest -> dict."""
    return {"median": median(values), "low": min(values), "high": max(values)}


def tell(what):
    """Say on stderr what is being measured."""
    print(f"measuring {what}", file=sys.stderr, flush=True)
