"""How old marks are, in rows of accounts and positions: exactly the end of the second less the time of the mark."""

from decimal import Decimal

import pytest

from tests.risk.room import START_MS, cross, mark, play, record


@pytest.mark.parametrize("age_ms", [Decimal("142"), Decimal("858"), Decimal("0.25"), Decimal("90000")])
def test_a_mark_is_as_old_as_its_time_says_to_the_digit(age_ms):
    second, venue, symbol, price, _ = mark(1, "BTCUSDT", 60_000)
    rows = play(
        [(0, record({"USDT": 5_000}, cross("BTCUSDT", 0.1, 60_000)))],
        [(second, venue, symbol, price, float(age_ms) / 1000)],
    )
    for table in ("risk_accounts", "risk_positions"):
        row = next(row for row in rows[table] if row["as_of"] == START_MS + 1_000)
        assert row["mark_age_ms"] == float(age_ms)
        assert row["marks_ok"]
