"""What was planted in a market is found in its rows: Kyle's lambda, the half-life of depth, walls and their ends."""

import json
from statistics import median

import numpy as np
import pytest

from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from models.simulator import market as simulated
from tests.laws.test_market import EVERY, Run
from tests.laws.written import Line
from tests.planted import Planted, ladder, signed_volumes

SEEDS = range(8)
LAMBDA = 0.4
"""Quote per base: a tick of 0.01 for 25 lots of 0.001."""


def with_lambda(seed, seconds=240, noise_ticks=150.0):
    """A market that moves by LAMBDA a unit of signed volume, and by chance."""
    rng, made, centre = np.random.default_rng(1_000 + seed), Planted(), 6_000_000
    made.book(50, ladder(centre - 1, -1), ladder(centre + 1, 1))
    for second, lots in enumerate(signed_volumes(seed, seconds)):
        at = 1_000 * (second + 1)
        if lots:
            made.trade(at + 300, centre + (1 if lots > 0 else -1), abs(lots), 1 if lots > 0 else -1)
        centre += round(100 * LAMBDA * lots / 1000 + noise_ticks * rng.normal())
        made.book(at + 600, ladder(centre - 1, -1), ladder(centre + 1, 1))
    return made.rows("features_tape")[-1]


def test_a_planted_kyle_lambda_lies_in_the_stated_interval_and_within_three_of_its_errors():
    found = [with_lambda(seed) for seed in SEEDS]
    for row in found:
        error = (row["kyle_lambda_high"] - row["kyle_lambda_low"]) / 2 / 1.97
        assert abs(row["kyle_lambda"] - LAMBDA) < 3 * error
        assert error < 0.06 * LAMBDA
    covered = sum(r["kyle_lambda_low"] <= LAMBDA <= r["kyle_lambda_high"] for r in found)
    assert covered >= len(found) - 1, "of eight intervals of 95 % two miss in one run of twenty"


@pytest.mark.parametrize("planted_s", [2.0, 7.5, 30.0])
def test_a_planted_half_life_of_depth_is_recovered_to_a_pane(planted_s):
    made, centre = Planted(), 6_000_000
    asks = ladder(centre + 1, 1)
    for second in range(75):
        made.book(1_000 * second + 500, ladder(centre - 1, -1), asks)
    for second in range(int(3 * planted_s) + 4):
        left = 1 - 0.7 * 0.5 ** (second / planted_s)
        made.book(75_500 + 1_000 * second, ladder(centre - 1, -1, lots=round(5_000 * left)), asks)
    last = made.rows("features_liquidity")[-1]
    assert last["bid_depth_half_life_s"] == pytest.approx(planted_s, abs=1.0)
    assert last["ask_depth_half_life_s"] is None


def test_what_changed_behind_a_gap_that_is_over_within_its_pane_is_no_shock_no_pulled_wall_and_no_impact():
    """The snapshot that ends a gap comes within a second of it, so the book is trusted at the end of every pane."""
    made, centre = Planted(), 6_000_000
    bids, asks = ladder(centre - 1, -1), ladder(centre + 1, 1)
    for second in range(90):
        made.book(1_000 * second + 500, bids | {centre - 10: 500_000 + second}, asks)
        if second:
            made.trade(1_000 * second + 200, centre + 1, 1_000 + 10 * (second % 7), 1)
    moved = centre + 20_000
    made.trade(90_200, centre - 1, 1_000, -1)
    made.gap(90_500, ladder(moved - 1, -1, lots=100), ladder(moved + 1, 1))
    for second in range(91, 100):
        made.book(1_000 * second + 500, ladder(moved - 1, -1, lots=25_000 + second), ladder(moved + 1, 1))
        made.trade(1_000 * second + 200, moved + 1, 1_000, 1)
    rows = made.rows("features_liquidity")
    assert rows[-1]["bid_depth_half_life_s"] is None
    assert [r["what"] for r in made.rows("walls")] == ["appeared"]
    tape, other = made.rows("features_tape")[-1], made.rows("features_efficiency")
    assert tape["kyle_lambda"] == pytest.approx(0.0, abs=1e-9), "the mid never moved while it was known"
    assert sum(r["absorbed_sell_volume_base"] for r in other) == 0.0, "whether the mid fell with the sale is not known"


