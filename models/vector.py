"""The feature vector of the liquidation model: per-minute rows in, one vector a row out, the same in training and live.

A row says what was known of one instrument at the end of its minute (the feature topics at that instant). The state
keeps the last hour of each instrument; a vector depends on its own row, earlier rows, and earlier minutes of the leader
(BTC) only, never on anything later or on the order of rows within a minute. What needs a minute that is not there is
NaN, as is what the row itself does not know; nothing is filled in.

    mass(d) = sum over minutes of the last 60 and leverages L of  2^(-age/45) opened / 5  where LP is within d of mid
    LP = mid then (1 -+ 1/L) / (1 -+ MMR), counted while no mid has reached it

estimates what a move of d would liquidate, taking all that takers bought for longs opened and sold for shorts.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.vector_items import HORIZONS_MIN, MASS_BPS, NAMES, OPEN_HALF_LIFE, READS, STANDING
from operators.contract import Columns, Step
from operators.pack import pack, unpack
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

MINUTE_NS = 60_000_000_000
RING = 64
LEVERAGES = np.array([10.0, 20.0, 25.0, 50.0, 100.0])
MAINTENANCE = 0.005
WEEK_MINUTES = 7 * 24 * 60


def _columns(*names: str) -> list[int]:
    """Where columns of `READS` stand. Of sides the first is named: shorts stand behind longs, asks behind bids."""
    return [READS.index(name) for name in names]


def _items(*names: str) -> list[int]:
    """Where items of `NAMES` stand. Of several the first is named: shorter times first, of each longs, then shorts."""
    return [NAMES.index(name) for name in names]


MID, SPREAD, IMBALANCES, OFI, VARIANCE = _columns(
    "mid", "spread_bps", "imbalance_1", "ofi_per_depth", "realised_variance"
)
DEPTHS, VOLUME, BOUGHT = _columns("bid_depth_10bps_usd", "volume_usd", "buy_volume_usd")
LIQUIDATIONS, LIQUIDATED = _columns("long_liquidations", "long_liquidated_usd")
MARK, INDEX, FUNDING, NEXT_FUNDING, OPEN_INTEREST, AGES = _columns(
    "mark_price", "index_price", "funding_rate", "next_funding_ns", "open_interest", "book_age_s"
)
TO_SPREAD, TO_SPREAD_VS_HOUR, TO_IMBALANCES, TO_OFI = _items(
    "spread_bps", "spread_log_vs_hour", "imbalance_1", "ofi_per_depth"
)
TO_DEPTH_RATIO, TO_DEPTH_VS_HOUR, TO_VOLUME_VS_HOUR = _items("depth_log_ratio", "depth_log_vs_hour", "volume_vs_hour")
TO_VOLATILITY_1M, TO_VOLATILITY_60M = _items("volatility_1m_bps", "volatility_60m_bps")
TO_VARIANCE_1M_5M, TO_VARIANCE_5M_60M = _items("variance_ratio_1m_5m", "variance_ratio_5m_60m")
TO_RETURNS, TO_RETURN_60M, TO_TAKERS = _items("return_1m_over_sigma", "return_60m_over_sigma", "taker_imbalance_1m")
TO_LIQUIDATIONS, TO_SHARES, TO_SHARES_60M, TO_SINCE = _items(
    *("long_liquidations_1m", "long_liquidated_share_1m", "long_liquidated_share_60m"),
    "minutes_since_long_liquidation",
)
TO_BASIS, TO_FUNDING, TO_NEXT_FUNDING = _items("basis_bps", "funding_rate_bps", "minutes_to_funding")
TO_OPEN_INTEREST_5M, TO_OPEN_INTEREST_60M = _items("open_interest_change_5m", "open_interest_change_60m")
TO_SIN, TO_COS, TO_AGES = _items("hour_of_week_sin", "hour_of_week_cos", "book_age_s")
TO_MASSES, TO_OVER, TO_THRESHOLDS = _items(
    f"long_mass_{MASS_BPS[0]:.0f}bps",
    f"long_liquidated_over_threshold_{HORIZONS_MIN[0]}m",
    f"long_threshold_log_vs_volume_{HORIZONS_MIN[0]}m",
)
_LEADER = [name for name in NAMES if name.startswith("leader_")]
TO_LEADER = NAMES.index(_LEADER[0])
_LED = np.array(_items(*(name.removeprefix("leader_") for name in _LEADER)), np.int64)


@dataclass(slots=True)
class VectorState:
    """`rows[i, m % RING]` is minute m of instrument i when `minute` there says so; `led` its last two leader items."""

    rows: F8 = field(default_factory=lambda: np.empty((0, RING, len(READS))))
    minute: I8 = field(default_factory=lambda: np.empty((0, RING), np.int64))
    newest: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    liquidated: I8 = field(default_factory=lambda: np.empty((0, 2), np.int64))
    led: F8 = field(default_factory=lambda: np.empty((0, 2, len(_LED))))
    led_minute: I8 = field(default_factory=lambda: np.empty((0, 2), np.int64))


def _widen(state: VectorState, instruments: int) -> None:
    more = instruments - len(state.newest)
    if more > 0:
        state.rows = np.concatenate((state.rows, np.full((more, RING, len(READS)), np.nan)))
        state.minute = np.concatenate((state.minute, np.full((more, RING), -1)))
        state.newest = np.concatenate((state.newest, np.full(more, -1)))
        state.liquidated = np.concatenate((state.liquidated, np.full((more, 2), -1)))
        state.led = np.concatenate((state.led, np.full((more, 2, len(_LED)), np.nan)))
        state.led_minute = np.concatenate((state.led_minute, np.full((more, 2), -1)))


def _step(state: VectorState, rows: Columns) -> Columns:
    instrument = np.asarray(rows["instrument"], np.int64)
    leader = np.asarray(rows["leader"], np.int64)
    _widen(state, int(max(instrument.max(initial=-1), leader.max(initial=-1))) + 1)
    table = np.column_stack([np.asarray(rows[name], np.float64) for name in READS])
    standing = np.column_stack([np.asarray(rows[name], np.float64) for name in STANDING])
    out = np.full((len(instrument), len(NAMES)), np.nan)
    at_ns = np.asarray(rows["at_ns"], np.int64)
    kept = np.zeros(len(instrument), np.bool_)
    _vectors(
        state.rows,
        state.minute,
        state.newest,
        state.liquidated,
        state.led,
        state.led_minute,
        instrument,
        leader,
        at_ns,
        table,
        standing,
        out,
        kept,
    )
    at = np.flatnonzero(kept)
    columns = {name: out[at, i] for i, name in enumerate(NAMES)}
    return {"row": at, "instrument": instrument[at], "at_ns": at_ns[at], **columns}


def matrix(columns: Columns) -> F8:
    """Vectors as rows of a matrix, in the order of `NAMES`."""
    return np.column_stack([columns[name] for name in NAMES])


@kernel
def _sum(rows: F8, minute: I8, now: int, minutes: int, column: int) -> float:
    total = 0.0
    for m in range(now - minutes + 1, now + 1):
        at = m % RING
        total += rows[at, column] if minute[at] == m else np.nan
    return total


@inner
def _ago(rows: F8, minute: I8, now: int, minutes: int, column: int) -> float:
    at = (now - minutes) % RING
    value: float = rows[at, column] if minute[at] == now - minutes else np.nan
    return value


@kernel
def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else np.nan


@inner
def _log_ratio(a: float, b: float) -> float:
    return float(np.log(a / b)) if a > 0 and b > 0 else np.nan


@inner
def _masses(rows: F8, minute: I8, now: int, volume: float, out: F8) -> None:
    """Mass of longs and shorts within each of `MASS_BPS`, over `volume`."""
    out[:] = 0.0
    here = _ago(rows, minute, now, 0, MID)
    low, high = here, here
    for age in range(60):
        at = (now - age) % RING
        if minute[at] != now - age or np.isnan(rows[at, MID]):
            out[:] = np.nan
            return
        mid, bought = rows[at, MID], rows[at, BOUGHT]
        low, high = min(low, mid), max(high, mid)
        weight = 0.5 ** (age / OPEN_HALF_LIFE) / len(LEVERAGES)
        for leverage in LEVERAGES:
            below = mid * (1 - 1 / leverage) / (1 - MAINTENANCE)
            above = mid * (1 + 1 / leverage) / (1 + MAINTENANCE)
            for k in range(len(MASS_BPS)):
                if below < low and 1e4 * (1 - below / here) <= MASS_BPS[k]:
                    out[2 * k] += weight * bought
                if above > high and 1e4 * (above / here - 1) <= MASS_BPS[k]:
                    out[2 * k + 1] += weight * (rows[at, VOLUME] - bought)
    for k in range(len(out)):
        out[k] = _ratio(out[k], volume)


@kernel
def _vectors(
    rows: F8,
    minute: I8,
    newest: I8,
    liquidated: I8,
    led: F8,
    led_minute: I8,
    instrument: I8,
    leader: I8,
    at_ns: I8,
    table: F8,
    standing: F8,
    out: F8,
    kept: NDArray[np.bool_],
) -> None:
    for i in range(len(instrument)):
        s = instrument[i]
        now = at_ns[i] // MINUTE_NS
        # A second row of a minute, or one that comes late, would let two vectors of one minute differ.
        if now <= newest[s]:
            continue
        kept[i] = True
        newest[s] = now
        slot = now % RING
        for k in range(table.shape[1]):
            rows[s, slot, k] = table[i, k]
        minute[s, slot] = now
        r, m, v, x = rows[s], minute[s], table[i], out[i]
        for side in range(2):
            if v[LIQUIDATIONS + side] > 0:
                liquidated[s, side] = now
        x[TO_SPREAD] = v[SPREAD]
        x[TO_SPREAD_VS_HOUR] = _log_ratio(v[SPREAD] * 60, _sum(r, m, now, 60, SPREAD))
        for k in range(4):
            x[TO_IMBALANCES + k] = v[IMBALANCES + k]
        depth, depths = v[DEPTHS] + v[DEPTHS + 1], _sum(r, m, now, 60, DEPTHS) + _sum(r, m, now, 60, DEPTHS + 1)
        x[TO_DEPTH_RATIO] = _log_ratio(v[DEPTHS], v[DEPTHS + 1])
        x[TO_DEPTH_VS_HOUR] = _log_ratio(depth * 60, depths)
        x[TO_OFI] = v[OFI]
        rv1, rv5, rv60 = v[VARIANCE], _sum(r, m, now, 5, VARIANCE), _sum(r, m, now, 60, VARIANCE)
        x[TO_VOLATILITY_1M] = 1e4 * np.sqrt(rv1)
        x[TO_VARIANCE_1M_5M] = _ratio(5 * rv1, rv5)
        x[TO_VARIANCE_5M_60M] = _ratio(12 * rv5, rv60)
        for k, minutes in enumerate((1, 5, 15)):
            moved = _log_ratio(v[MID], _ago(r, m, now, minutes, MID))
            x[TO_RETURNS + k] = _ratio(moved, np.sqrt(rv60 / (60 // minutes)))
            bought, traded = _sum(r, m, now, minutes, BOUGHT), _sum(r, m, now, minutes, VOLUME)
            x[TO_TAKERS + k] = _ratio(2 * bought - traded, traded)
        hour = _sum(r, m, now, 60, VOLUME)
        x[TO_VOLUME_VS_HOUR] = _ratio(60 * v[VOLUME], hour)
        for k, minutes in enumerate((1, 5, 30)):
            traded = _sum(r, m, now, minutes, VOLUME)
            for side in range(2):
                x[TO_LIQUIDATIONS + 2 * k + side] = _sum(r, m, now, minutes, LIQUIDATIONS + side)
                x[TO_SHARES + 2 * k + side] = _ratio(_sum(r, m, now, minutes, LIQUIDATED + side), traded)
        for side in range(2):
            if liquidated[s, side] >= 0:
                x[TO_SINCE + side] = now - liquidated[s, side]
        x[TO_BASIS] = 1e4 * (v[MARK] - v[INDEX]) / v[INDEX] if v[INDEX] > 0 else np.nan
        x[TO_FUNDING] = 1e4 * v[FUNDING]
        x[TO_NEXT_FUNDING] = (v[NEXT_FUNDING] - at_ns[i]) / MINUTE_NS if v[NEXT_FUNDING] >= at_ns[i] else np.nan
        x[TO_OPEN_INTEREST_5M] = _log_ratio(v[OPEN_INTEREST], _ago(r, m, now, 5, OPEN_INTEREST))
        x[TO_OPEN_INTEREST_60M] = _log_ratio(v[OPEN_INTEREST], _ago(r, m, now, 60, OPEN_INTEREST))
        angle = 2 * np.pi * (now % WEEK_MINUTES) / WEEK_MINUTES
        x[TO_SIN], x[TO_COS] = np.sin(angle), np.cos(angle)
        x[TO_VOLATILITY_60M] = 1e4 * np.sqrt(rv60)
        x[TO_RETURN_60M] = _ratio(_log_ratio(v[MID], _ago(r, m, now, 60, MID)), np.sqrt(rv60))
        for side in range(2):
            x[TO_SHARES_60M + side] = _ratio(_sum(r, m, now, 60, LIQUIDATED + side), hour)
        _masses(r, m, now, hour, x[TO_MASSES : TO_MASSES + 2 * len(MASS_BPS)])
        standings = 2 * len(HORIZONS_MIN)
        for k in range(standings):
            past, limit = standing[i, k], standing[i, standings + k]
            x[TO_OVER + k] = _ratio(past, limit)
            x[TO_THRESHOLDS + k] = _log_ratio(60 * limit, HORIZONS_MIN[k // 2] * hour)
        leading = leader[i]
        if leading >= 0 and leading != s:
            last = 1 if led_minute[leading, 1] < now else 0
            if 0 <= led_minute[leading, last] < now and now - led_minute[leading, last] <= 5:
                for k in range(len(_LED)):
                    x[TO_LEADER + k] = led[leading, last, k]
        for k in range(3):
            x[TO_AGES + k] = v[AGES + k]
        led_minute[s, 0] = led_minute[s, 1]
        for k in range(len(_LED)):
            led[s, 0, k] = led[s, 1, k]
            led[s, 1, k] = x[_LED[k]]
        led_minute[s, 1] = now


def _freeze(state: VectorState) -> bytes:
    return pack({name: getattr(state, name) for name in VectorState.__slots__})


def _thaw(data: bytes) -> VectorState:
    arrays = unpack(data)
    rows, led = (np.asarray(arrays[name], np.float64) for name in ("rows", "led"))
    minute, newest, liquidated, led_minute = (
        np.asarray(arrays[name], np.int64) for name in ("minute", "newest", "liquidated", "led_minute")
    )
    return VectorState(rows, minute, newest, liquidated, led, led_minute)


VECTOR = Step(
    "liquidation_vector",
    ("instrument", "leader", "at_ns", *READS, *STANDING),
    ("row", "instrument", "at_ns", *NAMES),
    VectorState,
    _step,
    _freeze,
    _thaw,
)
"""One vector for each row that is newer than all before it of its instrument; `row` says which; others are dropped."""
