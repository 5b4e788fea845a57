"""Status: what a flow says of itself: what it reads and from where, that it is ready, and a line a minute."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry

from flows.monitoring import telemetry

MINUTE_S = 60.0
LOOK_S = 0.25
Say = Callable[[str], None]


def totals(registry: CollectorRegistry = REGISTRY) -> dict[str, float]:
    """The samples of this process summed by metric."""
    out: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            out[sample.name] = out.get(sample.name, 0.0) + sample.value
    return out


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names for a line; of many, the first and how many more.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    named = list(names)
    left = len(named) - most
    return ", ".join(named[:most]) + (f" and {left} more" if left > 0 else "")


def beginning(
    flow: str, reads: Iterable[str], brokers: str, partitions: Iterable[int], writes: str, state: str, port: int
) -> str:
    """What a flow does with what, in a line.

    >>> beginning("market", ["raw.depth.x"], "b:9092", [0, 2], "features.book", ".alphaplus/recovery/market-0", 0)
    'market: reads raw.depth.x of b:9092, partitions 0, 2; writes features.book; state in .alphaplus/recovery/market-0'
    """
    metrics = f"; metrics at http://127.0.0.1:{port}/metrics" if port else ""
    parts = listed(map(str, partitions), 16)
    return f"{flow}: reads {listed(reads)} of {brokers}, partitions {parts}; writes {writes}; state in {state}{metrics}"


def minute(flow: str, before: dict[str, float], now: dict[str, float], elapsed_s: float, at_s: float) -> str:
    """The line of a minute."""

    def grown(name: str) -> float:
        return now.get(name, 0.0) - before.get(name, 0.0)

    read = grown(telemetry.READ.total)
    rows = grown(telemetry.ROWS.total) + grown(telemetry.ARCHIVED.total)
    committed = now.get(telemetry.COMMITTED.name, 0.0)
    age = f"committed {at_s - committed:,.1f} s ago" if committed else "nothing committed yet"
    clock = datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S")
    return (
        f"{flow}: {clock} UTC, {read / max(elapsed_s, 1e-9):,.0f} messages/s, lag"
        f" {now.get(telemetry.LAG.name, 0.0):,.0f} messages, {rows:,.0f} rows,"
        f" {grown(telemetry.REJECTS.total):,.0f} rejects, {age}"
    )


def tell(flow: str, say: Say, every_s: float = MINUTE_S) -> Callable[[], None]:
    """Say in the background that the flow is ready once its first epoch is committed, then a line every minute.

    The function that is returned ends it.
    """
    ended = threading.Event()

    def speak() -> None:
        before, began = totals(), time.monotonic()
        while not ended.wait(LOOK_S):
            if totals().get(telemetry.COMMITTED.name, 0.0):
                lag = totals().get(telemetry.LAG.name, 0.0)
                say(f"{flow}: ready after {time.monotonic() - began:.1f} s, {lag:,.0f} messages to read")
                break
        while not ended.wait(every_s):
            now, at = totals(), time.monotonic()
            say(minute(flow, before, now, at - began, time.time()))
            before, began = now, at

    thread = threading.Thread(target=speak, name="status", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(2.0)

    return end
