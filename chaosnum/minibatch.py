"""Minibatches: which rows of the data the gradient of a step sees.

Definition. Sampling without replacement: an epoch is a random order of the m rows, cut into m // b batches of b rows;
the m mod b rows left over sit that epoch out. A batch of m rows, or none given, is the whole set, in its own order.

The order of an epoch is that of m keys of 64 random bits, read at the addresses (seed, row, epoch) of ``philox.py``. So
the batch of a step is a function of seed and step: a run that goes on from a checkpoint sees the batches it would have
seen. (Ties of keys, of probability m^2 2^-65, are broken by the number of the row.)
"""

import numpy as np
from numba import uint64

from chaosnum import check
from chaosnum.jit import kernel
from chaosnum.philox import BATCH, STEPS, address, philox


@kernel
def _keys(out, seed, epoch):
    x0, x1, x2, x3, k0, k1 = address(seed, 0, 0, epoch, 0, BATCH)
    for i in range(out.size):
        high, low, _, _ = philox(x0 + uint64(i), x1, x2, x3, k0, k1)
        out[i] = (high << uint64(32)) | low


class Minibatches:
    """The batches of a data set of m rows.

    Parameters
    ----------
    m : int
        Rows, below 2^32.
    batch : int or None
        Rows in a batch, 1 to m; None for all.
    seed : int

    Raises
    ------
    ValueError
        A batch larger than the data set, or a seed out of range.
    """

    def __init__(self, m, batch, *, seed):
        self.m = check.whole("m", m, 1, 2**32 - 1)
        self.batch = self.m if batch is None else check.whole("batch", batch, 1, self.m)
        self.seed = check.seed(seed)
        self._epoch, self._order = None, None

    def rows(self, step):
        """The rows of one step -> ndarray of int64, shape (batch,), or None for the whole set in its own order.

        Raises
        ------
        ValueError
            A step outside [0, 2^32).
        """
        step = check.whole("step", step, 0, STEPS - 1)
        if self.batch == self.m:
            return None
        epoch, place = divmod(step, self.m // self.batch)
        if epoch != self._epoch:
            keys = np.empty(self.m, dtype=np.uint64)
            _keys(keys, self.seed, epoch)
            self._epoch, self._order = epoch, np.argsort(keys, kind="stable")
        return self._order[place * self.batch : (place + 1) * self.batch]
