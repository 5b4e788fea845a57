"""Reasons: what was rejected, why and how often, where the first of each stands, and what can be done about it."""

import base64
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from rich.table import Table

from flows.clickhouse.client import ClickHouse

MOST = 20
"""Kinds of reasons that are shown; how many more there are is said."""
ADVICE = {
    "misplaced": "key it by its base asset with Kafka's murmur2 partitioner (librdkafka: partitioner=murmur2_random),"
    " or set market.misplaced=use if all producers partition in another way, the same",
    "event_time_ahead": "its event time is after its receive time by more than clock.ahead_ms: set the recorder's clock"
    " right, or raise clock.ahead_ms",
    "price_not_positive": "nothing: a combination is priced by the difference of its legs, books count prices above 0",
    "late": "it came after its window was closed: raise windows.lateness_ms",
    "not_json": "it is cut short or no frame of the venue: its writer must hand over what came, whole and unchanged",
}
_MICROSECONDS = re.compile(rb'"(?:E|T|ts|cts|timestamp)":"?\d{16}\b')


class Reason(NamedTuple):
    """Rejects of one reader and topic that are alike, and the first of them."""

    reader: str
    topic: str
    times: int
    partition: int
    offset: int
    reason: str
    frame: bytes

    @property
    def place(self) -> str:
        """Where the first one stands."""
        return f"{self.topic}[{self.partition}] offset {self.offset}"

    @property
    def advice(self) -> str:
        """What to do, where that is known."""
        kind = self.reason.split(" ")[0].rstrip(":")
        if kind == "out_of_range" and _MICROSECONDS.search(self.frame):
            return "a time of 16 digits: microseconds? Venues' JSON has milliseconds"
        return ADVICE.get(kind, "")


def reasons(client: ClickHouse) -> list[Reason]:
    """The reasons of the rejects, most frequent first; two are alike when they differ in numbers alone."""
    found = client.rows(
        """
        SELECT reader, topic, count(), argMin((partition, offset, reason, bytes), (partition, offset, nth)) AS first
        FROM rejects FINAL
        GROUP BY reader, topic, replaceRegexpAll(reason, '[0-9.]+', '#') AS alike
        ORDER BY count() DESC, reader, topic, alike
        """
    )
    kinds = msgspec.convert(found, list[tuple[str, str, int, tuple[int, int, str, str]]])
    return [
        Reason(reader, topic, times, partition, offset, reason, base64.b64decode(frame))
        for reader, topic, times, (partition, offset, reason, frame) in kinds
    ]


def grid(found: list[Reason], files: Mapping[bytes, str] | None = None) -> Table:
    """Reasons with their counts and the place of the first of each, as a table for people.

    `files` says of frames that came from files where they stand there.
    """
    at = files or {}
    table = Table("rejects", "by", "why", "the first", "what to do", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    table.columns[3].overflow = "fold"  # a place that is cut short names none
    for row in found[:MOST]:
        table.add_row(f"{row.times:,}", row.reader, row.reason, at.get(row.frame, row.place), row.advice)
    if left := found[MOST:]:
        table.add_row(f"{sum(r.times for r in left):,}", "", f"of {len(left)} other kinds", "", "see the table rejects")
    return table
