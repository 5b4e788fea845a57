"""Orders: forced orders that a venue tells in parts, each with what it has filled so far; here, what of it is new.

    size  = z - z'                                     z: filled so far, ': in the part before
    price = (z a - z' a') / (z - z')                   a: average price so far
    price = (z - z') / (z / a - z' / a')               where sizes are contracts of dollars (inverse)

So the sizes of the parts add up to the order's, and so do their notionals. The venue names no order. A part belongs to
the one before it of the same symbol, side, size and limit if it fills at least what it says that it filled last, within
`MEMORY_NS`; once an order has ended (filled, expired, cancelled), the next part begins another. A part that is not
later than what is known of its order, and does not fill more, was told before.
"""

from decimal import Decimal
from math import isfinite
from typing import NamedTuple

MEMORY_NS = 60_000_000_000
MOST = 4096
"""Orders remembered, the newest."""

Key = tuple[str, int, str, str]
Orders = dict[Key, tuple[str, float, int, bool]]
"""By order: filled so far, average price, event time, whether it ended."""


class Fill(NamedTuple):
    """What a venue says of a forced order: `filled` so far, of it `last` (0: not said), at `average` (NaN if not)."""

    symbol: str
    side: int
    total: str
    limit: str
    event_ns: int
    filled: Decimal
    last: Decimal
    average: float
    ended: bool
    inverse: bool


def new_part(orders: Orders, fill: Fill) -> tuple[Decimal, float] | None:
    """Size and average price of what is new, which is remembered; None where nothing is.

    >>> orders: Orders = {}
    >>> first = Fill("BTCUSDT", -1, "5", "60000", 10, Decimal(2), Decimal(2), 60500.0, False, False)
    >>> new_part(orders, first), new_part(orders, first)
    ((Decimal('2'), 60500.0), None)
    >>> rest = first._replace(event_ns=20, filled=Decimal(5), last=Decimal(3), average=60400.0, ended=True)
    >>> new_part(orders, rest)
    (Decimal('3'), 60333.333333333336)
    """
    key = fill.symbol, fill.side, fill.total, fill.limit
    was = orders.get(key)
    before, price = Decimal(0), fill.average
    if was is not None and abs(fill.event_ns - was[2]) <= MEMORY_NS:
        known, average, at, ended = Decimal(was[0]), was[1], was[2], was[3]
        if fill.event_ns <= at and fill.filled <= known:
            return None
        goes_on = fill.filled > known and fill.last <= fill.filled - known
        if fill.filled == known and fill.ended and not ended:
            orders[key] = was[0], average, fill.event_ns, True
            return None
        if goes_on and not (ended and fill.event_ns > at):
            before = known
            price = _between(fill, known, average)
    size = fill.filled - before
    if size <= 0:
        return None
    orders.pop(key, None)
    orders[key] = str(fill.filled), fill.average, fill.event_ns, fill.ended
    if len(orders) > MOST:
        del orders[next(iter(orders))]
    return size, price


def _between(fill: Fill, known: Decimal, average: float) -> float:
    """The average price of what was filled since `known` was at `average`; of the whole where that cannot be told."""
    if not (isfinite(fill.average) and isfinite(average) and fill.average > 0 and average > 0):
        return fill.average
    z, before = float(fill.filled), float(known)
    if fill.inverse:
        bases = z / fill.average - before / average
        price = (z - before) / bases if bases > 0 else fill.average
    else:
        price = (z * fill.average - before * average) / (z - before)
    return price if isfinite(price) and price > 0 else fill.average
