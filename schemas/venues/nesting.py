"""Nesting: frames too deep to decode, told by their bytes alone.

A decoder gives up where the interpreter's stack ends, which depends on who called it; what becomes of a frame must not.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import kernel

DEEPEST = 64


@kernel
def too_deep(
    data: NDArray[np.uint8], starts: NDArray[np.int64], which: NDArray[np.int64], found: NDArray[np.bool_]
) -> None:
    """Set `found` for those of the frames `which` whose brackets outside strings nest deeper than `DEEPEST`."""
    for k in range(len(which)):
        depth = 0
        text = False
        at = starts[which[k]]
        end = starts[which[k] + 1]
        while at < end:
            c = data[at]
            if c == 34:
                text = not text
            elif text:
                at += c == 92
            elif c in (91, 123):
                depth += 1
                if depth > DEEPEST:
                    found[k] = True
                    break
            elif c in (93, 125):
                depth -= 1
            at += 1
