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

_AT = {name: i for i, name in enumerate(READS)}
_OUT = {name: i for i, name in enumerate(NAMES)}
_LED = np.array([_OUT[name.removeprefix("leader_")] for name in NAMES if name.startswith("leader_")], np.int64)
_FIRST_LED = min(_OUT[name] for name in NAMES if name.startswith("leader_"))
_FIRST_SLOW = _OUT["volatility_60m_bps"]
_LAST_LONG, _LAST_SHORT = _OUT["minutes_since_long_liquidation"], _OUT["minutes_since_short_liquidation"]


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
    columns = {name: out[at, i] for name, i in _OUT.items()}
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
    """Mass of longs and shorts within each of `MASS_BPS`, over `volume`; the columns of READS are 0, 10 and 11."""
    out[:] = 0.0
    here = _ago(rows, minute, now, 0, 0)
    low, high = here, here
    for age in range(60):
        at = (now - age) % RING
        if minute[at] != now - age or np.isnan(rows[at, 0]):
            out[:] = np.nan
            return
        mid, bought = rows[at, 0], rows[at, 11]
        low, high = min(low, mid), max(high, mid)
        weight = 0.5 ** (age / OPEN_HALF_LIFE) / len(LEVERAGES)
        for leverage in LEVERAGES:
            below = mid * (1 - 1 / leverage) / (1 - MAINTENANCE)
            above = mid * (1 + 1 / leverage) / (1 + MAINTENANCE)
            for k in range(len(MASS_BPS)):
                if below < low and 1e4 * (1 - below / here) <= MASS_BPS[k]:
                    out[2 * k] += weight * bought
                if above > high and 1e4 * (above / here - 1) <= MASS_BPS[k]:
                    out[2 * k + 1] += weight * (rows[at, 10] - bought)
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
            if v[12 + side] > 0:
                liquidated[s, side] = now
        x[0] = v[1]
        x[1] = _log_ratio(v[1] * 60, _sum(r, m, now, 60, 1))
        x[2] = v[2]
        x[3] = v[3]
        x[4] = v[4]
        x[5] = v[5]
        x[6] = _log_ratio(v[6], v[7])
        x[7] = _log_ratio((v[6] + v[7]) * 60, _sum(r, m, now, 60, 6) + _sum(r, m, now, 60, 7))
        x[8] = v[8]
        rv1, rv5, rv60 = v[9], _sum(r, m, now, 5, 9), _sum(r, m, now, 60, 9)
        x[9] = 1e4 * np.sqrt(rv1)
        x[10] = _ratio(5 * rv1, rv5)
        x[11] = _ratio(12 * rv5, rv60)
        x[12] = _ratio(_log_ratio(v[0], _ago(r, m, now, 1, 0)), np.sqrt(rv60 / 60))
        x[13] = _ratio(_log_ratio(v[0], _ago(r, m, now, 5, 0)), np.sqrt(rv60 / 12))
        x[14] = _ratio(_log_ratio(v[0], _ago(r, m, now, 15, 0)), np.sqrt(rv60 / 4))
        column = 15
        for window in (1, 5, 15):
            bought, traded = _sum(r, m, now, window, 11), _sum(r, m, now, window, 10)
            x[column] = _ratio(2 * bought - traded, traded)
            column += 1
        x[18] = _ratio(60 * v[10], _sum(r, m, now, 60, 10))
        column = 19
        for window in (1, 5, 30):
            traded = _sum(r, m, now, window, 10)
            for side in range(2):
                x[column] = _sum(r, m, now, window, 12 + side)
                x[column + 6] = _ratio(_sum(r, m, now, window, 14 + side), traded)
                column += 1
        for side in range(2):
            if liquidated[s, side] >= 0:
                x[_LAST_LONG + side] = now - liquidated[s, side]
        column = _LAST_SHORT + 1
        x[column] = 1e4 * (v[16] - v[17]) / v[17] if v[17] > 0 else np.nan
        x[column + 1] = 1e4 * v[18]
        x[column + 2] = (v[19] - at_ns[i]) / MINUTE_NS if v[19] >= at_ns[i] else np.nan
        x[column + 3] = _log_ratio(v[20], _ago(r, m, now, 5, 20))
        x[column + 4] = _log_ratio(v[20], _ago(r, m, now, 60, 20))
        hour, slow = _sum(r, m, now, 60, 10), _FIRST_SLOW
        x[slow] = 1e4 * np.sqrt(rv60)
        x[slow + 1] = _ratio(_log_ratio(v[0], _ago(r, m, now, 60, 0)), np.sqrt(rv60))
        for side in range(2):
            x[slow + 2 + side] = _ratio(_sum(r, m, now, 60, 14 + side), hour)
        slow += 4
        _masses(r, m, now, hour, x[slow : slow + 2 * len(MASS_BPS)])
        slow += 2 * len(MASS_BPS)
        half = 2 * len(HORIZONS_MIN)
        for k in range(half):
            past, limit = standing[i, k], standing[i, half + k]
            x[slow + k] = _ratio(past, limit)
            x[slow + half + k] = _log_ratio(60 * limit, HORIZONS_MIN[k // 2] * hour)
        angle = 2 * np.pi * (now % WEEK_MINUTES) / WEEK_MINUTES
        x[column + 5] = np.sin(angle)
        x[column + 6] = np.cos(angle)
        leading = leader[i]
        if leading >= 0 and leading != s:
            last = 1 if led_minute[leading, 1] < now else 0
            if 0 <= led_minute[leading, last] < now and now - led_minute[leading, last] <= 5:
                for k in range(len(_LED)):
                    x[_FIRST_LED + k] = led[leading, last, k]
        column = _FIRST_LED + len(_LED)
        x[column] = v[21]
        x[column + 1] = v[22]
        x[column + 2] = v[23]
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
