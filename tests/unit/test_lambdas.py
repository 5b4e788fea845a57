"""Spreads and impacts from bars: the published values of mlfinlab on its dollar bars, hand-checked cases, and an oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.contract import History
from operators.tape.bulk_vpin import CHANGES, buy_share
from operators.tape.lambdas import LAMBDAS, MINUTE_NS, OUT, SUMS, follow
from tests.published.dollar_bars import dollar_bars


def described(bars, stretches, least=1, tick=0.01):
    """After each bar but the last, a bar a minute of (high, low, close, usd, base) with the last `stretches` counting."""
    history = History("bars", SUMS, stretches, MINUTE_NS)
    state = [np.full((1, *f.shape), f.empty, f.dtype) for f in (*history.fields, *LAMBDAS.fields[2:])]
    high, low, close, usd, base = (np.array(c, np.float64) for c in zip(*bars, strict=True))
    ticks = [np.round(c / tick).astype(np.int64) for c in (high, low, close)]
    n = len(bars)
    out = np.empty((len(OUT), n))
    at = (1 + np.arange(n)) * MINUTE_NS
    follow(*state, MINUTE_NS, least, np.zeros(n, np.int64), at, *ticks, usd, base, np.full(n, tick), out)
    return {name: out[c, 1:] for c, name in enumerate(OUT)}


def each(bars, name):
    """A column of bars, each with the twenty changes up to it, in quote units; NaN before there are as many."""
    found = described([*bars, bars[-1]], 20)[name]
    scale = {"roll": np.array([bar[2] for bar in bars]) / 1e4, "corwin_schultz": 1e-4, "amihud": 1e-6}.get(name, 1.0)
    return np.where(np.arange(len(bars)) < 20, np.nan, found * scale)


@pytest.mark.parametrize(
    ("name", "most", "mean", "at_25"),
    [
        ("amihud", 4.057839e-11, 1.721321e-11, 1.843986e-11),
        ("hasbrouck", 3.395276e-7, 1.440372e-7, 1.543325e-7),
        ("kyle_bars", 1.634238e-4, 7.020106e-5, 7.762172e-5),
        ("corwin_schultz", 0.01652242, 0.00151603, 0.00139617),
    ],
)
def test_a_thousand_bars_by_windows_of_twenty_are_those_of_mlfinlab(name, most, mean, at_25):
    # analytics 2.4 [EXT]
    found = each(dollar_bars(), name)
    published = {"rel": 1e-6, "abs": 5e-9 if name == "corwin_schultz" else 0}
    assert (np.nanmax(found), np.nanmean(found), found[25]) == pytest.approx((most, mean, at_25), **published)


def test_roll_of_a_thousand_bars_is_mlfinlabs_where_changes_bounce_and_nothing_where_its_root_is_of_a_trend():
    # analytics 2.4 [EXT]: 20 pairs of changes, known from the 21st on; with |cov| it publishes 7.158451, 2.341811
    bars = dollar_bars()
    found = each(bars, "roll")[21:]
    assert (found.max(), found.mean()) == pytest.approx((7.158451, 1.896394), rel=1e-6)
    assert each(bars, "roll")[25] == pytest.approx(1.1765248, rel=1e-6)
    moved = np.diff([bar[2] for bar in bars])
    covariance = [np.cov(moved[i - 20 : i], moved[i - 21 : i - 1])[0, 1] for i in range(21, len(bars))]
    trap = 2 * np.sqrt(np.abs(covariance))
    assert (trap.max(), trap.mean()) == pytest.approx((7.158451, 2.341811), rel=1e-6)
    assert found == pytest.approx(2 * np.sqrt(np.maximum(-np.array(covariance), 0)), abs=1e-4)


def test_a_bar_of_a_zero_tick_counts_as_a_zero_not_as_nothing():
    # analytics 2.4: without the forward fill Kyle [25] is NaN
    bars = [(101, 99, 100, 1e6, 10.0), (101, 99, 101, 1e6, 10.0), (101, 99, 101, 1e6, 10.0), (101, 99, 101, 1e6, 10.0)]
    assert described(bars, 20)["kyle_bars"][2] == pytest.approx((0.1 + 0.0) / 2)


def test_roll_of_prices_that_bounce_by_one_is_two():
    # analytics 2.4 [HAND]: 100, 101, 100, 101, 100, 100: covariance -1.0 (n - 1), spread 2.0
    bars = [(p, p, p, 1e6, 1.0) for p in (100, 101, 100, 101, 100, 100, 100)]
    assert described(bars, 20)["roll"][5] == pytest.approx(1e4 * 2.0 / 100)


def test_a_positive_covariance_gives_a_spread_of_nothing_where_mlfinlab_takes_its_root():
    # analytics 2.4: 2 sqrt|cov| against 2 sqrt(max(-cov, 0))
    bars = [(p, p, p, 1e6, 1.0) for p in (100, 101, 102, 102, 101, 100, 100, 100)]
    assert described(bars, 20)["roll"][5] == 0.0


def test_amihud_of_two_returns_per_million_dollars_is_0_005():
    # analytics 2.4 [HAND]: r = .01 for 2e6 USD, r = .02 for 4e6 USD
    closes = [100.0, 100 * math.exp(0.01), 100 * math.exp(0.03), 1.0]
    bars = [(p, p, p, usd, 1.0) for p, usd in zip(closes, (1e6, 2e6, 4e6, 1.0), strict=True)]
    assert described(bars, 20, tick=1e-9)["amihud"][2] == pytest.approx(0.005, rel=1e-6)


def test_what_left_the_window_counts_no_more():
    old = [(p, p - 2, p, 3e6, 2.0) for p in (90, 95, 91, 99)]
    new = [(p, p - 1, p, 1e6, 1.0) for p in (100, 101, 100, 102, 101, 100)]
    both, alone = described(old + new, 3), described(new, 3)
    for name in ("amihud", "hasbrouck", "kyle_bars", "corwin_schultz"):
        assert both[name][-1] == pytest.approx(alone[name][-1], rel=1e-9), name


def test_bulk_shares_make_the_canonical_vpin_of_mlfinlabs_bars_and_its_own_is_a_trap():
    # analytics 2.3 [EXT]: windows of 20; canonical is the ratio of sums, mlfinlab divides by the current volume
    bars = dollar_bars()
    changes = np.diff([round(bar[2] * 100) for bar in bars])
    volume = np.array([bar[4] for bar in bars])
    share = np.array([buy_share(changes[i - CHANGES : i], changes[i - 1]) for i in range(CHANGES, len(bars))])
    imbalance = np.full(len(bars), np.nan)
    imbalance[CHANGES:] = np.abs(2 * share - 1) * volume[CHANGES:]
    one = imbalance / volume
    assert (np.nanmax(one), np.nanmean(one), one[25]) == pytest.approx((0.9997, 0.501, 0.554052), abs=5e-4)
    assert one[25] == pytest.approx(0.554052, abs=5e-7)
    places = range(2 * CHANGES - 1, len(bars))
    windows = [slice(i - 19, i + 1) for i in places]
    canonical = np.array([imbalance[w].sum() / volume[w].sum() for w in windows])
    wanted = 0.6792830, 0.5002730, 0.4651547
    assert (canonical.max(), canonical.mean(), canonical[places.index(45)]) == pytest.approx(wanted, abs=5e-8)
    trap = np.array([imbalance[w].mean() / volume[w][-1] for w in windows])
    assert (trap.max(), trap.mean(), trap[places.index(45)]) == pytest.approx(
        (0.6811842, 0.5000735, 0.4638173), abs=5e-8
    )


def naive(bars):
    """Of bars (high, low, close, usd, base), all of them but the first counting, from lists alone."""
    pairs = list(zip(bars, bars[1:], strict=False))
    moved = [b[2] - a[2] for a, b in pairs]
    returns = [abs(math.log(b[2] / a[2])) for a, b in pairs]
    out = {
        "amihud": 1e6 * np.mean([r / b[3] for r, b in zip(returns, bars[1:], strict=True)]),
        "hasbrouck": np.mean([r / math.sqrt(b[3]) for r, b in zip(returns, bars[1:], strict=True)]),
        "kyle_bars": np.mean([abs(d) / b[4] for d, b in zip(moved, bars[1:], strict=True)]),
        "roll": math.nan,
    }
    if len(moved) > 2:
        covariance = np.cov(moved[1:], moved[:-1])[0, 1]
        out["roll"] = 2e4 * math.sqrt(max(-covariance, 0)) / bars[-1][2]
    ranges = [math.log(h / low) ** 2 for h, low, *_ in bars]
    beta = np.mean([a + b for a, b in zip(ranges, ranges[1:], strict=False)])
    gamma = math.log(max(b[0] for b in bars[-2:]) / min(b[1] for b in bars[-2:])) ** 2
    k = 3 - 2 * math.sqrt(2)
    alpha = max((math.sqrt(2 * beta) - math.sqrt(beta)) / k - math.sqrt(gamma / k), 0)
    out["corwin_schultz"] = 2e4 * (math.exp(alpha) - 1) / (1 + math.exp(alpha))
    return out


prices = st.integers(95, 105)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(prices, prices, prices, st.integers(1, 9)), min_size=3, max_size=12))
def test_they_are_those_of_lists_of_bars_from_scratch(drawn):
    bars = [(max(p), min(p), p[2], 1e5 * q, float(q)) for *p, q in drawn]
    found = described([*bars, (100, 100, 100, 1e5, 1.0)], 20)
    for name, wanted in naive(bars).items():
        # a root of what is 0 but for rounding: of a covariance of 1e-12 it is 2e-6
        near = 1e-5 if name == "roll" else 1e-6
        assert found[name][-1] == pytest.approx(wanted, rel=1e-9, abs=near, nan_ok=True), name
