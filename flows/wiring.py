"""Where a shard's pure state becomes a Bytewax step; no other file subclasses the engine's logic."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import bytewax.operators as op
from bytewax.dataflow import Dataflow, operator
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from flows.refusal import Refused

FORMAT = b"\x01"


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
        return FORMAT + self._shard.freeze()

    def _thaw(self, key: str) -> Shard:
        saved = self._saved
        if saved is not None and saved[:1] != FORMAT:
            raise Refused(f"{self._step_id} of {key} was saved in format {saved[0]}, not {FORMAT[0]}")
        self._shard = self._build(key, None if saved is None else saved[1:])
        self._saved = None
        return self._shard


@operator
def step(step_id: str, up: KeyedStream[Any], build: Build) -> KeyedStream[Any]:
    """Run a shard's state over its items; the key stays. Bytewax tells a logic no key, so each item brings it."""
    named = op.flat_map_batch("name", up, lambda items: [(key, (key, value)) for key, value in items])
    return op.stateful_batch("state", named, lambda saved: _Stepping(step_id, build, saved))


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
