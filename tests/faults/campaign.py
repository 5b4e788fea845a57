"""Faults by seeds: `python -m tests.faults.campaign --broker embedded|kafka --seeds 10`.

Of each seed a replay through every flow in which faults are drawn: what, of whom, when and for how long; several may be
under way at once. Every table must then be what the undisturbed replay leaves (nothing lost), with no row stored twice,
and every flow must have come to the end in time (nothing stands still). `campaign.jsonl` keeps a line a seed; the next run
goes on after the last seed of its broker. What a seed that did not hold has left is kept, and named where it is told.
In one seed of three a flow stands for up to a minute besides. Where the extra `clock` is installed, the flows' wall
clock steps once in each seed, and back.
"""

import argparse
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.clickhouse.client import StoreError, connect
from flows.job_graph import FLOWS
from flows.kafka.topic_making import delete_topics
from flows.refusal import Unreachable
from flows.session.session import Session
from flows.session.supervisor import ProcessFailed, end_with_parent
from flows.settings.tree import Settings
from flows.topic_names import every_topic
from tests.faults.kills import SETS as KILLED
from tests.faults.kills import stop
from tests.faults.relay import MODES, Relay
from tests.faults.replaying import Item, Tables, differences, run, running, services, settings_for, simulated
from tests.services.backend import Broker
from tests.services.embedded_store import EmbeddedStore
from tests.services.kafka_kraft.broker import KraftBroker
from tests.services.process import ProcessBackend
from tests.services.tansu import TansuBroker

NAMES = tuple(flow.name for flow in FLOWS)
SETS = (*KILLED, "clickhouse.timeout_s=5")
LASTING_S = (0.1, 0.6, 2.0, 6.0)
LONG_S = (20.0, 60.0)
STEPS = ("-3600", "-90", "-0.7", "+90", "+3600")
"""Seconds that a wall clock steps by; each step back at its end is one the other way."""
BROKERS: dict[str, type[Broker]] = {"embedded": TansuBroker, "kafka": KraftBroker}
Undo = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """What was drawn: when after the beginning, what, of whom or how, and for how long."""

    at_s: float
    kind: str
    what: str
    for_s: float


@dataclass(slots=True)
class Scene:
    """All that faults act on."""

    session: Session
    broker: ProcessBackend
    store: ProcessBackend
    relay: Relay
    clock: Path | None = None
    """The file that says by how much the flows' wall clock is off; none: theirs is the machine's."""

    def pid(self, flow: str) -> int | None:
        """Of the process of a flow, None when it has come to its end."""
        child = self.session.supervisor.children[f"{flow}-0"]
        return None if child.finished or child.process.poll() is not None else child.process.pid

    def backend(self, name: str) -> ProcessBackend:
        """Broker or store."""
        return self.broker if name == "broker" else self.store


def _send(pid: int | None, number: int) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def kill(scene: Scene, fault: Fault) -> Undo | None:
    """A flow, without a chance to write anything more."""
    _send(scene.pid(fault.what), signal.SIGKILL)
    return None


def pause(scene: Scene, fault: Fault) -> Undo | None:
    """A flow stands for a while."""
    pid = scene.pid(fault.what)
    _send(pid, signal.SIGSTOP)
    return lambda: _send(pid if pid == scene.pid(fault.what) else None, signal.SIGCONT)


def database(scene: Scene, fault: Fault) -> Undo | None:
    """What stands before the database behaves otherwise."""
    scene.relay.mode = fault.what

    def undo() -> None:
        scene.relay.mode = ""

    return undo


def stall(scene: Scene, fault: Fault) -> Undo | None:
    """Broker or store stands: connections stay open, and nothing answers."""
    backend = scene.backend(fault.what)
    if backend.paused or not backend.running:
        return None
    backend.pause()
    return lambda: backend.resume() if backend.paused else None


def crash(scene: Scene, fault: Fault) -> Undo | None:
    """A broker or store that keeps what it acknowledged is killed, and started again."""
    backend = scene.backend(fault.what)
    if backend.paused or not backend.running:
        return None
    backend.kill()
    return backend.restart


def disk(scene: Scene, fault: Fault) -> Undo | None:
    """A flow, or the store, can write no file: as on a full or broken disk, each write fails."""
    store = scene.store
    pid = scene.pid(fault.what) if fault.what != "store" else store.pid if store.running else None
    if pid is None or resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == 0:  # a fault under way would stay for good
        return None
    most, bound = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def undo() -> None:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, bound))

    return undo


