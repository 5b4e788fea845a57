"""Liquidity walls: the modified z-score by hand and against numpy, and the life of a wall from pane to pane."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.level_sizes import LEAST_LEVELS, SAMPLE, spread
from operators.book.walls import QUANTILE, TIME_CONSTANT_NS, WALLS, WATCHED
from operators.operator_states import Running

SECOND_NS = 10**9
PLAIN = [(1000 - k, 5 + k % 2) for k in range(20)]


def books(*sides, live=True):
    """One closing a second of one instrument, of (bids, asks)."""
    out = {"live": np.full(len(sides), live), "instrument": np.zeros(len(sides), np.int64)}
    out["gap"] = np.zeros(len(sides), np.bool_)
    for s, name in enumerate(("bid", "ask")):
        levels = [level for book in sides for level in book[s]]
        out[f"{name}_starts"] = np.cumsum([0, *(len(b[s]) for b in sides)])
        out[f"{name}_ticks"] = np.array([p for p, _ in levels], np.int64)
        out[f"{name}_lots"] = np.array([q for _, q in levels], np.int64)
    one = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}
    out |= {n: np.full(len(sides), v) for n, v in one.items()} | {"inverse": np.zeros(len(sides), np.bool_)}
    out |= {"reach_low_ticks": np.zeros(len(sides), np.int64), "reach_high_ticks": np.full(len(sides), 2**62)}
    return out


def life(*bids, asks=((1001, 5), (1002, 6), (1003, 5)), gaps=()):
    """What is said of a wall among the bids, second by second; in those of `gaps` the book was not trusted meanwhile."""
    running, said = Running((WALLS,)), []
    running.grow(1)
    for second, levels in enumerate(bids, 1):
        one = books((levels, asks)) | {"pane_end_ns": np.array([second * SECOND_NS]), "gap": np.array([second in gaps])}
        made = running.rows(one)["walls"]
        said += [
            (
                second,
                str(made["what"][i]),
                float(made["price"][i]),
                float(made["qty_base"][i]),
                float(made["age_ms"][i]),
            )
            for i in range(len(made["row"]))
        ]
    return said


def walled(price, size, levels=PLAIN):
    return [(p, size if p == price else q) for p, q in levels]


def test_the_hand_checked_sizes_have_one_wall_of_z_73_5():
    values = np.array([5.0, 6, 4, 5, 7, 5, 6, 60])
    median, scale = np.zeros(1), np.zeros(1)
    spread(values, np.empty(8), np.empty(8), 8, median, scale)
    z = (values - median[0]) / scale[0]
    assert (median[0], round(z[-1], 4), round(abs(z[:-1]).max(), 4)) == (5.5, 73.5205, 2.0235)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_median_and_scale_are_those_of_numpy(sizes):
    values, median, scale = np.array(sizes, np.float64), np.zeros(1), np.zeros(1)
    spread(values, np.empty(len(values)), np.empty(len(values)), len(values), median, scale)
    away = np.abs(values - np.median(values))
    wanted = np.median(away) / 0.6745 if np.median(away) > 0 else 1.253314 * away.mean()
    assert median[0] == np.median(values)
    assert scale[0] == pytest.approx(wanted, rel=1e-12)


def test_a_gap_within_a_pane_forgets_walls_so_that_none_is_pulled_and_those_that_stand_begin_anew():
    assert life(*[walled(995, 60)] * 3, PLAIN, gaps=[4]) == [(3, "appeared", 99.5, 60.0, 2000.0)]
    assert life(*[walled(995, 60)] * 6, gaps=[4])[1:] == [(6, "appeared", 99.5, 60.0, 2000.0)]


def test_a_wall_appears_when_it_is_two_seconds_old_grows_by_a_quarter_and_is_pulled():
    found = life(*[walled(995, 60)] * 3, walled(995, 70), walled(995, 76), PLAIN)
    assert found == [
        (3, "appeared", 99.5, 60.0, 2000.0),
        (5, "grew", 99.5, 76.0, 4000.0),
        (6, "pulled", 99.5, 6.0, 5000.0),
    ]


def test_a_wall_whose_price_the_market_has_passed_is_consumed():
    below = [(p - 10, q) for p, q in PLAIN]
    assert life(*[walled(995, 60)] * 3, below)[-1][:3] == (4, "consumed", 99.5)


def test_a_wall_that_the_market_comes_to_is_hit_and_has_absorbed_what_came_when_the_market_turns():
    at_it = [(p, q) for p, q in PLAIN if p <= 995]
    found = life(*[walled(995, 60)] * 3, *[walled(995, 45, at_it)] * 2, *[walled(995, 35)] * 2, PLAIN)
    assert found == [
        (3, "appeared", 99.5, 60.0, 2000.0),
        (4, "hit", 99.5, 45.0, 3000.0),
        (6, "absorbed", 99.5, 35.0, 5000.0),
        (8, "pulled", 99.5, 6.0, 7000.0),
    ]
    eaten = life(*[walled(995, 60)] * 3, walled(995, 40, at_it), [(p, q) for p, q in PLAIN if p < 995])
    assert [what for _, what, *_ in eaten] == ["appeared", "hit", "consumed"]


def test_a_wall_that_was_never_behind_the_best_price_is_not_hit():
    at_best = walled(1000, 60)
    behind = [(1001, 5), *at_best]
    found = life(*[at_best] * 4, behind, at_best, behind, asks=[(1002, 5)])
    assert [(at, what) for at, what, *_ in found] == [(3, "appeared"), (6, "hit"), (7, "absorbed")]


def test_a_large_level_that_goes_before_two_seconds_was_no_wall():
    assert life(walled(995, 60), walled(995, 60), PLAIN, PLAIN) == []


def test_a_book_that_is_not_live_forgets_its_walls():
    running = Running((WALLS,))
    running.grow(1)
    asks = [(1001, 5), (1002, 6)]
    for second in (1, 2):
        running.rows(books((walled(995, 60), asks)) | {"pane_end_ns": np.array([second * SECOND_NS])})
    running.rows(books(([], []), live=False) | {"pane_end_ns": np.array([3 * SECOND_NS])})
    assert (running.states["walls"]["wall_ticks"] == -1).all()


def test_a_wall_far_below_the_best_fifty_levels_is_found_and_stands_while_prices_come_and_go():
    # the levels of a dense book: fifty of them are half a bp at this price
    dense = [(100_000 - k, 5 + k % 3) for k in range(800)]
    nearer = [(100_300 - k, 5 + k % 3) for k in range(1_100)]
    asks = [(100_400 + k, 5) for k in range(20)]
    found = life(*[walled(99_600, 90, dense)] * 3, *[walled(99_600, 90, nearer)] * 3, dense, asks=asks)
    assert [(at, what, price) for at, what, price, *_ in found] == [(3, "appeared", 9960.0), (7, "pulled", 9960.0)]


def test_a_wall_that_loses_less_than_half_is_one_still_and_what_is_out_of_sight_is_not_told_of():
    assert [w for _, w, *_ in life(*[walled(995, 60)] * 3, walled(995, 31), walled(995, 29))] == ["appeared", "pulled"]
    dense, nearer = ([(top - k, 5 + k % 3) for k in range(800)] for top in (100_000, 100_300))
    found = life(*[walled(99_300, 90, dense)] * 3, nearer, nearer, asks=[(100_400, 5)])
    assert [(at, w) for at, w, *_ in found] == [(3, "appeared")]


def test_of_many_large_levels_the_four_largest_are_watched():
    many = [(p, 50 + 10 * (p % 20) if p % 2 and p > 19_990 else 5) for p in range(20_000, 19_800, -1)]
    found = life(*[many] * 3, asks=[(20_001, 5)])
    assert {price for _, _, price, *_ in found} == {1999.9, 1999.7, 1999.5, 1999.3}
    larger = [(p, 900 if p == 19_901 else q) for p, q in many]
    assert [(what, price) for _, what, price, *_ in life(*[many] * 3, *[larger] * 3, asks=[(20_001, 5)])][4:] == [
        ("outgrown", 1999.3),
        ("appeared", 1990.1),
    ]
    assert WATCHED == 4


def naive(seconds, asks):
    """The rows of the bid side, from dicts and sorted lists alone; nothing but `asks` stands on the other."""
    floor, watched, rows = None, {}, []
    for now, bids in enumerate(seconds, 1):
        half = bids[0][0] + asks[0][0]
        near = {p: (q, p * q) for p, q in bids if 10_000 * abs(2 * p - half) <= 100 * half}
        sizes = [n for _, n in near.values()]
        sizes = sizes[:: next(k for k in (1, 3, 7, 9) if k * SAMPLE >= len(sizes))]
        large = math.inf
        before = floor
        if len(sizes) >= LEAST_LEVELS:
            middle = median(sizes)
            mad = median([abs(n - middle) for n in sizes])
            scale = mad / 0.6745 if mad else 1.253314 * sum(abs(n - middle) for n in sizes) / len(sizes)
            floor = sorted(sizes)[int(QUANTILE * (len(sizes) - 1))] if floor is None else floor
            large = max(floor, middle + 3.5 * scale) if scale else math.inf
        for price in [*watched]:
            here, (since, lots, told, met) = dict(bids).get(price, 0), watched[price]
            place = "at it" if price == bids[0][0] else "behind"
            if 10_000 * abs(2 * price - half) > 100 * half or (not told and near.get(price, (0, -1))[1] < large):
                del watched[price]
            elif not told:
                watched[price] = (since, here, now - since >= 2, met or (place == "behind" and place))
                rows += [(now, "appeared", price)] if now - since >= 2 else []
            elif here > 1.25 * lots:
                watched[price] = (since, here, True, met or (place == "behind" and place))
                rows.append((now, "grew", price))
            elif here < 0.5 * lots:
                del watched[price]
                rows.append((now, "consumed" if bids[0][0] < price else "pulled", price))
            elif met and met != place:
                watched[price] = (since, lots, True, place)
                rows.append((now, "hit" if place == "at it" else "absorbed", price))
            else:
                watched[price] = (since, lots, True, met or (place == "behind" and place))
        for price, (lots, notional) in near.items():
            if notional < large or price in watched:
                continue
            if len(watched) == WATCHED:
                its, least = min(((1.25 if told else 1) * q, p) for p, (_, q, told, _) in watched.items())
                if its >= lots:
                    continue
                rows += [(now, "outgrown", least)] if watched[least][2] else []
                del watched[least]
            watched[price] = (now, lots, False, False)
        if sizes and len(sizes) >= LEAST_LEVELS:
            below = sum(n < floor for n in sizes) / len(sizes)
            if before is not None:
                floor *= math.exp((QUANTILE - below) * SECOND_NS / TIME_CONSTANT_NS)
    return rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.dictionaries(st.integers(0, 24), st.sampled_from([0, 35, 50, 61, 80, 97]), max_size=6),
        ),
        min_size=4,
        max_size=12,
    )
)
def test_the_rows_of_walls_are_those_of_following_each_level_by_itself(drawn):
    seconds, asks = [], [(1_040, 5)]
    for shift, changed in drawn:
        # No two sizes are equal, so which of two equal ones is watched does not come into it.
        sizes = {1_030 + shift - k: 5 + k % 3 for k in range(26)}
        sizes |= {1_030 - k: q + k / 32 for k, q in changed.items() if 1_030 - k in sizes}
        seconds.append([(p, round(32 * q)) for p, q in sorted(sizes.items(), reverse=True) if q])
    found = [(at, what, round(10 * price)) for at, what, price, *_ in life(*seconds, asks=asks)]
    assert sorted(found) == sorted(naive(seconds, asks))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_the_rows_of_walls_of_a_deep_book_are_too(seed):
    rng, asks, seconds = np.random.default_rng(seed), [(100_040, 5)], []
    lots = np.round(1e6 * np.exp(rng.normal(0, 0.7, 900))).astype(int)
    for _ in range(7):
        changed = rng.integers(0, 900, 30)
        lots[changed] = np.round(1e6 * np.exp(rng.normal(0.5, 1.2, 30))).astype(int)
        seconds.append([(100_030 - k, int(q)) for k, q in enumerate(lots)])
    found = [(at, what, round(10 * price)) for at, what, price, *_ in life(*seconds, asks=asks)]
    assert sorted(found) == sorted(naive(seconds, asks))
    assert found


def pulled(wall_lots=60, stood_s=3, at=997, others=5, asks=6):
    """The suspicion of a wall among the bids that is pulled when it has stood so long; asks of so many levels."""
    running = Running((WALLS,))
    running.grow(1)
    plain = [(1000 - k, others + k % 2) for k in range(20)]
    side = [(1001 + k, 5) for k in range(asks)]
    for second in range(1, stood_s + 2):
        levels = walled(at, wall_lots, plain) if second <= stood_s else plain
        one = books((levels, side)) | {"pane_end_ns": np.array([second * SECOND_NS])}
        made = running.rows(one)["walls"]
    assert made["what"].tolist() == ["pulled"]
    return made["spoof_suspicion"][0]


def test_the_suspicion_of_a_pulled_wall_by_hand():
    # 20 bids of 5 and 6 lots from 100.0 down, mid 100.05: within 50 bps stand 27 lots of them, and 25 of the asks
    assert pulled(asks=5) == pytest.approx(2 / 3), "quick, but with it or without it there is more among the bids"
    assert pulled(asks=9) == pytest.approx(2 / 3), "only five levels of the asks are near enough to count"
    assert pulled(stood_s=9) == pytest.approx(1 / 3), "neither quick nor leaning"
    assert pulled(at=992) == 0.0, "more than 50 bps away"
    assert pulled(at=1000) == 0.0, "at the best price it may have been filled"


def test_a_wall_that_made_its_side_the_heavier_one_and_is_gone_in_three_seconds_is_as_suspicious_as_can_be():
    running = Running((WALLS,))
    running.grow(1)
    bids, asks = [(1000 - k, 5) for k in range(8)], [(1001 + k, 9 + k % 2) for k in range(8)]
    for second in range(1, 5):
        one = books((walled(996, 90, bids) if second < 4 else bids, asks))
        made = running.rows(one | {"pane_end_ns": np.array([second * SECOND_NS])})["walls"]
    assert made["what"].tolist() == ["pulled"]
    assert made["spoof_suspicion"][0] == 1.0


def test_sides_are_compared_as_far_as_both_are_known_and_not_by_what_happened_to_change_beyond():
    running = Running((WALLS,))
    running.grow(1)
    near = [(100_000 - 9 * k, 5 + k % 2) for k in range(20)]
    beyond = [(99_700 - k, 9) for k in range(60)]
    asks = [(100_001 + 9 * k, 9) for k in range(20)]
    for second in range(1, 5):
        bids = [*(walled(99_973, 90, near) if second < 4 else near), *beyond]
        one = books((bids, asks)) | {"reach_high_ticks": np.array([100_200])}
        made = running.rows(one | {"pane_end_ns": np.array([second * SECOND_NS])})["walls"]
    assert made["what"].tolist() == ["pulled"]
    assert made["spoof_suspicion"][0] == 1.0, "within 20 bps its side had 194 lots against 180, and has 110"


def test_walls_of_a_book_whose_sides_change_places_are_the_same_from_the_first_book_on():
    heavy = [70 + k % 7 for k in range(20)]
    for name, wall in (("bid", 995), ("ask", 1006)):
        running = Running((WALLS,))
        running.grow(1)
        sides = {
            "bid": [(1000 - k, q) for k, q in enumerate(heavy)] if name == "ask" else walled(wall, 60),
            "ask": [(1001 + k, q) for k, q in enumerate(heavy)]
            if name == "bid"
            else walled(wall, 60, [(2001 - p, q) for p, q in PLAIN]),
        }
        for second in range(1, 5):
            one = books((sides["bid"], sides["ask"])) | {"pane_end_ns": np.array([second * SECOND_NS])}
            made = running.rows(one)["walls"]
            assert made["what"].tolist() == [], f"60 lots are not large on the {name} side: the other's levels hold 70"


def test_only_what_is_pulled_is_suspected():
    running, seen = Running((WALLS,)), []
    running.grow(1)
    for second, size in enumerate([60, 60, 60, 80, 5], 1):
        one = books((walled(995, size), [(1001, 5), (1002, 6)])) | {"pane_end_ns": np.array([second * SECOND_NS])}
        made = running.rows(one)["walls"]
        seen += zip(made["what"].tolist(), np.isnan(made["spoof_suspicion"]).tolist(), strict=True)
    assert seen == [("appeared", True), ("grew", True), ("pulled", False)]
