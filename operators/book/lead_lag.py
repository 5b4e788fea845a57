"""Lead-lag: which of two books of an asset moves first, and by how long, minute by minute (Hayashi-Yoshida).

    C(h)   = sum of dX_i dY_j over the moves whose times overlap when those of Y are taken h earlier
    rho(h) = C(h) / sqrt(sum dX_i^2  sum dY_j^2)        h: 0, +-100, +-200, +-500, +-1000, +-2000 ms
    lead   = the h at which |rho| is largest, of equals the one nearest to 0; positive: the first book moves first, the
             second follows h later
    LLR    = sum of rho(h)^2 over h > 0 / that over h < 0        above 1: the first book leads

X, Y: logarithms of the mids of two books as they stand at the ends of panes, each at the time of the last message of
its own book by then. So nothing is brought onto one grid; what happens between two ends of panes is seen at the second,
so lags below the length of a pane are told apart by what lies across ends only: with panes of 100 ms they are sharp,
with those of 1 s blurred, and often the same to the last digit. Clocks are the venues' own, and what they are apart is
in the lead too.

All pairs of the first six books seen of an asset and quote; of a pair the first is that by venue and symbol. A book
that is not trusted, crossed or one-sided has no mid, nor has one that at the end of a pane has said nothing for 5 s:
its next mid begins a new stretch, no move is made over a gap, nor over one that is over within its pane. A move that
ends in a pane at whose end the other book has no mid counts neither among the squares of the pair nor with what the
other did before: else the correlation of a book that was away for half of the minute would be smaller by a third. A
move is kept until 128 more of its book have come, of panes of 100 ms for longer than a move takes and the longest lag.
A row a pair and minute; null with fewer than 30 moves of either book that count.

Hayashi & Yoshida (2005), Bernoulli 11(2), 359-379; the lag: Hoffmann, Rosenbaum & Yoshida (2013), Bernoulli 19(2),
426-461; LLR: Huth & Abergel (2014), Journal of Empirical Finance 26, 41-58.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from operators import quality
from operators.book import pair_names
from operators.contract import I8, Columns, EventTable, Field, Operator, State
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
BOOKS, RING, LEAST = 6, 128, 30
WINDOW_NS = 60_000_000_000
LAGS_MS = (-2_000, -1_000, -500, -200, -100, 0, 100, 200, 500, 1_000, 2_000)
_LAGS_NS = np.array(LAGS_MS, np.int64) * 1_000_000
_NEAREST = np.argsort(np.abs(_LAGS_NS), kind="stable")
"""The lags from 0 outwards."""
_PAIRS = np.array([*combinations(range(BOOKS), 2)], np.int64)
_PAIR_OF = np.full((BOOKS, BOOKS), -1, np.int64)
for _n, (_a, _b) in enumerate(_PAIRS.tolist()):
    _PAIR_OF[_a, _b] = _PAIR_OF[_b, _a] = _n


@kernel
def _told(
    whole: I8,
    real: F8,
    n: int,
    row: int,
    k: int,
    window: int,
    column: I8,
    pairs: I8,
    moves: I8,
    squares: F8,
    products: F8,
) -> int:
    """Write a row for each pair of books of which both have moved; begin the next minute. The rows by then."""
    for p in range(len(pairs)):
        a, b = pairs[p, 0], pairs[p, 1]
        if column[a] >= 0 and column[b] >= 0 and moves[k, a, b] > 0 and moves[k, b, a] > 0:
            turned = column[a] > column[b]
            if turned:
                a, b = b, a
            whole[n, 0], whole[n, 1], whole[n, 2] = row, window, column[a]
            whole[n, 3], whole[n, 4], whole[n, 5] = column[b], moves[k, a, b], moves[k, b, a]
            for h in range(products.shape[2]):
                real[n, h] = products[k, p, products.shape[2] - 1 - h if turned else h]
            real[n, products.shape[2]] = squares[k, a, b] * squares[k, b, a]
            n += 1
    moves[k] = 0
    squares[k] = 0.0
    products[k] = 0.0
    return n


@kernel
def _watch(
    instrument: I8,
    end_ns: I8,
    number: I8,
    event_ns: I8,
    gap_ns: I8,
    mid: F8,
    lags: I8,
    pairs: I8,
    pair_of: I8,
    window: I8,
    books: I8,
    since_ns: I8,
    last: F8,
    ring_from: I8,
    ring_to: I8,
    ring: F8,
    ring_n: I8,
    moves: I8,
    squares: F8,
    products: F8,
    column: I8,
    whole: I8,
    real: F8,
) -> int:
    """Take in panes in order; the rows that were written."""
    n, size = 0, ring.shape[2]
    for i in range(len(instrument)):
        k, now = instrument[i], (end_ns[i] - 1) // WINDOW_NS
        for s in range(len(column)):
            column[s] = -1
        for c in range(number.shape[1]):
            if number[i, c] < 0:
                continue
            for s in range(len(column)):
                if books[k, s] == number[i, c] or books[k, s] < 0:
                    books[k, s] = number[i, c]
                    column[s] = c
                    break
        if window[k] >= 0 and now > window[k]:
            n = _told(whole, real, n, i, k, window[k], column, pairs, moves, squares, products)
        window[k] = max(window[k], now)
        for s in range(len(column)):
            c = column[s]
            if c < 0 or event_ns[i, c] <= 0:
                continue
            if np.isnan(mid[i, c]) or np.isnan(last[k, s]) or gap_ns[i, c] > 0:
                last[k, s], since_ns[k, s] = mid[i, c], event_ns[i, c]
        for s in range(len(column)):
            c = column[s]
            if c < 0 or np.isnan(last[k, s]) or event_ns[i, c] <= since_ns[k, s]:
                continue
            at, x = event_ns[i, c], mid[i, c]
            move = np.log(x / last[k, s])
            if move != 0.0:
                for o in range(len(column)):
                    if o == s or column[o] < 0 or np.isnan(last[k, o]):
                        continue
                    p = pair_of[s, o]
                    moves[k, s, o] += 1
                    squares[k, s, o] += move * move
                    for j in range(ring_n[k, o] - 1, max(0, ring_n[k, o] - size) - 1, -1):
                        r = j % size
                        if ring_to[k, o, r] - lags[0] <= since_ns[k, s]:
                            break  # this one and those before it are too old for every lag
                        for h in range(len(lags)):
                            # the later book of the pair is taken `lags[h]` earlier
                            ahead = lags[h] if s < o else -lags[h]
                            if since_ns[k, s] < ring_to[k, o, r] - ahead and ring_from[k, o, r] - ahead < at:
                                products[k, p, h] += move * ring[k, o, r]
                r = ring_n[k, s] % size
                ring_from[k, s, r], ring_to[k, s, r], ring[k, s, r] = since_ns[k, s], at, move
                ring_n[k, s] += 1
                last[k, s] = x
            since_ns[k, s] = at
        if end_ns[i] % WINDOW_NS == 0:
            n = _told(whole, real, n, i, k, window[k], column, pairs, moves, squares, products)
            window[k] = now + 1
    return n


_STATE = (
    Field("window", "i8", -1),
    Field("book", "i8", -1, (BOOKS,)),
    Field("since_ns", "i8", 0, (BOOKS,)),
    Field("last", "f8", np.nan, (BOOKS,)),
    Field("ring_from", "i8", 0, (BOOKS, RING)),
    Field("ring_to", "i8", 0, (BOOKS, RING)),
    Field("ring", "f8", 0.0, (BOOKS, RING)),
    Field("ring_n", "i8", 0, (BOOKS,)),
    Field("moves", "i8", 0, (BOOKS, BOOKS)),
    Field("squares", "f8", 0.0, (BOOKS, BOOKS)),
    Field("products", "f8", 0.0, (len(_PAIRS), len(LAGS_MS))),
)


def _step(state: State, panes: Columns) -> Columns:
    m = len(panes["pane_end_ns"])
    whole, real = np.empty((2 * len(_PAIRS) * m, 6), np.int64), np.empty((2 * len(_PAIRS) * m, len(LAGS_MS) + 1))
    heard = panes["pane_end_ns"][:, None] - panes["book_last_event_ns"] < quality.STALE_NS
    sound = heard & (panes["book_live"] == 1) & (panes["book_best_bid"] < panes["book_best_ask"])
    n = _watch(
        panes["instrument"].astype(np.int64),
        panes["pane_end_ns"],
        panes["book_number"],
        panes["book_last_event_ns"],
        panes["book_gap_ns"],
        np.where(sound, panes["book_mid"], np.nan),
        _LAGS_NS,
        _PAIRS,
        _PAIR_OF,
        state["window"],
        state["book"],
        state["since_ns"],
        state["last"],
        state["ring_from"],
        state["ring_to"],
        state["ring"],
        state["ring_n"],
        state["moves"],
        state["squares"],
        state["products"],
        np.empty(BOOKS, np.int64),
        whole,
        real,
    )
    row, window, first, second, first_moves, second_moves = whole[:n].T.copy()
    known = (first_moves >= LEAST) & (second_moves >= LEAST)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(known[:, None], real[:n, :-1] / np.sqrt(real[:n, -1:]), np.nan)
    at = _NEAREST[np.argmax(np.where(np.isnan(rho), 0.0, np.abs(rho))[:, _NEAREST], axis=1)]
    lags = np.array(LAGS_MS)
    ahead, behind = ((rho[:, lags * way > 0] ** 2).sum(axis=1) for way in (1, -1))
    out = {"row": row, "event_time": (window + 1) * WINDOW_NS} | pair_names.named(panes, row, first, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(behind > 0, ahead / behind, np.nan)
    return out | {
        "lead_ms": np.where(known, lags[at].astype(np.float64), np.nan),
        "correlation": rho[np.arange(n), at],
        "correlation_at_once": rho[:, LAGS_MS.index(0)],
        "lead_lag_ratio": np.where(known, ratio, np.nan),
        "moves": first_moves,
        "other_moves": second_moves,
    }


_HY, _LLR = "Hayashi & Yoshida (2005)", "Huth & Abergel (2014)"
_NULL = f"fewer than {LEAST} moves of either book that count in the minute"

LEAD_LAG = Operator(
    "lead_lag",
    "asset",
    (
        *("instrument", "pane_end_ns", "book_number", "book_venue", "book_symbol", "book_live", "book_last_event_ns"),
        *("book_gap_ns", "book_best_bid", "book_best_ask", "book_mid"),
    ),
    table=EventTable("lead_lag", "lead.lag", 90, key=pair_names.KEY),
    state=_STATE,
    horizons_ns=(quality.STALE_NS,),
    step=_step,
    anew=True,
    columns=(
        Column("event_time", "time", "end of the minute", "ns since 1970 UTC", low=0),
        *pair_names.COLUMNS,
        Column(
            "lead_ms",
            "f8",
            "how long the second book follows behind the first: of 0, +-100, 200, 500, 1000 and 2000 ms the likeliest,"
            " of equals the one nearest to 0; what is shorter than windows.base_ms is blurred",
            "ms",
            "argmax |rho(h)|, rho(h) = C(h) / sqrt(RVx RVy)",
            "Hoffmann, Rosenbaum & Yoshida (2013)",
            "the first book leads: positive",
            _NULL,
            LAGS_MS[0],
            LAGS_MS[-1],
        ),
        Column(
            "correlation",
            "f8",
            "of their moves at that lag; of few moves it can be beyond 1",
            "1",
            "C(h) / sqrt(RVx RVy), C(h): sum of the products of moves whose spans overlap, the second's taken h"
            " earlier, RV: sum of the squares of those that count",
            _HY,
            "",
            _NULL,
        ),
        Column(
            "correlation_at_once",
            "f8",
            "of their moves at no lag; of few moves it can be beyond 1",
            "1",
            "C(0) / sqrt(RVx RVy)",
            _HY,
            "",
            _NULL,
        ),
        Column(
            "lead_lag_ratio",
            "f8",
            "how much more the second book's moves have of the first's of before than the other way about",
            "1",
            "sum rho(h > 0)^2 / sum rho(h < 0)^2",
            _LLR,
            "the first book leads: above 1",
            f"{_NULL}; nothing is known of the other way",
            0,
        ),
        Column(
            "moves",
            "i8",
            "moves of the first book in the minute while the other is known: from one end of a shortest window to the"
            " next, each from its last message by then to that by now",
            "count",
            "ln M' / M; known at such an end: trusted, two-sided, not locked or crossed, heard in the last 5 s; none"
            " over a gap",
            low=0,
        ),
        Column("other_moves", "i8", "moves of the second, likewise", "count", low=0),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
