"""Leverage and margin of an account, from the sums over its positions.

    total = sum N / E     net = |sum s N| / E     average = sum N l / sum N     max = max l
    utilisation = sum IM / E     maintenance ratio = sum MM / E

N: notional at mark, USD; s: +1 long, -1 short; l: leverage of a position; IM = N / l; MM: maintenance by tier at mark;
E: equity, wallet + unrealised profit of the cross positions, USD. What divides by E is null when E is not positive (the
account is then `insolvent`) and when a mark or a tier is missing; average and max are null without positions.
Source: definitions of this project; the maintenance ratio is Binance's "Margin Ratio".
"""

import numpy as np

from operators.contract import Columns, Operator
from schemas.column import Column

NO_EQUITY = "the account is insolvent, or a position has no mark"
WRITES = (
    Column(
        "leverage_total", "f8", "Notional of all positions over equity", "1", "sum N / E", null_when=NO_EQUITY, low=0.0
    ),
    Column("leverage_net", "f8", "Net notional over equity", "1", "|sum s N| / E", null_when=NO_EQUITY, low=0.0),
    Column(
        "leverage_average",
        "f8",
        "Leverage of the positions, weighted by notional",
        "1",
        "sum N l / sum N",
        null_when="no positions, or a position has no mark",
        low=0.0,
    ),
    Column("leverage_max", "f8", "Largest leverage of a position", "1", "max l", null_when="no positions", low=0.0),
    Column("margin_utilisation", "f8", "Initial margin over equity", "1", "sum IM / E", null_when=NO_EQUITY, low=0.0),
    Column(
        "maintenance_ratio",
        "f8",
        "Maintenance margin over equity; liquidation at 1",
        "1",
        "sum MM / E",
        null_when=NO_EQUITY + " or no tiers",
        low=0.0,
    ),
    Column("insolvent", "bool", "Whether equity is zero or less"),
)


def compute(sums: Columns) -> Columns:
    """The columns of `WRITES`, one row an account.

    >>> import numpy as np
    >>> one = {"gross_usd": 650.0, "net_usd": 350.0, "leverage_weight_usd": 2950.0, "leverage_max": 5.0,
    ...        "initial_margin_usd": 150.0, "maintenance_margin_usd": 6.5, "equity_usd": 200.0}
    >>> row = compute({name: np.array([value]) for name, value in one.items()})
    >>> [round(float(row[name][0]), 5) for name in ("leverage_total", "leverage_net", "leverage_average")]
    [3.25, 1.75, 4.53846]
    """
    equity = sums["equity_usd"]
    behind = np.where(equity > 0, equity, np.nan)
    gross = sums["gross_usd"]
    return {
        "leverage_total": gross / behind,
        "leverage_net": np.abs(sums["net_usd"]) / behind,
        "leverage_average": sums["leverage_weight_usd"] / np.where(gross > 0, gross, np.nan),
        "leverage_max": sums["leverage_max"],
        "margin_utilisation": sums["initial_margin_usd"] / behind,
        "maintenance_ratio": sums["maintenance_margin_usd"] / behind,
        "insolvent": equity <= 0,
    }


LEVERAGE = Operator(
    "leverage",
    "account",
    (
        "gross_usd",
        "net_usd",
        "leverage_weight_usd",
        "leverage_max",
        "initial_margin_usd",
        "maintenance_margin_usd",
        "equity_usd",
    ),
    columns=WRITES,
    compute=compute,
)
