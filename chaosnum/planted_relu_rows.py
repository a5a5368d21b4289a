"""The planted ReLU with rows of data: the exact mean square near w*, step by step, and the exact stability threshold.

Setting: :mod:`chaosnum.planted_relu` with rows drawn with replacement from a table, which is the population. While
|h| < min |<w*, x>| / |x| every row is on the same side of w as of w*, and SGD is linear in h, with G = (2/m) sum x x'
over the active rows of the batch, and H = E G = 2 E[x x'; <w*, x> > 0]:

    h_+ = (I - mu G) h  (+ mu times the labels' noise),
    C_+ = E (I - mu G) C (I - mu G) = C - mu (H C + C H) + mu^2 S(C),        C = E h h',
    S(C) = (1 - 1/m) H C H + (4/m) E[(x' C x) x x'; <w*, x> > 0],

and + 2 mu^2 tau^2 H / m for labels' noise tau. The trace of C_t is E|h_t|^2, exactly, whatever the rows. C -> C_+ maps
the cone of positive matrices to itself: its spectral radius is the factor per step in the end, by Perron and Frobenius
(Krein and Rutman), and it is below 1 if and only if

    mu < threshold = 1 / rho(L^-1 S),        L(C) = H C + C H.

For x ~ N(0, I): S(I) = A I and L(I) = 2 I, so the threshold is 2/A. Data have heavier fourth moments: a smaller one.

What goes wrong: fewer active rows than columns, or active rows that do not span the space, leave w* undetermined: H is
singular and nothing contracts there. Far from w* the active rows change; the recursion is then an approximation.

Reference: the operators are those of Jain, Kakade, Kidambi, Netrapalli, Sidford, JMLR 18 (2018), for least squares.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, nonnegative, positive, whole
from chaosnum.planted_relu import planted, sized

TOLERANCE = 1e-10  # relative, of eigenvalues
MOST = 2 * 10**9  # multiplications of one S(C), n d^2: some seconds


class Population:
    """A table of rows as the law of x, and a planted w*.

    Parameters
    ----------
    rows : array_like, float64, shape (n, d), n d^2 at most 2e9
    w_star : array_like, float64, shape (d,)

    Attributes
    ----------
    dim, count : int
        d and n.
    active : ndarray, float64, shape (k, d)
        Rows with <w*, x> > 0.
    H : ndarray, float64, shape (d, d)
    reach : float
        ``min |<w*, x>| / |x|``: so close to w* the recursion is exact.

    Raises
    ------
    ValueError
        Fewer rows than columns, or active rows whose rank is below d: w* is not determined. A table that is too large,
        or a magnitude outside [1e-30, 1e30].
    """

    def __init__(self, rows, w_star):
        X = finite_array("rows", rows, ndim=2)
        n, self.dim = X.shape
        if not self.dim or n < self.dim:
            raise ValueError(f"rows must be as many as their columns or more, d = {self.dim}, got {n} rows")
        if n * self.dim**2 > MOST:
            raise ValueError(f"rows must have n d^2 <= {MOST:.0e}, which a step costs, got {n * self.dim**2:.3g}")
        sized("rows", X)
        p, size = X @ planted(w_star, self.dim), np.linalg.norm(X, axis=1)
        self.active = X[p > 0.0]
        rank = int(np.linalg.matrix_rank(self.active)) if len(self.active) else 0
        if rank < self.dim:
            have = f"{len(self.active)} active rows (<w*, x> > 0) of rank {rank}"
            raise ValueError(f"rows must have active ones of full rank {self.dim}, or w* is not determined, got {have}")
        self.count = n
        self.H = 2.0 * self.active.T @ self.active / n
        self.reach = float((np.abs(p[size > 0]) / size[size > 0]).min())
        self._values, self._vectors = np.linalg.eigh(self.H)

    def second(self, C, batch):
        """S(C) -> ndarray, float64, shape (d, d)."""
        weight = ((self.active @ C) * self.active).sum(axis=1)
        fourth = (self.active * weight[:, None]).T @ self.active * (4.0 / self.count)
        return (1.0 - 1.0 / batch) * self.H @ C @ self.H + fourth / batch

    def after(self, C, step, batch, noise=0.0, gain=1.0):
        """C_+ -> ndarray, float64, shape (d, d); see `factor` for `gain`."""
        mixed = self.H @ C
        second = gain * self.second(C, batch) + 2.0 * noise**2 / batch * self.H
        return C - step * (mixed + mixed.T) + step**2 * second

    def squares(self, h, step, batch, horizon, noise=0.0):
        """E|h_t|^2 for t = 0 .. horizon -> ndarray, float64, shape (horizon + 1,).

        Parameters
        ----------
        h : array_like, float64, shape (d,)
            The start, exactly known.
        step : float
        batch, horizon : int
        noise : float
            Standard deviation of the labels' noise.
        """
        h = finite_array("h", h, ndim=1)
        if len(h) != self.dim:
            raise ValueError(f"h must have {self.dim} components, got {len(h)}")
        step, noise, batch = positive("step", step), nonnegative("noise", noise), whole("batch", batch, 1)
        C, traces = np.outer(h, h), np.empty(whole("horizon", horizon, 1) + 1)
        with one_thread():
            for t in range(len(traces)):
                traces[t] = np.trace(C)
                C = self.after(C, step, batch, noise)
                C = 0.5 * (C + C.T)  # rounding errors that are antisymmetric may grow
        return traces

    def threshold(self, batch):
        """The step from which on E|h_t|^2 does not fall -> float."""
        batch = whole("batch", batch, 1)
        basis, sums = self._vectors, self._values[:, None] + self._values[None, :]

        def inverse(C):  # of L, in the basis where H is diagonal
            return basis @ ((basis.T @ C @ basis) / sums) @ basis.T

        return 1.0 / self._radius(lambda C: inverse(self.second(C, batch)))

    def factor(self, step, batch, gain=1.0):
        """Factor per step of E|h_t|^2 in the end -> float.

        Parameters
        ----------
        step : float
        batch : int
        gain : float, default 1
            S is multiplied by it: what quantising does, roughly, with A_Q/A (then the threshold is divided by it).
        """
        step, batch, gain = positive("step", step), whole("batch", batch, 1), positive("gain", gain)
        return self._radius(lambda C: self.after(C, step, batch, gain=gain))

    def _radius(self, apply):
        """Spectral radius of a map of the positive cone, which is an eigenvalue, by Arnoldi's method."""
        d = self.dim

        def on_vectors(c):  # symmetric parts only: rounding errors must not leave the cone's span
            C = np.reshape(c, (d, d))
            return apply(0.5 * (C + C.T)).ravel()

        with one_thread():
            if d < 4:
                return float(np.abs(np.linalg.eigvals(np.array([on_vectors(e) for e in np.eye(d * d)]).T)).max())
            operator = LinearOperator((d * d, d * d), matvec=on_vectors, dtype=np.float64)
            values = eigs(operator, k=1, which="LM", v0=np.eye(d).ravel(), tol=TOLERANCE, return_eigenvectors=False)
        return float(np.abs(values[0]))
