"""Candles from files: which hours they make known, and which candle may not be over."""

import json

import numpy as np
import pytest

from flows.settings.candle_files import candles
from flows.settings.sources import load

HOUR_MS = 3_600_000
DAY = 24
FIRST = 490_000 // DAY * DAY
"""Hours since 1970 at a midnight."""


def rows(first: int, count: int) -> list[list[str]]:
    """Candles of an hour, the price of hour h: h."""
    return [[str(h * HOUR_MS), "1", "1", "1", str(h)] for h in range(first, first + count)]


def known(tmp_path) -> tuple[list[int], list[float]]:
    ((hours, prices),) = candles(load(None, {}, (f"risk.candles.binance-usdm={tmp_path}",))).values()
    return hours.tolist(), prices.tolist()


@pytest.mark.parametrize("name", ["BTCUSDT-1h-2025-10-{}.csv", "BTCUSDT-1h-2025-{}.csv"])
def test_files_of_the_archive_lose_no_hour_where_one_ends_and_the_next_begins(tmp_path, name):
    for day in range(3):
        text = "\n".join(",".join(row) for row in rows(FIRST + DAY * day, DAY))
        (tmp_path / name.format(f"{day + 1:02d}")).write_text("open_time,open,high,low,close\n" + text)
    hours, prices = known(tmp_path)
    assert hours == list(range(FIRST, FIRST + 3 * DAY))
    np.testing.assert_array_equal(prices, hours)


@pytest.mark.parametrize("name", ["BTCUSDT.json", "BTCUSDT-1h-2025-10.json", "BTCUSDT-1h.csv"])
def test_the_newest_candle_of_an_answer_is_not_taken_as_it_may_not_be_over(tmp_path, name):
    told = rows(FIRST, 5)
    (tmp_path / name).write_text(json.dumps(told[::-1]))
    assert known(tmp_path)[0] == list(range(FIRST, FIRST + 4))
