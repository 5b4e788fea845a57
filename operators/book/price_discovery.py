"""Price discovery: in which of two books of an asset the common price is made, over five minutes of seconds.

    a, b: logarithms of mids at whole seconds    z = a - b    a vector error correction model, fitted to both at once:
    (da_t, db_t) = const + gamma z_{t-1} + 2 lags of da and db + e_t        Omega: covariance of e
    component share   CS_a = gamma_b / (gamma_b - gamma_a)                          CS_b = 1 - CS_a
    information share IS_a = ([psi F]_a)^2 / (psi Omega psi'),  psi = (CS_a, CS_b),  Omega = F F' (Cholesky)

The information share depends on which book comes first in Omega's factor, as far as both move within one second: as
first book it has the upper bound, as second the lower one; the middle of both is given too. The component share may
fall outside 0 to 1 where neither book corrects, or both do. The share of the other book is 1 less, its bounds the other
way about. Five minutes say little: with a book that follows by a fifth of the distance a second, the component share of
one row has a standard error of about a third. All pairs of the first four books seen of an asset and quote; of a pair
the first is that by venue and symbol. A book without a trusted two-sided mid begins anew, as does one that has said
nothing for 5 s (it may be away, and would seem to make the price, for it corrects nothing), or shows a gap; after a gap
of a second or more so do the sums of its pairs, in which it stood still as far as was known. Null with fewer than 200
seconds of both, or where nothing moves; no row where a second is not whole panes (`windows.base_ms`), whose ends alone
tell mids.

Hasbrouck (1995), One security, many markets, Journal of Finance 50(4), 1175-1199; Gonzalo & Granger (1995), Journal of
Business & Economic Statistics 13(1), 27-35; both compared: Baillie, Booth, Tse & Zabotina (2002).

>>> shares(np.array([[-0.1, 0.05]]), np.array([[[1.0, 0.0], [0.0, 1.0]]]))[0].round(4).tolist()
[0.3333]
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from operators import quality
from operators.book import pair_names
from operators.contract import I8, Array, Columns, EventTable, Field, Operator, State
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
BOOKS, LAGS, LEAST, SECONDS = 4, 2, 200, 300
LONGEST = 120
"""After so many seconds without a row all books begin anew: there is one a keyframe at least."""
SECOND_NS = 1_000_000_000
WINDOW_NS = SECONDS * SECOND_NS
_X = 2 + 2 * LAGS
"""Regressors: 1, z, and the lags of both; behind them stand the two moves."""
_PAIRS = np.array([*combinations(range(BOOKS), 2)], np.int64)


@kernel
def _watch(
    instrument: I8,
    end_ns: I8,
    number: I8,
    gap_ns: I8,
    mid: F8,
    pairs: I8,
    window: I8,
    second: I8,
    books: I8,
    past: F8,
    seconds: I8,
    moments: F8,
    column: I8,
    now: F8,
    v: F8,
    whole: I8,
    real: F8,
) -> int:
    """Take in panes in order; `past`: the logarithms of mids at the last seconds, the newest first. Rows written."""
    n, depth, size = 0, past.shape[2], len(v)
    for i in range(len(instrument)):
        k, there = instrument[i], 0
        for c in range(number.shape[1]):
            there += number[i, c] >= 0
        if there < 2:
            continue
        for s in range(len(column)):
            column[s] = -1
        for c in range(number.shape[1]):
            for s in range(len(column)):
                if number[i, c] >= 0 and (books[k, s] == number[i, c] or books[k, s] < 0):
                    books[k, s], column[s] = number[i, c], c
                    break
        upto = end_ns[i] // SECOND_NS
        for s in range(len(column)):
            if column[s] >= 0 and gap_ns[i, column[s]] > 0:
                past[k, s] = np.nan
                for p in range(len(pairs)):
                    if gap_ns[i, column[s]] >= SECOND_NS and s in (pairs[p, 0], pairs[p, 1]):
                        seconds[k, p] = 0
                        moments[k, p] = 0.0
        if second[k] < 0 or upto - second[k] > LONGEST:
            past[k] = np.nan
            second[k] = upto - 1
        for at in range(second[k] + 1, upto + 1):
            if window[k] >= 0 and (at - 1) // SECONDS > window[k]:
                for p in range(len(pairs)):
                    a, b = pairs[p, 0], pairs[p, 1]
                    if seconds[k, p] > 0 and column[a] >= 0 and column[b] >= 0:
                        whole[n, 0], whole[n, 1], whole[n, 2] = i, window[k], column[a]
                        whole[n, 3], whole[n, 4] = column[b], seconds[k, p]
                        for x in range(size):
                            for y in range(size):
                                real[n, x, y] = moments[k, p, max(x, y), min(x, y)]
                        n += 1
                seconds[k] = 0
                moments[k] = 0.0
            window[k] = max(window[k], (at - 1) // SECONDS)
            exact = at * SECOND_NS == end_ns[i]
            for s in range(len(column)):
                # Until this row what the row before said was in force.
                now[s] = mid[i, column[s]] if exact and column[s] >= 0 else past[k, s, depth - 1]
                if exact and column[s] < 0:
                    now[s] = np.nan
            for p in range(len(pairs)):
                a, b = pairs[p, 0], pairs[p, 1]
                v[0], v[1] = 1.0, past[k, a, 0] - past[k, b, 0]
                x = 2
                for lag in range(depth - 2):
                    v[x] = past[k, a, lag] - past[k, a, lag + 1]
                    v[x + 1] = past[k, b, lag] - past[k, b, lag + 1]
                    x += 2
                v[x], v[x + 1] = now[a] - past[k, a, 0], now[b] - past[k, b, 0]
                total = 0.0
                for x in range(size):
                    total += v[x]
                if np.isnan(total):
                    continue
                seconds[k, p] += 1
                for x in range(size):
                    for y in range(x + 1):
                        moments[k, p, x, y] += v[x] * v[y]
            for s in range(len(column)):
                for lag in range(depth - 2, 0, -1):
                    past[k, s, lag] = past[k, s, lag - 1]
                past[k, s, 0] = now[s]
        second[k] = max(second[k], upto)
        for s in range(len(column)):
            past[k, s, depth - 1] = mid[i, column[s]] if column[s] >= 0 else np.nan
    return n


def shares(gamma: Array, omega: Array) -> tuple[Array, Array, Array]:
    """Of the first book: component share, and information share as second and as first book of the factor.

    >>> found = shares(np.array([[-0.4, 0.6]]), np.array([[[1.0, 0.3], [0.3, 1.0]]]))
    >>> [round(float(f[0]), 7) for f in found]
    [0.6, 0.4933735, 0.7807229]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        first = gamma[:, 1] / (gamma[:, 1] - gamma[:, 0])
        psi_a, psi_b = first, 1 - first
        aa, ab, bb = omega[:, 0, 0], omega[:, 0, 1], omega[:, 1, 1]
        whole = psi_a**2 * aa + 2 * psi_a * psi_b * ab + psi_b**2 * bb
        upper = (psi_a * aa + psi_b * ab) ** 2 / aa / whole
        lower = 1 - (psi_b * bb + psi_a * ab) ** 2 / bb / whole
    return first, np.minimum(lower, upper), np.maximum(lower, upper)


