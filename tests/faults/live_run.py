"""Live: every flow on a simulated market at the pace of the wall clock, and how old the newest is that each has closed.

Ages are read where consumers read: from the marks on the derived topics, and for the archive from the stored rows. So
they go on being told while a flow is stopped, and do not rest on what it says of itself.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, TopicPartition

from flows.clickhouse.client import connect
from flows.clickhouse.errors import Trouble
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.job_graph import FLOWS, raw_topic
from flows.kafka.connection import client_config
from flows.kafka.topic_making import create_topics
from flows.kafka.written_marks import KEY
from flows.session.session import EMBEDDED_FETCH_WAIT_MS, EMBEDDED_LINGER_MS, EMBEDDED_MARK_MS, Session
from flows.session.supervisor import Supervisor
from flows.settings.sources import load
from flows.settings.tree import Settings
from flows.tables import TABLES
from flows.topic_names import every_topic, input_topics
from models.simulator import Disturbances, brackets
from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from operators.market_tables import delays_ns
from tests.services.run import note_session

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
ROUGH = Disturbances(p_gap=0.05, gap_max_s=5.0, p_duplicate=0.002, p_delay=0.002, p_garbage=0.001)
COMPUTING = {flow.name: tuple(t for t in flow.writes if t != "rejects") for flow in FLOWS if flow.name != "archive"}
"""The topics that tell how far a flow has come."""
DELAY_S = {topic: ns / 1e9 for topic, ns in delays_ns().items()}
STORED = {
    "features_book": "SELECT max(window_start) FROM features_book WHERE window_ms = 1000",
    "features_tape": "SELECT max(window_start) FROM features_tape WHERE window_ms = 1000",
    "risk_accounts": "SELECT max(as_of) FROM risk_accounts",
}
"""Tables in which every second has rows, and their newest second but one."""
PERIOD_S = {"features_costs": 61.0, "quality": 61.0, "forecast_vectors": 61.0, "forecasts_liquidation": 61.0}
"""After how long a table must have grown; tables of what may not happen at all are not among them."""
GROWING = {"features_book": 1.0, "features_tape": 1.0, "risk_accounts": 1.0, "risk_positions": 1.0, **PERIOD_S}
LOOK_S = 0.25
SPARING = (
    f"kafka.linger_ms={EMBEDDED_LINGER_MS}",
    f"kafka.fetch_wait_ms={EMBEDDED_FETCH_WAIT_MS}",
    f"kafka.mark_ms={EMBEDDED_MARK_MS}",
)
"""What a session says of an embedded broker that it brings up itself, for one that the tests bring up."""


def simulated(
    seed: int = 7, symbols: tuple[str, ...] = SYMBOLS, accounts: int = 6, disturbances: Disturbances = ROUGH
) -> Simulated:
    """A market that is soon there: a short past, few traders; more accounts than a hundred are sent when they change."""
    return Simulated(
        seed=seed,
        symbols=symbols,
        intensity=10.0,
        traders=100,
        warm_up_s=120,
        snapshot_every_s=15,
        accounts=accounts,
        accounts_every_s=1 if accounts <= 100 else 30,
        disturbances=disturbances,
    )


class Ages:
    """How old the newest event time is up to which each flow has closed, in seconds; None before it has closed any."""

    def __init__(self, told: Settings) -> None:
        """Reads all marks from the first on."""
        kafka = told.kafka
        self._prefix, self._store = kafka.prefix, connect(told.clickhouse)
        # of the topics that the market writes, those with the fewest records
        self._raw = tuple(raw_topic("liquidations", venue) for venue in told.market.venues)
        topics = (*self._raw, *(t for topics in COMPUTING.values() for t in topics))
        self.marked_ms = {(t, p): -1 for t in topics for p in range(kafka.partitions)}
        self._consumer = Consumer(
            client_config(kafka)
            | {"group.id": "alphaplus-ages", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
            # an answer goes through all logs: forty a second, for whatever came, went through more than those of all flows
            | {"fetch.wait.max.ms": 100, "fetch.min.bytes": 1 << 20, "log_level": 2}
        )
        self._consumer.assign([TopicPartition(self._prefix + t, p, 0) for t, p in self.marked_ms])

    def look(self, for_s: float = LOOK_S) -> dict[str, float | None]:
        """Take in what comes within a time; the ages then. The archive's is the oldest of its tables."""
        until = time.monotonic() + for_s
        while (left := until - time.monotonic()) > 0:
            for message in self._consumer.consume(20_000, min(left, 0.1)):
                if message.error() is None and message.value() is None and message.key() == KEY:
                    place = (message.topic() or "").removeprefix(self._prefix), message.partition() or 0
                    self.marked_ms[place] = max(self.marked_ms[place], message.timestamp()[1])
        now_s = time.time()
        ages: dict[str, float | None] = {}
        for flow, topics in COMPUTING.items():
            closed = [ms / 1e3 + DELAY_S.get(t, 0.0) if ms >= 0 else None for (t, _), ms in self._of(topics)]
            known = [at for at in closed if at is not None]
            ages[flow] = now_s - min(known) if len(known) == len(closed) else None
        return ages | {"archive": self._stored(now_s)}

    def market_s(self) -> float:
        """How old the newest is that the market itself had written, when last looked at."""
        return time.time() - max(ms for _, ms in self._of(self._raw)) / 1e3

    def _of(self, topics: Iterable[str]) -> list[tuple[tuple[str, int], int]]:
        return [(place, ms) for place, ms in self.marked_ms.items() if place[0] in topics]

    def _stored(self, now_s: float) -> float | None:
        newest = []
        try:
            for table, sql in STORED.items():
                ((at,),) = self._store.rows(f"SELECT toUnixTimestamp64Milli(({sql}))")
                newest.append(int(str(at)) / 1e3 + (1.0 if table.startswith("features") else 0.0))
        except Trouble:
            return None
        return now_s - min(newest) if min(newest) > 1_000_000_000 else None

    def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        return {t.name: int(str(self._store.rows(f"SELECT count() FROM `{t.name}`")[0][0])) for t in TABLES}

    def close(self) -> None:
        """Leave broker and store."""
        self._consumer.close()
        self._store.close()


