"""Once: of a derived topic, only the records that are new; the repeats after a crash are recognised and dropped.

Every derived record begins `{"id":"<key>|<order>"`, key: the parts of its natural key joined by `|`; order: a
non-negative integer that grows from record to record of a key in its log. A flow that crashed writes the records of its
last epoch again, the same ones, so within a key a record is new exactly when its order exceeds all before it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from schemas.frames import Frames, Reject

PREFIX = b'{"id":"'
HIGHEST = 2**63

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[bytes, bytes]]).decode


def identity(value: bytes) -> tuple[bytes, int] | str:
    """The key and order of a derived record, or why it has none.

    >>> identity(b'{"id":"okx-swap|BTC-USDT-SWAP|1000|1700000000000","mid":1}')
    (b'okx-swap|BTC-USDT-SWAP|1000', 1700000000000)
    >>> identity(b'{"mid":1}')
    'does not begin with {"id":"'
    """
    if not value.startswith(PREFIX):
        return 'does not begin with {"id":"'
    end = value.find(b'"', len(PREFIX))
    whole = value[len(PREFIX) : end]
    if end < 0 or b"\\" in whole or b"\n" in whole:
        return "the id is not a plain string"
    key, _, order = whole.rpartition(b"|")
    if not key or not order.isdigit() or len(order) > 19 or int(order) > HIGHEST:
        return "the id does not end in |<order>, an integer from 0 to 2**63"
    return key, int(order)


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

    def select(self, log: Frames) -> tuple[Frames, list[Reject]]:
        """The new records of consecutive records of a log, and those without a proper id."""
        last = self.last.setdefault(log.topic, {})
        new: list[int] = []
        rejects: list[Reject] = []
        bounds = log.starts.tolist()
        for i in range(len(log)):
            value = log.data[bounds[i] : bounds[i + 1]]
            found = identity(value)
            if isinstance(found, str):
                rejects.append(Reject(log.topic, log.partition, int(log.offsets[i]), found, value))
            elif found[1] > last.get(found[0], -1):
                last[found[0]] = found[1]
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
    return Frames(log.topic, log.partition, log.offsets[index], log.received_ns[index], starts, data, symbols)