def clock(scene: Scene, fault: Fault) -> Undo | None:
    """The wall clock of all flows steps, as one does that is set; within a second they see it."""
    if (file := scene.clock) is None:
        return None
    file.write_text(f"{fault.what}\n")

    def undo() -> None:
        file.write_text("+0\n")

    return undo


FAULTS: dict[str, Callable[[Scene, Fault], Undo | None]] = {
    "kill": kill,
    "pause": pause,
    "database": database,
    "stall": stall,
    "crash": crash,
    "disk": disk,
    "clock": clock,
}


def draw(chance: random.Random, seconds: float, count: int, durable: bool) -> list[Fault]:
    """So many faults within a time, in its order; `durable`: the broker keeps its logs."""
    whom = {
        "kill": NAMES,
        "pause": NAMES,
        "database": MODES,
        "stall": ("broker", "store"),
        "crash": ("broker", "store") if durable else ("store",),
        "disk": (*NAMES, "store"),
    }
    found = []
    for _ in range(count):
        kind = chance.choices(list(whom), weights=(4, 2, 3, 1, 1, 2))[0]
        at_s, for_s = chance.uniform(0.0, seconds), chance.choice(LASTING_S) * chance.uniform(0.5, 1.5)
        found.append(Fault(round(at_s, 2), kind, chance.choice(whom[kind]), round(for_s, 2)))
    return sorted(found, key=lambda fault: fault.at_s)


def step(chance: random.Random, seconds: float) -> Fault:
    """One step of the clock; apart from `draw`, so that a seed's other faults are the same with it and without."""
    for_s = chance.choice(LASTING_S[1:]) * chance.uniform(0.5, 1.5)
    return Fault(round(chance.uniform(0.0, seconds), 2), "clock", chance.choice(STEPS), round(for_s, 2))


def long_pause(chance: random.Random, seconds: float) -> list[Fault]:
    """In one seed of three a flow that stands for so long that all others come to wait for it; apart as `step` is."""
    if chance.randrange(3):
        return []
    return [
        Fault(round(chance.uniform(0.0, seconds), 2), "pause", chance.choice(NAMES), round(chance.uniform(*LONG_S), 2))
    ]


