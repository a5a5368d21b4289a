"""dyadic.py: the bound holds for samples, has the claimed order, and its tree dominates the distance."""

import math

import numpy as np
import pytest

from chaosnum import dyadic, moments, noise, wasserstein


def tree_bound(x, y, unit=1.0, levels=30):
    """The tree's own W_1 between two samples (d, n), which the bound is the mean of: loops over shells and cubes."""
    d, n = x.shape
    both = np.concatenate([x, y], axis=1)
    sign = np.concatenate([np.ones(n), -np.ones(n)]) / n
    shell = np.maximum(0, np.ceil(np.log2(np.abs(both).max(axis=0) / unit) - 1e-12)).astype(int)
    total = 0.0
    for k in np.unique(shell):
        inside, size = shell == k, unit * 2.0**k
        total += size * abs(sign[inside].sum())
        for level in range(1, levels):
            cubes = np.ceil((both[:, inside] + size) * 2.0 ** (level - 1) / size).astype(np.int64)
            _, number = np.unique(cubes, axis=1, return_inverse=True)
            total += size * 2.0**-level * np.abs(np.bincount(number.ravel(), weights=sign[inside])).sum()
    return math.sqrt(d) * total


@pytest.mark.parametrize("kind, alpha, d", [("I", 1.4, 3), ("II", 1.3, 2), ("III", 1.6, 5), ("II", 2.0, 1)])
def test_the_tree_dominates_and_the_bound_is_above_its_mean(kind, alpha, d):
    """Means of 40 samples; the bound has a factor of about 2 to spare in each use of Cauchy and Schwarz."""
    for n in (1, 8, 50):
        trees = []
        for seed in range(40):
            x, y = (noise.increments(kind, alpha, (d, n), seed=seed, step=step) for step in (0, 1))
            trees.append(tree_bound(x, y))
            assert wasserstein.exact(x, y) <= trees[-1] * (1 + 1e-6)
        assert np.median(trees) < dyadic.two_sample_bound(n, kind, alpha, d)


def test_its_slope_tends_to_the_exponent():
    for kind, alpha, d in (("III", 1.2, 2), ("II", 1.3, 5), ("I", 1.9, 5), ("III", 1.7, 3), ("II", 1.6, 1)):
        n = 10.0 ** np.array([4, 8, 12, 15])
        b = [dyadic.two_sample_bound(int(k), kind, alpha, d) for k in n]
        slope = np.diff(np.log(b)) / np.diff(np.log(n))
        assert np.all(np.diff(slope) < 1e-3)  # steeper and steeper
        assert abs(slope[-1] - dyadic.exponent(alpha, d)) < 0.05 and slope[-1] > dyadic.exponent(alpha, d) - 1e-3


def test_exponents():
    assert dyadic.exponent(1.5, 1) == dyadic.exponent(1.5, 2) == pytest.approx(-1 / 3)
    assert dyadic.exponent(2.0, 1) == -0.5 and dyadic.exponent(1.9, 5) == -0.2
    assert dyadic.exponent(1.1, 5) == pytest.approx(1 / 1.1 - 1)


@pytest.mark.parametrize("kind", moments.KINDS)
def test_masses_are_upper_bounds_and_all_there(kind):
    for alpha in (1.1, 1.5, 2.0):
        size, mass = dyadic._shells(kind, alpha, 3, 1.0)
        assert mass[0] == 1.0 and np.all(np.diff(mass) <= 0) and np.all(size[1:] == 2 * size[:-1])
        assert size[-1] * mass[-1] < 1e-10 * np.sum(size * mass)
        largest = np.abs(noise.increments(kind, alpha, (3, 20_000), seed=5, step=0)).max(axis=0)
        for k in (1, 2, 3):
            share = np.mean(largest > size[k - 1])
            assert share < mass[k] + 5 * math.sqrt(mass[k] / 20_000)
            if kind != "III" and alpha < 2:
                assert share > mass[k] - 5 * math.sqrt(mass[k] / 20_000) and share < 1.2 * mass[k]


@pytest.mark.parametrize(
    "arguments, line",
    [
        ((0, "II", 1.5, 2), "n must be a whole number >= 1"),
        ((5, "IV", 1.5, 2), "kind must be one of"),
        ((5, "II", 1.0, 2), "alpha must lie in"),
        ((5, "II", 1.5, 0), "d must be a whole number >= 1"),
        ((5, "II", 1.5, 2, -1.0), "unit must lie in"),
    ],
)
def test_refuses(arguments, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        dyadic.two_sample_bound(*arguments)
    assert "\n" not in str(caught.value)
