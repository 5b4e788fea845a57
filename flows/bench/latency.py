"""Latency: from the frame that closes a window, in the log, to the window's row on its output topic.

A window of a shard closes with the first frames of both depth and trades whose time has passed its end plus the
lateness. Rows of the flow's first seconds, when it loads its code, are left out.
"""

import json
import time
from collections.abc import Iterable

import msgspec
import numpy as np

from flows.bench.material import Material
from flows.bench.paced import Closing
from flows.bench.place import end, place, start_flow
from flows.bench.result import Result
from flows.bench.rows_seen import RowsSeen
from flows.bench.size import RATE, Size
from flows.refusal import Refused
from flows.settings.tree import Settings

WARM_S = 20.0
"""For the flow to start."""
SETTLE_S = 12.0
"""After its first row: the other shards load what they use, and all catch up with what came meanwhile."""


class Row(msgspec.Struct):
    """What is read of a row."""

    window_ms: int
    window_start: int


Seen = tuple[int, int, str, bytes]
"""Arrival, ns; partition; key; value."""


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """Percentiles over the rows of the shortest window, once per repetition."""
    found = [_one(material, settings, size) for _ in range(size.repeats)]
    row = f"latency at {RATE:,.0f} frames/s"
    return [
        Result(row, "p50", tuple(p50 for p50, _ in found), "ms", "<= 3"),
        Result(row, "p99", tuple(p99 for _, p99 in found), "ms", "<= 10"),
    ]


def _one(material: Material, settings: Settings, size: Size) -> tuple[float, float]:
    with place(settings, material.venue, "latency") as session:
        told = session.settings
        out = session.folder / "closing.json"
        seen: list[Seen] = []
        start_flow(session, "market", "market", "latency", bounded=False)
        given = ["--settings", str(session.file), "--instruments", str(size.instruments), "--per-s", str(RATE)]
        given += ["--seconds", str(size.paced_s + WARM_S), "--out", str(out), *material.spec]
        load = session.supervisor.start("load", "flows.bench.paced", *given, keep=False)
        rows = RowsSeen(told, "features_book", embedded="broker" in session.embedded)
        try:
            until = float("inf")
            while time.monotonic() < until:
                at_ns, messages = rows.read(0.01)
                seen += [(at_ns, m.partition() or 0, (m.key() or b"").decode(), m.value() or b"") for m in messages]
                session.supervisor.check()
                if load.finished and until == float("inf"):
                    until = time.monotonic() + 1.0
        finally:
            rows.close()
        end(session, "market")
        closing: Closing = json.loads(out.read_bytes())
    if not seen:
        raise Refused("no row came: the flow had not started before the frames ended")
    taken = latencies_ms(seen, closing, told.windows.base_ms, seen[0][0] + SETTLE_S * 1e9)
    if not taken:
        raise Refused("no window closed in time: the flow does not keep up")
    p50, p99 = np.percentile(taken, [50, 99])
    return float(p50), float(p99)


def latencies_ms(seen: Iterable[Seen], closing: Closing, base_ms: int, from_ns: float) -> list[float]:
    """Of each row of the shortest window, arrival after the log held what closes it, if that was at `from_ns` or later.

    >>> closing = {"depth": {"BTC": [(0, 10), (7, 2_000_000)]}, "trades": {"BTC": [(0, 20), (8, 3_000_000)]}}
    >>> value = b'{"window_ms": 1000, "window_start": 6000}'
    >>> latencies_ms([(5_000_000, 0, "BTC", value)], closing, 1000, 0)
    [2.0]
    """
    decode = msgspec.json.Decoder(Row).decode
    rows = [(at_ns, p, key, decode(value)) for at_ns, p, key, value in seen]
    bases: dict[int, set[str]] = {}
    for _, partition, key, _ in rows:
        bases.setdefault(partition, set()).add(key)
    found: dict[tuple[int, int], float] = {}
    out = []
    for at_ns, partition, _, row in rows:
        if row.window_ms != base_ms:
            continue
        k = (row.window_start + base_ms) // base_ms
        if (partition, k) not in found:
            found[partition, k] = max(_first(kind, bases[partition], k) for kind in closing.values())
        closed_ns = found[partition, k]
        if from_ns <= closed_ns < float("inf"):
            out.append((at_ns - closed_ns) / 1e6)
    return out


def _first(kind: dict[str, list[tuple[int, int]]], bases: set[str], k: int) -> float:
    """When the shard's log of a kind first held a frame that passes end `k`."""
    return min((at for b in bases for reached, at in kind.get(b, ()) if reached >= k), default=float("inf"))
