"""Cases: what a venue's frames, or a capture, come to, in process: rows of the parsers, books, and published rows."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from flows.captures.capture import read
from flows.commands.replay import in_turn
from flows.job_graph import raw_topic
from flows.kafka.partitioner import partition_of
from flows.market import cut, known_instruments
from flows.settings.sources import load
from operators.book import ladder
from operators.published_rows import Published
from operators.venue_market import VenueMarket
from schemas.frames import Reject, frames
from schemas.instrument import InstrumentTable
from schemas.venues.registry import VENUES

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
RECEIVED_NS = 1_800_000_000 * 10**9


def parsed(venue, kind, values, table=None, names=None):
    """What the parser of a kind makes of frames (bytes or what JSON they hold), and the table then."""
    table = InstrumentTable() if table is None else table
    values = [v if isinstance(v, bytes) else msgspec.json.encode(v) for v in values]
    *rows, rejects = getattr(VENUES[venue], kind)(
        frames(f"raw.{kind}.{venue}", 0, values, [RECEIVED_NS] * len(values), 0, names or {}), table
    )
    return (*rows, [r.reason for r in rejects], table)


def sides(books, table, symbol):
    """Both sides of a book as prices to sizes."""
    row = table.rows[table.index[symbol]]
    tick, lot = float(row.tick), float(row.lot)
    return tuple(
        {
            round(t * tick, 10): round(q * lot, 10)
            for t, q in zip(*ladder.levels(books, 2 * table.index[symbol] + s), strict=True)
        }
        for s in (0, 1)
    )


def book(venue, values, symbol, names=None):
    """The book after depth frames, and what each message was: fresh, applied, dropped, gap or held."""
    table, books = InstrumentTable(), ladder.init(VENUES[venue].sequencing)
    said, reasons = [], []
    for i, value in enumerate(values):
        depth, rejects, _ = parsed(venue, "depth", [value], table, {0: names[i]} if names and i in names else None)
        for _, *refined in table.refined:
            ladder.rescale(books, *refined)
        table.refined = []
        (applied,) = ladder.apply(books, depth, np.zeros(len(depth), np.int64), -1)
        flags = zip(applied.gap, applied.dropped, applied.fresh, applied.live, strict=True)
        said += [
            "gap" if g else "dropped" if d else "fresh" if f else "applied" if v else "held" for g, d, f, v in flags
        ]
        reasons += rejects
    return sides(books, table, symbol), said, reasons


@dataclass
class Told:
    """What a replay published and rejected, and by shard what was read."""

    published: list[Published]
    rejects: list[Reject]

    def rows(self, table, **of):
        """Rows of a table as dicts, those with the given values."""
        out = []
        for p in self.published:
            if p.table == table:
                columns = {n: c.tolist() if isinstance(c, np.ndarray) else c for n, c in p.columns.items()}
                out += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return [r for r in out if all(r[n] == v for n, v in of.items())]

    def total(self, table, column, symbol, window_ms=1000):
        """The sum of a column over a symbol's windows."""
        return sum(r[column] for r in self.rows(table, symbol=symbol, window_ms=window_ms))

    @property
    def reasons(self):
        """Reasons of the rejects, in their order."""
        return [r.reason for r in self.rejects]


def replayed(files, sets=(), settings=None, batch=7, partitions=4):
    """Captures [(venue, path)] through every shard of the market, in batches of a few frames, to their end."""
    names = tuple(dict.fromkeys(venue for venue, _ in files))
    told = load(settings, {}, [*sets, f"kafka.partitions={partitions}"])
    told = msgspec.structs.replace(told, market=msgspec.structs.replace(told.market, venues=names))
    known = known_instruments(told)
    logs: dict[tuple[int, str, str], list] = {}
    rejects = []
    for venue, frame in in_turn([(VENUES[v], Path(p)) for v, p in files]):
        if frame.problem:
            rejects.append(Reject(frame.source, 0, frame.line, f"{frame.problem} line {frame.line}", frame.data))
        elif frame.kind in venue.kinds and frame.symbol:
            listed = known[venue.name].get(frame.symbol)
            base = listed.base if listed else venue.base(frame.symbol)
            logs.setdefault((partition_of(base.encode(), partitions), venue.name, frame.kind), []).append(frame)
    published = []
    for shard in range(partitions):
        for name in names:
            market = VenueMarket(VENUES[name], known[name], cut(told))
            market.keep_to(lambda base, shard=shard: partition_of(base.encode(), partitions) == shard)
            for kind in market.lanes:
                log = logs.get((shard, name, kind), [])
                for at in range(0, len(log), batch):
                    part = log[at : at + batch]
                    named = {i: f.symbol for i, f in enumerate(part) if not f.named}
                    times = [f.received_ns for f in part]
                    made = frames(raw_topic(kind, name), shard, [f.data for f in part], times, at, named)
                    rejects += market.read(kind, made)
                    published += market.advance()
                    frozen = market.freeze()
                    market = VenueMarket.thaw(VENUES[name], known[name], cut(told), frozen)
                    market.keep_to(lambda base, shard=shard: partition_of(base.encode(), partitions) == shard)
                market.mark(kind, ended=True)
            published += market.advance()
    return Told(published, rejects)


def written(path, lines):
    """A capture of (receive time in ns, frame) lines."""
    path.write_bytes(
        b"".join(b"%d %b\n" % (at, f if isinstance(f, bytes) else msgspec.json.encode(f)) for at, f in lines)
    )
    return path


__all__ = ["CASES", "Told", "book", "parsed", "read", "replayed", "written"]
