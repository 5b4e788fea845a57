"""Compiling in turns: the processes that share the tests out begin with the same kernels, and one compiles each for all.

numba lets each of them compile what is not cached yet, the simulated market three times at once.
"""

import fcntl
from pathlib import Path
from typing import Any


def in_turns() -> None:
    """From now on whoever compiles a kernel that is cached holds a lock; who waited for it finds the machine code.

    numba reads where its cache is as it is imported, so that waits until `flows.engine.compiled` has said it.
    """
    from numba.core.dispatcher import Dispatcher

    compile_now = Dispatcher.compile

    def compile_in_turn(kernel: Any, signature: Any) -> Any:
        if not kernel._cache.cache_path:  # of a kernel that only others call there is no file: it is part of theirs
            return compile_now(kernel, signature)
        folder = Path(kernel._cache.cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        # a lock of the process, not of the file: whoever holds it may ask for it again
        with (folder / f"{kernel.__name__}.turn").open("w") as turn:
            fcntl.lockf(turn, fcntl.LOCK_EX)
            return compile_now(kernel, signature)

    Dispatcher.compile = compile_in_turn
