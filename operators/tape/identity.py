"""Identity: trades that were delivered again, after a reconnect or by a second recorder.

A trade repeats if one before it in the log has the same instrument, feed, id and millisecond of event time (of two
recorders one may have asked for microseconds, Binance's `timeUnit`), is at most `memory_ns` of event time behind the
latest of its instrument, and at most `MOST` trades of the log back. Trades without an id (-1) never repeat. So the
state holds 10 s of each instrument's own time, or as much as is not late yet if that is more, 32 bytes a trade,
whatever the rate, and no more than `MOST` trades.

>>> i4, i8, i1 = (lambda *x: np.array(x, np.int32)), (lambda *x: np.array(x)), (lambda *x: np.array(x, np.int8))
>>> same = i8(1, 1, 1, 1)
>>> ids, times, feed = i8(7, 8, 7, 7), i8(5, 6, 5, 5), i1(1, 1, 1, 2)
>>> trades = Trades(i4(0, 1, 2, 3), i4(0, 0, 0, 0), times, same, same, same, feed, ids, same, same)
>>> repeated(Seen(), trades)
array([False, False,  True, False])
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from operators.pack import pack, unpack
from schemas.batches import Trades
from schemas.kernels import kernel

MEMORY_NS = 10_000_000_000
MOST = 1 << 20
I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
_LEAST = 1 << 10
_MS = 1_000_000
_COLUMNS = 4
"""Of a remembered trade: instrument and feed as one number, id, event time, which trade of the log it was."""


@dataclass(slots=True)
class Seen:
    """The trades remembered, in log order: the first `used` rows, found by `slots`; latest event time by instrument."""

    rows: I8 = field(default_factory=lambda: np.zeros((_LEAST, _COLUMNS), np.int64))
    slots: I4 = field(default_factory=lambda: np.zeros(4 * _LEAST, np.int32))
    latest_ns: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    used: int = 0
    count: int = 0
    memory_ns: int = MEMORY_NS


@kernel
def _look_up(
    instrument: Array,
    feed: Array,
    id: I8,
    event_ns: I8,
    start: int,
    count: int,
    used: int,
    rows: I8,
    slots: I4,
    latest_ns: I8,
    memory_ns: int,
    repeated: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Go on from trade `start`, until the end or until the rows are full: where it stands, trades and rows by then."""
    mask = len(slots) - 1
    for i in range(start, len(id)):
        if id[i] < 0:
            count += 1
            continue
        if used == len(rows):
            return i, count, used
        k = np.int64(instrument[i])
        who = k * 4 + feed[i]
        h = np.uint64(id[i]) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(who) * np.uint64(0xC2B2AE3D27D4EB4F)
        at = np.int64(h >> np.uint64(33)) & mask
        found = np.int64(-1)
        while slots[at]:
            row = np.int64(slots[at] - 1)
            if rows[row, 1] == id[i] and rows[row, 0] == who and rows[row, 2] // _MS == event_ns[i] // _MS:
                found = row
                break
            at = (at + 1) & mask
        latest_ns[k] = max(latest_ns[k], event_ns[i])
        if found >= 0 and latest_ns[k] - event_ns[i] <= memory_ns and count - rows[found, 3] <= MOST:
            repeated[i] = True
        elif found >= 0:
            rows[found, 3] = count
        else:
            rows[used, 0], rows[used, 1], rows[used, 2], rows[used, 3] = who, id[i], event_ns[i], count
            used += 1
            slots[at] = used
        count += 1
    return len(id), count, used


@kernel
def _index(rows: I8, used: int, slots: I4) -> None:
    """Fill empty slots with the first `used` rows."""
    mask = len(slots) - 1
    for row in range(used):
        h = np.uint64(rows[row, 1]) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(rows[row, 0]) * np.uint64(
            0xC2B2AE3D27D4EB4F
        )
        at = np.int64(h >> np.uint64(33)) & mask
        while slots[at]:
            at = (at + 1) & mask
        slots[at] = row + 1


def _live(state: Seen) -> I8:
    """The rows that a trade to come may still repeat."""
    rows = state.rows[: state.used]
    recent = (state.latest_ns[rows[:, 0] >> 2] - rows[:, 2] <= state.memory_ns) & (state.count - rows[:, 3] <= MOST)
    return np.asarray(rows[recent])


def _lay(state: Seen, rows: I8) -> None:
    """Keep these rows, with room for as many again."""
    room = max(_LEAST, 1 << (2 * len(rows)).bit_length())
    state.rows, state.used = np.zeros((room, _COLUMNS), np.int64), len(rows)
    state.rows[: len(rows)] = rows
    state.slots = np.zeros(4 * room, np.int32)
    _index(state.rows, state.used, state.slots)


def repeated(state: Seen, trades: Trades) -> NDArray[np.bool_]:
    """Which of consecutive trades of the log repeat one before them; all others are remembered."""
    more = int(trades.instrument.max(initial=-1)) + 1 - len(state.latest_ns)
    if more > 0:
        state.latest_ns = np.append(state.latest_ns, np.full(more, -(2**62), np.int64))
    again = np.zeros(len(trades), np.bool_)
    ids, times = np.ascontiguousarray(trades.id), np.ascontiguousarray(trades.event_ns)
    at = 0
    while True:
        at, state.count, state.used = _look_up(
            trades.instrument,
            trades.feed,
            ids,
            times,
            at,
            state.count,
            state.used,
            state.rows,
            state.slots,
            state.latest_ns,
            state.memory_ns,
            again,
        )
        if at == len(trades):
            return again
        _lay(state, _live(state))


def freeze(state: Seen) -> bytes:
    """What is remembered, as bytes."""
    rows = _live(state)
    columns = {f"row_{c}": np.ascontiguousarray(rows[:, c]) for c in range(_COLUMNS)}
    return pack({**columns, "latest_ns": state.latest_ns, "count": np.array([state.count])})


def thaw(data: bytes, memory_ns: int = MEMORY_NS) -> Seen:
    """What was frozen; nothing from nothing."""
    if not data:
        return Seen(memory_ns=memory_ns)
    arrays = unpack(data)
    state = Seen(latest_ns=arrays["latest_ns"].astype(np.int64), count=int(arrays["count"][0]), memory_ns=memory_ns)
    _lay(state, np.stack([arrays[f"row_{c}"].astype(np.int64) for c in range(_COLUMNS)], axis=1))
    return state
