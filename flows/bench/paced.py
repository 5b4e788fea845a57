"""Paced: frames into the raw topics at the pace of the wall clock, and when each window's last frame was in the log.

`python -m flows.bench.paced --settings FILE --instruments N --per-s R --seconds S --out FILE [VENUE=FILE ...]` writes
`{kind: {base: [[k, ns], ...]}}`: when the first frame went out whose time is at least `k * base_ms + lateness_ms`.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from flows.bench.material import Material, materials
from flows.bench.multiplied import SECOND_NS, multiplied
from flows.graph import raw_topic
from flows.kafka_producer import Publisher
from flows.settings import Settings, load
from flows.supervisor import end_with_parent

Closing = dict[str, dict[str, list[tuple[int, int]]]]
NAP_S = 0.0002


def publish(settings: Settings, material: Material, instruments: int, per_s: float, seconds: float) -> Closing:
    """Publish each frame when it is due, at once and without waiting for company."""
    publisher = Publisher(settings.kafka.brokers, settings.kafka.retry_s, linger_ms=0)
    venue, prefix, windows = material.venue, settings.kafka.prefix, settings.windows
    start_ns = (time.time_ns() // SECOND_NS + 2) * SECOND_NS
    closing: Closing = {"depth": {}, "trades": {}}
    keys: dict[str, str] = {}
    for count, frame in enumerate(multiplied(material, instruments, per_s, start_ns)):
        if frame.received_ns > start_ns + seconds * SECOND_NS:
            break
        while frame.received_ns > time.time_ns():
            publisher.poll()
            time.sleep(NAP_S)
        assert frame.kind is not None and frame.symbol is not None
        key = keys.get(frame.symbol) or keys.setdefault(frame.symbol, venue.base(frame.symbol))
        ms = frame.received_ns // 1_000_000
        topic = prefix + raw_topic(frame.kind, venue.name)
        publisher.publish(topic, key.encode(), frame.data, ms, None if frame.named else frame.symbol)
        seen = closing[frame.kind].setdefault(key, [])
        k = (ms - windows.lateness_ms) // windows.base_ms
        if not seen or seen[-1][0] < k:
            seen.append((k, time.time_ns()))
        if count % 256 == 0:
            publisher.poll()
    publisher.flush()
    return closing


def main() -> int:
    """As a process."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.paced", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--instruments", type=int, required=True)
    parser.add_argument("--per-s", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("spec", nargs="*")
    given = parser.parse_args()
    end_with_parent()
    (material,) = materials(given.spec)
    closing = publish(load(given.settings, {}), material, given.instruments, given.per_s, given.seconds)
    given.out.write_text(json.dumps(closing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
