"""Once: of a derived topic, only the records that are new; the repeats after a crash are recognised and dropped.

A flow that crashed writes the records of its last epoch again, the same ones, and orders grow from record to record of
a key (`record_ids`). So within a key a record is new exactly when its order exceeds all before it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from operators.progress import AHEAD, ahead
from operators.record_ids import PROBLEMS, record_ids
from schemas.frames import Frames, Reject

_REASONS = (*PROBLEMS, AHEAD)
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[bytes, bytes]]).decode


@dataclass(slots=True)
class Once:
    """The last order of each key of each topic. Memory: one entry a key ever seen.

    >>> from schemas.frames import frames
    >>> log = frames("alerts", 0, [b'{"id":"a|1"}', b'{"id":"a|2"}', b'{"id":"a|1"}', b'{"id":"b|1"}', b"{}"], [0] * 5)
    >>> new, rejects = Once().select(log)
    >>> new.offsets.tolist(), [(r.offset, r.reason) for r in rejects]
    ([0, 1, 3], [(4, 'does not begin with {"id":"')])
    """

    last: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def select(self, log: Frames, ahead_ms: int | None = None, per_ms: int = 1) -> tuple[Frames, list[Reject]]:
        """The new records of consecutive records of a log, and those without a proper id.

        With `ahead_ms`, of topics whose orders are times, `per_ms` to a millisecond: nor is one known that is further
        ahead of its record's time, for all that its key has to say would be older.
        """
        last = self.last.setdefault(log.topic, {})
        new: list[int] = []
        rejects: list[Reject] = []
        data, ids = log.data, record_ids(log)
        if ahead_ms is not None:
            ids.problem[(ids.problem == 0) & ahead(ids.order // per_ms, log.received_ns, ahead_ms)] = len(PROBLEMS)
        for i, (begin, end, order, problem) in enumerate(zip(*(c.tolist() for c in ids), strict=True)):
            if problem:
                rejects.append(Reject(log.topic, log.partition, int(log.offsets[i]), _REASONS[problem], log.frame(i)))
                continue
            key = data[begin:end]
            if order > last.get(key, -1):
                last[key] = order
                new.append(i)
        return (log if len(new) == len(log) else keep(log, new)), rejects

    def freeze(self) -> bytes:
        """Keys as compressed text, orders as 8 bytes each: the same state gives the same bytes."""
        state = {
            topic: (b"\n".join(keys), np.fromiter(keys.values(), np.uint64, len(keys)).tobytes())
            for topic, keys in self.last.items()
        }
        return zlib.compress(_encode(state), 1)

    @classmethod
    def thaw(cls, frozen: bytes | None) -> "Once":
        """The state as it was frozen; nothing seen from None."""
        if frozen is None:
            return cls()
        state = _decode(zlib.decompress(frozen)).items()
        orders = {topic: np.frombuffer(raw, np.uint64).tolist() for topic, (_, raw) in state}
        return cls({t: dict(zip(keys.split(b"\n"), orders[t], strict=True)) if keys else {} for t, (keys, _) in state})


def keep(log: Frames, rows: Sequence[int]) -> Frames:
    """Some frames of a log, by ascending index."""
    bounds = log.starts
    starts = np.zeros(len(rows) + 1, np.int64)
    index = np.asarray(rows, np.int64)
    np.cumsum(bounds[index + 1] - bounds[index], out=starts[1:])
    data = b"".join([log.data[bounds[i] : bounds[i + 1]] for i in rows])
    symbols = {k: log.symbols[i] for k, i in enumerate(rows) if i in log.symbols}
    marks = replace(log.marks, at=np.searchsorted(index, log.marks.at)) if len(log.marks) else log.marks
    return Frames(log.topic, log.partition, log.offsets[index], log.received_ns[index], starts, data, symbols, marks)
