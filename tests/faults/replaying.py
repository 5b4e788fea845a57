"""Replays inside this process: frames through flows that are processes of their own, and what is stored at the end.

Broker and store are shared by many replays; each replay has topics (a prefix) and tables (a database) of its own, so
that nothing of one can cover up what another lost.
"""

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console

from flows.captures.capture import Recorded
from flows.clickhouse.client import connect
from flows.clickhouse.digest import digest
from flows.clickhouse.errors import StoreError
from flows.commands import replay
from flows.kafka.prefix_publisher import Publisher
from flows.session.session import Session
from flows.settings.sources import load
from flows.settings.tree import Settings
from flows.tables import TABLES
from models.simulator import Disturbances, Simulation, disturb
from models.simulator import Settings as Simulated
from schemas.venue import Venue
from schemas.venues.registry import VENUES
from tests.services.run import note_session

Item = tuple[Venue | None, Recorded]
"""A frame of a venue; without one, an account record."""
SYMBOLS = ("ETHUSDT", "SIM001USDT", "SIM002USDT")
DISTURBED = Disturbances(
    p_gap=0.6, gap_max_s=6.0, p_duplicate=0.01, p_delay=0.01, p_delay_depth=0.0005, delay_max_ms=1_500, p_garbage=0.005
)
QUIET = Console(quiet=True)
WHERE = ("url", "user", "password", "password_file", "ca_file", "certificate_file", "key_file")
"""Of the settings about ClickHouse those that say where it is and who asks."""
_numbers = itertools.count(1)


class Stored(NamedTuple):
    """A table after a replay: rows and digest as readers see them, and how many rows lie there more than once."""

    rows: int
    digest: str
    doubled: int
    lines: Callable[[], Sequence[str]] = list
    """Asks for the rows themselves, in order: only a difference shows them, and they cost as much as the rest."""


Tables = dict[str, Stored]


def simulated(seed: int = 4, seconds: int = 200, intensity: float = 10.0, disturbed: bool = False) -> list[Item]:
    """Frames of three instruments, all four kinds (seed 4: liquidations of each), and accounts, in order of receipt."""
    settings = Simulated(
        seed=seed,
        symbols=SYMBOLS,
        seconds=seconds,
        warm_up_s=600,
        intensity=intensity,
        snapshot_every_s=20,
        accounts=3,
        disturbances=DISTURBED if disturbed else Disturbances(),
    )
    venue = VENUES[settings.venue]
    out: list[Item] = []
    for frame in disturb(Simulation(settings), settings):
        named = frame.kind != "depth" or not frame.data.startswith(venue.nameless)
        recorded = Recorded(frame.received_ns, frame.kind, frame.symbol, named, frame.data)
        out.append((None if frame.kind == "accounts" else venue, recorded))
    return out


def services(
    folder: Path, brokers: str = "", store: str = "", sets: Iterable[str] = (), environ: Mapping[str, str] = {}
) -> Session:
    """The store and the broker that replays share, embedded ones where none are named; to be entered."""
    note_session(brokers, store)
    told = load(None, environ, [f"data={folder}", f"kafka.brokers={brokers}", f"clickhouse.url={store}", *sets])
    return Session(told, "services")


def settings_for(base: Settings, sets: Iterable[str] = ()) -> Settings:
    """Topics and tables that no other replay uses, on the services of `base`."""
    name = f"r{next(_numbers)}x{secrets.token_hex(3)}"
    connect(base.clickhouse).command(f"CREATE DATABASE {name}")
    told = load(None, {}, ["recovery.epoch_ms=200", *sets])
    at = base.kafka
    kafka = msgspec.structs.replace(told.kafka, brokers=at.brokers, tls=at.tls, sasl=at.sasl, prefix=f"{name}.")
    there = {field: getattr(base.clickhouse, field) for field in WHERE}
    clickhouse = msgspec.structs.replace(told.clickhouse, **there, database=name)
    data = str(Path(base.data) / name)
    return msgspec.structs.replace(told, data=data, kafka=kafka, clickhouse=clickhouse).check()


