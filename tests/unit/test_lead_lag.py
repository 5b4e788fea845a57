"""Lead-lag: a planted delay is found with its sign, and every correlation is that of all pairs of moves, one by one."""

import gzip
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from operators.book.lead_lag import LAGS_MS, LEAD_LAG, LEAST
from operators.operator_states import Running

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
MS = 1_000_000
VENUES = ("a", "b", "c")


def panes(books, base_ms, n):
    """Of one asset: `books` are lists of (time in ms, mid), in force from then on; a row a pane."""
    end = base_ms * np.arange(1, n + 1)
    out = {"instrument": np.zeros(n, np.int64), "pane_end_ns": end * MS}
    mids, times = np.full((n, len(books)), np.nan), np.zeros((n, len(books)), np.int64)
    for b, told in enumerate(books):
        at = np.array([t for t, _ in told])
        row = np.searchsorted(at, end, side="right") - 1
        there = row >= 0
        mids[there, b] = np.array([m for _, m in told])[row[there]]
        times[there, b] = at[row[there]] * MS
    return out | {
        "book_number": np.where(times > 0, 10 + np.arange(len(books)), -1),
        "book_venue": np.tile(np.array(VENUES[: len(books)]), (n, 1)),
        "book_symbol": np.tile(np.array(["X"] * len(books)), (n, 1)),
        "book_live": np.where(times > 0, 1, 0),
        "book_gap_ns": np.zeros((n, len(books)), np.int64),
        "book_last_event_ns": times,
        "book_mid": mids,
        "book_best_bid": mids - 0.5,
        "book_best_ask": mids + 0.5,
    }


def rows(given):
    running = Running((LEAD_LAG,))
    running.grow(1)
    found = running.rows(given)["lead_lag"]
    return [{n: c[i].item() for n, c in found.items()} for i in range(len(found["row"]))]


def walk(seed, n, every_ms=100, offset_ms=0):
    rng = np.random.default_rng(seed)
    mid = 1_000 * np.exp(np.cumsum(rng.normal(0, 1e-4, n)))
    return [(offset_ms + every_ms * (k + 1), m) for k, m in enumerate(mid.tolist())]


@pytest.mark.parametrize("delay_ms", [0, 200, 500, 1_000])
@pytest.mark.parametrize("first_leads", [True, False])
def test_a_planted_delay_is_found_with_its_sign(delay_ms, first_leads):
    leader = walk(3, 1_800)
    follower = [(t + delay_ms, m) for t, m in leader]
    pair = (leader, follower) if first_leads else (follower, leader)
    found = rows(panes(pair, 100, 1_800))
    assert len(found) == 3
    for row in found:
        assert (row["venue"], row["other_venue"]) == ("a", "b")
        assert row["lead_ms"] == (delay_ms if first_leads else -delay_ms)
        assert row["correlation"] > 0.9
        if delay_ms:
            assert (row["lead_lag_ratio"] > 5) == first_leads