def clock_library() -> Path | None:
    """What stands between a process and its wall clock; None when it is not installed."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.rglob("libfaketime.so.1"), None)


def clocked(library: Path, file: Path) -> dict[str, str]:
    """The environment of a process whose wall clock goes by a file; its monotonic clock and its files' times do not."""
    file.write_text("+0\n")
    told = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}
    return {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", **told}


def act(scene: Scene, plan: Sequence[Fault], seconds: float, publish: Callable[[float], None]) -> None:
    """Do what was drawn when its time comes and undo it when it is over; `publish` up to a share of the frames."""
    since_s = time.monotonic()
    waiting, under_way = list(plan), list[tuple[float, Undo]]()
    try:
        while waiting or under_way or time.monotonic() - since_s < seconds:
            now_s = time.monotonic() - since_s
            for over_s, undo in [each for each in under_way if each[0] <= now_s]:
                under_way.remove((over_s, undo))
                undo()
            while waiting and waiting[0].at_s <= now_s:
                fault = waiting.pop(0)
                undone = FAULTS[fault.kind](scene, fault)
                if undone is not None:
                    under_way.append((now_s + fault.for_s, undone))
            if not scene.broker.paused and scene.broker.running:
                publish(min(1.0, now_s / seconds))
            scene.session.supervisor.check()
            time.sleep(0.05)
    finally:
        for _, undo in under_way:
            undo()
        scene.relay.mode = ""


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """TimeoutError if it takes longer."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"{what} took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(slots=True)
class Around:
    """What all seeds share."""

    base: Settings
    broker: Broker
    store: EmbeddedStore
    relay: Relay


def one(
    told: Settings, items: Sequence[Item], plan: Sequence[Fault], seconds: float, limit_s: float, around: Around
) -> Tables:
    """A replay with the faults of a plan; TimeoutError or ProcessFailed when it does not come to its end."""
    library, file = clock_library(), Path(told.data).with_suffix(".clock")
    with running(told, environ=clocked(library, file) if library else {}) as under_way:
        items, at = under_way.begin(items), 0
        at_hand = around.broker, around.store, around.relay
        scene = Scene(under_way.session, *at_hand, file if library else None)

        def publish(share: float) -> None:
            nonlocal at
            upto = int(share * len(items))
            under_way.publish(items[at:upto])
            at = upto

        act(scene, plan, seconds, publish)
        publish(1.0)
        with within(limit_s, "coming to the end"):
            under_way.settle()
        return under_way.stored()


@contextmanager
def around(folder: Path, kind: str) -> Iterator[Around]:
    """A broker and a store for all seeds; before the store a relay."""
    broker, store = BROKERS[kind](folder / "broker"), EmbeddedStore(folder / "store")
    if missing := broker.missing():
        raise SystemExit(f"campaign: no {kind} here: {missing}")
    broker.start()
    try:
        store.start()
        relay = Relay(store.port)
        with (
            relay.serve() as port,
            services(folder / "data", broker.bootstrap, f"http://127.0.0.1:{port}", store.sets) as session,
        ):
            yield Around(session.settings, broker, store, relay)
    finally:
        stop(broker)
        stop(store)


def forget(base: Settings, told: Settings, *, durable: bool) -> None:
    """Delete what a replay left, with the patience of `base`; a broker that keeps its logs comes back the later."""
    connect(base.clickhouse).command(f"DROP DATABASE {told.clickhouse.database}")
    if durable:
        delete_topics(told.kafka, every_topic(told))


def last(log: Path, kind: str) -> int:
    """The highest seed of a broker in the log, 0 when there is none."""
    if not log.exists():
        return 0
    told = map(json.loads, log.read_text().splitlines())
    return max((line["seed"] for line in told if line["broker"] == kind), default=0)


def main() -> int:
    """The command; 1 when anything of any seed did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("--broker", choices=list(BROKERS), default="embedded")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="the first one (default: the one after the log's last)")
    parser.add_argument("--faults", type=int, default=6, help="how many are drawn of a seed")
    parser.add_argument("--seconds", type=float, default=15.0, help="within which they begin, while frames come")
    parser.add_argument("--market", type=int, default=60, help="seconds of simulated market in a replay")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds to the end after the last fault")
    parser.add_argument(
        "--log", type=Path, default=Path(__file__).with_name("campaign.jsonl"), help="lines are appended"
    )
    given = parser.parse_args()
    end_with_parent()
    folder, good = Path(tempfile.mkdtemp(prefix="alphaplus-campaign-")), True
    given.log.parent.mkdir(parents=True, exist_ok=True)
    items = simulated(seconds=given.market, disturbed=True)
    first = given.seed or last(given.log, given.broker) + 1
    if clock_library() is None:
        print("the wall clock is left alone: the extra `clock` brings what steps it")
    with around(folder, given.broker) as place:
        expected = run(settings_for(place.base, SETS), items)
        print(f"{given.broker}: undisturbed, {len(items)} frames, {sum(t.rows for t in expected.values())} rows")
        for seed in range(first, first + given.seeds):
            since_s = time.monotonic()
            plan = draw(random.Random(f"campaign:{seed}"), given.seconds, given.faults, place.broker.durable)
            plan += long_pause(random.Random(f"pause:{seed}"), given.seconds)
            if clock_library() is not None:
                plan.append(step(random.Random(f"clock:{seed}"), given.seconds))
            plan.sort(key=lambda fault: fault.at_s)
            said = ", ".join(f"{f.kind} {f.what} {f.for_s:g} s" for f in plan)
            told = settings_for(place.base, SETS)
            try:
                found = differences(expected, one(told, items, plan, given.seconds, given.limit, place))
            except (ProcessFailed, StoreError, TimeoutError, Unreachable) as error:
                found = [f"{type(error).__name__}: {error}"]
            line = {
                "seed": seed,
                "broker": given.broker,
                "seconds": round(time.monotonic() - since_s, 1),
                "faults": said,
                "found": found,
            }
            with given.log.open("a") as log:
                log.write(json.dumps(line) + "\n")
            print(
                f"{given.broker}: seed {seed}, {line['seconds']} s ({said}): {'; '.join(found) or 'held'}", flush=True
            )
            if found:
                print(f"kept: {told.data}, database {told.clickhouse.database}", flush=True)
            else:
                forget(place.base, told, durable=place.broker.durable)
            good = good and not found
    if good:
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
