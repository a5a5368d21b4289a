"""The one place that configures Numba, and the few instructions that Numba does not offer.

Every kernel of the package is compiled by :func:`kernel`:

* ``error_model="numpy"``: Python's check for division by zero would keep LLVM from vectorising the loop.
* ``fastmath`` stays off: NaN and infinity keep their IEEE meaning and no operation is reordered. Fused
  multiply-adds are written out (:func:`fma`), so the same source gives the same bits on every processor that
  has the instruction, whatever the width of its vectors.
* ``nogil=True``: kernels are serial, and run side by side on Python threads (``threads.py``). No result
  depends on the number of threads.
* Vectorised loops are interleaved four times. The chains of dependent operations in a stable draw are far longer than
  the processor's window of waiting instructions, and four in lockstep keep the arithmetic units busier: 8 ns a
  draw instead of 11 on a Zen 3 core at 3 GHz. LLVM knows the request as an option of the whole process, so it is set
  while one of our kernels compiles and withdrawn afterwards.
* ``cache=True``: compiled once per machine. Numba does not see a change in a callee of another file; ``make
  clean`` empties the cache while developing.

Scalar functions that kernels are made of are marked :func:`inline`; they must be inlined for the loop around them
to be vectorised, and LLVM's own threshold is too low for them.
"""

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

inline = numba.njit(error_model="numpy", nogil=True, forceinline=True)


def kernel(function):
    """Compile a loop over arrays (decorator); see the module's docstring for the settings."""
    dispatcher = numba.njit(error_model="numpy", nogil=True, cache=True)(function)
    compile_signature = dispatcher.compile

    def compile_interleaved(signature):
        with global_compiler_lock:
            llvm.set_option("", "--force-vector-interleave=4")
            try:
                return compile_signature(signature)
            finally:
                llvm.set_option("", "--force-vector-interleave=0")  # 0: LLVM decides

    dispatcher.compile = compile_interleaved
    return dispatcher


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c with one rounding: a single instruction."""

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def horner(typingctx, t, coefficients):
    """The polynomial coefficients[0] + coefficients[1] t + ... by Horner's rule in fused multiply-adds."""

    def codegen(context, builder, signature, args):
        t, packed = args
        value = builder.extract_value(packed, coefficients.count - 1)
        for power in reversed(range(coefficients.count - 1)):
            value = builder.fma(value, t, builder.extract_value(packed, power))
        return value

    return types.float64(types.float64, coefficients), codegen


@intrinsic
def as_bits(typingctx, x):
    """The 64 bits of a float64, as uint64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), codegen


@intrinsic
def as_float(typingctx, bits):
    """The float64 with these 64 bits."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), codegen
