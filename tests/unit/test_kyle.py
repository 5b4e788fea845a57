"""Kyle's lambda: against ordinary least squares, and what the last 30 minutes are."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from operators.tape.kyle import KYLE, LEAST, MINUTE_NS
from tests.laws.test_market import Run, diff, snapshot, trade
from tests.laws.written import START_MS, Line
from tests.operators import stepped
from tests.published.dollar_bars import dollar_bars


def rows(observations, instrument=0):
    """Panes of (end ns, signed volume, change of mid)."""
    end, volume, moved = (np.array(c) for c in zip(*observations, strict=True))
    n = len(end)
    lots = np.round(np.abs(volume) * 1000).astype(np.int64)
    one = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1000.0, "contract": 1.0}
    return {
        "instrument": np.full(n, instrument),
        "pane_end_ns": end.astype(np.int64),
        "mid_before": np.full(n, 100.0),
        "mid": 100.0 + moved,
        "lots": lots,
        "buy_lots": np.where(volume > 0, lots, 0),
        "per_price": np.zeros(n),
        "buy_per_price": np.zeros(n),
        "inverse": np.zeros(n, np.bool_),
        **{name: np.full(n, v) for name, v in one.items()},
    }


def published(out, end_ns=None):
    last = {name: array[-1:] for name, array in out.items()}
    end = last["kyle_end_ns"] if end_ns is None else np.array([end_ns])
    found = KYLE.compute(last | {"window_end_ns": end})
    return tuple(found[n][0].item() for n in ("kyle_lambda_low", "kyle_lambda", "kyle_lambda_high"))


def drawn(n, seed=1, step_ns=10 * 10**9):
    rng = np.random.default_rng(seed)
    volume = np.round(rng.normal(0, 5, n), 3)
    return list(zip((1 + np.arange(n)) * step_ns, volume, 0.02 * volume + rng.normal(0, 0.1, n), strict=True))


@pytest.mark.parametrize("n", [30, 40, 170])
def test_slope_and_interval_are_those_of_ordinary_least_squares(n):
    observations = drawn(n)
    fit = stats.linregress([v for _, v, _ in observations], [m for _, _, m in observations])
    half = stats.t.ppf(0.975, n - 2) * fit.stderr
    low, slope, high = published(stepped(KYLE, rows(observations)))
    assert slope == pytest.approx(fit.slope, rel=1e-9)
    assert (low, high) == (pytest.approx(slope - half, rel=1e-4), pytest.approx(slope + half, rel=1e-4))


def test_the_slope_of_a_thousand_dollar_bars_of_mlfinlab_is_what_least_squares_say():
    # analytics 2.4 [LIB]: changes on volumes signed by the tick rule, zero ticks as the one before
    bars = dollar_bars()
    moved = np.diff([bar[2] for bar in bars])
    sign = np.sign(moved)
    last = np.maximum.accumulate(np.where(sign != 0, np.arange(len(sign)), 0))
    volume = sign[last] * np.array([bar[4] for bar in bars[1:]])
    assert stats.linregress(volume, moved)[:2] == pytest.approx((7.0558493e-05, -0.079092), rel=1e-5)
    at = (1 + np.arange(len(moved))) * 10**9
    _, slope, _ = published(stepped(KYLE, rows(list(zip(at, volume, moved, strict=True)))))
    assert slope == pytest.approx(7.0558493e-05, rel=1e-7)


def test_a_market_that_moves_by_two_cents_a_unit_has_that_lambda_and_no_doubt():
    found = published(stepped(KYLE, rows([(i * 10**9, i % 7 - 3, 0.02 * (i % 7 - 3)) for i in range(1, 60)])))
    assert found == pytest.approx((0.02, 0.02, 0.02), abs=1e-9)


def test_what_is_older_than_30_minutes_is_forgotten():
    old = [(i * 10**9, v, 9 * v) for i, (_, v, _) in enumerate(drawn(40, seed=2), 1)]
    new = [(31 * MINUTE_NS + at, v, m) for at, v, m in drawn(100)]
    assert published(stepped(KYLE, rows(old + new))) == published(stepped(KYLE, rows(new)))


def test_it_is_null_with_too_few_panes_without_mids_and_half_an_hour_after_the_last_trade():
    observations = drawn(LEAST)
    assert math.isnan(published(stepped(KYLE, rows(observations[1:])))[1])
    out = stepped(KYLE, rows(observations))
    assert not math.isnan(published(out)[1])
    assert math.isnan(published(out, int(out["kyle_end_ns"][-1]) + 30 * MINUTE_NS)[1])
    blind = rows(observations) | {"mid_before": np.full(LEAST, np.nan)}
    assert math.isnan(published(stepped(KYLE, blind))[1])


@settings(max_examples=40, deadline=None)
@example([(1, 0, 0)] * 29 + [(1, 1, 0)])
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(-5, 5), st.integers(-3, 3)), min_size=30, max_size=90))
def test_it_is_least_squares_over_the_last_thirty_minutes_from_scratch(drawn):
    at = np.cumsum([s for s, _, _ in drawn]) * 10**9
    observations = [(int(t), float(v), 0.5 * m) for t, (_, v, m) in zip(at, drawn, strict=True)]
    minute = [(t - 1) // MINUTE_NS for t, _, _ in observations]
    last = [(v, m) for n, (_, v, m) in zip(minute, observations, strict=True) if n > minute[-1] - 30]
    low, slope, high = published(stepped(KYLE, rows(observations)))
    if len(last) < LEAST or len({v for v, _ in last}) < 2:
        assert math.isnan(slope)
        return
    fit = stats.linregress(*zip(*last, strict=True))
    assert slope == pytest.approx(fit.slope, rel=1e-9, abs=1e-12)
    # scipy says nan of a mid that never moves, which a slope of 0 tells without a doubt
    stderr = fit.stderr if any(m for _, m in last) else 0.0
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, len(last) - 2) * stderr, rel=1e-3, abs=1e-9)


def heard(until_s, seconds):
    """A trade a second that moves the bid by a cent a unit, and a book heard up to a second; another's feed goes on."""
    yield snapshot(START_MS, 100)
    yield snapshot(START_MS, 100, "BTCUSDC")
    price = told = 99.0
    for s in range(1, seconds):
        ms, size = START_MS + 1000 * s - 500, s % 7 - 3.5
        traded = trade(ms, f"{price:.3f}", str(abs(size)))
        yield traded if size > 0 else traded._replace(data=traded.data.replace(b'"m": false', b'"m": true'))
        price += 0.01 * size
        if s < until_s:
            said = {"e": "depthUpdate", "E": ms + 100, "T": ms + 100, "s": "BTCUSDT", "U": 100 + s, "u": 100 + s}
            gone = [[f"{told:.3f}", "0"]] if told != price else []
            said |= {"pu": 99 + s, "b": [*gone, [f"{price:.3f}", "5"]], "a": []}
            yield Line("depth", (ms + 100) * 1_000_000, json.dumps(said).encode())
            told = price
        yield diff(ms + 100, 100 + s, "BTCUSDC")


def test_trades_beside_a_book_that_is_away_do_not_say_that_nothing_moves_the_price():
    run = Run("binance-usdm", sorted(heard(120, 360), key=lambda line: line.received_ns)).end()
    of_minute = lambda table: [r for r in run.decoded(table) if r["window_ms"] == 60_000]  # noqa: E731
    tape, efficiency = of_minute("features_tape"), of_minute("features_efficiency")
    # the bid moves by a cent a unit, so the mid by half of that
    assert [r["kyle_lambda"] for r in tape] == pytest.approx([0.005] * len(tape), rel=0.05)
    assert efficiency[-1]["absorbed_share"] is None and efficiency[0]["absorbed_share"] is not None
