"""Stable noise of vectors, Types I, II and III, on nested time grids.

A unit (particle) has p components. With scalar SaS variables of index alpha:

* Type I: one scalar per unit, the same for every component.
* Type II: independent components.
* Type III: rotationally invariant, X = sqrt(2 A) G with G ~ N(0, I_p) and A positive alpha/2-stable,
  E exp(-s A) = exp(-s^(alpha/2)); then E exp(i k.X) = exp(-|k|^alpha). ``III-paper`` is the convention of the
  published experiments, sqrt(A) G, smaller by the square root of 2.

All agree at p = 1, where each is the standard SaS law (but ``III-paper``).

Increments over one step of length eta have scale eta^(1/alpha). Grids are nested: the increment over a coarse step is
the *sum* of the increments over its fine steps, read at the same addresses (Philox: seed, replica, particle, step,
component). So a coarse scheme and a fine scheme, or a system and its limit, are driven by one path without storing it.
Scaling one fresh variable instead would give the right law and the wrong path.
"""

import numpy as np

from chaosnum import check
from chaosnum.jit import kernel
from chaosnum.philox import COMPONENTS, NOISE, PARTICLES, STEPS, SUBORDINATOR
from chaosnum.stable import BLOCK, draw_block, positive_block, positive_shape, shape
from chaosnum.threads import count, over_blocks

KINDS = ("I", "II", "III", "III-paper")


@kernel
def _independent(out, law, scale, seed, replica, unit, step, refine, start, stop):
    """out[c, i] = scale * sum over the fine steps of independent SaS variables, for blocks start..stop."""
    p, n = out.shape
    x, scratch = np.empty(BLOCK), np.empty(BLOCK)
    for block in range(start, stop):
        first = block * BLOCK
        m = min(BLOCK, n - first)
        for c in range(p):
            row = out[c, first : first + m]
            for fine in range(refine):
                draw_block(x, scratch, m, law, seed, replica, unit + first, step * refine + fine, c, NOISE)
                if fine == 0:
                    for i in range(m):
                        row[i] = scale * x[i]
                else:
                    for i in range(m):
                        row[i] += scale * x[i]


@kernel
def _rotational(out, law, gauss, scale, seed, replica, unit, step, refine, start, stop):
    """out[., i] = scale * sum over the fine steps of sqrt(A) times a vector of N(0, 2) variables."""
    p, n = out.shape
    x, scratch, radius = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for block in range(start, stop):
        first = block * BLOCK
        m = min(BLOCK, n - first)
        for fine in range(refine):
            at = step * refine + fine
            positive_block(radius, scratch, m, law, seed, replica, unit + first, at, 0, SUBORDINATOR)
            for i in range(m):
                radius[i] = scale * np.sqrt(radius[i])
            for c in range(p):
                row = out[c, first : first + m]
                draw_block(x, scratch, m, gauss, seed, replica, unit + first, at, c, NOISE)
                if fine == 0:
                    for i in range(m):
                        row[i] = radius[i] * x[i]
                else:
                    for i in range(m):
                        row[i] += radius[i] * x[i]


def _placed(unit, n):
    """Refuse units that would be drawn in a block with two high words of the unit's number."""
    if unit % BLOCK and unit >> 32 != (unit + n - 1) >> 32:
        raise ValueError(f"unit must be a multiple of {BLOCK} where units reach past a multiple of 2^32, got {unit}")


