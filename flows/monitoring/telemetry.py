"""Telemetry: every figure that a process exports, declared once: name, kind, labels, unit and meaning.

A module makes the figures that it keeps (`ROWS = telemetry.ROWS.counter()`), so a process exports those of the modules
it runs. Alert rules, dashboards and the runbook's table are checked against these declarations.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

Kind = Literal["counter", "gauge", "histogram"]


class Figure(NamedTuple):
    """One figure; `labels` tell its series apart."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = "count"
    buckets: tuple[float, ...] = ()

    def counter(self, registry: CollectorRegistry = REGISTRY) -> Counter:
        """The figure to count with."""
        self._be("counter")
        return Counter(self.name, self.meaning, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry = REGISTRY) -> Gauge:
        """The figure to set."""
        self._be("gauge")
        return Gauge(self.name, self.meaning, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry = REGISTRY) -> Histogram:
        """The figure to observe with."""
        self._be("histogram")
        return Histogram(self.name, self.meaning, self.labels, buckets=self.buckets, registry=registry)

    def _be(self, kind: Kind) -> None:
        if self.kind != kind:
            raise TypeError(f"{self.name} is declared as a {self.kind}, not a {kind}")

    @property
    def total(self) -> str:
        """What the samples of a counter are called."""
        return f"{self.name}_total"

    @property
    def series(self) -> tuple[str, ...]:
        """What its samples are called in queries.

        >>> ROWS.series
        ('alphaplus_rows_total',)
        """
        if self.kind == "counter":
            return (self.total,)
        if self.kind == "gauge":
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


SHORT_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)

READ = Figure("alphaplus_read_messages", "counter", "Messages read", ("topic",), "messages")
GAPS = Figure("alphaplus_read_offset_gaps", "counter", "Offsets without a message", ("topic",))
LAG = Figure(
    "alphaplus_lag_messages",
    "gauge",
    "Messages that the broker has and the flow has not taken up",
    ("topic",),
    "messages",
)
NOT_EXPORTED = Figure(
    "alphaplus_offsets_not_exported", "counter", "Attempts to tell a consumer group's offsets that failed"
)
FRAMES = Figure("alphaplus_frames", "counter", "Frames read", ("topic",))
FRAME_BYTES = Figure("alphaplus_frame_bytes", "counter", "Bytes of frames read", ("topic",), "bytes")
ROWS = Figure("alphaplus_rows", "counter", "Rows published", ("table",))
REJECTS = Figure("alphaplus_rejects", "counter", "Frames and rows rejected", ("topic", "reason"))
ARCHIVED = Figure("alphaplus_archived_rows", "counter", "Rows stored", ("table",))
ARCHIVE_RETRIES = Figure("alphaplus_archive_retries", "counter", "Inserts that had to be tried again", ("table",))
COMMITTED = Figure(
    "alphaplus_last_commit_seconds",
    "gauge",
    "When the last epoch of this process was committed, Unix time",
    unit="seconds",
)
COMMIT = Figure(
    "alphaplus_commit_seconds",
    "histogram",
    "From the snapshot of an epoch to its commit: draining, writing and storing",
    unit="seconds",
    buckets=SHORT_S,
)
CLOCK_SET_BACK = Figure(
    "alphaplus_clock_set_back", "counter", "Times that the wall clock was found set back, which ends the process"
)
CLOSED = Figure(
    "alphaplus_closed_until_seconds",
    "gauge",
    "Event time up to which a shard has closed, Unix time",
    ("shard",),
    "seconds",
)
VENUE_CLOSED = Figure(
    "alphaplus_venue_closed_until_seconds",
    "gauge",
    "Event time up to which windows of a venue are closed, Unix time",
    ("shard", "venue"),
    "seconds",
)
EVENT_LAG = Figure(
    "alphaplus_event_time_lag_seconds", "gauge", "Age of the newest closed event time of a shard", ("shard",), "seconds"
)
EVENT_TO_ROWS = Figure(
    "alphaplus_event_to_rows_seconds",
    "histogram",
    "Age of event time when a shard closes it and hands its rows to the sink",
    unit="seconds",
    buckets=LONG_S,
)
STANDING_STILL = Figure(
    "alphaplus_standing_still", "gauge", "1 while a shard reads but has closed nothing for long", ("shard",), "flag"
)
TUNED = Figure("alphaplus_tuned", "gauge", "What is tuned now: frames a batch, ms of linger, bytes a flush", ("what",))
TUNING_DECISIONS = Figure(
    "alphaplus_tuning_decisions", "counter", "Steps that tuning took, and in which direction", ("what", "direction")
)
MODEL_LOADS = Figure("alphaplus_model_loads", "counter", "Model versions asked for, by where they were", ("where",))
MODELS_REFUSED = Figure("alphaplus_models_refused", "counter", "Model versions that could not be used")
MODEL_IN_FORCE = Figure(
    "alphaplus_model_in_force", "gauge", "1 for the model version that is in force", ("shard", "version"), "flag"
)
LIVE_OPENED = Figure("alphaplus_live_connections", "counter", "Websockets opened", ("venue", "why"))
LIVE_ENDED = Figure("alphaplus_live_disconnections", "counter", "Websockets that ended", ("venue", "why"))
LIVE_REFUSED = Figure("alphaplus_live_refusals", "counter", "Subscriptions that the venue refused", ("venue",))
LIVE_FRAMES = Figure("alphaplus_live_frames", "counter", "Frames received", ("venue", "channel"))
LIVE_BROKEN = Figure(
    "alphaplus_live_broken_books", "counter", "Updates of a book that did not follow the one before", ("venue",)
)
LIVE_SILENT = Figure(
    "alphaplus_live_silent_streams",
    "gauge",
    "Streams that are silent while others move",
    ("venue", "channel"),
    "streams",
)
LIVE_TURNED = Figure(
    "alphaplus_live_turned_seconds",
    "gauge",
    "When the loop that receives last came round, Unix time",
    unit="seconds",
)
LIVE_HELD = Figure(
    "alphaplus_live_buffer_bytes", "gauge", "Bytes of frames received and not handed on", ("venue",), "bytes"
)
LIVE_MISSED = Figure(
    "alphaplus_live_missed_frames", "counter", "Frames received for which there was no room", ("venue",)
)
LIVE_UNKNOWN = Figure(
    "alphaplus_live_unknown_frames",
    "counter",
    "Frames of streams asked for whose kind could not be told, which are not published",
    ("venue",),
)
LIVE_SNAPSHOTS = Figure("alphaplus_live_snapshots", "counter", "Books asked for by REST", ("venue", "result"))

FIGURES: tuple[Figure, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Figure))
BEGINS, ENDS = "<!-- figures -->", "<!-- end of figures -->"


def table(figures: Sequence[Figure] = FIGURES) -> str:
    """The figures as the runbook shows them."""
    lines = ["| figure | kind | labels | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for f in figures:
        name = f.total if f.kind == "counter" else f.name
        lines.append(f"| `{name}` | {f.kind} | {', '.join(f.labels)} | {f.unit} | {f.meaning} |")
    return "\n".join(lines) + "\n"
