"""Bad frames -> one reject each, with a short reason; a frame of one message is used whole or not at all."""

import pytest

from schemas.frames import frames
from schemas.instrument import Instrument, InstrumentTable
from schemas.levels import LIMIT
from schemas.venues.registry import VENUES
from tests.venues import fuzz_parsers, samples

DIFF = samples.USDM_DEPTH[0]
BTCUSDT = Instrument("binance-usdm", "BTCUSDT", "BTC", "USDT", "linear", "0.1", "0.001")


def depth(value):
    rows, rejects = VENUES["binance-usdm"].depth(frames("raw", 0, [value], [0]), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert len(rows) + len(rejects) == 1
    return rejects[0].reason if rejects else None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"]]}}", b"]]}", "not_json"),
        (b'"U":157', b'"U":NaN', "not_json"),
        (b"BTCUSDT", b"BTC\xffSDT", "not_json"),
        (b'"U":157', b'"zz":' + b"[" * 100_000, "not_json too deep"),
        (b'"s":"BTCUSDT",', b"", "missing_field s"),
        (b'"pu":149,', b"", "missing_field pu"),
        (b'"T":1723161256298,', b"", "event_time_missing T"),
        (b'"T":1723161256298', b'"T":0', "event_time_missing T"),
        (b'"T":1723161256298', b'"T":9223372036855', "out_of_range T"),
        (b'"T":1723161256298', b'"T":1e400', "out_of_range data.T"),
        (b'"U":157', b'"U":157.5', "wrong_type data.U"),
        (b'"U":157', b'"U":"157"', "wrong_type data.U"),
        (b'"U":157', b'"U":9223372036854775808', "out_of_range data.U"),
        (b'"U":157', b'"U":' + b"9" * 400, "out_of_range data.U"),
        (b"depthUpdate", b"depthupdate", "unknown_event"),
        (b"61496.50", b"61496.5555555555", "out_of_range decimals"),
        (b"61496.50", b"-61496.50", "out_of_range"),
        (b"0.010", b"-0.010", "out_of_range"),
        (b"61496.50", b"0.00", "out_of_range"),
        (b"61496.50", b"1e400", "out_of_range"),
        (b"61496.50", b"112589990684262.4", "out_of_range"),
        (b"61496.50", b"6149650000000000000000000", "out_of_range"),
        (b"61496.50", b"", "wrong_type"),
        (b"61496.50", b"NaN", "wrong_type"),
        (b"61496.50", b"61496.", "wrong_type"),
        (b'["61496.50","0.010"]', b'["61496.50"]', "wrong_type"),
        (b'["61496.50","0.010"]', b'{"61496.50":"0.010"}', "wrong_type"),
    ],
)
def test_a_bad_frame_becomes_one_reject_with_its_reason(old, new, reason):
    value = DIFF.replace(old, new, 1)
    assert value != DIFF
    assert depth(value) == reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"61496.50", b"61496.500000000000000000000000"),
        (b"61496.50", b"112589990684262.3"),
        (b'"61496.50"', b"61496.50"),
        (b'"61496.50"', b'"6.14965e4"'),
        (b'"U":157', b'"U":1,"U":157'),
        (b'"U":157', b'"new_field":{"a":[1,{}]},"U":157'),
        (b'","', b'" , "'),
        (b"61496.50", b"61496.55"),
        (b"0.010", b"0.0101"),
    ],
)
def test_unusual_but_exact_frames_are_used(old, new):
    assert depth(DIFF.replace(old, new, 1)) is None
    assert LIMIT - 1 == 1125899906842623


def nested(levels):
    return DIFF.replace(b'"U":157', b'"zz":' + b"[" * levels + b"]" * levels + b',"zy":"[[","U":157', 1)


def test_how_deep_a_frame_may_nest_does_not_depend_on_the_depth_of_the_caller():
    def called(deeper, levels):
        return called(deeper - 1, levels) if deeper else depth(nested(levels))

    assert [depth(nested(62)), called(600, 62)] == [None, None]
    assert [depth(nested(63)), called(600, 63)] == ["not_json too deep"] * 2


def test_ten_million_bytes_are_one_reject_or_one_message():
    level = b'["61496.50","0.010"],'
    many = level * (10_000_000 // len(level))
    assert depth(DIFF.replace(b'"b":[', b'"b":[' + many, 1)) is None
    assert depth(DIFF.replace(b'"b":[', b'"b":[' + many + b'["x","1"],', 1)) == "wrong_type"


@pytest.mark.parametrize(("venue", "kind"), list(samples.SAMPLES))
@pytest.mark.parametrize("value", [b"", b"null", b"5", b'"x"', b"[[]]", b"{}", b"\x00", b'{"data":' * 30_000])
def test_what_is_no_frame_of_any_venue_is_a_reject(venue, kind, value):
    *rows, rejects = getattr(VENUES[venue], kind)(frames("raw", 0, [value], [0]), InstrumentTable())
    assert [r.data for r in rejects] == [value] and all(len(r) == 0 for r in rows)


def test_an_instrument_is_not_inferred_from_a_frame_that_is_rejected():
    table = InstrumentTable()
    VENUES["binance-usdm"].depth(frames("raw", 0, [DIFF.replace(b'"0.010"', b'"-1"')], [0]), table)
    assert table.rows == []


def test_two_thousand_mutated_frames_become_rows_nothing_or_rejects():
    outcome = fuzz_parsers.run(seed=7, count=2_000)
    assert outcome["rows"] > 500 and outcome["not_json"] > 500
