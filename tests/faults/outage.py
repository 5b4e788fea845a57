"""ClickHouse away, then back: `python -m tests.faults.outage --seconds 120 [--how stop|kill]`.

The embedded store is stopped (or killed) in the middle of a replay. Features must go on appearing on their topics
meanwhile; when it is back, history catches up and every table is what an undisturbed replay leaves.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flows.kafka.topic_making import end_offsets
from flows.settings.tree import Settings
from tests.faults.replaying import Item, Tables, differences, run, running, services, settings_for, simulated
from tests.services.embedded_store import EmbeddedStore

FEATURES = "features.book"
SETS = ("windows.base_ms=100", "recovery.epoch_ms=100", "clickhouse.timeout_s=5")


class Outage(NamedTuple):
    """Records on the features topic when the store went, and when it came back; the tables at the end."""

    before: int
    after: int
    tables: Tables


def outage(store: EmbeddedStore, base: Settings, items: Sequence[Item], seconds: float, how: str) -> Outage:
    """A replay on services of which the store is away for at least so long."""
    told = settings_for(base, SETS)
    topic = told.kafka.prefix + FEATURES

    def written() -> int:
        return sum(end_offsets(told.kafka.brokers, topic))

    with running(told) as under_way:
        rest = under_way.begin(items)
        third = len(rest) // 3
        under_way.publish(rest[:third])
        under_way.session.supervisor.wait(lambda: written() > 0, every_s=0.2)
        store.pause() if how == "stop" else store.kill()
        try:
            before, gone = written(), time.monotonic()
            under_way.publish(rest[third : 2 * third])
            under_way.session.supervisor.wait(lambda: written() > before, every_s=0.2)
            while time.monotonic() - gone < seconds:
                under_way.session.supervisor.check()
                time.sleep(0.1)
            after = written()
        finally:
            store.resume() if how == "stop" else store.restart()
        under_way.publish(rest[2 * third :])
        under_way.settle()
        return Outage(before, after, under_way.stored())


def main() -> int:
    """The command; 1 when a table differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--how", choices=["stop", "kill"], default="stop")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alphaplus-outage-") as name:
        store = EmbeddedStore(Path(name) / "store")
        store.start()
        try:
            items, url = simulated(disturbed=True), f"http://127.0.0.1:{store.port}"
            with services(Path(name) / "data", "", url, store.sets) as session:
                expected = run(settings_for(session.settings, SETS), items)
                found = outage(store, session.settings, items, given.seconds, given.how)
                wrong = differences(expected, found.tables)
        finally:
            store.stop()
    print(
        f"ClickHouse away for {given.seconds:.0f} s ({given.how}): {found.after - found.before:,} feature records meanwhile"
    )
    print("\n".join(wrong) if wrong else "history caught up: the same digests, nothing twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