def test_costs_are_not_measured_by_a_mid_of_which_a_gap_shows_later_that_it_stood_still_unknown():
    """No message of the book from 10.5 s to 14.5 s; a trade a second to 20.2 s, each at the mid of half a second before."""
    made, centre = Planted(), 6_000_000
    for second in range(90):
        here = centre + 1_000 * max(second - 10, 0)
        if 1 <= second <= 20:
            made.trade(1_000 * second + 200, here + 1, 1_000, 1)
        if second == 14:
            made.gap(14_500, ladder(here - 1, -1), ladder(here + 1, 1))
        elif not 10 < second < 14:
            made.book(1_000 * second + 500, ladder(here - 1, -1), ladder(here + 1, 1))
    measured = {r["window_start"]: r["measured_trades"] for r in made.rows("features_costs")}
    by_hand = [1, 2, 3, 4, 5, 15, 16, 17, 18, 19, 20]  # 6 to 9: the mid 5 s later, 10 to 13: 1 s, 11 to 14: before
    assert [1 + (t - min(measured)) // 1_000 for t, n in sorted(measured.items()) if n] == by_hand


@pytest.mark.parametrize("planted_s", [2.0, 7.5, 30.0])
def test_a_planted_half_life_of_the_spread_is_recovered_to_a_pane(planted_s):
    made, centre = Planted(), 6_000_000
    for second in range(75):
        made.book(1_000 * second + 500, ladder(centre - 1, -1), ladder(centre + 1, 1))
    for second in range(int(3 * planted_s) + 4):
        wider = round(2_000 * 0.5 ** (second / planted_s))
        made.book(75_500 + 1_000 * second, ladder(centre - 1, -1), ladder(centre + 1 + wider, 1))
    assert made.rows("features_liquidity")[-1]["spread_half_life_s"] == pytest.approx(planted_s, abs=1.0)


def with_walls(seed, count=12, seconds=60):
    """Depth of the simulated market, decoded, and walls to plant: (side, price in ticks, from ms, to ms).

    They stand where nothing else ever does: the simulator uses one price in thirty.
    """
    told = Simulated(seed=seed, symbols=("BTCUSDT",), seconds=seconds, traders=60, warm_up_s=60, accounts=0,
                     levels=200, snapshot_every_s=3600, intensity=16)  # fmt: skip
    frames = [(f, json.loads(f.data)) for f in simulated(told) if f.kind == "depth"]
    first = next(d for _, d in frames if "lastUpdateId" in d)
    mid = 5 * (float(first["bids"][0][0]) + float(first["asks"][0][0]))
    used = {round(10 * float(p)) for _, d in frames for side in "ba" for p, _ in d.get("data", {}).get(side, [])}
    used |= {round(10 * float(p)) for side in ("bids", "asks") for p, _ in first[side]}
    rng, walls = np.random.default_rng(seed), []
    for n in range(count):
        side, away = n % 2, rng.uniform(15, 60)
        ticks = round(mid * (1 + (2 * side - 1) * away / 1e4))
        while ticks in used:
            ticks += 1
        begins = first["T"] + int(rng.uniform(2_000, 1_000 * seconds - 20_000))
        walls.append((side, ticks, begins, begins + int(rng.uniform(5_000, 12_000))))
    return told, frames, walls


def lines_with(frames, walls, lots):
    """The frames as lines; a wall is told of with the first change after it came and after it went."""
    out, standing = [], set()
    for f, data in frames:
        change = json.loads(f.data).get("data")
        for wall in walls if change else ():
            side, ticks, begins, ends = wall
            there = begins <= change["T"] < ends
            if there != (wall in standing):
                change["ba"[side]].append([f"{ticks / 10:.1f}", f"{lots / 1000:.3f}" if there else "0"])
                standing ^= {wall}
        told = json.dumps({**data, "data": change} if change else data).encode()
        out.append(Line(f.kind, f.received_ns, told, None if change else f.symbol))
    return out


def stood_out(lines, side, ticks, at_ms):
    """Whether a level was at least three times the median of its side's within 100 bps, at these times."""
    book, seen = ({}, {}), []
    times = iter(sorted(at_ms))
    due = next(times)
    for told in lines:
        data = json.loads(told.data)
        change = data.get("data", data)
        while change["T"] > due:
            mid = 5 * (max(book[0]) + min(book[1]))
            near = [q for p, q in book[side].items() if abs(10 * p - mid) <= mid / 100]
            seen.append(book[side].get(ticks / 10, 0) >= 3 * median(near))
            due = next(times, None)
            if due is None:
                return all(seen)
        for held, levels in zip(
            book, (change.get("bids", change.get("b")), change.get("asks", change.get("a"))), strict=True
        ):
            held |= {float(p): float(q) for p, q in levels}
            for p in [p for p, q in held.items() if not q]:
                del held[p]
    return False


@pytest.fixture(scope="module", params=[1, 2, 3])
def walled(request):
    """Rows of walls of a simulated market, its lines, and the walls that were planted in it: 60 BTC each."""
    told, frames, walls = with_walls(request.param)
    lines = lines_with(frames, walls, 60_000)
    run = Run("binance-usdm", lines, {r.symbol: r for r in listed(told)}, EVERY).end()
    assert not any(run.rejects.values())
    rows = [r | {"at": (int(r["side"] == "ask"), round(10 * r["price"]))} for r in run.decoded("walls")]
    return rows, lines, walls


def test_every_planted_wall_is_found_when_it_is_two_seconds_old_and_its_end_is_told(walled):
    rows, _, walls = walled
    for side, ticks, begins, ends in walls:
        of = [r for r in rows if r["at"] == (side, ticks)]
        assert [r["what"] for r in of] == ["appeared", "pulled"]
        assert of[0]["qty_base"] == 60.0
        assert 2_000 <= of[0]["event_time"] - begins <= 3_200
        assert 0 <= of[1]["event_time"] - ends <= 1_200


def test_what_is_called_a_wall_stood_out_for_two_seconds_in_the_true_book(walled):
    rows, lines, _ = walled
    seen = [r for r in rows if r["what"] == "appeared"]
    true = [r for r in seen if stood_out(lines, *r["at"], [r["event_time"] - 1_000 * k for k in range(3)])]
    assert len(seen) > 12
    assert len(true) / len(seen) >= 0.95, "precision"


def spoofed(seed, episodes=8):
    """A market of quiet books; on each side by turns a large bid or ask comes 12 bps behind the best: an honest one that
    stands for 20 to 40 s while its side stays the lighter or the heavier one, or a spoofed one that is gone in 3 to 4 s.
    """
    rng, made, centre, at, truth = np.random.default_rng(seed), Planted(), 6_000_000, 500, {}
    for n in range(2 * episodes):
        spoof, side = bool(n % 2), (n // 2) % 2
        price = centre + (2 * side - 1) * (7_200 + 10 * int(rng.integers(0, 90)))
        stands = int(rng.integers(3, 5)) if spoof else int(rng.integers(20, 41))
        truth[round(price / 100, 2)] = spoof
        heavy = ladder(centre - 1 if side else centre + 1, -1 if side else 1, lots=6_000)
        for k in range(stands + 3):
            mine = ladder(centre + 1 if side else centre - 1, 1 if side else -1, lots=5_000 + int(rng.integers(0, 900)))
            if k < stands:
                mine |= {price: 120_000}
            made.book(at, *((heavy, mine) if side else (mine, heavy)))
            at += 1_000
    return made.rows("walls"), truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_spoofing_is_more_suspicious_than_every_honest_quote_that_is_pulled(seed):
    rows, truth = spoofed(seed)
    found = {r["price"]: r["spoof_suspicion"] for r in rows if r["what"] == "pulled" and r["price"] in truth}
    assert found.keys() == truth.keys()
    assert min(found[p] for p, spoof in truth.items() if spoof) > 0.9
    assert max(found[p] for p, spoof in truth.items() if not spoof) < 0.7
