"""`alphaplus sanity`: quantiles, nulls and forbidden values of small captures, and of planted ones."""

import re

import numpy as np
import pytest

from flows.__main__ import main
from flows.captures.summary import Line, line, lines
from flows.tables import BY_NAME
from operators.published_rows import Published
from operators.venue_market import VenueMarket
from schemas.column import Column
from tests.laws.written import START_MS

BOOK = BY_NAME["features_book"]
SHARE = Column("share", "f8", "", "1", null_when="no trade", low=0, high=1)


def test_nulls_are_counted_and_values_outside_the_bounds_forbidden():
    found = line(SHARE, np.array([0.5, np.nan, -0.1, 0.25, 1.5, np.inf]))
    assert (found.rows, found.nulls, found.forbidden) == (6, 1, 3)
    assert found.quantiles[1] == pytest.approx(0.375)


def test_a_null_is_forbidden_where_the_declaration_names_no_case_for_it():
    always = Column("mid", "f8", "", "quote")
    assert line(always, np.array([1.0, np.nan])) == Line(always, 2, 1, 1, (1.0, 1.0, 1.0))
    assert line(SHARE, np.array([1.0, np.nan])).forbidden == 0


def test_quantiles_are_those_of_numpy_and_there_are_none_of_nothing():
    values = np.random.default_rng(1).random(500)
    assert line(SHARE, values).quantiles == pytest.approx(np.quantile(values, (0.01, 0.5, 0.99)))
    assert np.isnan(line(SHARE, np.array([np.nan])).quantiles).all()


def test_rows_of_other_windows_do_not_count_and_instruments_do_not_mix():
    columns = {"venue": ["v"] * 3, "symbol": ["A", "B", "A"]} | {c.name: np.zeros(3) for c in BOOK.columns[2:]}
    columns |= {"window_ms": np.array([1000, 1000, 60_000]), "mid": np.array([1.0, 2.0, 3.0])}
    told = Published("features_book", ["A"] * 3, ["n"] * 3, [0] * 3, [0] * 3, columns)
    found = lines([told], 1000)
    mids = {who: next(c for c in of if c.column.name == "mid") for (_, who), of in found.items()}
    assert {who: (c.rows, c.quantiles[1]) for who, c in mids.items()} == {"v A": (1, 1.0), "v B": (1, 2.0)}


def test_of_words_the_shares_are_told_but_not_of_those_that_are_all_different():
    n = 13
    columns = {"venue": ["v"] * n, "symbol": ["A"] * n}
    for c in BY_NAME["walls"].columns[2:]:
        columns[c.name] = [""] * n if c.dtype == "str" else np.zeros(n)
    columns |= {"what": ["hit"] * 4 + ["pulled"] * 9, "side": [str(k) for k in range(n)]}
    ((_, told),) = lines([Published("walls", ["A"] * n, ["n"] * n, [0] * n, [0] * n, columns)], 1000).items()
    found = {of.column.name: of.shares for of in told}
    assert found["what"] == (("pulled", 9 / 13), ("hit", 4 / 13))
    assert found["closed_by"] == (("", 1.0),)
    assert "side" not in found
    assert found["price"] == ()


def capture(path, asks):
    """A book and some changes of its best ask, a second apart."""
    book = '{"lastUpdateId":1,"E":%d,"T":%d,"bids":[["99.5","5"]],"asks":[["100.5","5"]]}'
    change = (
        '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":%d,"T":%d,"s":"BTCUSDT","U":%d,"u":%d,"pu":%d,'
        '"b":[],"a":[["100.5","%s"]]}}'
    )
    at = START_MS + 100
    rows = [(at, '{"stream":"btcusdt@depth@snapshot","data":' + book % (at, at) + "}")]
    for n, size in enumerate(asks):
        at += 1000
        rows.append((at, change % (at, at, n + 2, n + 2, n + 1, size)))
    path.write_text("".join(f"{ms * 1_000_000} {data}\n" for ms, data in rows))
    return f"binance-usdm={path}"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["sanity", *arguments])
    return ended.value.code, capsys.readouterr()


def test_what_of_a_capture_could_not_be_used_is_told_with_its_reason(tmp_path, capsys):
    given = capture(tmp_path / "a.log", "1234567890" * 3)
    whole = (tmp_path / "a.log").read_text().splitlines()
    cut = [row[:-5] if n % 3 == 1 else row.replace("100.5", "1x") if n % 3 == 2 else row for n, row in enumerate(whole)]
    (tmp_path / "a.log").write_text("\n".join(cut) + "\n")
    code, said = run(capsys, given, "--table", "features_book")
    assert code == 0
    told = [row for row in said.err.splitlines() if row.startswith("not used: 10 times ")]
    assert len(told) == 2, said.err


def test_the_command_prints_a_line_a_column_and_is_content_with_a_sane_capture(tmp_path, capsys):
    code, said = run(capsys, capture(tmp_path / "a.log", "12345"), "--table", "features_book")
    assert (code, said.err) == (0, "")
    assert "features_book  binance-usdm BTCUSDT" in said.out
    spread = next(row for row in said.out.splitlines() if row.startswith("spread_bps"))
    assert spread.split() == ["spread_bps", "bps", "100", "100", "100"]
    assert re.search(r"^closed_by: .*end \d+\.\d %", said.out, re.MULTILINE)


def test_a_planted_value_out_of_bounds_and_a_planted_null_fail_it_and_are_named(tmp_path, capsys, monkeypatch):
    made = VenueMarket.advance

    def planted(self):
        out = made(self)
        for p in out:
            if p.table == "features_book":
                p.columns["imbalance_1"][:1] = 1.5
                p.columns["gap_ms"][:1] = np.nan
        return out

    monkeypatch.setattr(VenueMarket, "advance", planted)
    code, said = run(capsys, capture(tmp_path / "a.log", "12"), "--table", "features_book")
    assert code == 1
    assert said.err == (
        "alphaplus: features_book binance-usdm BTCUSDT imbalance_1 holds what its declaration forbids"
        " (and 1 more columns)\n"
    )
    assert next(row for row in said.out.splitlines() if row.startswith("gap_ms")).split()[-1] != "0"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "alphaplus: no captures: write VENUE=FILE, e.g. binance-usdm=frames.log.gz"),
        (("--window-ms", "7"), "alphaplus: --window-ms: there are no windows of 7 ms; there are those of "),
        (("--table", "mood"), "alphaplus: there is no table 'mood'; there are: "),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, capsys, arguments, line):
    files = (capture(tmp_path / "a.log", "1"),) if arguments else ()
    code, said = run(capsys, *files, *arguments)
    assert code == 2
    assert said.err.startswith(line) and said.err.count("\n") == 1


@pytest.mark.parametrize(("asks", "more", "why"), [("123", ("--table", "walls"), "no row of walls")])
def test_captures_that_come_to_nothing_are_not_passed_as_sane(tmp_path, capsys, asks, more, why):
    code, said = run(capsys, capture(tmp_path / "a.log", asks), *more)
    assert (code, said.out, said.err.count("\n")) == (1, "", 1)
    assert why in said.err
