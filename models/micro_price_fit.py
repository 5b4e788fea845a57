"""The fit of the micro-price: the Markov chain of imbalance and spread between one best quote and the next.

    Q[x, y]: share of steps from x to y in which the mid stays    T[x, y]: of those in which it moves
    g[x]   : mean move of the mid in a step from x (of those that stay: 0)
    G1 = (I - Q)^-1 g      the first move to come        B = (I - Q)^-1 T      the state behind it
    G  = G1 + B G1 + B^2 G1 + ... = (I - B)^-1 G1

Each step counts twice, as it was and mirrored (bids for asks, up for down), so G is antisymmetric: B is taken for what
it does to such vectors, where the sum has a limit unless the imbalance never changes sides. Stoikov rounds moves to
half ticks up to one; here g is the mean of the moves as they were, whatever their size.
A state counts if it was left at least `LEAST` times and leads to some move in the end; others have no G (null).

What a step is, is up to who fits: here from one row of `features_book` to the next, so from one pane's end to another.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.book.micro_price import BUCKETS, SPREADS, state
from operators.contract import Array

F8 = NDArray[np.float64]
STATES = BUCKETS * SPREADS
LEAST = 20
_SINGULAR = 1e12
"""Condition of I - B beyond which the moves to come have no sum."""


class TooLittle(ValueError):
    """What was recorded does not say where the mid goes; the message is one line."""


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """G of one instrument, in ticks: a row a spread (1, 2, 3, 4 and more ticks), a value a bucket of imbalance."""

    venue: str
    symbol: str
    tick: float
    steps: int
    from_ms: int
    to_ms: int
    adjustment_ticks: list[list[float | None]]

    def __post_init__(self) -> None:
        """Not another shape than is looked up."""
        rows = self.adjustment_ticks
        if len(rows) != SPREADS or {len(row) for row in rows} != {BUCKETS} or not self.tick > 0:
            raise ValueError(f"{self.venue} {self.symbol}: not {SPREADS} spreads of {BUCKETS} imbalances, or no tick")

    def row(self) -> F8:
        """What the operator looks up in."""
        values = [np.nan if g is None else g for row in self.adjustment_ticks for g in row]
        return np.array([self.tick, *(self.tick * g for g in values)])


def fit(bid: Array, ask: Array, bid_size: Array, ask_size: Array, follows: Array, tick: float) -> F8:
    """G in ticks, f8[SPREADS, BUCKETS], from best quotes in order of time; `follows`: it is a step from the one before.

    TooLittle where the mid never moves.
    """
    at = state(np.round((ask - bid) / tick), bid_size, ask_size)
    steps = np.flatnonzero(follows[1:] & (at[1:] >= 0) & (at[:-1] >= 0))
    move = np.round((bid + ask)[steps + 1] / tick - (bid + ask)[steps] / tick) / 2
    return solved(at[steps], at[steps + 1], move)


def mirrored(states: Array) -> Array:
    """The same spreads with bids and asks exchanged."""
    return np.asarray(states // BUCKETS * BUCKETS + BUCKETS - 1 - states % BUCKETS)


def solved(start: Array, end: Array, move: Array) -> F8:
    """G from steps between states, with the mid's move in ticks."""
    start, end = np.concatenate([start, mirrored(start)]), np.concatenate([end, mirrored(end)])
    move = np.concatenate([move, -move])
    kept = np.ones(len(start), np.bool_)
    while True:
        left = np.bincount(start[kept], minlength=STATES)
        leads = np.zeros(STATES, np.bool_)
        leads[start[kept & (move != 0)]] = True
        while (more := leads[end] & kept & ~leads[start]).any():
            leads[start[more]] = True
        known = leads & (left >= LEAST)
        fewer = kept & known[start] & known[end]
        if (fewer == kept).all():
            break
        kept = fewer
    if not known.any():
        raise TooLittle("the mid hardly ever moved: nothing says where it goes")
    start, end, move = start[kept], end[kept], move[kept]
    share = 1.0 / np.maximum(left, 1)
    stays, moves = np.zeros((STATES, STATES)), np.zeros((STATES, STATES))
    still = move == 0
    np.add.at(stays, (start[still], end[still]), share[start[still]])
    np.add.at(moves, (start[~still], end[~still]), share[start[~still]])
    mean = np.bincount(start, share[start] * move, STATES)
    first = np.linalg.solve(np.eye(STATES) - stays, np.column_stack([mean, moves]))
    across = mirrored(np.arange(STATES))
    behind = (first[:, 1:] - first[:, 1:][:, across]) / 2
    if np.linalg.cond(np.eye(STATES) - behind) > _SINGULAR:
        raise TooLittle("the imbalance never changed sides: where the mid goes has no end")
    total = np.linalg.solve(np.eye(STATES) - behind, first[:, 0])
    total = (total - total[across]) / 2  # what rounding has left of the symmetry
    return np.where(known, total, np.nan).reshape(SPREADS, BUCKETS)


def listed(adjustment: F8) -> list[list[float | None]]:
    """As it stands in a file."""
    return [[None if np.isnan(g) else round(g, 9) for g in row] for row in adjustment.tolist()]


def encode(found: list[Fitted]) -> bytes:
    """A file of tables, an instrument a line."""
    return b"[\n" + b",\n".join(msgspec.json.encode(f) for f in found) + b"\n]\n"


def decode(data: bytes) -> dict[str, dict[str, F8]]:
    """Venue -> symbol -> what the operator looks up in. ValueError says what is wrong."""
    out: dict[str, dict[str, Any]] = {}
    for f in msgspec.json.decode(data, type=list[Fitted]):
        out.setdefault(f.venue, {})[f.symbol] = f.row()
    return out
