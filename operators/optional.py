"""Optional tables: those that can be left out, for no operator of another table and no flow reads what theirs say.

They stand apart from the catalog, which loads what computes them: settings have names alone.
"""

from typing import Literal, get_args

OptionalTable = Literal[
    "features_costs",
    "features_liquidity",
    "features_efficiency",
    "walls",
    "consolidated_bbo",
    "footprint",
    "lead_lag",
    "price_discovery",
    "depth_grid",
    "liquidation_aftermath",
]
OPTIONAL: tuple[OptionalTable, ...] = get_args(OptionalTable)