class Running:
    """A replay under way: flows are up, frames can be published; `settle` ends it."""

    def __init__(self, session: Session, raw: Sequence[str], flows: Sequence[str]) -> None:
        self.session = session
        self.raw = list(raw)
        self.flows = list(flows)
        kafka = session.settings.kafka
        self.publisher = Publisher(kafka, kafka.retry_s)

    def publish(self, items: Iterable[Item], attend: Callable[[], None] | None = None) -> None:
        """Write frames, in this order."""
        prefix, seen_to = self.session.settings.kafka.prefix, attend or self.session.supervisor.check
        replay.publish(self.publisher, items, prefix, 0.0, QUIET, seen_to)

    def begin(self, items: Sequence[Item]) -> list[Item]:
        """Publish the liquidations and announce their end, and give back the rest.

        They are so few that windows, which wait for each topic of a bounded log, would else close only at the end.
        """
        few = [item for item in items if item[1].kind == "liquidations"]
        self.publish(few)
        self.session.announce([topic for topic in self.raw if "raw.liquidations." in topic])
        return [item for item in items if item[1].kind != "liquidations"]

    def settle(self) -> None:
        """Say that no more will come and wait until every flow has committed everything."""
        self.session.announce(self.raw)
        self.session.settle(self.flows)

    def stored(self) -> Tables:
        """What every table holds now."""
        return stored(self.session.settings)


@contextmanager
def running(
    told: Settings,
    processes: int = 1,
    recovery: Path | None = None,
    flows: Sequence[str] = replay.EVERY,
    environ: Mapping[str, str] = {},
) -> Iterator[Running]:
    """Flows up and waiting for frames, with their recovery directories below `recovery`; all ended afterwards.

    `environ` is for them alone.
    """
    with Session(told, "replay") as session:
        session.supervisor.environ = {**session.supervisor.environ, **environ}
        if recovery is not None:
            (session.folder / "recovery").symlink_to(recovery)
        yield Running(session, replay.start(session, processes, flows), flows)


def run(told: Settings, items: Iterable[Item], processes: int = 1) -> Tables:
    """One undisturbed replay."""
    with running(told, processes) as under_way:
        under_way.publish(items)
        under_way.settle()
        return under_way.stored()


def stored(told: Settings) -> Tables:
    """Every table, by name."""
    client = connect(told.clickhouse)
    there = counts(told)
    out = {}
    for table in TABLES:
        rows, hexadecimal = digest(client, table.name)
        # of a table with a version several records of one key are meant to be, a raise and its clear
        doubled = 0 if table.version else there[table.name] - rows
        out[table.name] = Stored(rows, hexadecimal, doubled, partial(lines, told, table.name))
    return out


def lines(told: Settings, table: str) -> list[str]:
    """The rows of a table as JSON, in order, as readers see them."""
    sql = f"SELECT * FROM `{table}` FINAL ORDER BY ALL"
    return connect(told.clickhouse).query(sql, "json").splitlines()


def counts(told: Settings) -> dict[str, int]:
    """How many rows lie in every table, by name, asked at once."""
    each = " UNION ALL ".join(f"SELECT '{table.name}', count() FROM `{table.name}`" for table in TABLES)
    return {str(name): int(str(rows)) for name, rows in connect(told.clickhouse).rows(each)}


def differences(expected: Tables, found: Tables) -> list[str]:
    """One line a table that is not as expected, with the first rows of each that the other lacks; none when all are."""
    wrong = [
        f"{name}: {found[name].rows} rows {found[name].digest}, not {table.rows} {table.digest}"
        + "".join(f"\n  {what}: {row}" for what, row in unlike(shown(table), shown(found[name])))
        for name, table in expected.items()
        if found[name][:2] != table[:2]
    ]
    return wrong + [f"{name}: {table.doubled} rows are stored twice" for name, table in found.items() if table.doubled]


def shown(table: Stored) -> Sequence[str]:
    """Its rows, or why they cannot be shown: the difference is told all the same."""
    try:
        return table.lines()
    except StoreError as error:
        return [str(error)]


def unlike(expected: Sequence[str], found: Sequence[str], most: int = 3) -> list[tuple[str, str]]:
    """The first rows that only one of the two has."""
    there, here = set(expected), set(found)
    missing = [("missing", row) for row in expected if row not in here]
    return missing[:most] + [("instead", row) for row in found if row not in there][:most]
