"""Tables that are left out: they stay empty, the others keep every row, and either way recovers into the other."""

from dataclasses import replace
from itertools import combinations

import msgspec
import pytest

from flows.market import cut as cut_of
from flows.market import parts
from flows.settings.tree import Market, Settings, SettingsError
from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from models.simulator import market as simulated
from operators import catalog
from operators.optional import OPTIONAL
from operators.stages import check
from operators.table_windows import held
from operators.venue_market import VenueMarket
from tests.laws.side_by_side import Together
from tests.laws.test_market import CUT, KINDS, Run
from tests.laws.written import Line

USDM = "binance-usdm"
EVERY_GROUP = frozenset(OPTIONAL)


@pytest.fixture(scope="module")
def simulation():
    told = Simulated(seed=3, symbols=("BTCUSDT",), seconds=25, traders=60, warm_up_s=60, accounts=0, levels=40,
                     snapshot_every_s=8, intensity=16)  # fmt: skip
    lines = [
        Line(f.kind, f.received_ns, f.data, f.symbol if f.data.startswith(b'{"lastUpdateId"') else None)
        for f in simulated(told)
        if f.kind in KINDS
    ]
    return lines, {row.symbol: row for row in listed(told)}


@pytest.fixture(scope="module")
def whole(simulation):
    lines, known = simulation
    return Run(USDM, lines, known).end()


@pytest.mark.parametrize("without", [*({name} for name in OPTIONAL), EVERY_GROUP], ids=lambda w: "+".join(sorted(w)))
def test_a_table_that_is_left_out_is_empty_and_no_other_row_changes(simulation, whole, without):
    lines, known = simulation
    run = Run(USDM, lines, known, replace(CUT, without=frozenset(without))).end()
    for table, rows in whole.rows.items():
        assert run.rows[table] == ([] if table in without else rows), table
    kept = {
        name for name in ("walls", "features_costs", "features_liquidity", "features_efficiency") if whole.rows[name]
    }
    assert len(kept) >= 3, "there was something to leave out"


def test_what_would_fill_a_table_that_is_left_out_has_no_column_in_a_pane():
    whole, less = held(), held(EVERY_GROUP)
    for kind, stage in (("depth", "close"), ("trades", "pane"), ("meeting", "meeting")):
        gone = {s.name for s in whole[kind].statistics} - {s.name for s in less[kind].statistics}
        optional = [o for o in catalog.at(stage) if catalog.table_of(o) in EVERY_GROUP]
        assert gone >= {s.name for o in optional for s in o.statistics}
        assert gone, f"there was something to leave out at {stage}"


def test_the_best_price_over_venues_can_be_left_out_too(simulation):
    lines, known = simulation
    told = Together({USDM: lines}, {USDM: known}).end()
    assert told.rows["consolidated_bbo"]
    how = replace(CUT, without=frozenset({"consolidated_bbo"}))
    again = Together({USDM: lines}, {USDM: known}, how)
    again.advance()
    again.thaw()
    assert not again.end().rows.get("consolidated_bbo")


def fed(run, share):
    for kind, log in run.logs.items():
        few = kind == "liquidations"
        run.read(kind, len(log) if few else int(share * len(log)))
        run.market.mark(kind, ended=few)
    run.advance()
    return run


def test_what_is_left_out_costs_no_state(simulation):
    lines, known = simulation
    all_of_it, little = (fed(Run(USDM, lines, known, replace(CUT, without=w)), 0.6) for w in (catalog.ALL, EVERY_GROUP))
    assert len(little.market.freeze()) < 0.8 * len(all_of_it.market.freeze())


@pytest.mark.parametrize(("before", "after"), [(catalog.ALL, EVERY_GROUP), (EVERY_GROUP, catalog.ALL)])
def test_a_state_is_taken_up_whatever_was_left_out_and_the_tables_of_before_go_on(simulation, whole, before, after):
    lines, known = simulation
    run = fed(Run(USDM, lines, known, replace(CUT, without=before)), 0.6)
    run.cut = replace(CUT, without=after)
    run.market = VenueMarket.thaw(run.venue, known, run.cut, run.market.freeze())
    run.end()
    for table in ("features_book", "features_tape", "liquidations", "quality"):
        assert run.rows[table] == whole.rows[table], table
    for table in ("features_liquidity", "features_efficiency", "features_costs"):
        assert len(run.rows[table]) < len(whole.rows[table]), table
        # What trades cost is known a minute later, so there is none of it before.
        assert run.rows[table] or (table == "features_costs" and not before), table


def test_whatever_is_left_out_no_operator_that_stays_reads_of_it():
    for n in range(len(OPTIONAL) + 1):
        for without in combinations(OPTIONAL, n):
            check(catalog.chosen(frozenset(without)))


def test_settings_that_leave_out_what_an_operator_reads_are_refused_at_the_start(monkeypatch):
    reader = next(o for o in catalog.OPERATORS if o.name == "regime")
    column = catalog.of("features_liquidity")[0].columns[0].name
    grown = replace(reader, reads=(*reader.reads, column))
    monkeypatch.setattr(catalog, "OPERATORS", tuple(grown if o is reader else o for o in catalog.OPERATORS))
    told = msgspec.structs.replace(Settings(), market=Market(without=("features_liquidity",)))
    with pytest.raises(SettingsError, match=rf"^market.without: operator regime reads {column}, which the stage "):
        cut_of(told)


def test_the_tables_that_can_be_left_out_are_tables_and_the_recovered_state_goes_by_the_setting():
    assert {*OPTIONAL} < {catalog.table_of(o) for o in catalog.OPERATORS}
    told = msgspec.structs.replace(Settings(), market=Market(without=("walls", "features_efficiency")))
    assert cut_of(told).without == {"walls", "features_efficiency"}
    gone = {p.name for p in parts(Settings())} - {p.name for p in parts(told)}
    assert gone == {"walls", *(o.name for o in catalog.of("features_efficiency"))}
