"""An upgrade in the middle of a replay of the whole flow: what is kept, what begins anew, what is refused.

No row is lost or stored twice, and columns that the upgrade did not touch are those of an undisturbed run.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from flows.clickhouse.client import connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.engine.runner import REFUSED
from flows.job_graph import FLOWS
from flows.session.session import Session
from flows.session.supervisor import Child, Supervisor
from flows.settings.tree import Settings
from flows.tables import TABLES
from tests.faults.kills import SETS
from tests.faults.replaying import counts, running, services, settings_for, simulated, stored
from tests.services.flow_processes import ROOT, wait_until

pytestmark = pytest.mark.services

REMOVED = ("kyle_lambda", "kyle_lambda_low", "kyle_lambda_high")
TOUCHED = {"cvd", *REMOVED}
MARKET = ("features_book", "features_tape")
NAMES = [flow.name for flow in FLOWS]
KEYS = "symbol, window_ms, window_start"
Row = tuple[object, ...]


class Release(Supervisor):
    """Starts the flows of another release (`next_release`) where those of this one would be started."""

    kind = "later"

    def start(self, name: str, module: str, *arguments: str, keep: bool = True, vital: bool = True) -> Child:
        if module == "flows":
            module, arguments = "tests.services.next_release", (self.kind, *arguments)
        return super().start(name, module, *arguments, keep=keep, vital=vital)


class Abrupt(Release):
    kind = "abrupt"


class Drill(NamedTuple):
    """Settings of an undisturbed run and of one with an upgrade, and what the flows said of it."""

    undisturbed: Settings
    upgraded: Settings
    stored_before: dict[str, int]
    refused: dict[str, tuple[int, str]]
    said: dict[str, str]
    states: dict[str, str]


def refusal(session: Session, release: type[Supervisor], flow: str) -> tuple[int, str]:
    """How a flow of a release ends that is started once on the recovery directory of the session, and what it says."""
    ours, session.supervisor = (
        session.supervisor,
        release(session.folder / "refused", environ=session.supervisor.environ),
    )
    try:
        (child,) = session.start_flow(flow, bounded=True)
        code = child.process.wait(120)
        return code, child.log.read_text().strip()
    finally:
        session.supervisor = ours


def migrate(session: Session, folder: Path) -> list[str]:
    """Bring the store of a session up to the later release, by a migration that is generated as released ones are."""
    shutil.copytree(FOLDER, folder)
    command = [sys.executable, "-m", "tests.services.next_release", "later", "migration"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (folder / "9999_tables.sql").write_text(made)
    return apply_migrations(connect(session.settings.clickhouse), folder)


@pytest.fixture(scope="module")
def drill(one_broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    items = simulated(seconds=40, disturbed=True)
    folder = tmp_path_factory.mktemp("drill")
    with services(folder / "services", one_broker.bootstrap) as base:
        undisturbed, upgraded = (settings_for(base.settings, [*SETS, "source.align_ms=1000"]) for _ in range(2))
        with running(undisturbed) as under_way:
            under_way.publish(items)
            under_way.settle()
        whole = counts(undisturbed)
        with running(upgraded) as under_way:
            session = under_way.session
            rest = under_way.begin(items)
            half = len(rest) // 2
            under_way.publish(rest[:half])
            wait_until(lambda: (came := counts(upgraded)) and all(came[t] > 0.3 * whole[t] for t in MARKET), 240)
            stopped = list(session.supervisor.children.values())
            session.supervisor.stop()
            # one that a busy machine does not let come to a stop is ended, and says that it goes on as after a crash
            ended = [c for c in stopped if "did not come to a stop" in c.log.read_text()]
            assert [c.name for c in stopped if c.process.returncode != (1 if c in ended else 0)] == []
            before = counts(upgraded)
            refused = {
                name: refusal(session, release, name) for release, name in ((Abrupt, "market"), (Release, "archive"))
            }
            assert migrate(session, folder / "migrations") == ["9999_tables.sql"]
            session.supervisor = Release(session.folder / "upgraded", environ=session.supervisor.environ)
            try:
                for name in NAMES:
                    session.start_flow(name, bounded=True)
                under_way.publish(rest[half:])
                under_way.settle()
                said = {name: session.supervisor.children[f"{name}-0"].log.read_text() for name in NAMES}
            finally:
                session.supervisor.stop()
            manifest = session.folder / "recovery" / "market-0" / "manifest.json"
            yield Drill(
                undisturbed, upgraded, before, refused, said, msgspec.json.decode(manifest.read_bytes())["states"]
            )


def rows(told: Settings, table: str, columns: str, where: str = "true") -> list[Row]:
    return connect(told.clickhouse).rows(f"SELECT {columns} FROM `{table}` FINAL WHERE {where} ORDER BY ALL")


def test_the_upgrade_fell_into_the_middle_of_the_replay(drill: Drill) -> None:
    whole = counts(drill.undisturbed)
    for table in MARKET:
        assert 0.3 * whole[table] < drill.stored_before[table] < 0.9 * whole[table]


def test_untouched_columns_are_those_of_an_undisturbed_run_and_no_row_is_lost_or_stored_twice(drill: Drill) -> None:
    for table in TABLES:
        names = ", ".join(f"`{c.name}`" for c in table.columns if c.name not in TOUCHED)
        expected = rows(drill.undisturbed, table.name, names)
        found = rows(drill.upgraded, table.name, names)
        assert len(found) == len(expected) and found == expected, table.name
    assert sum(counts(drill.undisturbed).values()) > 1_000
    assert all(table.doubled == 0 for table in stored(drill.upgraded).values())


def test_an_added_column_is_null_in_rows_from_before_and_right_in_those_since(drill: Drill) -> None:
    found = rows(drill.upgraded, "features_book", "mid, mid_twice", "mid IS NOT NULL")
    before = [row for row in found if row[1] is None]
    assert 0 < len(before) < len(found)
    assert all(twice == 2 * mid for mid, twice in found if twice is not None)


def last(told: Settings, column: str) -> dict[object, float]:
    """By symbol, what the last row says."""
    sql = (
        f"SELECT symbol, argMax({column}, window_start) FROM features_tape FINAL WHERE window_ms = 100 GROUP BY symbol"
    )
    return dict(connect(told.clickhouse).rows(sql))  # type: ignore[arg-type]


def test_an_added_operator_starts_empty_and_counts_from_then_on(drill: Drill) -> None:
    """Of panes that were open at the upgrade it has not seen what came before; 5 s later none of them is left: a topic
    is read a second ahead of the others at the most, and the slowest has a message every few seconds."""
    every = dict(rows(drill.undisturbed, "features_tape", "symbol, sum(trades)", "window_ms = 100 GROUP BY symbol"))
    since = "window_ms = 100 AND trades_ever IS NOT NULL"
    first = "window_start <= (SELECT min(window_start) FROM features_tape WHERE " + since + ") + INTERVAL 5 SECOND"
    sums = f"symbol, max(trades_ever), sumIf(trades, NOT {first}), sum(trades)"
    counted = {row[0]: row[1:] for row in rows(drill.upgraded, "features_tape", sums, f"{since} GROUP BY symbol")}
    assert set(counted) == set(every) and len(every) == 3
    for symbol, (ever, after, at_most) in counted.items():
        assert 0 < after <= ever <= at_most < every[symbol]  # type: ignore[operator]


def test_an_operator_that_was_removed_says_null_from_then_on_and_its_state_is_gone(drill: Drill) -> None:
    columns, known = f"{KEYS}, {', '.join(REMOVED)}", "kyle_lambda IS NOT NULL"
    ours, theirs = (rows(told, "features_tape", columns, known) for told in (drill.upgraded, drill.undisturbed))
    assert 0 < len(ours) < len(theirs) and set(ours) < set(theirs)
    assert "kyle" not in drill.states and "cvd" in drill.states


def test_an_operator_that_changed_begins_anew_where_it_declares_so(drill: Drill) -> None:
    since = "window_ms = 100 AND trades_ever IS NOT NULL"
    net = dict(rows(drill.upgraded, "features_tape", "symbol, sum(signed_volume)", f"{since} GROUP BY symbol"))
    anew, went_on = last(drill.upgraded, "cvd"), last(drill.undisturbed, "cvd")
    assert anew == pytest.approx(net)
    assert anew != pytest.approx(went_on)


def test_an_operator_that_changed_and_does_not_declare_so_is_refused_in_one_line(drill: Drill) -> None:
    code, said = drill.refused["market"]
    assert code == REFUSED and said.count("\n") == 1, said
    assert said.splitlines()[1].startswith("market: ") and "/market-0: cvd is " in said
    assert said.endswith(
        " now, and is not declared to begin anew; let the release that saved it run until its lag is 0 and stop it,"
        " then start with a new recovery directory"
    )


def test_the_archive_of_a_later_release_refuses_a_store_that_was_not_migrated(drill: Drill) -> None:
    code, said = drill.refused["archive"]
    assert code == REFUSED and said.count("\n") == 0, said
    assert said.endswith("features_tape.trades_ever is missing; run `alphaplus migrate`")
    assert "features_book.mid_twice is missing" in said


def test_the_flow_says_in_one_line_what_became_of_its_states(drill: Drill) -> None:
    (told,) = [line for line in drill.said["market"].splitlines() if "recovered state" in line]
    what = "new, empty: trades_ever, retired_kyle, retired_asymmetry; gone: kyle, asymmetry; changed, begins anew: cvd"
    assert told == f"market: recovered state: {what}"
