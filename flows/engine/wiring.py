"""Where a shard's pure state becomes a Bytewax step; no other file subclasses the engine's logic.

All states are saved sealed (`flows/recovery/sealing`). One that the operators of now cannot take up
(`operators.evolving`) is refused in one line before anything is computed with it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import bytewax.operators as op
from bytewax.dataflow import Dataflow, operator
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.recovery import sealing
from flows.recovery.sealing import BEGIN_ANEW, place
from flows.refusal import Refused, Unreachable

STATE = ".state"
"""How the names of the engine's steps end that keep the state of a shard."""


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


class _SealedPart(StatefulSourcePartition[Any, bytes]):
    """A part of a source whose position is saved sealed."""

    def __init__(self, part: StatefulSourcePartition[Any, Any], where: str) -> None:
        self._part, self._where = part, where

    def next_batch(self) -> Iterable[Any]:
        return self._part.next_batch()

    def next_awake(self) -> datetime | None:
        return self._part.next_awake()

    def close(self) -> None:
        self._part.close()

    def snapshot(self) -> bytes:
        return sealing.current().dump(self._where, self._part.snapshot())


class _SealedSource(FixedPartitionedSource[Any, bytes]):
    """A source whose positions are saved sealed."""

    def __init__(self, source: FixedPartitionedSource[Any, Any]) -> None:
        self._source = source

    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _SealedPart:
        where = place(step_id, for_part)
        was = None if resume_state is None else sealing.current().load(where, resume_state)
        return _SealedPart(self._source.build_part(step_id, for_part, was), where)


class _SealedSinkPart(StatefulSinkPartition[Any, bytes]):
    """A part of a sink whose state is saved sealed."""

    def __init__(self, part: StatefulSinkPartition[Any, Any], where: str) -> None:
        self._part, self._where = part, where

    def write_batch(self, values: list[Any]) -> None:
        self._part.write_batch(values)

    def snapshot(self) -> bytes:
        return sealing.current().dump(self._where, self._part.snapshot())

    def close(self) -> None:
        self._part.close()


class _SealedSink(FixedPartitionedSink[Any, bytes]):
    """A sink whose states are saved sealed."""

    def __init__(self, sink: FixedPartitionedSink[Any, Any]) -> None:
        self.sealed = sink

    def list_parts(self) -> list[str]:
        return self.sealed.list_parts()

    def part_fn(self, item_key: str) -> int:
        return self.sealed.part_fn(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _SealedSinkPart:
        where = place(step_id, for_part)
        was = None if resume_state is None else sealing.current().load(where, resume_state)
        return _SealedSinkPart(self.sealed.build_part(step_id, for_part, was), where)


class _Stepping(StatefulBatchLogic[tuple[str, Any], Any, bytes]):
    def __init__(self, step_id: str, build: Build, saved: bytes | None) -> None:
        self._step_id = step_id
        self._build = build
        self._saved = saved
        self._shard: Shard | None = None
        self._where = ""

    def on_batch(self, values: list[tuple[str, Any]]) -> tuple[list[Any], bool]:
        shard = self._shard or self._thaw(values[0][0])
        return [out for _, value in values for out in shard.on_batch(value)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        if self._shard is None:
            assert self._saved is not None
            return self._saved
        return sealing.current().seal(self._where, self._shard.freeze())

    def _thaw(self, key: str) -> Shard:
        self._where = place(self._step_id + STATE, key)
        if self._saved is None:
            self._shard = self._build(key, None)
            return self._shard
        what = f"{self._step_id} of {key}: the recovered state cannot be used"
        try:
            state = sealing.current().open(self._where, self._saved)
        except ValueError as error:
            raise Refused(f"{what}: {error}") from None
        try:
            self._shard = self._build(key, state)
        except (Refused, Unreachable):
            raise
        except Exception as error:  # sealed, so it is what some release froze, in a shape that this one cannot read
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise Refused(f"{what}: {kind}{error}; {BEGIN_ANEW}") from error
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
    stream: KeyedStream[Any] = op.input("read", dataflow, _SealedSource(source))
    for step_id, build in steps:
        stream = step(step_id, stream, build)
    op.output("write", stream, _SealedSink(sink) if isinstance(sink, FixedPartitionedSink) else sink)
    return dataflow