def recorded(name):
    """The mids of a capture's bookTicker where they moved, by the recorder's clock in ms."""
    file = CAPTURES / name
    if not file.is_file():
        pytest.skip(f"no {name}: put the recorded frames into {CAPTURES}")
    out = []
    with gzip.open(file, "rb") as lines:
        for line in lines:
            if b"@bookTicker" in line:
                received_ns, data = line.split(b" ", 1)
                told = msgspec.json.decode(data)["data"]
                mid = (float(told["b"]) + float(told["a"])) / 2
                if not out or out[-1][1] != mid:
                    out.append((int(received_ns) // MS, mid))
    return out


def test_the_recorded_perpetual_leads_spot_by_no_more_than_200_ms_as_is_known_of_bitcoin():
    # Alexander & Heck (2020), J. of Financial Stability 50: unregulated perpetuals lead the price discovery of bitcoin
    both = [recorded(f"binance_{market}_btcusdt_20240808.log.gz") for market in ("usdm", "spot")]
    start = min(told[0][0] for told in both) // 60_000 * 60_000
    found = rows(panes([[(t - start, m) for t, m in told] for told in both], 100, 3_600))
    assert len(found) >= 5
    assert np.median([r["correlation"] for r in found]) > 0.5
    assert np.median([r["lead_lag_ratio"] for r in found]) > 1, "the first book is the perpetual"
    assert 0 <= np.median([r["lead_ms"] for r in found]) <= 200


def test_panes_of_a_second_still_tell_a_delay_of_a_second_and_who_leads_at_half_of_one():
    leader = walk(4, 6_000)
    for delay_ms in (500, 1_000):
        found = rows(panes((leader, [(t + delay_ms, m) for t, m in leader]), 1_000, 600))
        assert np.median([r["lead_ms"] for r in found]) > 0
        assert np.median([r["lead_lag_ratio"] for r in found]) > 1


def test_books_that_move_at_once_lead_by_nothing_also_where_panes_tell_no_shorter_lag_apart():
    moved = walk(10, 300, every_ms=2_000)
    told = [(t + later, m) for t, m in moved for later in (0, 1_000)]
    found = rows(panes((told, told), 1_000, 600))[1:]
    assert {r["moves"] for r in found} == {LEAST}
    assert {r["correlation"] for r in found} == {r["correlation_at_once"] for r in found}
    assert [r["lead_ms"] for r in found] == [0] * len(found)


def test_a_lead_is_a_lag_seen_from_the_other_book():
    pair = walk(5, 1_800), walk(6, 1_800, offset_ms=37)
    for one, other in zip(rows(panes(pair, 100, 1_800)), rows(panes(pair[::-1], 100, 1_800)), strict=True):
        assert one["lead_ms"] == -other["lead_ms"]
        assert one["correlation"] == pytest.approx(other["correlation"], rel=1e-9)
        assert one["lead_lag_ratio"] == pytest.approx(1 / other["lead_lag_ratio"], rel=1e-9)


def test_too_few_moves_are_null_and_a_book_alone_has_no_row():
    few = [(2_000 * (k + 1), 100.0 + k % 2) for k in range(LEAST - 1)]
    (row,) = rows(panes((walk(7, 600), few), 100, 600))
    assert math.isnan(row["lead_ms"]) and math.isnan(row["correlation"]) and math.isnan(row["lead_lag_ratio"])
    assert (row["moves"], row["other_moves"]) == (581, LEAST - 2), (
        "and those before the other book was there do not count"
    )
    assert rows(panes((walk(7, 600),), 100, 600)) == []


def test_a_book_that_was_alone_moves_on_from_where_it_was_when_another_is_seen():
    told = walk(12, 600)
    (row,) = rows(panes((told, [(t, m) for t, m in told if t > 30_000]), 100, 600))
    assert (row["moves"], row["other_moves"]) == (300, 299), "the first of 300 ends where the other book is first known"
    squares = np.diff(np.log([m for _, m in told])) ** 2
    wanted = squares[300:].sum() / math.sqrt(squares[299:].sum() * squares[300:].sum())
    assert row["correlation"] == pytest.approx(wanted, rel=1e-9)
    late = [(t + 500, m) for t, m in told if t > 30_000]
    (row,) = rows(panes((told, late), 100, 600))
    assert row["lead_ms"] == 500, "what follows the first book's moves of before is met by them"
    assert row["correlation"] == pytest.approx(
        squares[300:594].sum() / math.sqrt(squares[304:599].sum() * squares[300:594].sum()), rel=1e-9
    )


def test_no_move_is_made_over_a_gap_that_is_over_within_its_pane():
    given_rows = panes((walk(8, 600), walk(9, 600)), 100, 600)
    (whole,) = rows(given_rows)
    given_rows["book_gap_ns"][250, 1] = 1
    (broken,) = rows(given_rows)
    assert (broken["moves"], broken["other_moves"]) == (whole["moves"], whole["other_moves"] - 1)


@pytest.mark.parametrize("away", ["silent", "untrusted", "silent, then a gap"])
def test_moves_while_the_other_book_is_away_say_nothing_of_how_far_they_go_together(away):
    told = walk(11, 600)
    given_rows = panes((told, told), 100, 600)
    gone = np.arange(600) >= 300
    if away == "untrusted":
        given_rows["book_live"][gone, 1] = 0
    else:
        given_rows["book_last_event_ns"][gone, 1] = 30_000 * MS
        for name in ("book_mid", "book_best_bid", "book_best_ask"):
            given_rows[name][gone, 1] = given_rows[name][299, 1]
    if away == "silent, then a gap":
        back = panes((told, told), 100, 600)
        for name in ("book_last_event_ns", "book_mid", "book_best_bid", "book_best_ask"):
            given_rows[name][500:, 1] = back[name][500:, 1]
        given_rows["book_gap_ns"][500, 1] = 20_000 * MS
    (row,) = rows(given_rows)
    silent, again = (0 if away == "untrusted" else 49), (100 if "gap" in away else 0)
    assert (row["moves"], row["other_moves"]) == (299 + silent + again, 299 + max(0, again - 1))
    squares = np.diff(np.log([m for _, m in told])) ** 2
    counted = squares[: 299 + silent].sum() + (squares[499:].sum() if again else 0.0)
    both = squares[:299].sum() + (squares[500:].sum() if again else 0.0)
    assert row["lead_ms"] == 0
    assert row["correlation"] == pytest.approx(both / math.sqrt(counted * both), rel=1e-9)


def naive(one, other, base_ms, end_ms, lag_ms):
    """The sum over all pairs of moves whose times overlap, the second book's taken `lag_ms` earlier; the sums of squares.

    A book is known at the ends of panes less than 5 s after its last message; a move counts where the other is.
    """

    def moves(told):
        last, known, out = None, {}, []
        for end in range(base_ms, end_ms + 1, base_ms):
            before = [(t, m) for t, m in told if t <= end]
            known[end] = bool(before) and end - before[-1][0] < 5_000
            if known[end] and last and before[-1][0] > last[0] and before[-1][1] != last[1]:
                out.append((end, last[0], before[-1][0], math.log(before[-1][1] / last[1])))
            last = before[-1] if known[end] else None
        return out, known

    (xs, x_known), (ys, y_known) = moves(one), moves(other)
    total = sum(
        x * y
        for x_end, s0, s1, x in xs
        for y_end, t0, t1, y in ys
        if s0 < t1 - lag_ms and t0 - lag_ms < s1 and (y_known[x_end] if x_end >= y_end else x_known[y_end])
    )
    return total, [sum(m[3] ** 2 for m in made if known[m[0]]) for made, known in ((xs, y_known), (ys, x_known))]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([100, 500, 1_000]), st.integers(0, 60), st.sampled_from([120, 590]))
@example(seed=1, base_ms=100, cut=30, first_told=590)  # of what met a move of 5 s of the slow book the last 3 s counted
def test_every_correlation_is_that_of_all_pairs_of_moves_however_the_log_was_cut(seed, base_ms, cut, first_told):
    rng = np.random.default_rng(seed)
    books = []
    for told in (first_told, 90):
        at = np.sort(rng.choice(np.arange(1, 60_000), told, replace=False))
        books.append([*zip(at.tolist(), (1_000 + rng.integers(-3, 4, told)).tolist(), strict=True)])
    given_rows = panes(books, base_ms, 60_000 // base_ms)
    running, said = Running((LEAD_LAG,)), []
    running.grow(1)
    for part in (slice(None, cut), slice(cut, None)):
        said.append(running.rows({n: c[part] for n, c in given_rows.items()})["lead_lag"])
    (row,) = [{n: c[i].item() for n, c in s.items()} for s in said for i in range(len(s["row"]))]
    assume(min(row["moves"], row["other_moves"]) >= LEAST)
    wanted = []
    for lag in LAGS_MS:
        total, (xx, yy) = naive(*books, base_ms, 60_000, lag)
        wanted.append(total / math.sqrt(xx * yy))
    assert row["correlation_at_once"] == pytest.approx(wanted[LAGS_MS.index(0)], rel=1e-9, abs=1e-12)
    assert abs(row["correlation"]) == pytest.approx(max(map(abs, wanted)), rel=1e-9)
    ahead, behind = (sum(w * w for w, lag in zip(wanted, LAGS_MS, strict=True) if lag * way > 0) for way in (1, -1))
    assert row["lead_lag_ratio"] == pytest.approx(ahead / behind, rel=1e-8)
