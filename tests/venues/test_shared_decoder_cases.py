"""The frames of `../shared/cases/decoder`, each with its right value."""

import json
import math

import pytest

from schemas.instrument import InstrumentTable
from schemas.venues.registry import VENUES
from tests.venues.cases import CASES, book, parsed

FOLDER = CASES / "decoder"


def case(name):
    """The frames of a case, by the beginning of its name, with its venue, kinds and header symbols."""
    found = sorted(FOLDER.glob(f"{name}-*.json"))
    if not found:
        pytest.skip(f"put the cases into {FOLDER}: {name} is not there")
    told = json.loads(found[0].read_text())
    values = [json.dumps(f, separators=(",", ":")).encode() for f in told.get("frames") or [told["frame"]]]
    names = (
        {int(i): s for i, s in (told["header_symbol"] or {}).items()} if isinstance(told["header_symbol"], dict) else {}
    )
    return told["venue"], told["kind"], values, names


def test_01_a_coin_m_contract_in_the_merged_stream_is_no_liquidation_of_usd_m():
    venue, kind, values, _ = case("01")
    forced, rejects, table = parsed(venue, kind, values)
    assert (len(forced), rejects, table.rows) == (0, [], [])
    forced, rejects, table = parsed("binance-coinm", kind, values)
    assert (rejects, forced.lots.tolist(), forced.price.tolist()) == ([], [5], [61000.0])
    assert (table.rows[0].kind, table.rows[0].contract) == ("inverse", 100.0)


def test_03_a_mark_of_a_coin_m_contract_is_none_of_usd_m():
    venue, kind, values, _ = case("03")
    found, rejects, table = parsed(venue, kind, values)
    assert (rejects, [r.symbol for r in table.rows], found.mark.tolist()) == ([], ["BTCUSDT"], [61000.1])
    found, rejects, table = parsed("binance-coinm", kind, values)
    assert (rejects, [r.symbol for r in table.rows], found.mark.tolist()) == ([], ["BTCUSD_PERP"], [61010.0])


def test_04_a_reader_takes_the_marks_of_its_own_bases_out_of_a_frame_of_several():
    venue, kind, values, _ = case("04")
    table = InstrumentTable(here=lambda base: base == "ETH")
    found, rejects, _ = parsed(venue, kind, values, table)
    assert (rejects, found.mark.tolist(), [r.symbol for r in table.rows]) == ([], [2400.0], ["ETHUSDT"])
    assert [symbol for symbol, _ in VENUES[venue].split(values[0])] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    for symbol, frame in VENUES[venue].split(values[0]):
        found, rejects, table = parsed(venue, kind, [frame])
        assert (rejects, [r.symbol for r in table.rows], len(found)) == ([], [symbol], 1)


def test_06_a_shallow_book_beside_a_deep_one_does_not_touch_it():
    venue, _, values, _ = case("06")
    sides, said, rejects = book(venue, values, "BTCUSDT")
    assert (said, rejects) == (["fresh", "dropped", "applied"], [])
    assert sides == ({100.0: 1.0, 99.0: 5.0}, {101.0: 1.0, 102.0: 2.0})


def test_07_a_grouped_book_is_left_out():
    venue, kind, values, _ = case("07")
    depth, rejects, table = parsed(venue, kind, values)
    assert (len(depth), rejects, table.rows, VENUES[venue].kind_of(values[0])) == (0, [], [], None)


def test_09_a_change_without_a_type_is_a_change():
    venue, kind, values, _ = case("09")
    depth, rejects, _ = parsed(venue, kind, values)
    assert (rejects, depth.snapshot.tolist(), depth.previous_id.tolist()) == ([], [False], [40])


def test_10_a_change_after_0_begins_the_book():
    venue, kind, values, _ = case("10")
    depth, rejects, _ = parsed(venue, kind, values)
    assert (rejects, depth.snapshot.tolist(), depth.last_id.tolist()) == ([], [True], [9])


def test_11_a_liquidation_of_both_sides_is_two():
    venue, kind, values, _ = case("11")
    trades, forced, rejects, _ = parsed(venue, kind, values)
    assert (rejects, trades.sign.tolist(), forced.order_side.tolist()) == ([], [1], [1, -1])
    assert (forced.lots.tolist(), forced.price.tolist()) == ([6100, 6100], [61000.5, 61000.5])


def test_13_what_is_quoted_in_a_coin_has_no_value_in_dollars():
    venue, kind, values, _ = case("13")
    _, forced, rejects, table = parsed(venue, kind, values)
    assert (rejects, forced.lots.tolist(), table.rows[0].quote, table.rows[0].in_dollars) == ([], [10], "BTC", False)


def test_14_a_delivery_contract_has_no_funding_rate():
    venue, kind, values, _ = case("14")
    found, rejects, _ = parsed(venue, kind, values)
    assert (rejects, found.mark.tolist(), math.isnan(found.funding_rate[0])) == ([], [61500.0], True)


def test_15_a_spot_diff_that_overlaps_the_book_is_applied():
    venue, _, values, _ = case("15")
    sides, said, rejects = book(venue, values, "BTCUSDT", {0: "BTCUSDT"})
    assert (said, rejects) == (["fresh", "applied", "applied"], [])
    assert sides == ({9.0: 1.0, 9.5: 2.0}, {11.0: 1.0, 10.5: 3.0})


def test_16_an_order_filled_in_two_steps_counts_what_each_step_filled():
    venue, kind, values, _ = case("16")
    forced, rejects, table = parsed(venue, kind, values)
    lot = float(table.rows[0].lot)
    assert (rejects, (forced.lots * lot).tolist(), forced.price.tolist()) == ([], [2.0, 3.0], [60500.0, 60500.0])


@pytest.mark.parametrize("name", ["18", "19", "20", "21"])
def test_18_to_21_what_is_of_no_use_is_left_out_whatever_topic_it_is_in(name):
    venue, _, values, _ = case(name)
    for kind in VENUES[venue].kinds:
        *rows, rejects, _ = parsed(venue, kind, values)
        assert (rejects, [len(r) for r in rows]) == ([], [0] * len(rows)), kind
    assert VENUES[venue].kind_of(values[0]) is None


def test_23_a_rest_snapshot_as_tardis_wraps_it_is_a_snapshot():
    venue, kind, values, _ = case("23")
    depth, rejects, table = parsed(venue, kind, values)
    assert (rejects, depth.snapshot.tolist(), depth.last_id.tolist()) == ([], [True], [9])
    assert table.rows[0].symbol == VENUES[venue].symbol_of(values[0]) == "BTCUSDT"
    assert VENUES[venue].kind_of(values[0]) == "depth"


def test_every_decoder_case_has_a_test():
    if not FOLDER.exists():
        pytest.skip(f"put the cases into {FOLDER}")
    tested = {"01", "03", "04", "06", "07", "09", "10", "11", "13", "14", "15", "16", "18", "19", "20", "21", "23"}
    assert {p.name[:2] for p in FOLDER.glob("*.json")} == tested
