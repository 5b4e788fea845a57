"""Consolidated BBO: best bid, best offer and depth over the books of all venues of one asset and quote currency.

    best_bid = max of best bids    best_ask = min of best asks    spread_bps = 1e4 (ask - bid) / ((ask + bid) / 2)
    depth within x bps = sum of the books' depths within x bps of their own mids

over the books that count at the end of a pane: trusted, not locked or crossed in themselves, and not stale, which is
5 s of event time or more since the last message. Of books with the same best price the one with the larger size there
holds it, then the first by venue and symbol; the size is that book's alone. A book of one side counts with that side.
Each venue's clock is its own and its prices are its own market's (spot beside perpetuals), so a bid can stand above
another venue's offer: the spread is then below zero, and `crossed`. Books in other quote currencies, USDT beside USD,
are other rows; contracts with a date of expiry are in none. Null where no book that counts has the side.

Depth is measured around each book's own mid, for a perpetual stands off its spot market by more than the band. It is
null where one book that counts does not say it (is of one side, or is not known that far): a sum that leaves out what
it does not know would fall when a venue is shallow and rise when it is gone.

An asset with one book has rows too, which say what that book says (`books` is 1): who asks for the best price of an
asset asks one table, and nothing changes for him on the day when a second venue lists it.

For stocks: the national best bid and national best offer of Regulation NMS (17 CFR 242.600(b)), where a plan processor
calculates what is calculated here from books that are known exactly.

>>> books = {"pane_end_ns": [9_000_000_000], "book_venue": [["a", "b", "c"]], "book_symbol": [["X", "Y", "Z"]],
...          "book_live": [[1, 1, 1]], "book_last_event_ns": [[8_900_000_000, 8_000_000_000, 4_000_000_000]],
...          "book_best_bid": [[99.0, 101.0, 500.0]], "book_best_bid_qty_base": [[1.0, 2.0, 3.0]],
...          "book_best_ask": [[100.0, 102.0, 501.0]], "book_best_ask_qty_base": [[4.0, 5.0, 6.0]]}
>>> books |= {f"book_{n}": [[1e6, 2e6, 3e6]] for n in DEPTHS}
>>> bbo = CONSOLIDATED_BBO.compute({k: np.array(v) for k, v in books.items()})
>>> [bbo[n].tolist()[0] for n in ("best_bid", "best_bid_venue", "best_ask", "best_ask_venue", "books", "books_out")]
[101.0, 'b', 100.0, 'a', 2, 1]
>>> round(float(bbo["spread_bps"][0]), 4), bool(bbo["crossed"][0])
(-99.5025, True)
>>> bbo["bid_depth_10bps_usd"].tolist()
[3000000.0]
"""

import numpy as np

from operators import quality
from operators.contract import Array, Columns, EventTable, Operator
from operators.quality import STALE_NS
from schemas.column import Column

BANDS_BPS = (10, 50)
DEPTHS = tuple(f"{side}_depth_{x}bps_usd" for x in BANDS_BPS for side in ("bid", "ask"))


def _best(price: Array, size: Array, sign: int) -> tuple[Array, Array]:
    """Which book of each row has the highest `sign * price`, and then the largest size; and whether one has any."""
    towards = np.where(np.isnan(price), -np.inf, sign * price)
    most = towards.max(axis=1, initial=-np.inf, keepdims=True)
    there = most[:, 0] > -np.inf
    at_best = towards == most
    weight = np.where(at_best, np.where(np.isnan(size), -1.0, size), -2.0)
    return weight.argmax(axis=1) if weight.shape[1] else np.zeros(len(weight), np.int64), there