def fitted(moments: F8, n: I8) -> tuple[Array, Array]:
    """Gamma and Omega of each pair, from the sums of products of 1, z, lags and moves."""
    scale = np.sqrt(np.diagonal(moments, axis1=1, axis2=2))
    scale = np.where(scale > 0, scale, 1.0)
    even = moments / scale[:, :, None] / scale[:, None, :]
    x, xy, yy = even[:, :_X, :_X], even[:, :_X, _X:], even[:, _X:, _X:]
    beta = np.linalg.pinv(x, hermitian=True) @ xy
    left = yy - np.swapaxes(xy, 1, 2) @ beta
    own = scale[:, _X:]
    gamma = beta[:, 1, :] * own / scale[:, 1:2]
    return gamma, left * own[:, :, None] * own[:, None, :] / np.maximum(n, 1)[:, None, None]


def _step(state: State, panes: Columns) -> Columns:
    m, most = len(panes["pane_end_ns"]), len(_PAIRS)
    whole, real = np.empty((2 * most * m, 5), np.int64), np.empty((2 * most * m, _X + 2, _X + 2))
    heard = panes["pane_end_ns"][:, None] - panes["book_last_event_ns"] < quality.STALE_NS
    told = SECOND_NS % (panes["pane_end_ns"] - panes["pane_start_ns"]) == 0
    sound = told[:, None] & heard & (panes["book_live"] == 1) & (panes["book_best_bid"] < panes["book_best_ask"])
    with np.errstate(divide="ignore", invalid="ignore"):
        mid = np.log(np.where(sound, panes["book_mid"], np.nan))
    n = _watch(
        panes["instrument"].astype(np.int64),
        panes["pane_end_ns"],
        panes["book_number"],
        panes["book_gap_ns"],
        mid,
        _PAIRS,
        state["window"],
        state["second"],
        state["book"],
        state["past"],
        state["seconds"],
        state["moments"],
        np.empty(BOOKS, np.int64),
        np.empty(BOOKS),
        np.empty(_X + 2),
        whole,
        real,
    )
    row, window, a, b, seconds = whole[:n].T.copy()
    gamma, omega = fitted(real[:n], seconds)
    component, lower, upper = shares(gamma, omega)
    # Of a pair the first is that by venue and symbol, whichever was seen first.
    turned = a > b
    known = (seconds >= LEAST) & (omega[:, 0, 0] > 0) & (omega[:, 1, 1] > 0) & np.isfinite(component + lower + upper)
    component = np.where(turned, 1 - component, component)
    lower, upper = np.where(turned, 1 - upper, lower), np.where(turned, 1 - lower, upper)
    out: dict[str, Array] = {"row": row, "event_time": (window + 1) * WINDOW_NS}
    out |= pair_names.named(panes, row, np.where(turned, b, a), np.where(turned, a, b))
    lower, upper = (np.where(known, np.clip(share, 0.0, 1.0), np.nan) for share in (lower, upper))
    return out | {
        "component_share": np.where(known, component, np.nan),
        "information_share": (lower + upper) / 2,
        "information_share_low": lower,
        "information_share_high": upper,
        "seconds": seconds,
    }


