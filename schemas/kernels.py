"""Kernels: compiled code that counts no references: its caller holds the arrays, and it makes none of its own.

numba would otherwise count each array up and down around its uses, with atomic operations that take two thirds of the
time of a scan. A kernel that must allocate is plain `numba.njit`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])
_INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _Cache(FunctionCache):
    """Machine code is loaded as it lies there, by a process that has not brought up what it takes to compile.

    numba's own cache brings that up first, half a second of processor time in every process; here only what is not
    cached does, where it is compiled.
    """

    def load_overload(self, signature: Any, context: Any) -> Any:
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, context)  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Compile a function that Python calls; its machine code is cached (`flows/engine/compiled`)."""
    compiled = njit(function, _nrt=False)  # type: ignore[call-overload]
    compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return cast(F, compiled)


def inner(function: F) -> F:
    """Compile a function that kernels only call: it has no entry from Python and is cached within its callers."""
    return cast(F, njit(function, **_INNER))  # type: ignore[call-overload]


def inlined(function: F) -> F:
    """As `inner`, and always made part of its callers: for the few lines that a loop runs for each word."""
    return cast(F, njit(function, forceinline=True, **_INNER))  # type: ignore[call-overload]
