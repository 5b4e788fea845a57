"""Where a shard's pure state becomes a Bytewax step; no other file subclasses the engine's logic.

A state is saved as the format, a checksum and what the shard froze. One that was altered, or that the operators of now
cannot take up (`operators.evolving`), is refused in one line before anything is computed with it.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import bytewax.operators as op
from bytewax.dataflow import Dataflow, operator
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from flows.refusal import Refused

FORMAT = b"\x02"
CHECKSUM_BYTES = 4
STATE = ".state"
"""How the names of the engine's steps end that keep the state of a shard."""
BEGIN_ANEW = (
    "let the release that saved it run until its lag is 0 and stop it, then start with a new recovery directory"
)
"""What to do about a recovered state that cannot be taken up."""


class Shard(Protocol):
    """The state of one shard in one step. It reads no clock and does no I/O."""

    def on_batch(self, batch: Any) -> Sequence[Any]:
        """What follows from the next item of the shard, in order."""
        ...

    def freeze(self) -> bytes:
        """The state as it is now."""
        ...


Build = Callable[[str, bytes | None], Shard]
"""From the shard's key and the frozen state, None at the very start."""


def sealed(state: bytes) -> bytes:
    """A frozen state with its format and checksum."""
    return FORMAT + zlib.crc32(state).to_bytes(CHECKSUM_BYTES, "big") + state


def opened(saved: bytes) -> bytes:
    """The frozen state; ValueError if it is of another format or was altered.

    >>> opened(sealed(b"state"))
    b'state'
    """
    if saved[:1] != FORMAT:
        raise ValueError(f"it was saved in format {saved[0] if saved else 'none'}, not {FORMAT[0]}; {BEGIN_ANEW}")
    state = saved[1 + CHECKSUM_BYTES :]
    if zlib.crc32(state).to_bytes(CHECKSUM_BYTES, "big") != saved[1 : 1 + CHECKSUM_BYTES]:
        raise ValueError("it was altered since it was saved; restore the recovery directory, or start with a new one")
    return state


class _Stepping(StatefulBatchLogic[tuple[str, Any], Any, bytes]):
    def __init__(self, step_id: str, build: Build, saved: bytes | None) -> None:
        self._step_id = step_id
        self._build = build
        self._saved = saved
        self._shard: Shard | None = None

    def on_batch(self, values: list[tuple[str, Any]]) -> tuple[list[Any], bool]:
        shard = self._shard or self._thaw(values[0][0])
        return [out for _, value in values for out in shard.on_batch(value)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        if self._shard is None:
            assert self._saved is not None
            return self._saved
        return sealed(self._shard.freeze())

    def _thaw(self, key: str) -> Shard:
        if self._saved is None:
            self._shard = self._build(key, None)
            return self._shard
        what = f"{self._step_id} of {key}: the recovered state cannot be used"
        try:
            state = opened(self._saved)
        except ValueError as error:
            raise Refused(f"{what}: {error}") from None
        try:
            self._shard = self._build(key, state)
        except ValueError as error:
            raise Refused(f"{what}: {error}; {BEGIN_ANEW}") from error
        self._saved = None
        return self._shard


@operator
def step(step_id: str, up: KeyedStream[Any], build: Build) -> KeyedStream[Any]:
    """Run a shard's state over its items; the key stays. Bytewax tells a logic no key, so each item brings it."""
    named = op.flat_map_batch("name", up, lambda items: [(key, (key, value)) for key, value in items])
    return op.stateful_batch(STATE.removeprefix("."), named, lambda saved: _Stepping(step_id, build, saved))


def flow(
    name: str,
    source: FixedPartitionedSource[Any, Any],
    steps: Sequence[tuple[str, Build]],
    sink: FixedPartitionedSink[Any, Any],
) -> Dataflow:
    """Source to sink through the steps; their names, and the flow's, are the keys of the recovered state."""
    dataflow = Dataflow(name)
    stream: KeyedStream[Any] = op.input("read", dataflow, source)
    for step_id, build in steps:
        stream = step(step_id, stream, build)
    op.output("write", stream, sink)
    return dataflow
