"""Claims that need no kernel: what the command line and the report are tested with."""

import time

import chaosnum as cn


def noisy(scale, *, seed, rate, spread=0.1):
    """scale^rate with independent factors around 1."""
    import numpy as np

    return float(scale**rate * np.random.default_rng(seed).uniform(1 - spread, 1 + spread))


def decay(n, *, seed, alpha, sigma, T):
    return noisy(n, seed=seed, rate=-0.5)


def slow(n, *, seed):
    time.sleep(0.02 if n < 200 else 30)
    return noisy(n, seed=seed, rate=-0.5)


def toys():
    constant = cn.Control("constant", "does not decay", measure=lambda n, *, seed, **_: noisy(n, seed=seed, rate=0.0))
    harmless = cn.Control("harmless", "nothing is spoilt")
    common = {"source": "folklore", "scales": [100, 200, 400, 800], "replicas": 16}
    return [
        cn.Claim(
            "T1", "E error <= C / sqrt(n)", name="decay", model="toy", measure=decay, controls=(constant, harmless),
            predicts=cn.PowerLaw(-0.5, bound=lambda n, **_: 2 / n**0.5), domain={"alpha": (1, 2)},
            params={"alpha": [1.5, 2.0], "sigma": 1.0, "T": 1.0}, **common,
        ),
        cn.Claim(
            "T2", "a claim that is wrong", name="wrong", model="line",
            measure=lambda n, *, seed: noisy(n, seed=seed, rate=-0.5), predicts=cn.PowerLaw(-1.0), **common,
        ),
        cn.Claim(
            "T3", "a claim in eta", scale="eta", name="steps", model="toy", source="folklore",
            scales=[1 / 8, 1 / 16, 1 / 32], replicas=4, params={"n": 10},
            measure=lambda eta, *, seed, n: noisy(eta, seed=seed, rate=1.0, spread=0.9),
            predicts=cn.PowerLaw(0.5, margin=0.001),
        ),
        cn.Claim(
            "T4", "a claim about data", name="data", model="network", params={"data": "digits", "unit": "tanh"},
            measure=lambda n, *, seed, data, unit: noisy(n, seed=seed, rate=-0.5), predicts=cn.PowerLaw(-0.5), **common,
        ),
    ]  # fmt: skip


def slow_ones():
    quick = cn.Claim("S1", "quick", "folklore", measure=lambda n, *, seed: noisy(n, seed=seed, rate=-0.5),
                     scales=[100, 200, 400], replicas=4, predicts=cn.PowerLaw(-0.5))  # fmt: skip
    return [quick, cn.Claim("S2", "slow", "folklore", measure=slow, scales=[100, 200, 400], replicas=4,
                            predicts=cn.PowerLaw(-0.5))]  # fmt: skip


# The command on the slow claims, as a script of its own: to be interrupted. Where the tests run in the background of a
# shell, SIGINT is ignored, and children inherit that.
SLOW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [{root!r}, {here!r}]
import toy_claims
from chaosnum import cli, registry
registry.claims = toy_claims.slow_ones
sys.exit(cli.main(sys.argv[1:]))
"""
