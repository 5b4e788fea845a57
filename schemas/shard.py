"""What travels between the steps of a flow: the frames of a shard on the way in, rows for topics on the way out."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.frames import Frames


class Batch(NamedTuple):
    """Frames of one shard, at most one `Frames` a log, with the marks between them, and how things stand after them.

    `ended` are the topics whose bounded log is finished once these frames are read; where a part reads several
    partitions of a topic, they are `topic/partition`. A batch without frames is handed over when that grew.
    """

    frames: tuple[Frames, ...]
    ended: tuple[str, ...] = ()


class Rows(NamedTuple):
    """Records for one partition of one topic, in order; without times the producer's clock stamps them.

    A record without a value is a mark (`flows/kafka/written_marks`).
    """

    topic: str
    partition: int
    records: Sequence[tuple[bytes, bytes | None]]
    timestamps_ms: list[int] | None = None
