"""Bars: prices, volumes and the aggressors' share of the trades of a window.

    vwap          = sum p q / sum q                    quote units; q in base units
    signed_volume = sum s q                            s = +1 aggressive buy, -1 aggressive sell; base units
    taker_ratio   = buy volume / volume                [0, 1]

Linear and spot: q is lots, so sum q and sum p q are integers, exact while those of a window stay below 2**63 lots: the
latter is kept as two sums, of products >> 20 and of what is left of each. The first may go round its 64 bits; the lots
and the prices say how often, where lots times the range of prices stay below 2**84 ticks times lots. Beyond (a
fall by half of 10,000 coins a trade at 60,000, tick and lot 1e-8) turnover is not known, and null.
Inverse: lots are dollars and q = dollars / price, so sum q is a float sum, continued in log order. Each result is the
exact sum rounded once, so it does not depend on the tick and lot in which an inferred instrument counted at the time.
Open and close go by event time, then by log order: a trade that arrives late but happened earlier is not the close.
Without trades counts and volumes are 0 and prices null.

Sums as in tardis-node `computeTradeBars`.

>>> trades = {"ticks": [1005, 1015], "lots": [200, 2000], "sign": [-1, 1], "event_ns": [1, 2],
...           "qty_per_price": [0.0, 0.0]}
>>> dtypes = {"sign": np.int8, "qty_per_price": np.float64}
>>> panes = BARS.empty(1)
>>> BARS.fold({}, {k: np.array(v, dtypes.get(k, np.int64)) for k, v in trades.items()}, panes, np.array([0, 0]))
>>> scales = {"tick_mantissa": 1.0, "tick_scale": 1.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}
>>> bar = BARS.compute(panes | {k: np.array([v]) for k, v in (scales | {"inverse": False}).items()})
>>> float(bar["vwap"][0]), float(bar["signed_volume"][0])
(1014.0909090909091, 1800.0)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Array, Columns, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
_MAX = 2**63 - 1


class Trades(NamedTuple):
    """What the kernel reads of trades, by name."""

    ticks: I8
    lots: I8
    sign: NDArray[np.int8]
    event_ns: I8
    qty_per_price: F8


class Bars(NamedTuple):
    """The statistics that the kernel continues, by name; `turnover`: sum of ticks * lots in two parts, see above."""

    trades: I8
    buys: I8
    lots: I8
    buy_lots: I8
    turnover_hi: I8
    turnover_lo: I8
    buy_turnover_hi: I8
    buy_turnover_lo: I8
    per_price: F8
    buy_per_price: F8
    open_ticks: I8
    high_ticks: I8
    low_ticks: I8
    close_ticks: I8
    first_ns: I8
    last_ns: I8


@kernel
def _accumulate(slot: I8, seen: Trades, bars: Bars) -> None:
    for i in range(len(slot)):
        p, t, q = slot[i], seen.ticks[i], seen.lots[i]
        # The product in halves of 20 bits each: it may need a hundred.
        below, least = (t & 0xFFFFF) * (q >> 20), (t & 0xFFFFF) * (q & 0xFFFFF)
        high, low = (t >> 20) * q + below + (least >> 20), least & 0xFFFFF
        if bars.trades[p] == 0 or seen.event_ns[i] < bars.first_ns[p]:
            bars.first_ns[p], bars.open_ticks[p] = seen.event_ns[i], t
        if bars.trades[p] == 0 or seen.event_ns[i] >= bars.last_ns[p]:
            bars.last_ns[p], bars.close_ticks[p] = seen.event_ns[i], t
        bars.high_ticks[p], bars.low_ticks[p] = max(bars.high_ticks[p], t), min(bars.low_ticks[p], t)
        bars.trades[p] += 1
        bars.lots[p] += q
        bars.turnover_hi[p] += high
        bars.turnover_lo[p] += low
        bars.per_price[p] += seen.qty_per_price[i]
        if seen.sign[i] > 0:
            bars.buys[p] += 1
            bars.buy_lots[p] += q
            bars.buy_turnover_hi[p] += high
            bars.buy_turnover_lo[p] += low
            bars.buy_per_price[p] += seen.qty_per_price[i]


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    seen = Trades(**{n: events[n] for n in Trades._fields})
    _accumulate(slot, seen, Bars(**{n: panes[n] for n in Bars._fields}))


STATISTICS = (
    Statistic("trades", "i8", "sum"),
    Statistic("buys", "i8", "sum"),
    Statistic("lots", "i8", "sum", lots=1),
    Statistic("buy_lots", "i8", "sum", lots=1),
    Statistic("turnover_hi", "i8", "sum", ticks=1, lots=1),
    Statistic("turnover_lo", "i8", "sum", ticks=1, lots=1),
    Statistic("buy_turnover_hi", "i8", "sum", ticks=1, lots=1),
    Statistic("buy_turnover_lo", "i8", "sum", ticks=1, lots=1),
    Statistic("per_price", "f8", "sum"),
    Statistic("buy_per_price", "f8", "sum"),
    Statistic("open_ticks", "i8", "first", ticks=1),
    Statistic("high_ticks", "i8", "max", ticks=1),
    Statistic("low_ticks", "i8", "min", _MAX, ticks=1),
    Statistic("close_ticks", "i8", "last", ticks=1),
    Statistic("first_ns", "i8", "min", _MAX),
    Statistic("last_ns", "i8", "max"),
)


def qty_per_price(ticks: Array, lots: Array, of: Columns) -> Array:
    """Quantity over price of each trade: what the base units of an inverse contract are made of."""
    return np.asarray(units.quantity(lots, of) / units.price(ticks, of))


def base_volume(lots: Array, per_price: Array, of: Columns) -> Array:
    """Base units of trades, from the sum of their lots (linear, spot) or of quantity over price (inverse)."""
    return np.asarray(np.where(of["inverse"], per_price, units.quantity(lots, of)) * of["contract"])


def rounds(high: Array, low: Array, lots: Array, of: Columns) -> Array:
    """How often a `turnover_hi` went round: as often as brings turnover nearest to lots times the middle of the prices.

    NaN where once more or less would leave it between lots at the lowest and at the highest price too.
    """
    lowest, highest = (of[name].astype(np.float64) for name in ("low_ticks", "high_ticks"))
    found = np.rint((lots * (lowest + highest) / 2 - (high * 2.0**20 + low)) / 2.0**84)
    return np.asarray(np.where(lots * (highest - lowest) < 2.0**84, found, np.nan))


def _over(high: Array, low: Array, went_round: Array, times: Array, by: Array) -> Array:
    """Turnover * times / by, rounded once; `times` and `by` hold integers, NaN where `by` is 0."""
    whole = went_round * 2.0**84 + high * 2.0**20 + low
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.where(by > 0, whole * times / by, np.nan)
    for i in np.flatnonzero((whole * times >= 2.0**53) & (by > 0)).tolist():
        out[i] = ((int(went_round[i]) << 84) + (int(high[i]) << 20) + int(low[i])) * int(times[i]) / int(by[i])
    return np.asarray(out)


def _usd_volume(lots: Array, high: Array, low: Array, of: Columns) -> Array:
    known = np.isfinite(of["tick_scale"])
    scale = np.where(known, of["tick_scale"] * of["lot_scale"], 0.0)
    times = np.where(known, of["tick_mantissa"] * of["lot_mantissa"], 0.0)
    return np.asarray(
        np.where(of["inverse"], units.quantity(lots, of), _over(high, low, rounds(high, low, lots, of), times, scale))
        * of["contract"]
    )


def _vwap(windows: Columns) -> Array:
    high, low, lots = windows["turnover_hi"], windows["turnover_lo"], windows["lots"]
    known = np.isfinite(windows["tick_scale"])
    times = np.where(known, windows["tick_mantissa"], 0.0)
    by = np.where(known, lots * windows["tick_scale"], 0.0)
    linear = _over(high, low, rounds(high, low, lots, windows), times, by)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = units.quantity(lots, windows) / windows["per_price"]
    return np.where(windows["inverse"], inverse, linear)


def _bar(windows: Columns) -> Columns:
    traded = windows["trades"] > 0
    lots, buy_lots = windows["lots"], windows["buy_lots"]
    per_price, buy_per_price = windows["per_price"], windows["buy_per_price"]
    inverse = windows["inverse"]
    size, buys = np.where(inverse, per_price, lots), np.where(inverse, buy_per_price, buy_lots)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = buys / size
    prices = {
        name: np.where(traded, units.price(windows[f"{name}_ticks"], windows), np.nan)
        for name in ("open", "high", "low", "close")
    }
    return prices | {
        "vwap": np.where(size > 0, _vwap(windows), np.nan),
        "volume_base": base_volume(lots, per_price, windows),
        "volume_usd": _usd_volume(lots, windows["turnover_hi"], windows["turnover_lo"], windows),
        "buy_volume_base": base_volume(buy_lots, buy_per_price, windows),
        "buy_volume_usd": _usd_volume(buy_lots, windows["buy_turnover_hi"], windows["buy_turnover_lo"], windows),
        "signed_volume": base_volume(2 * buy_lots - lots, 2 * buy_per_price - per_price, windows),
        "taker_ratio": np.where(size > 0, np.minimum(share, 1.0), np.nan),
        "trades": windows["trades"],
        "buys": windows["buys"],
    }


_EMPTY = "no trade in the window"
_CONTRACT = "contract unknown"
_ROUND = "more ticks times lots between the lowest and the highest price than 2**84"
_SOURCE = "tardis-node computeTradeBars"

BARS = Operator(
    "bars",
    "trade",
    Trades._fields,
    table="features_tape",
    statistics=STATISTICS,
    fold=_fold,
    uses=units.READS,
    compute=_bar,
    columns=(
        Column(
            "open",
            "f8",
            "price of the earliest trade by event time",
            "quote",
            "p of the first t",
            _SOURCE,
            null_when=_EMPTY,
            low=0,
        ),
        Column("high", "f8", "highest price", "quote", "max p", _SOURCE, null_when=_EMPTY, low=0),
        Column("low", "f8", "lowest price", "quote", "min p", _SOURCE, null_when=_EMPTY, low=0),
        Column(
            "close",
            "f8",
            "price of the latest trade by event time",
            "quote",
            "p of the last t",
            _SOURCE,
            null_when=_EMPTY,
            low=0,
        ),
        Column(
            "vwap",
            "f8",
            "volume-weighted average price",
            "quote",
            "sum p q / sum q",
            _SOURCE,
            null_when=f"{_EMPTY}; {_ROUND}",
            low=0,
        ),
        Column("volume_base", "f8", "traded volume", "base", "sum q", _SOURCE, null_when=_CONTRACT, low=0),
        Column(
            "volume_usd", "f8", "traded volume", "USD", "sum p q", _SOURCE, null_when=f"{_CONTRACT}; {_ROUND}", low=0
        ),
        Column(
            "buy_volume_base",
            "f8",
            "volume of aggressive buys",
            "base",
            "sum q of buys",
            _SOURCE,
            null_when=_CONTRACT,
            low=0,
        ),
        Column(
            "buy_volume_usd",
            "f8",
            "volume of aggressive buys",
            "USD",
            "sum p q of buys",
            _SOURCE,
            null_when=f"{_CONTRACT}; {_ROUND}",
            low=0,
        ),
        Column(
            "signed_volume",
            "f8",
            "aggressive buys less aggressive sells",
            "base",
            "sum s q",
            _SOURCE,
            sign="net buying: positive",
            null_when=_CONTRACT,
        ),
        Column(
            "taker_ratio",
            "f8",
            "buys' share of base volume",
            "1",
            "buy volume / volume",
            _SOURCE,
            null_when=_EMPTY,
            low=0,
            high=1,
        ),
        Column("trades", "i8", "number of trades", "count", low=0),
        Column("buys", "i8", "number of aggressive buys", "count", low=0),
    ),
)
