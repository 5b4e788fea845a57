"""Captures: the forms of lines, files of one symbol and of several, and files that cannot be read."""

import gzip
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flows.captures.capture import CaptureError, Recorded, places, read, read_records, split
from flows.commands.reasons import Reason, grid
from schemas.venues.registry import VENUES
from tests.venues.samples import SAMPLES

USDM = VENUES["binance-usdm"]
TRADE = b'{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","X":"MARKET","m":true}'
DEPTH = b'{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}'
SNAPSHOT = b'{"lastUpdateId":1,"E":1,"T":1,"bids":[],"asks":[]}'
NS = 1_723_161_255_030_314_667


def file(tmp_path, *lines, name="frames.log"):
    path = tmp_path / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def at(frame, ns=NS):
    return b"%d %b" % (ns, frame)


def refusal(path, venue=USDM):
    with pytest.raises(CaptureError) as caught:
        list(read(path, venue))
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_plain_and_gzip_files_hold_the_same_frames(tmp_path):
    plain = file(tmp_path, at(TRADE), at(DEPTH))
    packed = tmp_path / "frames"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    wanted = [Recorded(NS, "trades", "BTCUSDT", True, TRADE), Recorded(NS, "depth", "BTCUSDT", True, DEPTH)]
    assert list(read(plain, USDM)) == list(read(packed, USDM)) == wanted


def test_empty_lines_and_foreign_line_ends_are_passed_over(tmp_path):
    path = file(tmp_path, b"", at(TRADE) + b"\r", b"\r", at(TRADE))
    assert [r.data for r in read(path, USDM)] == [TRADE, TRADE]


def test_a_frame_of_no_published_kind_is_handed_on_as_such(tmp_path):
    path = file(tmp_path, at(b'{"result":null,"id":1}'), at(b""))
    assert [(r.kind, r.symbol) for r in read(path, USDM)] == [(None, None), (None, None)]


def test_a_snapshot_without_a_symbol_gets_the_only_one_of_the_file(tmp_path):
    path = file(tmp_path, at(SNAPSHOT), at(TRADE))
    assert [(r.kind, r.symbol, r.named) for r in read(path, USDM)] == [
        ("depth", "BTCUSDT", False),
        ("trades", "BTCUSDT", True),
    ]


def test_a_snapshot_without_a_symbol_is_refused_in_a_file_of_two_symbols_or_of_none(tmp_path):
    two = file(tmp_path, at(TRADE), at(TRADE.replace(b"BTC", b"ETH")), at(SNAPSHOT))
    assert refusal(two) == "line 3 names no symbol, and the file's frames are not of one symbol"
    none = file(tmp_path, at(SNAPSHOT), name="none.log")
    assert refusal(none) == "line 1 names no symbol, and the file's frames are not of one symbol"


@pytest.mark.parametrize("data", [b"[]", b'[{"T":1790000000000,"S":"Buy","v":"1","p":"100","i":"c"}]'])
def test_a_frame_that_should_name_a_symbol_and_does_not_costs_no_other_frame(tmp_path, data):
    """One `data: []` among two symbols, and the whole file was refused."""
    row = b'[{"T":1790000000000,"s":"%b","S":"Buy","v":"1","p":"100","i":"a"}]'
    told = b'{"topic":"publicTrade.ETHUSDT","type":"snapshot","ts":1790000000000,"data":%b}'
    path = file(tmp_path, *(at(told % d) for d in (row % b"BTCUSDT", data, row % b"ETHUSDT")))
    got = list(read(path, VENUES["bybit-linear"]))
    assert [(r.symbol, r.problem, r.line) for r in got] == [
        ("BTCUSDT", None, 0),
        (None, "symbol_missing", 2),
        ("ETHUSDT", None, 0),
    ]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"nonsense", "no_receive_time"),
        (b"12 {}", "no_receive_time"),
        (b"%d" % NS, "no_receive_time"),
        (b"99999999999999999999 {}", "no_receive_time"),
        (b"9999999999999 {}", "no_receive_time"),  # more nanoseconds than an integer of 64 bits has
        (b"99999999999.5: {}", "no_receive_time"),
        (b" {}", "no_receive_time"),
        (b"1.5: {}", "no_receive_time"),
        (at(TRADE[:40]), "not_json"),
        (TRADE[:40], "not_json"),
        (at(b"[" * 100_000), "not_json"),
    ],
)
def test_a_line_that_is_no_frame_is_told_by_its_number_and_a_file_of_such_lines_is_refused(tmp_path, bad, problem):
    path = file(tmp_path, at(TRADE), b"", bad, at(TRADE))
    got = list(read(path, USDM))
    assert [r.kind for r in got] == ["trades", None, "trades"]
    assert (got[1].problem, got[1].line, got[1].source, got[1].data) == (problem, 3, path.name, bad)
    assert got[1].received_ns in (NS, 10**6)
    alone = refusal(file(tmp_path, bad, bad, name="bad.log"))
    said = "holds no frames of binance-usdm: line 1 is refused, not_json: "
    said = said if bad.startswith(b"1") else "no line says when it was received"
    assert alone.startswith("line 1 is not a recorded frame: " if problem == "no_receive_time" else said)