_NULL = f"fewer than {LEAST} seconds of the five minutes that count, or no move of one that is its own"
_HASBROUCK = "Hasbrouck (1995)"


def _share(name: str, meaning: str) -> Column:
    more = "more of the price is made in the first book: larger"
    return Column(
        name,
        "f8",
        meaning,
        "1",
        "([psi F]_a)^2 / (psi Omega psi'), psi: component shares, Omega = F F': covariance of e",
        _HASBROUCK,
        more,
        _NULL,
        0,
        1,
    )


PRICE_DISCOVERY = Operator(
    "price_discovery",
    "asset",
    (
        *("instrument", "pane_start_ns", "pane_end_ns", "book_number", "book_venue", "book_symbol", "book_live"),
        *("book_last_event_ns", "book_gap_ns", "book_best_bid", "book_best_ask", "book_mid"),
    ),
    table=EventTable("price_discovery", "price.discovery", 90, key=pair_names.KEY),
    state=(
        Field("window", "i8", -1),
        Field("second", "i8", -1),
        Field("book", "i8", -1, (BOOKS,)),
        Field("past", "f8", np.nan, (BOOKS, LAGS + 2)),
        Field("seconds", "i8", 0, (len(_PAIRS),)),
        Field("moments", "f8", 0.0, (len(_PAIRS), _X + 2, _X + 2)),
    ),
    horizons_ns=(quality.STALE_NS,),
    step=_step,
    anew=True,
    columns=(
        Column(
            "event_time",
            "time",
            "end of the five minutes; no row where windows.base_ms does not divide a second",
            "ns since 1970 UTC",
            low=0,
        ),
        *pair_names.COLUMNS,
        Column(
            "component_share",
            "f8",
            "share of the first book in the common price, by which book corrects",
            "1",
            "gamma_b / (gamma_b - gamma_a); moves a second: da, db = c + gamma (a - b) + 2 lags of both + e; a: ln M",
            "Gonzalo & Granger (1995)",
            "more of the price is made in the first book: larger",
            _NULL,
        ),
        _share("information_share", "share of the first book in what moves the common price: the middle of its bounds"),
        _share("information_share_low", "the same with the other book first: its lower bound"),
        _share("information_share_high", "the same with this book first: its upper bound"),
        Column(
            "seconds",
            "i8",
            "seconds that count, with the mids of both books known at their ends and at those of the three before, and"
            " no gap after the first of these; from 0 again after a shortest window with a gap_ms of 1000 or more",
            "count",
            "known: trusted, two-sided, not locked or crossed, heard in the last 5 s",
            low=0,
        ),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
"""`past`: of each book the mids of the last three seconds, and last what is in force."""
