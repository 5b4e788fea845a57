"""Conversion: what other recorders wrote becomes a capture, every frame of it, in the order of receipt."""

import errno
import gzip
import sys
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.captures.capture import read
from flows.commands.convert import convert as converting
from schemas.venues.registry import VENUES

CRYPTOFEED = Path(__file__).parents[2].parent / "shared" / "captures" / "cryptofeed"
WS = (
    b"wss://fstream.binance.com/stream?streams=a <-> 1626992740.179554\n"
    b'wss://fstream.binance.com/stream <- 1626992740.2: {"method":"SUBSCRIBE"}\n'
    b'1626992741.06217: {"stream":"akrousdt@bookTicker","data":{"e":"bookTicker","s":"AKROUSDT"}}\n'
    b'1626992741.5: {"stream":"akrousdt@aggTrade","data":{"e":"aggTrade","E":1626992741400,"s":"AKROUSDT"}}\n'
)
HTTP = (
    b'https://fapi.binance.com/fapi/v1/exchangeInfo -> 1626992740.1: {"symbols":[]}\n'
    b"https://fapi.binance.com/fapi/v1/depth?symbol=AKROUSDT&limit=1000 -> 1626992741.301402: "
    b'{"lastUpdateId":7,"bids":[],"asks":[]}\n'
    b'https://fapi.binance.com/fapi/v1/openInterest?symbol=AKROUSDT -> 1626992741.4: {"openInterest":"1","symbol":"AKROUSDT"}\n'
)


def convert(capsys, *words) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["convert", *map(str, words)])
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


def test_files_of_cryptofeed_are_merged_and_a_snapshot_names_its_symbol(capsys, tmp_path):
    (tmp_path / "ws").write_bytes(WS)
    (tmp_path / "http.gz").write_bytes(gzip.compress(HTTP))
    out = tmp_path / "capture.log.gz"
    code, said, _ = convert(capsys, "cryptofeed", tmp_path / "ws", tmp_path / "http.gz", "--out", out)
    assert code == 0
    lines = gzip.decompress(out.read_bytes()).splitlines()
    assert [int(line.split(b" ")[0]) for line in lines] == [
        1626992741062170000, 1626992741301402000, 1626992741400000000, 1626992741500000000
    ]  # fmt: skip
    assert lines[1].endswith(
        b'"akrousdt@depthSnapshot","generated":true,"data":{"lastUpdateId":7,"bids":[],"asks":[]}}'
    )
    assert "4 frames from 2021-07-22T22:25:41.062170000 to 2021-07-22T22:25:41.500000000 UTC" in said
    for left in ("1 openings of a connection", "1 messages sent", "1 answers of /fapi/v1/exchangeInfo"):
        assert f"left out: {left}" in said


def test_a_raw_replay_of_tardis_becomes_a_capture(capsys, tmp_path):
    (tmp_path / "raw").write_bytes(
        b'2019-08-01T00:00:00.1234567Z {"stream":"a"}\n\n'
        b'{"localTimestamp":"2019-08-01T00:00:01Z","message":{"stream":"b"}}\n'
    )
    code, said, _ = convert(capsys, "tardis", tmp_path / "raw", "--out", tmp_path / "out.log")
    assert code == 0
    assert (tmp_path / "out.log").read_bytes() == (
        b'1564617600123456700 {"stream":"a"}\n1564617601000000000 {"stream":"b"}\n'
    )
    assert "left out: 1 disconnects" in said


def test_a_mistake_is_one_line_and_leaves_no_file(capsys, tmp_path):
    (tmp_path / "ws").write_bytes(WS + b"nonsense\n")
    (tmp_path / "empty").write_bytes(b"wss://x <-> 1\n")
    (tmp_path / "there").write_bytes(b"")
    for words, why in (
        (["cryptofeed", tmp_path / "ws", "--out", tmp_path / "o"], "line 5 is not a line of cryptofeed's recorder: b'nonsense'"),
        (["tardis", tmp_path / "ws", "--out", tmp_path / "o"], "line 1 is not a line of Tardis' raw replay"),
        (["cryptofeed", tmp_path / "empty", "--out", tmp_path / "o"], "hold no frames"),
        (["cryptofeed", tmp_path / "none", "--out", tmp_path / "o"], "there is no such file"),
        (["cryptofeed", "--out", tmp_path / "o"], "which files?"),
        (["cryptofeed", tmp_path / "ws", "--out", tmp_path / "there"], "exists already"),
    ):  # fmt: skip
        code, said, err = convert(capsys, *words)
        assert (code, said) == (2, "")
        assert why in err and err.count("\n") == 1
        assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "there", "ws"]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_conversion_that_is_cut_short_leaves_no_part_of_it(monkeypatch, tmp_path, end):
    def some(*_):
        yield 1, b"{}"
        raise end

    (tmp_path / "ws").write_bytes(WS)
    monkeypatch.setattr(sys.modules[converting.__module__], "converted", some)
    with pytest.raises(type(end)):
        converting("cryptofeed", tmp_path / "ws", out=tmp_path / "o")
    assert [p.name for p in tmp_path.iterdir()] == ["ws"]


@pytest.mark.parametrize(
    ("exchange", "venue"), [("BINANCE_FUTURES", "binance-usdm"), ("OKX", "okx-swap"), ("DERIBIT", "deribit")]
)
def test_the_recordings_of_cryptofeed_become_captures_of_their_venues(capsys, tmp_path, exchange, venue):
    files = sorted(CRYPTOFEED.glob(f"{exchange}.*"))
    if not files:
        pytest.skip("needs ../shared/captures/cryptofeed, recordings of another project")
    out = tmp_path / "capture.log.gz"
    code, _, err = convert(capsys, "cryptofeed", *files, "--out", out)
    assert (code, err) == (0, "")
    frames = list(read(out, VENUES[venue]))
    received = sum(line[:1].isdigit() for f in files for line in gzip.decompress(f.read_bytes()).splitlines())
    assert len(frames) >= received > 50
    assert [f.received_ns for f in frames] == sorted(f.received_ns for f in frames)
    assert sum(f.kind is not None for f in frames) > 20
