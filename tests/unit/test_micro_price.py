"""The micro-price: fitted to a chain whose answer is known, its mirror, and what is looked up in a market."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.learning.micro_prices import fitted, tick_of
from flows.market import cut, parts
from flows.settings.tree import Market, Settings, SettingsError
from models.micro_price_fit import STATES, Fitted, TooLittle, decode, encode, fit, listed, mirrored, solved
from operators.book.micro_price import BUCKETS, MICRO_PRICE, SPREADS, bucket, state
from tests.laws.test_market import EVERY, Run
from tests.planted import KNOWN, SYMBOL, VENUE, Planted
from tests.unit.test_walls import books

NAN = math.nan


def chain(seed, n):
    """A market of one-tick spread: from bucket i the mid goes up one tick by chance u(i), down by u(10 - i), else it
    stays; the next bucket is drawn from a law of its own after each. True G is solved from those very chances.
    """
    up = 0.02 + 0.3 * (np.arange(BUCKETS) / (BUCKETS - 1)) ** 2
    down = up[::-1]
    stay = np.eye(BUCKETS) * 0.6 + np.eye(BUCKETS, k=1) * 0.2 + np.eye(BUCKETS, k=-1) * 0.2
    stay[0, 0] = stay[-1, -1] = 0.8
    after_up = np.linspace(2, 1, BUCKETS) / np.linspace(2, 1, BUCKETS).sum()
    quiet = stay * (1 - up - down)[:, None]
    moving = up[:, None] * after_up + down[:, None] * after_up[::-1]
    first, behind = (np.linalg.solve(np.eye(BUCKETS) - quiet, of) for of in (up - down, moving))
    true, term = first.copy(), first
    for _ in range(5_000):
        term = behind @ term
        true += term
    rng = np.random.default_rng(seed)
    draws, nexts = rng.random(n), rng.random(n)
    at, price, states, prices = BUCKETS // 2, 100_000, [], []
    laws = {s: np.cumsum(p, axis=-1) for s, p in (("stay", stay), ("up", after_up), ("down", after_up[::-1]))}
    for k in range(n):
        states.append(at)
        prices.append(price)
        what = "up" if draws[k] < up[at] else "down" if draws[k] < up[at] + down[at] else "stay"
        price += {"up": 1, "down": -1, "stay": 0}[what]
        law = laws["stay"][at] if what == "stay" else laws[what]
        at = min(int(np.searchsorted(law, nexts[k])), BUCKETS - 1)
    return np.array(states), np.array(prices), true


def quotes(states, prices, tick=0.1):
    share = (states + 0.5) / BUCKETS
    bid = prices * tick
    return bid, bid + tick, share, 1 - share, np.ones(len(bid), np.bool_)


def test_the_true_micro_price_of_a_planted_chain_is_recovered_within_its_error():
    states, prices, true = chain(1, 60_000)
    found = fit(*quotes(states, prices), 0.1)
    assert np.isnan(found[1:]).all()
    assert np.abs(found[0] - true).max() < 0.05, "the standard error of 60,000 steps; G itself goes to 0.6"
    assert np.abs(true).max() > 0.4
    parts_of = [fit(*quotes(*chain(seed, 15_000)[:2]), 0.1)[0] - true for seed in (2, 3, 4)]
    assert np.abs(np.mean(parts_of, axis=0)).max() < 0.06, "and not to one side"


def test_without_memory_of_imbalance_it_is_the_chance_of_up_less_that_of_down_at_the_next_move():
    # by hand: each state goes up by p or down by 1 - p at once, to the middle, from where the way is even: G = 2p - 1
    middle, high = BUCKETS // 2, BUCKETS - 1
    start = np.repeat([middle, middle, high, high], [50, 50, 75, 25])
    move = np.repeat([1, -1, 1, -1], [50, 50, 75, 25])
    found = solved(start, np.full(200, middle), move)
    assert found[0, high] == pytest.approx(0.5)
    assert found[0, 0] == pytest.approx(-0.5)
    assert found[0, middle] == 0.0


STEPS = st.lists(
    st.tuples(st.integers(0, STATES - 1), st.integers(0, STATES - 1), st.sampled_from([-2, -1, 0, 0, 1])),
    min_size=60,
    max_size=200,
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(2, 3))
def test_exchanging_bids_and_asks_turns_it_round_and_a_naive_walk_agrees(steps, few):
    start, end, move = (np.array([s[k] for s in steps]) for k in range(3))
    start, end = start % few * 5, end % few * 5  # with their mirror images one chain, not two
    try:
        found = solved(start, end, move)
    except TooLittle:
        return
    np.testing.assert_array_equal(found, -found[:, ::-1])
    np.testing.assert_allclose(solved(mirrored(start), mirrored(end), -move), found, atol=1e-9)
    # naive: the mean move over the next 4,000 steps of the symmetrised chain, power by power
    known = np.flatnonzero(~np.isnan(found.ravel()))
    both = [*zip(start, end, move, strict=True), *zip(mirrored(start), mirrored(end), -move, strict=True)]
    both = [(x, y, m) for x, y, m in both if x in known and y in known]
    mean, share = np.zeros(STATES), np.zeros((STATES, STATES))
    for x, y, m in both:
        n = sum(1 for s, *_ in both if s == x)
        mean[x] += m / n
        share[x, y] += 1 / n
    walked, term = mean.copy(), mean
    for _ in range(4_000):
        term = share @ term
        walked += term
    if np.abs(term).max() < 1e-9:
        np.testing.assert_allclose(found.ravel()[known], walked[known], atol=1e-5)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_exchanged_sizes_are_in_the_bucket_on_the_other_side(bid, ask):
    one, other = (int(bucket(np.array([a]), np.array([b]))[0]) for a, b in ((bid, ask), (ask, bid)))
    assert one + other == BUCKETS - 1
    assert abs(one - BUCKETS * bid / (bid + ask)) <= 1.0001


def test_a_spread_of_none_and_a_side_without_size_are_no_state():
    found = state(np.array([0, 1, 9, 1, NAN]), np.array([1.0, 1, 1, 0, 1]), np.array([1.0, 1, 1, 1, 1]))
    assert found.tolist() == [-1, BUCKETS // 2, (SPREADS - 1) * BUCKETS + BUCKETS // 2, -1, -1]


def test_an_imbalance_that_never_changes_sides_has_no_micro_price():
    start, end = np.arange(200) % 3, np.arange(1, 201) % 3
    with pytest.raises(TooLittle, match=r"^the imbalance never changed sides: where the mid goes has no end$"):
        solved(start, end, np.where(start == 0, 1, 0))


def test_a_mid_that_never_moves_has_no_micro_price():
    with pytest.raises(TooLittle, match=r"^the mid hardly ever moved: nothing says where it goes$"):
        solved(np.zeros(99, np.int64), np.zeros(99, np.int64), np.zeros(99))


def table(tick=0.1, first=0.4, rest=None):
    rows = [[first * (i - 5) / 5 for i in range(BUCKETS)]] + [[rest] * BUCKETS] * (SPREADS - 1)
    return Fitted(VENUE, SYMBOL, tick, 1, 0, 1, rows)


def priced(bids, asks, row):
    one = books((bids, asks)) | {"micro_table": row[None]}
    return MICRO_PRICE.compute(one)["micro_price"][0]


def test_it_is_the_mid_and_what_the_table_says_held_inside_the_spread():
    row = table().row()
    assert priced([(1000, 99)], [(1001, 1)], row) == pytest.approx(100.05 + 0.04)
    assert priced([(1000, 1)], [(1001, 99)], row) == pytest.approx(100.05 - 0.04)
    assert priced([(1000, 5)], [(1001, 5)], row) == pytest.approx(100.05)
    assert priced([(1000, 99)], [(1001, 1)], table(first=7.0).row()) == pytest.approx(100.1), "never beyond the ask"
    assert math.isnan(priced([(1000, 9)], [(1002, 1)], row)), "a spread of which nothing is known"
    assert math.isnan(priced([(1001, 9)], [(1001, 1)], table(rest=0.0).row())), "locked"
    assert math.isnan(priced([(1000, 9)], [], row))
    assert math.isnan(priced([(1000, 9)], [(1001, 1)], np.full(len(row), NAN)))


def test_a_file_is_read_as_it_was_written_and_one_of_another_shape_is_refused_in_one_line(tmp_path):
    found = np.vstack([np.linspace(-0.4, 0.4, BUCKETS), np.full((SPREADS - 1, BUCKETS), NAN)])
    one = Fitted(VENUE, SYMBOL, 0.5, 9, 0, 1, listed(found))
    np.testing.assert_allclose(decode(encode([one]))[VENUE][SYMBOL], [0.5, *(0.5 * found.ravel())])
    file = tmp_path / "micro_price.json"
    told = Settings(market=Market(micro_price=str(file)))
    with pytest.raises(SettingsError, match="No such file"):
        cut(told)
    file.write_bytes(encode([one]).replace(b"[-0.4,", b"["))
    with pytest.raises(SettingsError, match="not 4 spreads of 11 imbalances"):
        cut(told)
    file.write_bytes(encode([one]))
    assert set(cut(told).micro_prices[VENUE]) == {SYMBOL}
    assert {p.name: p.changed for p in parts(told)}[f"the micro-price table of {VENUE} {SYMBOL}"] == "goes on"


def test_a_market_with_a_table_has_micro_prices_and_one_without_has_none():
    made = Planted()
    for k in range(20):
        made.book(500 + 1_000 * k, {6_000_000: 5 + k}, {6_000_001: 20})
    how = replace(EVERY, micro_prices={VENUE: {SYMBOL: table(tick=0.01).row()}})
    with_it, without = (Run(VENUE, made.lines, KNOWN, c).end().decoded("features_book") for c in (how, EVERY))
    assert {r["micro_price"] for r in without} == {None}
    found = [r for r in with_it if r["micro_price"] is not None]
    assert len(found) > 20
    assert all(r["best_bid"] <= r["micro_price"] <= r["best_ask"] for r in found)
    assert [{**r, "micro_price": None} for r in with_it] == without


def test_a_tick_is_what_all_prices_are_multiples_of():
    assert tick_of(np.array([0.1, 0.3, 100_000.2])) == 0.1


class Stored:
    """A store that has the best quotes of one instrument."""

    def __init__(self, quotes):
        self.quotes = quotes

    def rows(self, sql, **parameters):
        return self.quotes if parameters else [(VENUE, SYMBOL, 1_000)]


def test_rows_further_apart_than_a_keyframe_are_no_step_and_too_few_of_them_no_table():
    states, prices, _ = chain(5, 4_000)
    bid, ask, bid_size, ask_size, _ = quotes(states, prices)
    at_ms = 1_000 * np.arange(len(bid)) + 100_000 * (np.arange(len(bid)) >= 2_000)
    told = [*zip(at_ms.tolist(), bid, ask, bid_size, ask_size, strict=True)]
    ((who, one),) = fitted(Stored(told), 1, 60_000)
    assert who == f"{VENUE} {SYMBOL}"
    assert (one.tick, one.steps, one.from_ms, one.to_ms) == (0.1, 3_998, 0, int(at_ms[-1]))
    blind = [(*row[:3], math.nan, math.nan) if n in (700, 701) else row for n, row in enumerate(told)]
    blind[900] = (told[900][0], *[math.nan] * 4)
    ((_, other),) = fitted(Stored(blind), 1, 60_000)
    assert other.steps == one.steps - 3 - 2, "none to, from or over rows of which the book was not trusted"
    assert [*fitted(Stored(told[:1]), 1, 60_000)] == [(who, "no quotes")]
    assert [*fitted(Stored(told[:9]), 1, 60_000)] == [(who, "the mid hardly ever moved: nothing says where it goes")]
