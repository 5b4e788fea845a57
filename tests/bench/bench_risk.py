"""Benchmark: all accounts revalued and their tails taken at each second, in one process."""

import time

import numpy as np

from operators.portfolio import positions, returns, tail
from operators.portfolio.leverage import LEVERAGE
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position
from schemas.brackets import Tiers, deductions

ACCOUNTS, HELD, MARKETS, SECONDS = 10_000, 20, 300, 10


def book(rng: np.random.Generator) -> positions.Positions:
    """Ten thousand accounts of twenty positions in three hundred markets, a third of them isolated."""
    floor, mmr = np.array([0, 5e4, 25e4, 1e6, 1e7]), np.array([0.004, 0.005, 0.01, 0.025, 0.05])
    tiers = Tiers(floor, np.append(floor[1:], 1e12), mmr, deductions(floor, mmr), np.full(5, 50.0))
    names = [("binance-usdm", f"S{i}USDT") for i in range(MARKETS)]
    state = positions.Positions(dict.fromkeys(names, tiers))
    for name in names:
        positions.market(state, *name)
    for a in range(ACCOUNTS):
        held = [
            Position(*names[m], float(rng.normal()) or 1.0, 100.0, 10.0, mode, 20.0 if mode == "isolated" else None)
            for m in rng.choice(MARKETS, HELD, replace=False)
            for mode in (("isolated", "cross", "cross")[rng.integers(3)],)
        ]
        positions.replace(state, Account(f"a{a}", 1, [Balance("USDT", 1000.0)], held))
    return state


def main() -> None:
    """Print the median of each stage over ten seconds in which every mark moves."""
    rng = np.random.default_rng(1)
    state, past = book(rng), returns.Returns()
    for minute in range(past.minutes):
        prices = 100 * np.exp(rng.normal(0, 0.01, MARKETS))
        returns.observe(past, np.arange(MARKETS), prices, np.full(MARKETS, minute * returns.MINUTE_NS))
    took: dict[str, list[float]] = {
        "revalue": [],
        "leverage": [],
        "tail": [],
        "replace one and flatten": [],
        "freeze": [],
    }
    for second in range(SECONDS + 1):
        positions.move(state, np.arange(MARKETS), rng.uniform(90, 110, MARKETS), np.full(MARKETS, second + 1))
        at = [time.perf_counter()]
        out = revalue(state)
        at.append(time.perf_counter())
        LEVERAGE.compute(out.account)
        at.append(time.perf_counter())
        horizon_returns = returns.returns(past)
        flat = positions.flatten(state)
        tail.portfolio(flat, out.account["account"], out.account["equity_usd"], state.mark, horizon_returns, 60)
        at.append(time.perf_counter())
        positions.replace(state, Account("a7", second + 2, [Balance("USDT", 1000.0)], []))
        positions.flatten(state)
        at.append(time.perf_counter())
        frozen = positions.freeze(state)
        at.append(time.perf_counter())
        if second:
            for name, seconds in zip(took, np.diff(at), strict=True):
                took[name].append(float(seconds))
    size = len(frozen) / 1e6
    print(f"{ACCOUNTS} accounts x {HELD} positions, {MARKETS} markets, every mark moved; frozen {size:.1f} MB")
    for name, seconds in took.items():
        print(f"{name:24s} median {1e3 * float(np.median(seconds)):8.1f} ms   worst {1e3 * max(seconds):8.1f} ms")


if __name__ == "__main__":
    main()
