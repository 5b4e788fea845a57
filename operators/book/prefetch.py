"""Prefetch: have the cache fetch what will be needed shortly, so that many waits for memory become one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

if TYPE_CHECKING:

    def prefetch(array: NDArray[np.int64], at: int) -> None:
        """Ask for the cache line of `array[at]`; changes nothing, whatever `at` is."""
else:

    @intrinsic
    def prefetch(typing_context: object, array: types.Array, at: types.Integer) -> tuple[types.Type, Callable]:
        """Ask for the cache line of `array[at]`; changes nothing, whatever `at` is."""

        def generate(context, builder, signature, arguments):
            held = context.make_array(signature.args[0])(context, builder, arguments[0])
            pointer = builder.bitcast(builder.gep(held.data, [arguments[1]]), cgutils.voidptr_t)
            number = ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
            builder.call(function, [pointer, number(0), number(3), number(1)])
            return context.get_dummy_value()

        return types.void(array, types.int64), generate
