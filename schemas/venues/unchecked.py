"""Unchecked: a byte of an array, without numba's test whether the index counts from the end (a quarter of the scan)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

if TYPE_CHECKING:

    def byte(data: NDArray[np.uint8], at: int) -> int:
        """`data[at]`, for an `at` that is known to lie in the array."""
else:

    @intrinsic
    def byte(typing_context: object, data: types.Array, at: types.Integer) -> tuple[types.Type, Callable]:
        """`data[at]`, for an `at` that is known to lie in the array."""

        def generate(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            return builder.load(builder.gep(array.data, [arguments[1]]))

        return types.uint8(data, types.int64), generate
