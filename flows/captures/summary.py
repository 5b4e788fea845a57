"""Sanity: what recorded frames come to, a line a column: quantiles or words, nulls, what its declaration forbids."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from flows.captures.capture import Recorded
from flows.job_graph import raw_topic
from flows.market import Known, cut
from flows.settings.tree import Settings
from flows.tables import BY_NAME
from operators.asset_books import AssetBooks
from operators.contract import Array
from operators.published_rows import Published
from operators.venue_market import VenueMarket
from schemas.column import Column
from schemas.frames import frames
from schemas.venue import Venue
from schemas.venues.registry import VENUES

QUANTILES = (0.01, 0.5, 0.99)
MOST_WORDS = 12
Source = Callable[[], Iterator[tuple[Venue | None, Recorded]]]
"""Frames merged by receive time; it is gone through twice."""
Group = tuple[str, str]
"""A table, and of what its rows are: venue and symbol, or asset and quote."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of the rows of one column: how many there are, are null, and are not allowed to be what they are.

    `quantiles`, those of `QUANTILES`, are over what is there, NaN where nothing is and of words; `shares` are those of
    each word among the rows, the commonest first.
    """

    column: Column
    rows: int
    nulls: int
    forbidden: int
    quantiles: tuple[float, ...]
    shares: tuple[tuple[str, float], ...] = ()


def line(column: Column, values: Array) -> Line:
    """Of the values of a column, NaN where null.

    >>> found = line(Column("share", "f8", "", null_when="no trade", high=1.0), np.array([0.5, np.nan, 3.0, 0.25]))
    >>> found.rows, found.nulls, found.forbidden, found.quantiles[1]
    (4, 1, 1, 0.5)
    """
    value = np.asarray(values, np.float64)
    null = np.isnan(value)
    there = value[~null]
    forbidden = ~np.isfinite(there)
    if column.low is not None:
        forbidden |= there < column.low
    if column.high is not None:
        forbidden |= there > column.high
    refused = 0 if column.null_when else int(null.sum())
    finite = there[np.isfinite(there)]
    quantiles = np.quantile(finite, QUANTILES) if len(finite) else np.full(len(QUANTILES), np.nan)
    return Line(column, len(value), int(null.sum()), refused + int(forbidden.sum()), tuple(quantiles.tolist()))


def words(column: Column, values: Sequence[str]) -> Line:
    """Of the values of a column of words.

    >>> words(Column("side", "str", ""), ["bid", "ask", "bid", "bid"]).shares
    (('bid', 0.75), ('ask', 0.25))
    """
    shares = tuple((word, n / len(values)) for word, n in Counter(values).most_common())
    return Line(column, len(values), 0, 0, (float("nan"),) * len(QUANTILES), shares)


def lines(published: Iterable[Published], window_ms: int) -> dict[Group, list[Line]]:
    """Of each table and instrument its columns but times and what it is keyed by; of tables of windows one length.

    Words that are hardly ever the same twice (more than `MOST_WORDS` of them) are no line.
    """
    held: dict[Group, dict[str, list[Array]]] = defaultdict(lambda: defaultdict(list))
    for p in published:
        names = list(p.columns)
        of = [f"{a} {b}" for a, b in zip(p.columns[names[0]], p.columns[names[1]], strict=True)]
        chosen = np.asarray(p.columns["window_ms"]) == window_ms if "window_ms" in names else np.ones(len(of), np.bool_)
        numbered = np.array([*dict.fromkeys(of)])
        for who in numbered.tolist():
            rows = chosen & (np.array(of) == who)
            for c in BY_NAME[p.table].columns:
                if c.dtype != "time" and c.name not in (*names[:2], "window_ms") and rows.any():
                    held[p.table, who][c.name].append(np.asarray(p.columns[c.name])[rows])
    out: dict[Group, list[Line]] = {}
    for group, columns in sorted(held.items()):
        whole = [(c, np.concatenate(columns[c.name])) for c in BY_NAME[group[0]].columns if c.name in columns]
        told = [words(c, v.tolist()) if c.dtype == "str" else line(c, v) for c, v in whole]
        out[group] = [of for of in told if len(of.shares) <= MOST_WORDS]
    return out


def computed(source: Source, known: Known, settings: Settings, refused: Counter[str]) -> Iterator[Published]:
    """What the market flow makes of recorded frames, all on one shard of this process, without a broker.

    What it cannot use is counted in `refused`, by reason.
    """
    how = cut(settings)
    there = {(venue.name, f.kind) for venue, f in source() if venue is not None and f.kind in venue.kinds}
    markets = {v: VenueMarket(VENUES[v], known.get(v, {}), how) for v in sorted({v for v, _ in there})}
    beside = AssetBooks(how.base_ns, how.keyframe_ns, how.without)

    def advance() -> Iterator[Published]:
        for market in markets.values():
            yield from market.advance()
        yield from beside.meet(markets.values())

    for name, market in markets.items():
        for kind in market.lanes:
            market.mark(kind, ended=(name, kind) not in there)
    offsets: Counter[tuple[str, str]] = Counter()
    left = source()
    while piece := list(islice(left, settings.source.batch_frames)):
        parts: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
        for venue, f in piece:
            refused.update([f.problem] if f.problem else [])
            if venue is not None and f.kind is not None and (venue.name, f.kind) in there and f.symbol is not None:
                parts[venue.name, f.kind].append(f)
        for (name, kind), part in parts.items():
            nameless = {i: f.symbol for i, f in enumerate(part) if not f.named and f.symbol is not None}
            values, times = [f.data for f in part], [f.received_ns for f in part]
            first = offsets[name, kind]
            rejects = markets[name].read(kind, frames(raw_topic(kind, name), 0, values, times, first, nameless))
            refused.update(re.sub(r"[0-9.]+", "#", reject.reason) for reject in rejects)
            offsets[name, kind] += len(part)
        yield from advance()
    for market in markets.values():
        for kind in market.lanes:
            market.mark(kind, ended=True)
    yield from advance()
