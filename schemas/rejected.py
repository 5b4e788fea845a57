"""The record of a reject: who could not use what, where it stood, why, and its bytes."""

from collections.abc import Iterable

import msgspec

from schemas.frames import Reject

KEPT_BYTES = 65_536
"""How much of a rejected frame its record carries; the frame itself stays in its topic at the offset given."""
NTH = 65_536


class Rejected(msgspec.Struct, frozen=True):
    """`id` is `<reader>|<topic>|<partition>|<order>`; order = offset * 65536 + nth grows for each reader of a log."""

    id: str
    reader: str
    topic: str
    partition: int
    offset: int
    nth: int
    reason: str
    size: int
    bytes: bytes


def records(reader: str, rejects: Iterable[Reject], prefix: str = "") -> list[tuple[bytes, bytes]]:
    """Key (the source topic) and value of rejects of one log, in its order; `nth` counts the rows of one frame.

    Topics are named without `prefix`, that of the deployment or of one replay: the same log gives the same records.

    >>> records("archive", [Reject("alerts", 2, 7, "no id", b"{}")])[0][1].decode()[:50]
    '{"id":"archive|alerts|2|458752","reader":"archive"'
    """
    out, nth, at = [], 0, -1
    for r in sorted(rejects, key=lambda r: r.offset):
        nth = nth + 1 if r.offset == at else 0
        at = r.offset
        topic = r.topic.removeprefix(prefix)
        place = f"{reader}|{topic}|{r.partition}|{r.offset * NTH + nth}"
        row = Rejected(place, reader, topic, r.partition, r.offset, nth, r.reason, len(r.data), r.data[:KEPT_BYTES])
        out.append((topic.encode(), msgspec.json.encode(row)))
    return out
