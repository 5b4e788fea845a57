"""Allocator: the memory that a turn of a flow gives back is kept for the next one.

A turn makes arrays of a few megabytes and drops them. By its own rules the C library gives such memory back to the
system at once, which then hands out zeroed pages one by one at the next turn: a quarter of a turn's time with 1,000
instruments. What is kept is at most `KEPT` bytes, of the most that was ever in use.
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of glibc's malloc.h."""
KEPT = 64 << 20
LARGEST = 32 << 20
"""Larger arrays come from the system and go back to it; the most that glibc takes."""


def keep() -> None:
    """Tell the C library, where it is one that can be told; before the first turn."""
    with suppress(AttributeError):
        tell = ctypes.CDLL(None).mallopt
        tell(_TRIM_THRESHOLD, KEPT)
        tell(_MMAP_THRESHOLD, LARGEST)
