"""Every operator there is, one line each: lanes, windows, tables and laws find them here and nowhere else.

The order is that of the columns in their tables, and of those at one stage the order in which they run.
"""

from operators.book.bands import BANDS
from operators.book.clusters import CLUSTERS
from operators.book.consolidated_bbo import CONSOLIDATED_BBO
from operators.book.depth_grid import DEPTH_GRID
from operators.book.flow import ORDER_FLOW
from operators.book.imbalance import IMBALANCE
from operators.book.impact import IMPACT
from operators.book.lead_lag import LEAD_LAG
from operators.book.liquidity_score import LIQUIDITY_SCORE
from operators.book.micro_price import MICRO_PRICE
from operators.book.pressure import PRESSURE
from operators.book.price_discovery import PRICE_DISCOVERY
from operators.book.resilience import RESILIENCE
from operators.book.slope import SLOPE
from operators.book.time_weighted_spread import TIME_WEIGHTED_SPREAD
from operators.book.touch import TOUCH
from operators.book.walls import WALLS
from operators.contract import Operator
from operators.liquidation.aftermath import AFTERMATH
from operators.liquidation.counts import COUNTS
from operators.liquidation.normal import LIQUIDATIONS
from operators.liquidation.repeats import REPEATS
from operators.portfolio.leverage import LEVERAGE
from operators.stages import check
from operators.tape.absorption import ABSORPTION
from operators.tape.asymmetry import ASYMMETRY
from operators.tape.bars import BARS
from operators.tape.bulk_vpin import BULK_VPIN
from operators.tape.costs import COSTS
from operators.tape.cvd import CVD
from operators.tape.ewma import EWMA
from operators.tape.footprint import FOOTPRINT
from operators.tape.iceberg import ICEBERG
from operators.tape.kyle import KYLE
from operators.tape.lambdas import LAMBDAS
from operators.tape.large_trades import LARGE_TRADES
from operators.tape.markout import MARKOUT
from operators.tape.marks_in_force import MARKS
from operators.tape.ranges import RANGES
from operators.tape.regime import REGIME
from operators.tape.sign_autocorrelation import SIGN_AUTOCORRELATION
from operators.tape.trailing import TRAILING
from operators.tape.variance import VARIANCE
from operators.tape.vpin import VPIN

OPERATORS: tuple[Operator, ...] = (
    TOUCH,
    IMBALANCE,
    BANDS,
    SLOPE,
    PRESSURE,
    ORDER_FLOW,
    TIME_WEIGHTED_SPREAD,
    MICRO_PRICE,
    WALLS,
    BARS,
    CVD,
    VARIANCE,
    VPIN,
    KYLE,
    REPEATS,
    COUNTS,
    LIQUIDATIONS,
    AFTERMATH,
    MARKS,
    COSTS,
    MARKOUT,
    CONSOLIDATED_BBO,
    IMPACT,
    CLUSTERS,
    RESILIENCE,
    LIQUIDITY_SCORE,
    LARGE_TRADES,
    SIGN_AUTOCORRELATION,
    RANGES,
    LAMBDAS,
    BULK_VPIN,
    ABSORPTION,
    TRAILING,
    EWMA,
    REGIME,
    ASYMMETRY,
    ICEBERG,
    FOOTPRINT,
    LEAD_LAG,
    PRICE_DISCOVERY,
    DEPTH_GRID,
    LEVERAGE,
)
check(OPERATORS)

ALL: frozenset[str] = frozenset()
"""Leaving out no table."""


def chosen(without: frozenset[str]) -> tuple[Operator, ...]:
    """The operators but for those that fill the tables `without`.

    >>> [o.name for o in OPERATORS if o not in chosen(frozenset({"walls", "footprint"}))]
    ['walls', 'footprint']
    """
    return tuple(o for o in OPERATORS if table_of(o) not in without)


def table_of(operator: Operator) -> str:
    """The name of the table that it fills; empty if it fills none."""
    return operator.table if isinstance(operator.table, str) else operator.table.name


def at(stage: str, without: frozenset[str] = ALL) -> tuple[Operator, ...]:
    """The operators of a stage, in order."""
    return tuple(o for o in chosen(without) if o.stage == stage)


def of(table: str) -> tuple[Operator, ...]:
    """The operators that fill a table of windows, in the order of their columns."""
    return tuple(o for o in OPERATORS if o.table == table)
