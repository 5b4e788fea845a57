"""The captures of `../shared/cases/market`, replayed in process, each with its right value."""

import pytest

from tests.venues.cases import CASES, replayed

FOLDER = CASES / "market"
USDM, SPOT, BYBIT = "binance-usdm", "binance-spot", "bybit-linear"


def file(name):
    """A capture of the cases."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"put the cases into {FOLDER}: {name} is not there")
    return path


def told(venue, name, **how):
    return replayed([(venue, file(name))], **how)


def test_01_a_trade_that_is_delivered_twice_counts_once_and_is_stamped():
    got = told(USDM, "01_duplicate_trades.log")
    assert got.total("features_tape", "trades", "BTCUSDT") == 5
    assert got.total("features_tape", "volume_base", "BTCUSDT") == pytest.approx(4.5)
    assert got.total("features_tape", "signed_volume", "BTCUSDT") == pytest.approx(3.5)
    assert got.total("features_tape", "repeated_rows", "BTCUSDT") == 4
    assert got.reasons == []


def test_02_when_one_feed_of_trades_goes_silent_the_other_counts():
    got = told(USDM, "02_trade_then_aggtrade.log")
    assert got.total("features_tape", "volume_base", "BTCUSDT") == pytest.approx(20.4)
    assert got.total("features_tape", "feed_switches", "BTCUSDT") == 1


def test_03_a_forced_order_in_parts_counts_once():
    got = told(USDM, "03_forced_order_in_parts.log")
    assert got.total("features_tape", "long_liquidated_base", "BTCUSDT") == pytest.approx(1.0)
    assert got.total("features_tape", "long_liquidated_usd", "BTCUSDT") == pytest.approx(49_460)


def test_04_marks_of_several_symbols_in_one_frame_reach_all_of_them():
    got = told(USDM, "04_mark_price_array.log")
    marked = {r["symbol"] for r in got.rows("features_tape") if r["mark_price"] > 0}
    assert marked == {"BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"}
    assert got.reasons == []


def test_05_a_shallow_book_beside_a_deep_one_changes_no_row():
    two, one = told(BYBIT, "05_bybit_two_depths.log"), told(BYBIT, "05b_bybit_one_depth.log")
    apart = ("messages", "depth_messages", "depth_dropped")

    def rows(of):
        return [{n: v for n, v in r.items() if n not in apart} for r in of.rows("features_book")]

    assert repr(rows(two)) == repr(rows(one))
    assert all(q["depth_gaps"] == 0 for q in two.rows("quality"))
    assert sum(q["depth_dropped"] for q in two.rows("quality")) > 0


def test_06_two_files_of_one_venue_are_merged_by_receive_time():
    got = replayed([(USDM, file("06a_sol.log")), (USDM, file("06b_xrp.log"))], partitions=1)
    assert {s: got.total("features_tape", "trades", s) for s in ("SOLUSDT", "XRPUSDT")} == {
        "SOLUSDT": 120,
        "XRPUSDT": 120,
    }
    merged = replayed([(USDM, file("06c_merged.log"))], partitions=1)
    assert repr(got.rows("features_tape")) == repr(merged.rows("features_tape"))
    assert got.reasons == []


@pytest.mark.parametrize("name", ["07b_last_line_cut.log", "07c_line_cut_in_the_middle.log", "27_depth_line_cut.log"])
def test_07_and_27_a_line_that_is_cut_is_a_reject_with_its_number(name):
    lines = file(name).read_bytes().splitlines()
    cut = [n for n, line in enumerate(lines, 1) if not line.endswith(b"}")]
    assert told(USDM, name).reasons == [f"not_json line {n}" for n in cut]


def test_08_event_times_in_microseconds_are_recognised():
    got = told(SPOT, "08_spot_microseconds.log")
    assert got.reasons == []
    assert got.total("features_tape", "trades", "BTCUSDT") == 5
    assert got.rows("features_book", window_ms=1000)[-1]["book_ok"]


def test_13_a_finer_tick_in_mid_stream_is_taken():
    got = told(USDM, "13b_tick_finer_all_frames.log", settings=file("13_settings.toml"))
    assert got.reasons == []
    rows = got.rows("features_book", symbol="BTCUSDT", window_ms=1000)
    assert 49_997.02 in {r["best_ask"] for r in rows}
    # The bid of 50000.0 is never deleted, so the book is crossed from the first finer diff on, and soon not believed.
    assert not any(r["book_ok"] for r in rows if r["window_start"] >= 1_740_996_005 * 10**9)


def test_16_what_is_refused_for_a_slow_clock_names_the_setting():
    got = told(USDM, "16_slow_receive_clock.log")
    assert len(got.reasons) == 6
    assert all(r.startswith("event_time_ahead") and "clock.ahead_ms" in r for r in got.reasons)


def test_20_a_log_whose_first_line_has_no_time_is_of_its_own_day():
    got = told(SPOT, "20_bare_json.log")
    assert {r["window_start"] // 86_400_000_000_000 for r in got.rows("features_book")} == {20150}
    assert got.rows("features_book", window_ms=1000)[-1]["book_ok"]


def test_28_updates_that_were_lost_before_a_streamed_snapshot_are_a_gap():
    got = told(BYBIT, "28_bybit_outage.log")
    quality = got.rows("quality")
    assert sum(q["depth_gaps"] for q in quality) == 1
    assert sum(q["untrusted_ms"] for q in quality) == pytest.approx(40_000, abs=1)
    assert all(not r["book_ok"] for r in got.rows("features_book") if r["gap_ms"] > 0)
    assert sum(r["missed_updates"] for r in got.rows("features_book", window_ms=1000)) == 2600 - 510 - 1


def test_every_market_case_has_a_test():
    if not FOLDER.exists():
        pytest.skip(f"put the cases into {FOLDER}")
    tested = {"01", "02", "03", "04", "05", "06", "07", "08", "13", "16", "20", "27", "28"}
    assert {p.name[:2] for p in FOLDER.iterdir()} == tested
