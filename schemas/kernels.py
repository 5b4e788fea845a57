"""Kernels: compiled code that counts no references: its caller holds the arrays, and it makes none of its own.

numba would otherwise count each array up and down around its uses, with atomic operations that take two thirds of the
time of a scan. A kernel that must allocate is plain `numba.njit`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])
_INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: F) -> F:
    """Compile a function that Python calls; its machine code is cached (`flows/engine/compiled`)."""
    return cast(F, njit(function, cache=True, _nrt=False))  # type: ignore[call-overload]


def inner(function: F) -> F:
    """Compile a function that kernels only call: it has no entry from Python and is cached within its callers."""
    return cast(F, njit(function, **_INNER))  # type: ignore[call-overload]


def inlined(function: F) -> F:
    """As `inner`, and always made part of its callers: for the few lines that a loop runs for each word."""
    return cast(F, njit(function, forceinline=True, **_INNER))  # type: ignore[call-overload]