class LiveRun:
    """A session whose flows are up and whose market goes on; ended by `live`."""

    def __init__(self, session: Session, ages: Ages) -> None:
        self.session, self.ages = session, ages

    @property
    def settings(self) -> Settings:
        """With the services that were brought up."""
        return self.session.settings

    @property
    def supervisor(self) -> Supervisor:
        """Whoever starts again what dies; `attend` lets it."""
        return self.session.supervisor

    def pid(self, flow: str) -> int:
        """Of the process of a flow that runs now."""
        return self.supervisor.children[f"{flow}-0"].process.pid

    def signal(self, flow: str, number: int) -> None:
        """Send one to a flow."""
        os.kill(self.pid(flow), number)

    def attend(self, seconds: float) -> Iterator[dict[str, float | None]]:
        """Look after the processes for so long, and tell the ages again and again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.supervisor.check()
            yield self.ages.look()

    def wait(self, most_s: float, within_s: float) -> dict[str, float | None]:
        """Until no flow is further behind; TimeoutError says which still are."""
        ages: dict[str, float | None] = {}
        for ages in self.attend(within_s):
            if all(age is not None and age < most_s for age in ages.values()):
                return ages
        raise TimeoutError(f"not within {most_s:.0f} s of the market after {within_s:.0f} s: {brief(ages)}")

    def quieten(self, within_s: float = 60.0) -> None:
        """End the market, and wait until nothing more comes out of any flow."""
        self.supervisor.stop("simulate")
        before, still_s = {}, time.monotonic()
        until = time.monotonic() + within_s
        while time.monotonic() - still_s < 5.0 and time.monotonic() < until:
            self.supervisor.check()
            self.ages.look(0.5)
            now = dict(self.ages.marked_ms) | self.ages.rows()
            if now != before:
                before, still_s = now, time.monotonic()


def settings(folder: Path, brokers: str = "", store: str = "", sets: Iterable[str] = ()) -> Settings:
    """On embedded services where none are named."""
    note_session(brokers, store)
    return load(None, {}, [f"data={folder}", f"kafka.brokers={brokers}", f"clickhouse.url={store}", *sets])


@contextmanager
def live(
    told: Settings, market: Simulated, environ: Mapping[str, str] = {}, past_minutes: int = 0
) -> Iterator[LiveRun]:
    """All flows and the market; everything is ended afterwards. `environ` is for the flows alone.

    The market begins so many minutes ago, and is written as fast as can be until it has come to now.
    """
    venues = tuple(dict.fromkeys((market.venue, *told.market.venues)))
    changed = msgspec.structs.replace(told.market, venues=venues, instruments=tuple(listed(market)))
    session = Session(msgspec.structs.replace(told, market=changed), "live")
    file = session.folder / "brackets.json"
    risk = msgspec.structs.replace(told.risk, brackets_json={market.venue: str(file)})
    session.settings = msgspec.structs.replace(session.settings, risk=risk).check()
    with session:
        told = session.settings
        apply_migrations(connect(told.clickhouse), FOLDER)
        create_topics(told.kafka, every_topic(told), told.kafka.partitions, forever=True)
        file.write_bytes(msgspec.json.encode(brackets(market)))
        of = session.folder / "market.json"
        of.write_bytes(msgspec.json.encode(market))
        topics = ",".join(input_topics(told))
        arguments = ("--settings", str(session.file), "--market", str(of), "--topics", topics)
        arguments += ("--past", str(past_minutes))
        session.supervisor.start("simulate", "flows.session.simulate", *arguments)
        session.supervisor.environ = {**session.supervisor.environ, **environ}
        for flow in FLOWS:
            session.start_flow(flow.name)
        ages = Ages(told)
        try:
            yield LiveRun(session, ages)
        finally:
            ages.close()


@contextmanager
def stopped(run: LiveRun, flow: str) -> Iterator[None]:
    """While in it, the process of a flow does not run."""
    pid = run.pid(flow)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def brief(ages: dict[str, float | None]) -> str:
    """The ages in one line."""
    return ", ".join(f"{flow} {'nothing' if age is None else f'{age:.1f} s'}" for flow, age in ages.items())


def not_grown(before: dict[str, int], after: dict[str, int], seconds: float) -> list[str]:
    """The tables that must have grown within this time and have not."""
    due = (table for table, period_s in GROWING.items() if seconds > 2 * period_s + 5.0)
    return [f"{table} did not grow in {seconds:.0f} s" for table in due if after[table] <= before[table]]
