"""Rehearsal: days of a simulated market through the very operators of the flows, in this process, as a dataset.

Frames of the coarse market (one depth message a second) go through `VenueMarket`, its rows as records through
`Minutes` and `Bursts`, and the vectors that these publish are what is trained on: a training set is a replay.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from models.bursts import Bursts, How
from models.dataset import Dataset, together
from models.minutes import Minutes
from models.simulator import Frame, Settings, coarse, instruments, market
from models.vector_items import NAMES
from operators.cut import Cut
from operators.published_rows import Published
from operators.venue_market import VenueMarket
from schemas.frames import NO_MARKS, Marks, Reject, frames, marks
from schemas.venues.registry import VENUES

SECOND_NS = 1_000_000_000
CUT = Cut(SECOND_NS, (60 * SECOND_NS, 300 * SECOND_NS), SECOND_NS // 2, 5 * SECOND_NS, 60 * SECOND_NS)
AT_ONCE_NS = 120 * SECOND_NS
READ = {"features_book": "book", "features_tape": "tape"}


class Stage:
    """The chain from frames to vectors of one market."""

    def __init__(self, simulated: Settings, how: How) -> None:
        """Nothing read yet."""
        known = {row.symbol: row for row in instruments(simulated)}
        self.market = VenueMarket(VENUES[simulated.venue], known, CUT)
        self.minutes, self.bursts = Minutes(), Bursts(how)
        self.rejects: list[Reject] = []
        self._offsets: dict[str, int] = {}

    def feed(self, some: list[Frame], ended: bool = False) -> Iterator[Published]:
        """Frames in order of receipt; the rows of the minutes that they complete."""
        for kind in self.market.lanes:
            mine = [f for f in some if f.kind == kind]
            symbols = {i: f.symbol for i, f in enumerate(mine)} if kind == "depth" else {}
            values, received = [f.data for f in mine], [f.received_ns for f in mine]
            come_to = marks([(len(mine), some[-1].received_ns, False)] if some else [])
            self._read(self.market.read, kind, values, received, symbols, come_to)
            self.market.mark(kind, ended=ended)
        for published in self.market.advance():
            if published.table in READ:
                table = BY_NAME[published.table]
                rows = records(published, table.columns)
                at_ns = [ms * 1_000_000 for ms in published.at_ms]
                self._read(self.minutes.read, READ[published.table], [v for _, v in rows], at_ns, {})
        self.minutes.mark({"book", "tape"} if ended else set())
        for minute in self.minutes.ready():
            yield from self.bursts.step(minute, None)

    def _read(  # type: ignore[no-untyped-def]
        self, into, kind: str, values: list[bytes], at_ns: list[int], symbols: dict[int, str], come_to: Marks = NO_MARKS
    ) -> None:
        first = self._offsets.get(kind, 0)
        self._offsets[kind] = first + len(values)
        self.rejects += into(kind, frames(kind, 0, values, at_ns, first, symbols, come_to))


def rehearse(simulated: Settings, how: How) -> Dataset:
    """The vectors of one market of `simulated.seconds`."""
    stage, some, until_ns = Stage(simulated, how), list[Frame](), 0
    vectors: list[Published] = []
    for frame in market(simulated):
        until_ns = until_ns or frame.received_ns + AT_ONCE_NS
        if frame.received_ns >= until_ns:
            vectors += [p for p in stage.feed(some) if p.table == "forecast_vectors"]
            some, until_ns = [], until_ns + AT_ONCE_NS
        some.append(frame)
    vectors += [p for p in stage.feed(some, ended=True) if p.table == "forecast_vectors"]
    if stage.rejects:
        raise RuntimeError(
            f"{len(stage.rejects)} frames of the simulated market were rejected: {stage.rejects[0].reason}"
        )
    number = {row.symbol: i for i, row in enumerate(instruments(simulated))}
    whole = {name: np.concatenate([p.columns[name] for p in vectors]) for name in (*NAMES, "as_of", "book_ok")}
    usd = [np.concatenate([p.columns[f"{side}_liquidated_usd"] for p in vectors]) for side in ("long", "short")]
    return Dataset(
        np.array([number[s] for p in vectors for s in p.columns["symbol"]], np.int64),
        whole["as_of"].astype(np.int64),
        np.column_stack([whole[name] for name in NAMES]).astype(np.float64),
        np.column_stack(usd).astype(np.float64),
        whole["book_ok"].astype(np.bool_),
    )


def days(seeds: list[int], symbols: tuple[str, ...], hours: float, how: How) -> Iterator[tuple[int, Dataset]]:
    """Markets of several seeds, one after the other in simulated time, each told as soon as it is through."""
    seconds = int(hours * 3600)
    for at, seed in enumerate(seeds):
        plain = Settings(seed=seed, symbols=symbols, seconds=seconds, accounts=0)
        start_ns = plain.start_ns + at * -(-seconds // 86_400) * 86_400 * SECOND_NS
        yield seed, rehearse(coarse(msgspec.structs.replace(plain, start_ns=start_ns)), how)


def whole(seeds: list[int], symbols: tuple[str, ...], hours: float, how: How) -> Dataset:
    """All of `days` as one dataset."""
    return together([made for _, made in days(seeds, symbols, hours, how)])
