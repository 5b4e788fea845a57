"""Spreads and impacts from bars: the published values of mlfinlab on its dollar bars, hand-checked cases, and an oracle."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.contract import History
from operators.tape.bulk_vpin import CHANGES, buy_share
from operators.tape.lambdas import LAMBDAS, MINUTE_NS, OUT, SUMS, follow

BARS = Path(__file__).parents[3] / "shared" / "reference" / "dollar_bar_first46.csv"


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


def dollar_bars():
    """mlfinlab's sample (commit 043d8f56), 46 bars, as (high, low, close, usd, volume)."""
    if not BARS.is_file():
        pytest.skip(f"no {BARS.name}: mlfinlab's dollar bars are not beside this checkout")
    names = ("high", "low", "close", "cum_dollar", "cum_vol")
    with BARS.open() as file:
        return [tuple(float(row[n]) for n in names) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("name", "wanted", "scale"),
    [
        ("roll", 1.1765248, None),
        ("corwin_schultz", 0.00139617, 1e4),
        ("amihud", 1.843986e-11, 1e6),
        ("hasbrouck", 1.543325e-7, 1.0),
        ("kyle_bars", 7.762172e-5, 1.0),
    ],
)
def test_the_twenty_bars_up_to_index_25_are_those_of_mlfinlab(name, wanted, scale):
    # analytics 2.4 [EXT]: window 20, index 25; Roll in quote units (its covariance is negative there)
    bars = dollar_bars()
    found = described(bars, 20)[name][25]
    assert found / (1e4 / bars[25][2] if scale is None else scale) == pytest.approx(
        wanted, rel=1e-6, abs=5e-9 if name == "corwin_schultz" else 0
    )


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
    # analytics 2.3 [EXT]: window 20; canonical ratio of sums .4651547 at [45], mlfinlab divides by the current volume
    bars = dollar_bars()
    closes = [round(bar[2] * 100) for bar in bars]
    changes = np.diff(closes)
    shares = {i: buy_share(changes[i - CHANGES : i], changes[i - 1]) for i in range(CHANGES, len(bars))}
    imbalance = {i: abs(2 * share - 1) * bars[i][4] for i, share in shares.items()}
    assert imbalance[25] / bars[25][4] == pytest.approx(0.554052, abs=5e-7)
    last = range(26, 46)
    canonical = sum(imbalance[i] for i in last) / sum(bars[i][4] for i in last)
    assert canonical == pytest.approx(0.4651547, abs=5e-8)
    trap = np.mean([imbalance[i] for i in last]) / bars[45][4]
    assert trap == pytest.approx(0.4638173, abs=5e-8)
    assert canonical != pytest.approx(trap, abs=1e-3)


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
