"""Integrals of |f - s|^p for a monotone function f and a step function s, to a stated tolerance.

Both one-dimensional distances of a sample to a law are of this kind: for W_1, f is the distribution function and s
counts points; for W_p, f is the quantile function and s the sorted sample. Below, f does not decrease.

* Where f crosses a step's level inside the step, the integrand has a kink. It is found by Chandrupatla's method (1997),
  for all steps at once; f - s has one sign on each side of it.
* p = 1: over a run of steps on which f - s keeps its sign the integral is |int f - int s|, and only int f needs
  quadrature. A sample of n points has of the order of sqrt(n) runs, so few values of f beyond those at the steps' ends
  are needed.
* Panels are integrated by a Gauss-Lobatto rule and cut in two until the sum over the halves agrees with the whole; the
  disagreement, which estimates the error of the whole, generously bounds that of the halves. That finds kinks and jumps
  of f too, also those next to an end of a panel, which Gauss-Legendre nodes do not see.
* A tail int_0^inf g(y) dy, where y is a logarithm of the distance to the last point, is integrated to `FAR`. What
  lies beyond is the integral of an exponential, g(FAR)/b, if g has become one: its rate b is measured on
  [FAR/2, FAR], and what the rate on [FAR/4, FAR/2] differs counts as error. A rate of zero means an infinite integral.

What goes wrong: a feature of f that is far narrower than the distance of neighbouring points goes unseen, and where f
is only known to a relative error e, so is every value of f - s only to e |f|.

Reference: T. R. Chandrupatla, Adv. Eng. Software 28 (1997) 145-149.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial import Legendre

FAR = 150.0  # e^150 = 1e65: a power law with a second term smaller by x^-1/2 is one there, to 1e-16
_FEW, _MANY = 4, 9  # nodes of the rules for single steps and for long runs
_CUT = 0.4375  # where panels are cut: rules that are mirror images would agree on two mirrored jumps
_ROUNDS, _PANELS = 100, 300_000
_NOISE = 1e-13  # a value of f is taken to be known to that


@lru_cache
def lobatto(nodes):
    """Nodes and weights of the Gauss-Lobatto rule on [-1, 1], exact for polynomials of degree 2 nodes - 3."""
    last = Legendre.basis(nodes - 1)
    x = np.concatenate([[-1.0], np.sort(last.deriv().roots().real), [1.0]])
    return x, 2.0 / (nodes * (nodes - 1) * last(x) ** 2)


def crossings(f, level, a, b, fa, fb):
    """Where the nondecreasing f passes `level` in the brackets [a, b], on which f - level goes from fa < 0 to fb > 0.

    Returns
    -------
    ndarray
        To 1e-13 of the bracket: an error of d changes the integrals by d^2 where f is smooth.
    """
    a, b, fa, fb = (np.array(z, dtype=np.float64) for z in (a, b, fa, fb))
    c, fc, where, root = a.copy(), fa.copy(), np.arange(a.size), np.empty(a.size)
    level, enough = np.array(level), 1e-13 * (b - a)
    t = np.full(a.size, 0.5)
    while where.size:
        x = a + t * (b - a)
        fx = f(x) - level
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        width = np.abs(b - a)
        tolerance = np.maximum(enough, 2.0**-51 * np.maximum(np.abs(a), np.abs(b)))
        going = (fx != 0.0) & (width > tolerance)
        root[where[~going]] = a[~going]
        where, level, enough = where[going], level[going], enough[going]
        a, b, c, fa, fb, fc = (z[going] for z in (a, b, c, fa, fb, fc))
        with np.errstate(all="ignore"):  # 0/0 where two of the three values agree: bisection there
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            t = np.where((phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi) & np.isfinite(t), t, 0.5)
        least = 0.5 * tolerance[going] / np.abs(b - a)
        t = np.clip(t, least, 1.0 - least)
    return root


def panels(g, a, b, group, size, tolerance, nodes=_MANY):
    """Integrals of g over the panels [a, b], cut in two until they agree to a tolerance.

    Parameters
    ----------
    g : callable (t, group) -> array
        t has shape (panels, nodes), group (panels, 1).
    a, b, group : ndarray, shape (panels,)
        group is a whole number: integrals are summed by it.
    size : callable (sums) -> float
        The result that these sums would give; the tolerance is relative to it.
    tolerance : float

    Returns
    -------
    sums : ndarray, shape (group[-1] + 1,)
    error : float
        Infinite where the panels have become too many.
    """
    count = int(group.max()) + 1
    done, error, each = np.zeros(count), 0.0, 0.1 / max(10, a.size)
    whole = _rule(g, a, b, group, nodes)
    for _ in range(_ROUNDS):
        middle = a + _CUT * (b - a)
        left, right = _rule(g, a, middle, group, nodes), _rule(g, middle, b, group, nodes)
        halves = left + right
        gap = np.abs(halves - whole)
        enough = tolerance * each * size(done + np.bincount(group, halves, count))
        going = (gap > np.maximum(enough, _NOISE * np.abs(halves))) & (a < middle) & (middle < b)
        settled = ~going
        done += np.bincount(group[settled], halves[settled], count)
        error += float(gap[settled].sum())
        if not going.any():
            return done, error
        a, b = np.concatenate([a[going], middle[going]]), np.concatenate([middle[going], b[going]])
        whole, group = np.concatenate([left[going], right[going]]), np.tile(group[going], 2)
        if a.size > _PANELS:
            break
    return done + np.bincount(group, np.concatenate([left[going], right[going]]), count), math.inf


def _rule(g, a, b, group, nodes):
    """The Gauss-Lobatto rule on every panel."""
    x, w = lobatto(nodes)
    half = 0.5 * (b - a)
    t = 0.5 * (a + b)[:, None] + half[:, None] * x
    t[:, 0], t[:, -1] = a, b
    return half * (g(t, group[:, None]) @ w)


def steps(f, grid, levels, p, tolerance):
    """Integral of |f - levels|^p from the first to the last point of the grid.

    Parameters
    ----------
    f : callable, nondecreasing
    grid : ndarray, shape (k + 1,)
        Ends of the steps, ascending.
    levels : ndarray, shape (k,)
        Heights of the steps.

    Returns
    -------
    (value, error) : tuple of float

    Raises
    ------
    ValueError
        f decreases.
    """
    if levels.size == 0:
        return 0.0, 0.0
    values = f(grid)
    if np.any(np.diff(values) < -1e-9 * np.abs(values[1:])):
        raise ValueError("the law's function must not decrease, got one that does")
    below, above = values[:-1] - levels, values[1:] - levels
    kinked = (below < 0.0) & (above > 0.0)
    step = np.repeat(np.arange(levels.size), 1 + kinked)
    first = np.cumsum(1 + kinked)[kinked] - 2  # of the two pieces of a step with a kink
    left, right, sign = grid[step], grid[step + 1], np.where(below + above < 0.0, -1, 1)[step]
    at = crossings(f, levels[kinked], grid[:-1][kinked], grid[1:][kinked], below[kinked], above[kinked])
    right[first], left[first + 1] = at, at
    sign[first], sign[first + 1] = -1, 1
    some = right > left
    step, left, right, sign = step[some], left[some], right[some], sign[some]
    if step.size == 0:
        return 0.0, 0.0
    height = levels[step]
    if p != 1.0:
        group = np.arange(step.size)
        sums, error = panels(
            lambda t, k: np.abs(f(t) - height[k]) ** p, left, right, group, np.sum, tolerance, nodes=_FEW
        )  # fmt: skip
        return float(sums.sum()), error
    run = np.concatenate([[0], np.cumsum(sign[1:] != sign[:-1])])
    begins = np.flatnonzero(np.concatenate([[True], run[1:] > run[:-1]]))
    ends = np.append(begins[1:], run.size) - 1
    area = np.bincount(run, height * (right - left))
    group = np.arange(area.size)
    sums, error = panels(
        lambda t, k: f(t), left[begins], right[ends], group, lambda s: np.abs(s - area).sum(), tolerance
    )  # fmt: skip
    return float(np.abs(sums - area).sum()), error


def tail(g, known, tolerance, far=FAR, kink=None, doubt=0.0):
    """Integral of g over [0, inf), where g decays at least like an exponential beyond `far`.

    Parameters
    ----------
    g : callable, zero or more
    known : float
        The tolerance is relative to this plus the integral.
    kink : float, optional
        A point where g is not smooth.
    doubt : float, default 0
        Relative error of g at `far`.

    Returns
    -------
    (value, error) : tuple of float
        Infinite where g does not decay.
    """
    edges = [0.0, *(2.0**k for k in range(8) if 2.0**k < far), far]
    edges = np.array(edges if kink is None else sorted({*edges, kink}))
    before, last, end = g(np.array([0.5, 0.75, 1.0]) * far)
    beyond = error = 0.0
    if end > 0.0:
        rates = np.log(np.array([last / end, before / last])) / (0.25 * far)
        if rates[0] < 1e-9:
            return math.inf, 0.0
        beyond = end / rates[0]
        error = beyond * (doubt + abs(1.0 - rates[1] / rates[0]))
    group = np.zeros(edges.size - 1, dtype=np.int64)
    sums, gap = panels(
        lambda t, k: g(t), edges[:-1], edges[1:], group, lambda s: known + beyond + s.sum(), tolerance
    )  # fmt: skip
    return float(sums[0]) + beyond, error + gap
