"""What travels between the steps of a flow: the frames of a shard on the way in, rows for topics on the way out."""

from typing import NamedTuple

from schemas.frames import Frames


class Batch(NamedTuple):
    """Frames of one shard, at most one `Frames` a log, and how things stand after them.

    `ended` are the topics whose bounded log is finished once these frames are read, `idle` those that stood at their
    end and were quiet (live only); where a part reads several partitions of a topic, they are `topic/partition`.
    Both say how it is now, not what is new: a topic that goes on is left out again.
    A batch without frames is handed over when one of the two grew.
    """

    frames: tuple[Frames, ...]
    ended: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()


class Rows(NamedTuple):
    """Records for one partition of one topic, in order; without times the producer's clock stamps them."""

    topic: str
    partition: int
    records: list[tuple[bytes, bytes]]
    timestamps_ms: list[int] | None = None
