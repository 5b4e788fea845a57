"""Units: integer ticks and lots as prices, base quantities and US dollars.

For linear, inverse and contract-counted products alike.

The columns read, one value a row: `tick_mantissa tick_scale lot_mantissa lot_scale` (a step is mantissa / scale, both
exact in f8), `contract` (base units per unit of the venue's quantity; quote USD where `inverse`; NaN when unknown).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from operators.contract import Array, Columns
from schemas.column import Column
from schemas.instrument import Instrument, InstrumentTable, scale

_POWERS = np.array([10.0**d for d in range(40)])
READS = ("tick_mantissa", "tick_scale", "lot_mantissa", "lot_scale", "contract", "inverse")


def columns(rows: list[Instrument]) -> dict[str, Array]:
    """The scale columns of instruments, to be taken by instrument number.

    >>> from schemas.instrument import Instrument
    >>> c = columns([Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01)])
    >>> float(price(np.array([617736]), c)[0]), float(base(np.array([5]), np.array([61773.6]), c)[0])
    (61773.6, 0.05)
    """
    ticks = [scale(r.tick) for r in rows]
    lots = [scale(r.lot) for r in rows]
    return {
        "tick_mantissa": np.array([m for m, _ in ticks], np.float64),
        "tick_scale": np.array([10.0**d for _, d in ticks], np.float64),
        "lot_mantissa": np.array([m for m, _ in lots], np.float64),
        "lot_scale": np.array([10.0**d for _, d in lots], np.float64),
        "contract": np.array([np.nan if r.contract is None else r.contract for r in rows], np.float64),
        "inverse": np.array([r.kind == "inverse" for r in rows], np.bool_),
    }


def of_table(table: InstrumentTable) -> dict[str, Array]:
    """The same columns of the instruments of a log, from the arrays that its table keeps.

    >>> table = InstrumentTable()
    >>> table.add(Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01))
    0
    >>> {n: c.tolist() for n, c in of_table(table).items()} == {n: c.tolist() for n, c in columns(table.rows).items()}
    True
    """
    return {
        "tick_mantissa": table.tick_mantissa.astype(np.float64),
        "tick_scale": _POWERS[table.tick_decimals],
        "lot_mantissa": table.lot_mantissa.astype(np.float64),
        "lot_scale": _POWERS[table.lot_decimals],
        "contract": table.contract.copy(),
        "inverse": table.inverse.copy(),
    }


def price(ticks: Array, of: Columns) -> Array:
    """Quote price of `ticks`: the double nearest to the decimal that the venue printed, for up to 2**53 ticks."""
    return np.asarray(ticks * of["tick_mantissa"] / of["tick_scale"])


def quantity(lots: Array, of: Columns) -> Array:
    """The venue's own quantity: coins, contracts or dollars."""
    return np.asarray(lots * of["lot_mantissa"] / of["lot_scale"])


def base(lots: Array, at_price: Array, of: Columns) -> Array:
    """Base units: quantity times contract size; for inverse products the dollars divided by the price."""
    counted = quantity(lots, of) * of["contract"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(of["inverse"], counted / at_price, counted))


def usd(lots: Array, at_price: Array, of: Columns) -> Array:
    """Notional in the quote currency, base times price; for inverse products the dollars themselves.

    Where the quote is not US dollars, `in_dollars` makes null of it before it is published.
    """
    counted = quantity(lots, of) * of["contract"]
    return np.asarray(np.where(of["inverse"], counted, counted * at_price))


def in_dollars(values: Mapping[str, Any], columns: Iterable[Column], dollars: Array) -> dict[str, Array]:
    """The columns that rest on US dollars, null in rows of instruments that are not quoted in US dollars.

    >>> volume = Column("volume_usd", "f8", "traded volume", "USD")
    >>> in_dollars({"volume_usd": np.array([5.0, 7.0])}, [volume], np.array([True, False]))
    {'volume_usd': array([ 5., nan])}
    """
    return {c.name: np.where(dollars, values[c.name], np.nan) for c in columns if c.in_dollars}


def only_in_dollars(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns, those that rest on US dollars with the reason why they are null where the quote is another."""
    reason = "not quoted in US dollars"
    return tuple(
        msgspec.structs.replace(c, null_when=f"{c.null_when}; {reason}" if c.null_when else reason)
        if c.in_dollars
        else c
        for c in columns
    )
