"""Kill -9 by the hundred: `python -m tests.faults.kills --seed 1 --kills 100 --broker embedded|kafka --flow all`.

Replays a simulated market while flow processes are killed at seeded random moments and the supervisor starts them
again. After each replay every table must be what an undisturbed one leaves, with no row stored twice.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.job_graph import FLOWS
from flows.monitoring.health import scrape
from flows.session.session import Session
from flows.settings.tree import Settings
from tests.faults.replaying import Item, Tables, differences, run, running, services, settings_for, simulated
from tests.services.backend import Backend
from tests.services.kafka_kraft.broker import KraftBroker

NAMES = [f.name for f in FLOWS]
SETS = ("windows.base_ms=100", "source.batch_frames=40", "clickhouse.block_rows=60", "recovery.epoch_ms=50")
KILLS_A_REPLAY = 12
TAIL = 2
BURST = 60


@dataclass
class Killer:
    """Kills of one replay, on a thread of its own, until `kills` are done or nobody is left to kill.

    A moment is drawn relative to how far the process has come, so that kills land while it starts, in its first
    epochs, and in the middle of its work.
    """

    session: Session
    victims: Sequence[str]
    kills: int
    chance: random.Random
    done: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    failed: BaseException | None = None

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """No more kills; raise what went wrong."""
        self._over.set()
        self._thread.join()
        if self.failed is not None:
            raise self.failed

    def _run(self) -> None:
        try:
            while self.done < self.kills and not self._over.is_set():
                self._strike()
        except BaseException as error:
            self.failed = error

    def _strike(self) -> None:
        children = self.session.supervisor.children
        labels = [n for n in children if n.rpartition("-")[0] in self.victims and not children[n].finished]
        if not labels:
            self._over.set()
            return
        # whoever was killed least: with enough kills each of several victims has its turn
        least = min(self.deaths[label] for label in labels)
        label = self.chance.choice(sorted(label for label in labels if self.deaths[label] == least))
        moment, longest_s = self.chance.choices(
            [("starting", 4.0), ("answering", 0.5), ("committing", 1.0)], weights=(1, 4, 7)
        )[0]
        pause_s = self.chance.uniform(0, longest_s)
        if not self._reached(label, moment) or self._over.wait(pause_s):
            return
        process = children[label].process
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            if process.returncode == -signal.SIGKILL:
                self.done += 1
                self.deaths[label] += 1
                self.moments[f"{label.rpartition('-')[0]} {moment}"] += 1

    def _reached(self, label: str, moment: str) -> bool:
        """Wait until the process has come so far; False when it has ended or the replay is over."""
        child = self.session.supervisor.children[label]
        while not self._over.is_set() and not child.finished:
            health = scrape(self.session.ports[label])
            committed = health.totals.get("alphaplus_last_commit_seconds", 0.0) > 0
            if moment == "starting" or (health.up and (moment == "answering" or committed)):
                return True
            self._over.wait(0.02)
        return False


def disturbed(
    told: Settings, items: Sequence[Item], victims: Sequence[str], kills: int, seed: int
) -> tuple[Tables, Killer]:
    """One replay with kills: frames are published in bursts, no faster than kills are done, so that kills land in
    all of it; the last ones when everything is published."""
    chance = random.Random(f"{seed}:pace")
    with running(told) as under_way:
        items = under_way.begin(items)
        killer = Killer(under_way.session, victims, kills, random.Random(f"{seed}:kills"))
        try:
            at = 0
            while at < len(items):
                share = (killer.done + chance.random()) / max(1, kills - TAIL)
                stop = min(len(items), int(share * len(items)) + 1)
                if killer.failed is not None or killer.done >= kills:
                    stop = len(items)
                while at < stop:
                    burst = chance.randint(1, BURST)
                    under_way.publish(items[at : min(stop, at + burst)])
                    at = min(stop, at + burst)
                under_way.session.supervisor.check()
                time.sleep(0.02)
            under_way.settle()
        finally:
            killer.end()
        return under_way.stored(), killer


@contextmanager
def brokers(kind: str, folder: Path, lasting: bool = False) -> Iterator[str]:
    """Where the broker of a kind is: none for the embedded one, which the session of services brings.

    `lasting`: for drills of many minutes.
    """
    if kind == "embedded":
        yield ""
        return
    broker = KraftBroker(folder, lasting)
    if missing := broker.missing():
        raise SystemExit(f"campaign: no Apache Kafka here: {missing}")
    broker.start()
    try:
        yield broker.bootstrap
    finally:
        stop(broker)


def stop(backend: Backend) -> None:
    """End a backend, whatever state it is in."""
    if backend.paused:
        backend.resume()
    if backend.running:
        backend.stop()


def campaign(folder: Path, seed: int, kills: int, kind: str, victims: Sequence[str], items: Sequence[Item]) -> bool:
    """Kill until `kills` are done; one line a replay; whether every replay left what the undisturbed one did."""
    good, total, moments, number, barren = True, 0, Counter[str](), 0, 0
    with brokers(kind, folder / "kafka") as address, services(folder, address) as base:
        expected = run(settings_for(base.settings, SETS), items)
        rows = ", ".join(f"{name} {table.rows}" for name, table in expected.items())
        print(f"{kind}: undisturbed, {len(items)} frames: {rows}", flush=True)
        while total < kills and barren < 3:
            number += 1
            wanted = min(KILLS_A_REPLAY, kills - total)
            told = settings_for(base.settings, SETS)
            found, killer = disturbed(told, items, victims, wanted, seed * 1_000 + number)
            wrong = differences(expected, found)
            total += killer.done
            moments += killer.moments
            barren = 0 if killer.done else barren + 1
            said = "; ".join(wrong) if wrong else "the same digests, nothing twice"
            print(f"{kind}: replay {number}, {killer.done} kills ({total} of {kills}): {said}", flush=True)
            if wrong:
                print(f"{kind}: kept: database {told.clickhouse.database}, {told.data}", flush=True)
                good = False
    where = ", ".join(f"{n} {what}" for what, n in sorted(moments.items()))
    print(f"{kind}: {total} kills of {' and '.join(victims)} ({where}): {'PASSED' if good else 'FAILED'}", flush=True)
    if total < kills:
        print(f"{kind}: only {total} of {kills} kills were done", flush=True)
    return good and total >= kills


def main() -> int:
    """The command; 1 on a difference, whose folder is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--broker", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument("--flow", choices=[*NAMES, "all"], default="all")
    parser.add_argument("--seconds", type=int, default=200, help="of simulated market in a replay")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="alphaplus-campaign-"))
    victims = NAMES if given.flow == "all" else [given.flow]
    items = simulated(seconds=given.seconds, disturbed=True)
    good = campaign(folder, given.seed, given.kills, given.broker, victims, items)
    if good:
        shutil.rmtree(folder)
    else:
        print(f"kept: {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
