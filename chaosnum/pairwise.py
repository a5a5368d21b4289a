"""Sums over particles in one fixed order, whoever computes which part of them.

A floating-point sum depends on the order of its additions. Here the order is a tree that is fixed by the number of
particles alone: particles are summed in blocks (`tree_sum`, or a bed's own kernel), and the sums of the blocks in
pairs, pairs of pairs and so on. With 2^m <= blocks < 2^(m+1), the tree has 2^m leaves of one or two blocks each,

    leaf j = blocks floor(j blocks / 2^m), ..., floor((j + 1) blocks / 2^m) - 1,

so that it is perfect: node i of level l covers the leaves i 2^l, ..., (i + 1) 2^l - 1, and no child is ever missing. A
part of the particles that consists of whole nodes can be summed anywhere, and the sums of nodes are added by whoever
has them (``ranks.py``). Threads, processes and machines so give the same bits, and the rounding error grows with the
logarithm of the number of blocks, not with the number.

Reference: N. J. Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14 (1993) 783-799.
"""

import numpy as np

from chaosnum.jit import inline, kernel
from chaosnum.stable import BLOCK


@inline
def tree_sum(x, scratch, n):
    """Sum of x[:n], n <= BLOCK, in a fixed order that vectorises: halves are added until 32 numbers are left.

    A short block is padded with zeros; halves of zeros only are left out, which changes no bit. The sum of float32
    numbers is taken in float64, as `scratch` is.
    """
    total = 0.0
    if n <= 32:
        for i in range(n):
            total += np.float64(x[i])
        return total
    half = BLOCK // 2
    while half > 32 and half >= n:
        half //= 2
    if n == 2 * half:
        for i in range(half):
            scratch[i] = np.float64(x[i]) + np.float64(x[i + half])
    else:
        for i in range(half):
            near = np.float64(x[i]) if i < n else 0.0
            scratch[i] = near + (np.float64(x[i + half]) if i + half < n else 0.0)
    half //= 2
    while half >= 32:
        for i in range(half):
            scratch[i] += scratch[i + half]
        half //= 2
    for i in range(32):
        total += scratch[i]
    return total


@kernel
def node_sums(sums, blocks, level, nodes, n, out):
    """The sums over every node in every system, divided by n, from the sums of blocks, which are overwritten.

    sums : (systems, blocks of this part, d), from the first block of leaf nodes[0, 0] on; blocks, level : the number of
    all blocks, and its m; nodes : (first leaf, number of leaves), adjoining and in order; out : (systems * nodes, d).
    """
    d, begin = sums.shape[2], nodes[0, 0]
    skip = (begin * blocks) >> level
    for r in range(sums.shape[0]):
        row = sums[r]
        for k in range(nodes.shape[0]):
            at, size = nodes[k, 0] - begin, nodes[k, 1]  # a leaf has a block at least: at <= its first block
            for j in range(nodes[k, 0], nodes[k, 0] + size):
                first, last = (j * blocks) >> level, ((j + 1) * blocks) >> level
                for x in range(d):
                    total = row[first - skip, x]
                    if last - first == 2:
                        total += row[first - skip + 1, x]
                    row[j - begin, x] = total
            while size > 1:
                size //= 2
                for j in range(at, at + size):
                    for x in range(d):
                        row[j, x] = row[2 * j - at, x] + row[2 * j - at + 1, x]
            for x in range(d):
                out[r * nodes.shape[0] + k, x] = row[at, x] / n


@kernel
def join(sums, additions, n, average):
    """average = the sum over the root, divided by n, from the sums of nodes, which are overwritten.

    sums : (nodes, d); additions : pairs (a, b) of nodes, sums[a] += sums[b] in order, the root is left in sums[0].
    """
    for k in range(additions.shape[0]):
        a, b = additions[k, 0], additions[k, 1]
        for x in range(sums.shape[1]):
            sums[a, x] += sums[b, x]
    for x in range(average.size):
        average[x] = sums[0, x] / n