def test_the_unit_of_a_receive_time_is_told_by_its_digits_or_named_when_it_cannot_be(tmp_path):
    lines = [b"%d %b" % (NS // unit, TRADE) for unit in (1, 10**3, 10**6, 10**9)]
    got = [r.received_ns for r in read(file(tmp_path, *lines), USDM)]
    assert got == [NS, NS // 10**3 * 10**3, NS // 10**6 * 10**6, NS // 10**9 * 10**9]
    assert "a time of 17 digits is neither nanoseconds (19)" in refusal(file(tmp_path, b"%d %b" % (NS // 100, TRADE)))


def test_a_recording_in_the_raw_form_of_tardis_is_read(tmp_path):
    wrapped = b'{"stream":"btcusdt@depthSnapshot","generated":true,"data":{"lastUpdateId":1,"bids":[],"asks":[]}}'
    path = file(tmp_path, b"2024-08-08T23:54:15.0303146Z " + wrapped, b"", b"2024-08-08T23:54:15Z " + TRADE)
    assert [(r.received_ns, r.kind, r.symbol, r.named) for r in read(path, USDM)] == [
        (1_723_161_255_030_314_600, "depth", "BTCUSDT", True),
        (1_723_161_255_000_000_000, "trades", "BTCUSDT", True),
    ]


def test_a_recording_in_the_form_of_tardis_machine_is_read(tmp_path):
    """tardis-machine, GET /replay: one object a line, an empty line where the connection was lost."""
    line = b'{"localTimestamp":"2024-08-08T23:54:15.0303146Z","message":%b}'
    path = file(tmp_path, line % TRADE, b"", line % b"null", line.replace(b",", b", ") % TRADE)
    assert [(r.received_ns, r.kind, r.symbol, r.data, r.problem) for r in read(path, USDM)] == [
        (1_723_161_255_030_314_600, "trades", "BTCUSDT", TRADE, None),
        (1_723_161_255_030_314_600, None, None, b"", None),
        (1_723_161_255_030_314_600, "trades", "BTCUSDT", TRADE, None),
    ]


@pytest.mark.parametrize(
    ("name", "book", "ordinary"),
    [
        ("bybit-linear", b'{"topic":"orderBookL2_25.BTCUSDT","type":"delta","data":{}}', b'{"topic":"kline.1.X"}'),
        ("bybit-inverse", b'{"topic":"orderBook_200.100ms.BTCUSD","type":"snapshot","data":[]}', b'{"topic":"lt.X"}'),
        ("binance-spot", b'{"id":1,"status":200,"result":{"lastUpdateId":5,"bids":[]}}', b'{"result":null,"id":1}'),
        ("deribit", b'{"id":1,"result":{"bids":[],"asks":[],"change_id":5}}', b'{"id":1,"result":["book.X.raw"]}'),
    ],
)
def test_a_book_in_a_form_that_is_not_read_is_a_reject_and_not_one_of_those_of_no_use(tmp_path, name, book, ordinary):
    """Bybit before v5, an answer of Binance's WebSocket API, Deribit's get_order_book: no book came, and nothing said why."""
    got = list(read(file(tmp_path, at(ordinary), at(book)), VENUES[name]))
    assert [(r.kind, bool(r.problem)) for r in got] == [(None, False), (None, True)]


@pytest.mark.parametrize("name", sorted({name for name, kind in SAMPLES if kind == "trades"}))
def test_a_frame_in_a_wrapping_that_nobody_knows_is_a_reject_and_does_not_vanish(tmp_path, name):
    """One written as `{"recv":..,"msg":..}`, or two as a pair with its time, was counted among those of no use."""
    venue = VENUES[name]
    whole = next(f for (of, kind), some in SAMPLES.items() if of == name for f in some if venue.kind_of(f) == "trades")
    path = file(tmp_path, at(whole), at(b'{"recv":5,"msg":%b}' % whole), at(b"[5,%b]" % whole), at(whole))
    got = list(read(path, venue))
    assert [(bool(r.kind), bool(r.problem), r.line) for r in got] == [
        (True, False, 0),
        (False, True, 2),
        (False, True, 3),
        (True, False, 0),
    ]


def test_first_lines_without_a_time_get_the_first_that_is_told_and_never_that_of_today(tmp_path):
    bare = b'{"lastUpdateId":1,"bids":[],"asks":[]}'
    own = TRADE.replace(b'"E":1', b'"E":1733011200691')
    times = [r.received_ns for r in read(file(tmp_path, bare, bare, own, bare), USDM)]
    assert times == [1_733_011_200_691_000_000] * 4
    assert refusal(file(tmp_path, bare, TRADE)).startswith("no line says when it was received")


def test_a_frame_of_several_instruments_is_handed_on_as_one_each(tmp_path):
    two = b'{"stream":"!markPrice@arr","data":[%b,%b]}' % tuple(
        b'{"e":"markPriceUpdate","E":1,"s":"%b","p":"1"}' % s for s in (b"BTCUSDT", b"ETHUSDT")
    )
    assert [(r.kind, r.symbol) for r in read(file(tmp_path, at(two)), USDM)] == [
        ("derivatives", "BTCUSDT"),
        ("derivatives", "ETHUSDT"),
    ]


def test_a_file_without_frames_is_refused(tmp_path):
    assert refusal(file(tmp_path)) == "holds no frames"
    assert refusal(file(tmp_path, b"", b"")) == "holds no frames"


def test_a_gzip_file_that_breaks_off_is_refused_after_the_lines_before(tmp_path):
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(b"".join(at(TRADE, NS + i * 7919) + b"\n" for i in range(3000)))[:-40])
    assert refusal(path).startswith("unreadable after line ")


def test_a_gzip_file_with_a_wrong_byte_or_something_after_it_is_refused(tmp_path):
    good = bytearray(gzip.compress(at(TRADE) + b"\n"))
    wrong = tmp_path / "wrong.gz"
    wrong.write_bytes(bytes(good[:-8]) + b"\0\0\0\0" + bytes(good[-4:]))
    assert refusal(wrong).startswith("unreadable after line 1: ")
    longer = tmp_path / "longer.gz"
    longer.write_bytes(bytes(good) + b"something")
    assert refusal(longer).startswith("unreadable after line 1: ")


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    assert refusal(tmp_path) == "unreadable after line 0: Is a directory"
    assert refusal(tmp_path / "none") == "unreadable after line 0: No such file or directory"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b'1652459224: {"e":1}', (1_652_459_224_000_000_000, b'{"e":1}')),
        (b'1652459224.000000001: {"e":1}', (1_652_459_224_000_000_001, b'{"e":1}')),
        (b'{"E":1733011200691}', (1_733_011_200_691_000_000, b'{"E":1733011200691}')),
        (b'{"x":"ts","ts": "1733011200691"}', (1_733_011_200_691_000_000, b'{"x":"ts","ts": "1733011200691"}')),
        (b"[1]", (42, b"[1]")),
        (b"pong", None),
        (b"", None),
    ],
)
def test_the_other_forms_of_lines_are_read_and_nothing_else(line, wanted):
    assert split(line, 42) == wanted


@given(st.integers(10**17, 2**63 - 1), st.binary(max_size=40))
def test_what_is_written_as_a_line_is_read_back_byte_for_byte(ns, frame):
    assert split(at(frame, ns), 0) == (ns, frame)


def test_a_frame_is_found_again_by_file_and_line_and_the_table_of_reasons_says_so(tmp_path):
    first = file(tmp_path, at(TRADE), b"", at(DEPTH), at(DEPTH))
    second = file(tmp_path, at(SNAPSHOT), at(TRADE), name="more.log")
    told = places([first, second], [DEPTH, SNAPSHOT, b"{}"])
    assert told == {DEPTH: "frames.log:3", SNAPSHOT: "more.log:1"}
    rows = [Reason("market", "raw.depth.binance-usdm", 2, 1, 7, "off_tick", f) for f in (DEPTH, b"{}")]
    assert list(grid(rows, told).columns[3].cells) == ["frames.log:3", "raw.depth.binance-usdm[1] offset 7"]
    narrow = Console(width=60, file=StringIO())
    narrow.print(grid(rows, {DEPTH: "a_long_name_of_a_recording.log:48151623"}))
    assert "\N{HORIZONTAL ELLIPSIS}" not in narrow.file.getvalue().replace(" ", "")


def test_an_account_record_with_a_time_of_no_unit_is_refused_by_naming_its_digits(tmp_path):
    path = file(tmp_path, b"%d {}" % (NS // 100))
    with pytest.raises(CaptureError, match="a time of 17 digits is neither nanoseconds"):
        list(read_records(path))


def test_what_a_killed_recorder_left_is_told_from_a_damaged_file_and_how_to_save_it(tmp_path):
    whole = gzip.compress(file(tmp_path, *[at(TRADE)] * 500).read_bytes())
    (cut := tmp_path / "cut.log.gz").write_bytes(whole[:-9])
    assert refusal(cut).endswith(
        f": its end is missing: the recorder was killed, or still writes; `gzip -dc {cut}` gives what there is"
    )


@pytest.mark.parametrize(
    ("name", "begins"), [("zstd", b"\x28\xb5\x2f\xfd\x04"), ("lz4", b"\x04\x22\x4d\x18\x64"), ("bzip2", b"BZh91AY")]
)
def test_a_file_that_is_packed_otherwise_is_told_so_instead_of_its_bytes(tmp_path, name, begins):
    path = tmp_path / "frames.log.packed"
    path.write_bytes(begins + bytes(range(256)))
    assert refusal(path) == f"is packed by {name}, and plain text and gzip are read: unpack it first"