class Path:
    """One noise path of n units with p components on a grid of steps, read step by step from its address.

    Parameters
    ----------
    kind : {"I", "II", "III", "III-paper"}
        The noise type.
    alpha : float
        Tail index, in (0, 2].
    p, n : int
        Components and units. A unit's noise depends on its number, not on n.
    seed, replica : int
        The address: 0 <= seed < 2^64, 0 <= replica < 2^28.
    scale : float, default 1
        Factor of every increment, e.g. sigma eta^(1/alpha).
    refine : int, default 1
        Fine steps in a step: an increment is the sum over the fine steps ``step * refine + 0 .. refine - 1``, each
        with factor `scale`.
    unit : int, default 0
        Number of the first unit. A block of draws has one high word of the unit's number: it must be a multiple of
        512, or no unit beyond the first may be a multiple of 2^32.
    threads : int, default 1
        Threads to use; the increments do not depend on it.

    Raises
    ------
    ValueError
        A parameter outside its range.
    """

    def __init__(self, kind, alpha, p, n, *, seed, replica=0, scale=1.0, refine=1, unit=0, threads=1):
        self.kind = check.one_of("noise", kind, KINDS)
        self.alpha = check.stable_index(alpha)
        self.p, self.n = check.whole("p", p, 1, COMPONENTS), check.whole("n", n, 1, PARTICLES)
        self.seed, self.replica = check.seed(seed), check.replica(replica)
        self.refine = check.whole("refine", refine, 1, STEPS)
        self.scale = check.nonnegative("scale", scale) * (0.5**0.5 if kind == "III-paper" else 1.0)
        self.unit = check.whole("unit", unit, 0, PARTICLES - self.n)
        _placed(self.unit, self.n)
        self.threads = count(threads)
        # With one component, or A = 1, Type III is Type II.
        self.rotational = kind.startswith("III") and self.alpha < 2.0 and self.p > 1
        self.laws = (positive_shape(self.alpha / 2.0), shape(2.0)) if self.rotational else (shape(self.alpha),)

    def fill(self, step, out):
        """Write the increments of one step into `out`, a C-contiguous array of shape (p, n).

        In a float32 array each increment is that of a float64 array, rounded once (for ``refine=1``).
        """
        return self._fill(step, 0, out, self.threads)

    def piece(self, step, first, out):
        """Write the increments of the units first, first + 1, ... of this path into `out`, (p, units).

        On the calling thread: for systems that use the increments where they are drawn, piece by piece, and never hold
        those of all units.
        """
        _placed(self.unit + first, out.shape[1])
        return self._fill(step, first, out, 1)

    def _fill(self, step, first, out, threads):
        if not 0 <= step < STEPS // self.refine:
            raise ValueError(f"step must be a whole number in [0, {STEPS // self.refine - 1}], got {step!r}")
        rows = out[:1] if self.kind == "I" else out
        fill = _rotational if self.rotational else _independent
        arguments = (rows, *self.laws, self.scale, self.seed, self.replica, self.unit + first, step, self.refine)
        blocks = -(-out.shape[1] // BLOCK)
        if threads == 1:
            fill(*arguments, 0, blocks)
        else:
            least = max(1, 64 // len(rows))  # blocks that are worth handing to a thread
            over_blocks(lambda start, stop: fill(*arguments, start, stop), blocks, threads, least=least)
        if self.kind == "I":
            out[1:] = out[0]
        return out


def increments(kind, alpha, shape_, *, seed, step, replica=0, refine=1, scale=1.0, threads=1):
    """Noise increments of all units over one (coarse) step.

    Parameters
    ----------
    shape_ : tuple (p, n) or int n
        Components and units; an int means p = 1 and a result of one dimension.
    step : int
        The step, (step + 1) * refine <= 2^32.
    kind, alpha, seed, replica, refine, scale, threads
        As for `Path`.

    Returns
    -------
    ndarray of float64, shape (p, n) or (n,)

    Raises
    ------
    ValueError
        Unknown kind, alpha outside (0, 2], or an address out of range.
    """
    p, n = shape_ if isinstance(shape_, tuple) else (1, shape_)
    path = Path(kind, alpha, p, n, seed=seed, replica=replica, scale=scale, refine=refine, threads=threads)
    step = check.whole("step", step, 0, STEPS // path.refine - 1)  # refuses 0.5 and True as well
    out = path.fill(step, np.empty((path.p, path.n)))
    return out if isinstance(shape_, tuple) else out[0]
