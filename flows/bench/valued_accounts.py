"""Risk: accounts of twenty positions each, revalued in one process at each second, when every mark moves."""

import time

import msgspec
import numpy as np

from flows.bench.instruments import START_NS
from flows.bench.result import Result
from flows.bench.size import Size
from flows.engine.json_rows import records
from flows.tables import BY_NAME
from operators.portfolio import returns
from operators.portfolio.ledger import Ledger, Terms
from schemas.accounts import Account, Balance, Position
from schemas.brackets import Tiers, deductions
from schemas.frames import Frames, frames

VENUE = "binance-usdm"
HELD, MARKETS = 20, 300
START_MS = START_NS // 1_000_000
BANDS = tuple(f"{side}_depth_{bps}bps_usd" for side in ("bid", "ask") for bps in (5, 10, 25, 50, 100))


def measure(size: Size) -> list[Result]:
    """From the tape rows of a second to the rows of accounts and positions, and to their JSON records."""
    rng = np.random.default_rng(1)
    ledger = opened(rng, size.accounts)
    valued, printed, made = [], [], 0
    for second in range(1, size.repeats + 3):
        assert ledger.read("tape", "tape", tape(rng, second)) == []
        began = time.perf_counter()
        published = ledger.advance()
        between = time.perf_counter()
        for _, rows in published:
            records(rows, BY_NAME[rows.table].columns)
        if second > 2:
            valued.append(1e3 * (between - began))
            printed.append(1e3 * (time.perf_counter() - began))
            made = sum(len(rows.base) for _, rows in published)
    row = f"risk {size.accounts:,} x {HELD} positions"
    return [
        Result(row, "valued, every second", tuple(valued), "ms", "<= 1,000"),
        Result(row, "valued and printed as JSON", tuple(printed), "ms"),
        Result(row, "rows of a second", (made,), "rows"),
    ]


def opened(rng: np.random.Generator, accounts: int) -> Ledger:
    """A ledger that knows all accounts, a book of every market, and a thousand hours."""
    floor, mmr = np.array([0, 5e4, 25e4, 1e6, 1e7]), np.array([0.004, 0.005, 0.01, 0.025, 0.05])
    tiers = Tiers(floor, np.append(floor[1:], 1e12), mmr, deductions(floor, mmr), np.full(5, 50.0))
    ledger = Ledger(Terms({(VENUE, symbol(m)): tiers for m in range(MARKETS)}), ["accounts"], ["tape", "book"])
    values = [msgspec.json.encode(account(rng, a)) for a in range(accounts)]
    assert ledger.read("accounts", "accounts", frames("accounts", 0, values, [START_NS] * accounts)) == []
    depth = dict.fromkeys(BANDS, 1e6)
    book = [
        msgspec.json.encode({"id": f"{m}|0", **window(m, 0), "mid": 100.0, "book_ok": True, **depth})
        for m in range(MARKETS)
    ]
    assert ledger.read("book", "book", frames("features.book", 0, book, [START_NS] * MARKETS)) == []
    ledger.mark({"accounts", "book"})
    past = ledger.returns
    for hour in range(past.hours):
        at_ns = np.full(MARKETS, (START_NS // returns.HOUR_NS - past.hours + hour + 1) * returns.HOUR_NS - 1)
        returns.observe(past, np.arange(MARKETS), 100 * np.exp(rng.normal(0, 0.01, MARKETS)), at_ns)
    return ledger


def symbol(market: int) -> str:
    """The name of a market."""
    return f"S{market:03d}USDT"


def account(rng: np.random.Generator, number: int) -> Account:
    """Twenty positions, a third of them isolated."""
    held = [
        Position(VENUE, symbol(m), float(rng.normal()) or 1.0, 100.0, 10.0, mode, 20.0 if mode == "isolated" else None)
        for m in rng.choice(MARKETS, HELD, replace=False)
        for mode in (("isolated", "cross", "cross")[rng.integers(3)],)
    ]
    return Account(f"a{number:05d}", START_MS, [Balance("USDT", 1000.0)], held)


def window(market: int, second: int) -> dict[str, object]:
    """The key of a row."""
    at_ms = START_MS + 1_000 * (second - 1)
    return {"venue": VENUE, "symbol": symbol(market), "window_ms": 1_000, "window_start": at_ms}


def tape(rng: np.random.Generator, second: int) -> Frames:
    """A second in which every mark moves."""
    prices = rng.uniform(90, 110, MARKETS).tolist()
    values = [
        msgspec.json.encode({"id": f"{m}|{second}", **window(m, second), "mark_price": prices[m], "mark_age_ms": 0.0})
        for m in range(MARKETS)
    ]
    return frames("features.tape", 0, values, [START_NS + second * 10**9] * MARKETS)