def _compute(panes: Columns) -> Columns:
    end_ns, event_ns = panes["pane_end_ns"], panes["book_last_event_ns"]
    bid, ask = panes["book_best_bid"], panes["book_best_ask"]
    known, age_ns = event_ns > 0, end_ns[:, None] - event_ns
    counts = known & (panes["book_live"] == 1) & ~(bid >= ask) & (age_ns < STALE_NS)
    out: dict[str, Array] = {"event_time": end_ns}
    oldest = np.full(len(end_ns), np.nan)
    for side, price, sign in (("bid", bid, 1), ("ask", ask, -1)):
        size = panes[f"book_best_{side}_qty_base"]
        best, there = _best(np.where(counts, price, np.nan), size, sign)

        def of(values: Array, none: float | str, best: Array = best, there: Array = there) -> Array:
            if not values.shape[1]:
                return np.full(len(values), none)
            return np.where(there, np.take_along_axis(values, best[:, None], axis=1)[:, 0], none)

        out |= {
            f"best_{side}": of(price, np.nan),
            f"best_{side}_qty_base": of(size, np.nan),
            f"best_{side}_venue": of(panes["book_venue"], ""),
            f"best_{side}_symbol": of(panes["book_symbol"], ""),
        }
        oldest = np.fmax(oldest, of(age_ns, np.nan))
    best_bid, best_ask = out["best_bid"], out["best_ask"]
    for name in DEPTHS:
        depth = np.where(counts, panes[f"book_{name}"], 0.0).sum(axis=1)
        out[name] = np.where(counts.any(axis=1), depth, np.nan)
    return out | {
        "mid": (best_bid + best_ask) / 2,
        "spread_bps": 2e4 * (best_ask - best_bid) / (best_ask + best_bid),
        "crossed": best_bid > best_ask,
        "books": counts.sum(axis=1),
        "books_out": (known & ~counts).sum(axis=1),
        "stale_ms": oldest / 1e6,
    }


_NO_BOOK = "no book that counts has one"
_NO_SIDE = "no best bid or no best ask"
_SOURCE = "Regulation NMS: 17 CFR 242.600(b)"


def _side(side: str, what: str) -> tuple[Column, ...]:
    best, extreme = f"best_{side}", "max" if side == "bid" else "min"
    return (
        Column(
            best,
            "f8",
            f"{what} price over the books that count",
            "quote",
            f"{extreme} P over books",
            _SOURCE,
            null_when=_NO_BOOK,
            low=0,
        ),
        Column(
            f"{best}_qty_base",
            "f8",
            "size there, of the book that holds it: of equal prices the one of the larger size",
            "base",
            "Q at that P",
            _SOURCE,
            null_when=_NO_BOOK + ", or contract unknown",
            low=0,
        ),
        Column(f"{best}_venue", "str", "venue of the book that holds it; empty: none"),
        Column(f"{best}_symbol", "str", "the venue's name of that book's instrument; empty: none"),
    )


CONSOLIDATED_BBO = Operator(
    "consolidated_bbo",
    "asset",
    (
        *("pane_end_ns", "book_venue", "book_symbol", "book_live", "book_last_event_ns"),
        *(f"book_best_{side}{what}" for side in ("bid", "ask") for what in ("", "_qty_base")),
        *(f"book_{name}" for name in DEPTHS),
    ),
    table=EventTable("consolidated_bbo", "consolidated.bbo", ttl_days=90),
    horizons_ns=(STALE_NS,),
    compute=_compute,
    columns=(
        Column("event_time", "time", "end of the pane at which it holds", "ns since 1970 UTC", low=0),
        *_side("bid", "highest bid"),
        *_side("ask", "lowest ask"),
        Column("mid", "f8", "midpoint of both", "quote", "(Pb + Pa) / 2", _SOURCE, null_when=_NO_SIDE, low=0),
        Column(
            "spread_bps",
            "f8",
            "best ask less best bid, relative to their midpoint, also across venues",
            "bps",
            "1e4 (Pa - Pb) / M",
            _SOURCE,
            sign="negative: one venue's bid is above another's ask",
            null_when=_NO_SIDE,
            low=-2e4,
            high=2e4,
        ),
        Column("crossed", "bool", "one venue's bid is above another's ask", formula="Pb > Pa"),
        *(
            Column(
                f"{side}_depth_{x}bps_usd",
                "f8",
                f"{side} depth within {x} bps of the mid of each book, over the books that count",
                "USD",
                f"sum over books of D_{side}({x})",
                "Degryse, de Jong & van Kervel (2015)",
                null_when="no book counts, or one of those that do does not say it",
                low=0,
            )
            for x in BANDS_BPS
            for side in ("bid", "ask")
        ),
        Column("books", "i8", "books that count", "count", low=0),
        Column(
            "books_out",
            "i8",
            "books left out: not trusted, locked or crossed in themselves, or silent for 5 s or more",
            "count",
            low=0,
        ),
        Column(
            "stale_ms",
            "f8",
            "age of the last message of the older of the two books that hold the best prices",
            "ms",
            "end of the pane - t of the last message",
            quality.OURS,
            null_when=_NO_BOOK,
            low=0,
            tolerance=float("inf"),
        ),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
