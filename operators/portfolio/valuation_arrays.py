"""Valuation arrays: what the compiled loop over accounts (`valuing`) is given, works with, and finds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

WALLET, FREE, BID, ASK, KEPT = range(5)
"""Columns of the numbers of a purse; `KEPT` is 1 less the haircut."""
ASSET, POOL, OF = range(3)
"""Columns of its places: asset, pool, and the underlying whose contracts price the asset."""

(
    PRICE,
    NOTIONAL_USD,
    PNL_USD,
    INITIAL_USD,
    NEED_USD,
    LIQUIDATION,
    MOVE_BPS,
    PNL_SETTLED,
    POOL_USD,
    POOL_RATIO,
    MOST_LEVERAGE,
    LEFT,
) = range(12)
"""Rows of the numbers of positions."""
EVERYWHERE, OVER, LACKING = range(3)
"""Rows of their flags: liquidated at every price; more leverage than its tier allows; rests on an unknown mark."""
EQUITY, GROSS, NET, WEIGHT, LARGEST, INITIAL, NEEDED, NEAREST, WORST, USED = range(10)
"""Rows of the sums of accounts, in US dollars but for the largest leverage, the nearest move and the two ratios."""
WITHOUT_MARK, WITHOUT_TIERS, OLDEST_NS, NOT_VALUED, POOLS_UNKNOWN, POOLS_GONE, OVER_LEVERAGE = range(7)
"""Rows of what is counted of them."""


class Runs(NamedTuple):
    """Positions or purses: those of account a are rows `starts[a]` to `starts[a + 1]`."""

    starts: I8
    numbers: F8
    places: I8


class Pools(NamedTuple):
    """Pools, in runs likewise, and whether several assets are in one, counted in US dollars."""

    starts: I8
    multi: Flags


class Prices(NamedTuple):
    """Marks by market, or dollars by asset: the price, when it held (0: none), whether it moved."""

    price: F8
    ns: I8
    moved: Flags


class Tiers(NamedTuple):
    """As in `tiers.TierTable`."""

    starts: I8
    floor: F8
    mmr: F8
    cum: F8
    most: F8


class Worked(NamedTuple):
    """Room for what is worked out on the way.

    Of a position: price, maintenance, initial margin, `fixed`: maintenance before the fee to close, which no move of
    the mark changes (initial margin where there are no tiers), and what a unit of profit (`rate`) and of
    maintenance (`need_rate`) counts in its pool; and room for what `crossing.Members` says of purses. Of a purse:
    profit, that of its cross positions, what a unit counts as, owned and owed, and how much more once the sign of what
    it holds has turned. Of a pool: equity, maintenance, initial margin, positions, the oldest mark that it rests on (0:
    none), and how many it lacks.
    """

    price: F8
    need: F8
    initial: F8
    fixed: F8
    rate: F8
    need_rate: F8
    owned: F8
    swing: F8
    turn: F8
    pnl: F8
    pnl_cross: F8
    bid: F8
    ask: F8
    turned: F8
    pool_equity: F8
    pool_need: F8
    pool_initial: F8
    pool_held: F8
    pool_ns: I8
    pool_lacks: I8


class Valued(NamedTuple):
    """What is found: numbers and flags of positions and the oldest mark that each rests on (0: none), what a unit of a
    purse counts in equity, sums and counts of accounts, and which are due.
    """

    numbers: F8
    flags: Flags
    oldest_ns: I8
    rates: F8
    sums: F8
    counts: I8
    due_position: Flags
    due_account: Flags
