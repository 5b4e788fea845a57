"""Leverage and margin of an account, from the sums over its positions and its pools.

    total = sum N / E     net = |sum s N| / E     average = sum N l / sum N     max = max l
    utilisation = max over pools of sum IM / E_p     maintenance ratio = max over pools of sum MM / E_p

N: notional at mark, USD; s: +1 long, -1 short; l: leverage of a position; IM, MM: initial and maintenance margin; E:
equity of the account, all wallets + unrealised profit; E_p: equity of a pool (venue, margin mode, margin asset), its
wallet + profit, of an isolated position its margin + profit. What divides by E or E_p is null when that is not positive
or not known; both margin ratios are 0 without positions. A maximum is over what is known. Utilisation is of the cross
pools; of isolated positions, with no others, over E.
Source: definitions of this project; the maintenance ratio is Binance's "Margin Ratio", which is of a pool.
"""

import numpy as np

from operators.contract import Columns, Operator
from schemas.column import Column

NO_EQUITY = "equity is not known or not positive"
NO_POOL = "a pool's equity is not known or not positive in all pools with positions, or all that is held was left out"
NO_START = NO_POOL + ", or of none is every leverage known"
WRITES = (
    Column(
        "leverage_total",
        "f8",
        "Notional of all positions over equity",
        "1",
        "sum N / E",
        null_when=NO_EQUITY,
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "leverage_net",
        "f8",
        "Net notional over equity",
        "1",
        "|sum s N| / E",
        null_when=NO_EQUITY,
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "leverage_average",
        "f8",
        "Leverage of the positions, weighted by notional",
        "1",
        "sum N l / sum N",
        null_when="no positions, or a leverage or price is not known",
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "leverage_max",
        "f8",
        "Largest leverage of a position",
        "1",
        "max l",
        null_when="no positions, or of none is the leverage known",
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "margin_utilisation",
        "f8",
        "Initial margin over equity in the cross pool where it is largest; without one, of the account",
        "1",
        "max sum IM / E_p; 0 without positions",
        null_when=NO_START,
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "maintenance_ratio",
        "f8",
        "Maintenance margin over equity in the pool where it is largest; liquidation at 1",
        "1",
        "max sum MM / E_p, as in pool_maintenance_ratio; 0 without positions",
        null_when=NO_POOL + ", or in none a position has tiers",
        low=0.0,
        source="Binance: Margin Ratio",
    ),
    Column(
        "insolvent",
        "bool",
        "Whether equity of the account, or of a pool with positions, is zero or less; not of an empty account",
    ),
)


def compute(sums: Columns) -> Columns:
    """The columns of `WRITES`, one row an account.

    >>> import numpy as np
    >>> one = {"gross_usd": 650.0, "net_usd": 350.0, "leverage_weight_usd": 2950.0, "leverage_max": 5.0,
    ...        "pool_utilisation": 0.75, "pool_maintenance_ratio": 0.0325, "equity_usd": 200.0, "positions": 2,
    ...        "pools_gone": 0}
    >>> row = compute({name: np.array([value]) for name, value in one.items()})
    >>> [round(float(row[name][0]), 5) for name in ("leverage_total", "leverage_net", "leverage_average")]
    [3.25, 1.75, 4.53846]
    """
    equity, some = sums["equity_usd"], sums["positions"] > 0
    behind = np.where(equity > 0, equity, np.nan)
    gross = sums["gross_usd"]
    return {
        "leverage_total": gross / behind,
        "leverage_net": np.abs(sums["net_usd"]) / behind,
        "leverage_average": sums["leverage_weight_usd"] / np.where(gross > 0, gross, np.nan),
        "leverage_max": sums["leverage_max"],
        "margin_utilisation": np.where(some, sums["pool_utilisation"], 0.0),
        "maintenance_ratio": np.where(some, sums["pool_maintenance_ratio"], 0.0),
        "insolvent": (equity < 0) | (some & ((equity <= 0) | (sums["pools_gone"] > 0))),
    }


LEVERAGE = Operator(
    "leverage",
    "account",
    (
        "gross_usd",
        "net_usd",
        "leverage_weight_usd",
        "leverage_max",
        "pool_utilisation",
        "pool_maintenance_ratio",
        "equity_usd",
        "positions",
        "pools_gone",
    ),
    columns=WRITES,
    compute=compute,
)
