"""What `chaosnum bench` compares the instruments with: the stable law, Wasserstein distances, tail indices.

As in ``peers.py`` every function returns a `Peer`, or raises ImportError where its library is not installed. All are
given the arrays that ours is given, in the layout that suits them, and return their result, so that the tests can see
that it is the same quantity:

* the stable law: SciPy's ``levy_stable``, a numerical integral per point;
* W_1 of two samples: SciPy, the two one-dimensional solvers of POT, and two lines of NumPy, whose vectorised sort is
  the bar;
* sliced W_1: POT, and NumPy on contiguous projections; both with the directions that ours uses;
* the tail index: powerlaw (Clauset, Shalizi and Newman's threshold, quadratic in n) and tailestim (Hill's estimator
  with a double bootstrap for the threshold).
"""

from contextlib import contextmanager

import numpy as np

from chaosnum.race import Peer


@contextmanager
def one_blas_thread():
    """Matrix products on one thread, like everything else here."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def scipy_law(which, x, alpha):
    """scipy.stats.levy_stable's `which`, "pdf", "cdf" or "sf", at the points x -> Peer."""
    from scipy.stats import levy_stable

    return Peer(lambda: getattr(levy_stable, which)(x, alpha, 0.0))


def scipy_w1(x, y):
    """scipy.stats.wasserstein_distance -> Peer."""
    from scipy.stats import wasserstein_distance

    return Peer(lambda: wasserstein_distance(x, y))


def numpy_w1(x, y):
    """The two-line form -> Peer."""
    return Peer(lambda: np.mean(np.abs(np.sort(x) - np.sort(y))))


def pot_w1(x, y):
    """ot.wasserstein_1d, which returns W_p^p -> Peer."""
    ot = _pot()
    return Peer(lambda: ot.wasserstein_1d(x, y, p=1))


def pot_emd2_1d(x, y):
    """ot.emd2_1d with the cost |x - y| -> Peer."""
    ot = _pot()
    return Peer(lambda: ot.emd2_1d(x, y, metric="minkowski", p=1.0))


def pot_sliced(X, Y, directions):
    """ot.sliced_wasserstein_distance; a row is a point there -> Peer."""
    ot, theirs = _pot(), [np.ascontiguousarray(Z.T) for Z in (X, Y, directions)]
    return Peer(lambda: ot.sliced_wasserstein_distance(*theirs[:2], projections=theirs[2], p=1), one_blas_thread)


def numpy_sliced(X, Y, directions):
    """Every projection a contiguous row, sorted -> Peer."""

    def distance():
        x, y = np.sort(directions @ X, axis=1), np.sort(directions @ Y, axis=1)
        return np.mean(np.abs(x - y))

    return Peer(distance, one_blas_thread)


def powerlaw_index(x):
    """powerlaw.Fit -> Peer; its alpha is the exponent of the density."""
    from powerlaw import Fit

    magnitude = np.abs(x)
    return Peer(lambda: Fit(magnitude, verbose=False).power_law.alpha - 1.0)


def tailestim_index(x):
    """tailestim.HillEstimator -> Peer."""
    from tailestim import HillEstimator

    magnitude = np.abs(x)

    def index():
        estimator = HillEstimator(base_seed=1)
        estimator.fit(magnitude)
        return 1.0 / estimator.get_result().xi_star_

    return Peer(index)


def _pot():
    from chaosnum.wasserstein_space import pot

    return pot()
