"""Inner: compiled code that only compiled code calls. It has no entry from Python and is cached within its callers."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def inner(function: F) -> F:
    """Compile a function for compiled callers only: a fifth less work than `njit` each time the cache is empty."""
    return cast(F, njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True))  # type: ignore[call-overload]
