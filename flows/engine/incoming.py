"""Incoming: how the settings say that every computing flow reads its topics, and what its positions depend on."""

from collections.abc import Iterable

from flows.job_graph import guesses_topic
from flows.kafka.guesses import GuessLog
from flows.kafka.guessing import Foreign
from flows.kafka.reader import Kafka
from flows.kafka.source import Pace
from flows.kafka.tuning import Range, Tuner
from flows.recovery.directory import Identity
from flows.settings.tree import Settings


def kafka(settings: Settings, flow: str) -> Kafka:
    """The brokers, how long they may be away and may hold a fetch, and how much may be read ahead."""
    wanted = settings.kafka
    return Kafka(
        wanted,
        buffer_bytes=settings.source.buffer_bytes,
        retry_s=wanted.retry_s,
        fetch_wait_ms=wanted.fetch_wait_ms,
        offsets_group=wanted.group_of(flow),
    )


def tuner(settings: Settings) -> Tuner | None:
    """What tunes a process, where that is asked for."""
    if not (tuning := settings.tuning).on:
        return None
    source, linger = settings.source, settings.kafka.linger_ms
    return Tuner(
        tuning.objective_ms,
        Range("batch_frames", source.batch_frames, tuning.batch_frames_low, tuning.batch_frames_high),
        Range("linger_ms", linger, tuning.linger_ms_low, tuning.linger_ms_high),
        Range("epoch_bytes", source.epoch_bytes, tuning.epoch_bytes_low, tuning.epoch_bytes_high),
    )


def pace(settings: Settings, tuner: Tuner | None = None) -> Pace:
    """How much at once."""
    source = settings.source
    return Pace(
        batch_frames=source.batch_frames,
        batch_bytes=source.batch_bytes,
        epoch_bytes=source.epoch_bytes,
        align_ms=source.align_ms,
        held_rows=source.held_rows,
        tuner=tuner,
    )


def foreign(settings: Settings, flow: str, topics: Iterable[str]) -> Foreign:
    """The topics of a flow, by their full names, that others may fill without marks."""
    kafka = settings.kafka
    return Foreign(
        tuple(topics),
        GuessLog(kafka, kafka.prefix + guesses_topic(flow), kafka.retry_s, kafka.prefix),
        settings.clock.guesses == "recorded",
    )


def share(settings: Settings) -> tuple[int, int]:
    """Which process this is, and of how many."""
    return settings.share.ordinal, settings.share.count


def identity(settings: Settings, topics: Iterable[str] = (), **more: str | int | list[str] | list[int]) -> Identity:
    """What recovered states and positions depend on: topics, where there are any, partitions, share, and `more`."""
    return {
        **({"topics": list(topics)} if topics else {}),
        "partitions": settings.kafka.partitions,
        "share": list(share(settings)),
        **more,
    }
