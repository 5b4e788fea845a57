"""Value at risk on real hours: how often one hour of 99 % was exceeded, long and short, and Kupiec's test of it."""

from math import log
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from operators.portfolio import account_rows, positions, returns, tail_loss
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position

HISTORY = Path(__file__).parents[2].parent / "shared" / "history"
CHI2_95 = 3.841458820694124
FILES = {
    "BTC": "binance_usdm_btcusdt_5m_20250704_20251231",
    "ETH": "binance_usdm_ethusdt_5m_20250704_20251231",
    "SOL": "binance_usdm_solusdt_5m_20250704_20251231",
}


def kupiec(exceeded: int, hours: int, tail_size: float = 0.01) -> float:
    """Likelihood ratio of the proportion of failures, chi squared with one degree of freedom. Source: Kupiec (1995)."""
    rate = exceeded / hours
    one = log((1 - tail_size) / (1 - rate)) if rate < 1 else 0.0
    other = log(tail_size / rate) if rate > 0 else 0.0
    return -2 * ((hours - exceeded) * one + exceeded * other)


@pytest.mark.parametrize(
    ("exceeded", "hours", "size", "expected"),
    [(57, 1043, 0.05, 0.46147), (0, 255, 0.01, 5.12567), (10, 250, 0.01, 12.95549)],
)
def test_kupiecs_ratio_is_that_of_matlab(exceeded, hours, size, expected):
    """[EXT] MATLAB varbacktest documentation, and its edges."""
    assert kupiec(exceeded, hours, size) == pytest.approx(expected, abs=5e-6)


def hourly(name: str) -> np.ndarray:
    """The close of every hour of a file of five-minute candles."""
    file = HISTORY / f"{FILES[name]}.parquet"
    if not file.exists():
        pytest.skip(f"put the five-minute candles into {file}")
    candles = pl.read_parquet(file).sort("open_time")
    ends = candles["open_time"].dt.epoch("ms").to_numpy() + 300_000
    return candles["close"].to_numpy()[ends % 3_600_000 == 0]


@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
@pytest.mark.parametrize("name", FILES)
def test_one_hour_at_99_percent_is_exceeded_as_often_as_it_says(name, side):
    """Each hour forecast by the hours before it alone, as the ring holds them; 5 % rejects above 3.84."""
    price = hourly(name)
    past = price[1:] / price[:-1] - 1
    ring = returns.HISTORY
    book = positions.Positions(positions.Rules())
    positions.replace(
        book, Account("a", 1, [Balance("USDT", 1e6)], [Position("binance-usdm", "XUSDT", side, 1.0, 1, "cross")])
    )
    positions.move(book, np.array([positions.market(book, "binance-usdm", "XUSDT")]), np.array([1.0]), np.array([1]))
    of, market = account_rows.exposures(book, revalue(book)), positions.market(book, "binance-usdm", "XUSDT")
    exceeded = hours = 0
    for at in range(ring, len(past)):
        window = np.full((len(book.mark), ring), np.nan)
        window[market] = past[at - ring : at]
        told = tail_loss.portfolio(of, np.array([0]), np.array([1.0]), window)
        exceeded += side * past[at] < -told["var_99_1h"][0]
        hours += 1
    print(
        f"{name} {side:+d}: {exceeded} of {hours} hours, {100 * exceeded / hours:.2f} %, LR {kupiec(exceeded, hours):.2f}"
    )
    assert hours > 3000
    assert kupiec(exceeded, hours) < CHI2_95
