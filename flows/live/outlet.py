"""Outlets: where received frames go, the raw topics or capture files; both take the same frames in the same order."""

import gzip
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

from flows.job_graph import raw_topic
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.written_marks import Marks
from flows.monitoring import telemetry
from flows.settings.tree import Windows

MISSED = telemetry.LIVE_MISSED.counter()
LOG = logging.getLogger("alphaplus.live")
MILLISECOND_NS = 1_000_000


class Route(NamedTuple):
    """Where a frame goes."""

    kind: str
    symbol: str
    base: bytes
    named: bool
    """Whether its bytes say its symbol."""


class Routed(NamedTuple):
    """Frames that came in one piece, and the way of each: two lists, for a pair a frame costs more than its way."""

    routes: list[Route]
    frames: list[bytes]

    def first(self, count: int) -> "Routed":
        """The first so many."""
        return Routed(self.routes[:count], self.frames[:count])


TICK = Routed([], [])
"""Nothing came; everything received up to now stands before it."""


@dataclass(slots=True)
class Missed:
    """Frames one after the other for which there was no room."""

    first_ns: int
    last_ns: int
    frames: int
    bytes: int


class Outlet(Protocol):
    """Called from one thread."""

    def frames(self, received_ns: int, routed: Routed) -> None:
        """Frames that came in one piece, each of one base asset."""
        ...

    def tick(self, received_ns: int) -> None:
        """Every frame received up to this time was handed over before."""
        ...

    def missed(self, missed: Missed) -> None:
        """Frames were received and are lost."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


def report(venue: str, missed: Missed, why: str = "") -> None:
    """Count what is lost and say so, and why there was no room where that is known."""
    MISSED.labels(venue).inc(missed.frames)
    seconds = (missed.last_ns - missed.first_ns) / 1e9
    text = "%s: %d frames (%d bytes) in %.1f s found no room%s"
    LOG.error(text, venue, missed.frames, missed.bytes, seconds, f": {why}" if why else "")


def _hole(missed: Missed) -> dict[str, int]:
    return {"from_ns": missed.first_ns, "to_ns": missed.last_ns, "frames": missed.frames}


class Topics:
    """The raw topics of a venue."""

    def __init__(
        self,
        publisher: Publisher,
        venue: str,
        kinds: Iterable[str],
        prefix: str,
        partitions: int,
        mark_ms: int,
        windows: Windows | None = None,
    ) -> None:
        self._publisher = publisher
        self._venue = venue
        self._topics = {kind: prefix + raw_topic(kind, venue) for kind in kinds}
        MISSED.labels(venue)
        self._marks = Marks(publisher, self._topics.values(), partitions, mark_ms, windows)

    def frames(self, received_ns: int, routed: Routed) -> None:
        """Queue each under its base asset."""
        topics, publish, stamp = self._topics, self._publisher.publish, received_ns // MILLISECOND_NS
        for (kind, symbol, base, named), data in zip(*routed, strict=True):
            publish(topics[kind], base, data, stamp, None if named else symbol)
            self._marks.wrote(base, stamp)

    def tick(self, received_ns: int) -> None:
        """Mark how far it is, and serve acknowledgements."""
        self._marks.come_to(received_ns // MILLISECOND_NS)
        self._publisher.poll()

    def missed(self, missed: Missed) -> None:
        """Report them, here and in every log that they may have belonged to."""
        report(self._venue, missed, self._publisher.complaint)
        self._marks.hole(missed.last_ns // MILLISECOND_NS, json.dumps(_hole(missed)).encode())

    def close(self) -> None:
        """Wait until Kafka holds everything."""
        self._publisher.flush()


class Captures:
    """A capture file an instrument, `VENUE-SYMBOL.log.gz`, that `alphaplus replay` reads; never one that exists."""

    def __init__(self, folder: Path, venue: str) -> None:
        self._folder = folder
        self._venue = venue
        MISSED.labels(venue)
        self._files: dict[str, gzip.GzipFile] = {}
        self.paths: list[Path] = []

    def frames(self, received_ns: int, routed: Routed) -> None:
        """Append a line each."""
        for (_, symbol, _, _), data in zip(*routed, strict=True):
            file = self._files.get(symbol) or self._open(symbol)
            file.write(b"%d %s\n" % (received_ns, data.replace(b"\n", b" ")))

    def _open(self, symbol: str) -> gzip.GzipFile:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        path = self._folder / f"{self._venue}-{symbol.replace('/', '_')}-{stamp}.log.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = gzip.GzipFile(path, "xb", compresslevel=3)
        self.paths.append(path)
        self._files[symbol] = file
        return file

    def tick(self, received_ns: int) -> None:
        """Nothing: a capture has no marks."""

    def missed(self, missed: Missed) -> None:
        """Report them, and put a line beside the captures that says from when to when they have a hole."""
        report(self._venue, missed)
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self._venue}.holes.jsonl").open("a") as file:
            file.write(json.dumps(_hole(missed)) + "\n")

    def close(self) -> None:
        """End the files."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> "Captures":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
