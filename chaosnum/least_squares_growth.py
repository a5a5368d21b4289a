"""Does the mean square of SGD's error grow or fall? By simulation, where rare large runs carry the mean.

Definition. Without noise the error moves by w -> (I - step G) w with fresh G, so E ||w_T||^2 grows in the end by the
factor lam(step) a step, the spectral radius of the second-moment map. The *typical* run grows by the exponential of E
log of its factors, which is less: between the two thresholds nearly every run falls while the mean square grows,
carried by runs too rare to be seen among any number of independent ones.

Method. Particles that compete: after each step particle i has grown by the factor f_i = ||w_i||^2 / ||w_i before||^2;
the mean of the f_i is noted, the particles are drawn anew with probabilities proportional to f_i, and set to length
1. The product of the means is an unbiased estimate of E ||w_T||^2 for any number of particles (Feynman and Kac's
formula), and its logarithm over T an estimate of log lam with an error of order 1/particles. Without the draw the
same lines give the typical growth.

Reference: Del Moral, Feynman-Kac Formulae (Springer 2004), chapter 2; systematic drawing: Carpenter, Clifford,
Fearnhead, IEE Proc. Radar Sonar Navig. 146 (1999).
"""

import numpy as np

from chaosnum.check import at_least, one_of, positive
from chaosnum.least_squares import generator

BATCH_OF_STEPS = 16  # drawn at a time


def growth(population, *, step, batch, count, particles, rng, of="mean square", burn=0):
    """The factor by which ||w||^2 changes in a step, on geometric average over `count` steps -> float.

    Parameters
    ----------
    population : Population
        Its residuals are left out.
    step : float, positive
    batch, count, particles, burn : int
        b, steps that count, competing runs, steps before them.
    rng : numpy.random.Generator
    of : {"mean square", "typical run"}
    """
    one_of("of", of, ("mean square", "typical run"))
    step, b = positive("step", step), at_least("batch", batch, 1)
    count, particles, burn = at_least("count", count, 1), at_least("particles", particles, 2), at_least("burn", burn, 0)
    error = generator("rng", rng).standard_normal((particles, population.d))
    error /= np.linalg.norm(error, axis=1, keepdims=True)
    total = 0.0
    for t in range(burn + count):
        if t % BATCH_OF_STEPS == 0:
            drawn, _ = population.sample(rng, (min(BATCH_OF_STEPS, burn + count - t), particles, b))
        x = drawn[t % BATCH_OF_STEPS]
        error -= step / b * np.einsum("pb,pbd->pd", np.einsum("pbd,pd->pb", x, error), x)
        factor = np.einsum("pd,pd->p", error, error)
        error /= np.sqrt(factor)[:, None]
        if of == "mean square":
            total += np.log(factor.mean()) if t >= burn else 0.0
            error = error[_systematic(factor, rng)]
        elif t >= burn:
            total += np.log(factor).mean()
    return float(np.exp(total / count))


def _systematic(weights, rng):
    """As many indices, index i on average in proportion to its weight."""
    edges = np.cumsum(weights)
    points = (rng.random() + np.arange(len(weights))) / len(weights) * edges[-1]
    return np.minimum(np.searchsorted(edges, points), len(weights) - 1)
