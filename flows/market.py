"""The market flow: raw frames of all venues -> feature rows, liquidations, quality and rejects, shard by shard."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow

from flows.engine import incoming, outgoing
from flows.engine.wiring import flow
from flows.job_graph import FEATURES, raw_topic
from flows.kafka.epochs import Stopping
from flows.kafka.partitioner import partition_of
from flows.kafka.source import KafkaShards, shard_name
from flows.monitoring import telemetry
from flows.monitoring.event_time import Closing
from flows.recovery.directory import Identity
from flows.settings.tree import Settings, SettingsError
from models import micro_price_fit
from operators import catalog
from operators.asset_books import AssetBooks
from operators.contract import Array, Operator
from operators.cut import Cut
from operators.evolving import Part, fingerprint
from operators.market_tables import delays_ns
from operators.operator_states import part
from operators.stages import check
from operators.venue_market import VenueMarket
from schemas.instrument import Instrument, scale
from schemas.shard import Batch, Rows
from schemas.venue import Venue
from schemas.venues.registry import VENUES

FRAMES = telemetry.FRAMES.counter()
BYTES = telemetry.FRAME_BYTES.counter()
EVENT_TIME = telemetry.VENUE_CLOSED.gauge()

BESIDE = "all venues"
"""What a shard's state of no single venue is called in what it freezes."""
Known = dict[str, dict[str, Instrument]]


def cut(settings: Settings) -> Cut:
    """How the settings cut time."""
    w = settings.windows
    return Cut(
        base_ns=w.base_ms * 1_000_000,
        lengths_ns=tuple(n * 1_000_000 for n in w.lengths_ms()),
        lateness_ns=w.lateness_ms * 1_000_000,
        ahead_ns=settings.clock.ahead_ms * 1_000_000,
        keyframe_ns=w.keyframe_ms * 1_000_000,
        idle_ns=settings.clock.idle_ms * 1_000_000,
        without=left_out(settings),
        micro_prices=micro_prices(settings),
    )


def left_out(settings: Settings) -> frozenset[str]:
    """The tables that are not computed; SettingsError where an operator that stays reads what is said in one."""
    without = frozenset(settings.market.without)
    try:
        _coherent(catalog.chosen(without))
    except ValueError as error:
        raise SettingsError(f"market.without: {error}") from None
    return without


@cache
def _coherent(operators: tuple[Operator, ...]) -> None:
    """Once a process: it takes two milliseconds, and each shard asks."""
    check(operators)


def micro_prices(settings: Settings) -> dict[str, dict[str, Array]]:
    """Venue -> symbol -> the row in which its micro-price is looked up."""
    file = settings.market.micro_price
    if not file:
        return {}
    try:
        return micro_price_fit.decode(Path(file).read_bytes())
    except OSError as error:
        raise SettingsError(f"market.micro_price: {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"market.micro_price: {file}: {error}") from None


def venues(settings: Settings) -> list[Venue]:
    """The venues of the settings."""
    for name in settings.market.venues:
        if name not in VENUES:
            raise SettingsError(f"market.venues: there is no venue {name!r}; there are: {', '.join(VENUES)}")
    return [VENUES[name] for name in settings.market.venues]


def known_instruments(settings: Settings) -> Known:
    """Venue -> symbol -> instrument, from exchange-info files first and then one by one."""
    out: Known = {venue.name: {} for venue in venues(settings)}
    for name, file in settings.market.instruments_json.items():
        if name not in out:
            raise SettingsError(f"market.instruments_json: {name!r} is not among market.venues")
        try:
            found = VENUES[name].instruments(Path(file).read_bytes())
        except OSError as error:
            raise SettingsError(f"market.instruments_json: {file}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"market.instruments_json: {file}: {error}") from None
        out[name] |= {row.symbol: _stepped(row, f"market.instruments_json: {file}") for row in found}
    for row in settings.market.instruments:
        if row.venue not in out:
            raise SettingsError(f"market.instruments: {row.symbol}: venue {row.venue!r} is not among market.venues")
        out[row.venue][row.symbol] = _stepped(row, "market.instruments")
    return out


def _stepped(row: Instrument, where: str) -> Instrument:
    """An instrument whose steps can be counted in."""
    try:
        scale(row.tick), scale(row.lot)
    except ValueError as error:
        raise SettingsError(f"{where}: {row.symbol}: {error}") from None
    return row


def topics(settings: Settings) -> dict[str, tuple[str, str]]:
    """Every raw topic the flow reads: its full name -> (venue, kind)."""
    prefix = settings.kafka.prefix
    return {prefix + raw_topic(kind, v.name): (v.name, kind) for v in venues(settings) for kind in v.kinds}


class MarketShard:
    """One shard: the markets of all venues on it."""

    def __init__(
        self, settings: Settings, known: Known, shard: int, frozen: bytes | None, held: dict[str, int] | None = None
    ) -> None:
        """New, or as it was frozen; in `held` it says how many rows wait here for other logs."""
        self.held = {} if held is None else held
        self.shard = shard
        self.prefix = settings.kafka.prefix
        self.topics = topics(settings)
        self.closing = Closing("market", str(shard), self.waits_for)
        base_ms = settings.windows.base_ms
        behind_ms = {topic: -(-ns // (base_ms * 1_000_000)) * base_ms for topic, ns in delays_ns().items()}
        self.marks = outgoing.MarkTimes(FEATURES, self.prefix, behind_ms)
        how = cut(settings)
        was: dict[str, bytes] = {} if frozen is None else msgspec.msgpack.decode(frozen, type=dict[str, bytes])
        self.markets = {
            v.name: VenueMarket.thaw(v, known[v.name], how, was[v.name])
            if v.name in was
            else VenueMarket(v, known[v.name], how)
            for v in venues(settings)
        }
        self.beside = AssetBooks(how.base_ns, how.keyframe_ns, how.without)
        if BESIDE in was:
            self.beside.thaw(was[BESIDE])
        if settings.market.misplaced == "reject":
            for market in self.markets.values():
                market.keep_to(lambda base: partition_of(base.encode(), settings.kafka.partitions) == shard)

    def on_batch(self, batch: Batch) -> list[Rows]:
        """Read the frames, close what can be closed, and give the records for every topic."""
        out: list[Rows] = []
        for frames in batch.frames:
            venue, kind = self.topics[frames.topic]
            found = self.markets[venue].read(kind, frames)
            FRAMES.labels(frames.topic).inc(len(frames))
            BYTES.labels(frames.topic).inc(len(frames.data))
            out += outgoing.rejects("market", found, self.prefix, self.shard)
        for topic, (venue, kind) in self.topics.items():
            self.markets[venue].mark(kind, ended=topic in batch.ended)
        for market in self.markets.values():
            out += [outgoing.rows(published, self.prefix, self.shard) for published in market.advance()]
            EVENT_TIME.labels(str(self.shard), market.venue.name).set(market.closed_until_s)
        out += [
            outgoing.rows(published, self.prefix, self.shard) for published in self.beside.meet(self.markets.values())
        ]
        reached = [market.complete_ms for market in self.markets.values()]
        complete = min((ms for ms in reached if ms is not None), default=None) if None not in reached else None
        waiting = sum(market.waiting for market in self.markets.values())
        self.held[shard_name(self.shard)] = self.beside.waiting + waiting
        self.closing.came(sum(map(len, batch.frames)), complete)
        return out + self.marks.come_to(complete, self.shard)

    def waits_for(self) -> str:
        """The topic that holds up the venue that is furthest behind."""
        market = min(self.markets.values(), key=lambda market: market.released)
        return f"{raw_topic(market.furthest_behind, market.venue.name)}[{self.shard}]"

    def freeze(self) -> bytes:
        """All markets, and the books that meet across them."""
        markets = {name: market.freeze() for name, market in self.markets.items()}
        return msgspec.msgpack.encode({**markets, BESIDE: self.beside.freeze()})


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read shards, compute, write rows."""
    known = known_instruments(settings)
    named = topics(settings)
    kafka = settings.kafka
    tuner = incoming.tuner(settings)
    held: dict[str, int] = {}
    source = KafkaShards(
        replace(
            incoming.kafka(settings, "market"),
            nameless={t: VENUES[venue].nameless for t, (venue, kind) in named.items() if kind == "depth"},
        ),
        tuple(named),
        kafka.partitions,
        incoming.share(settings),
        pace=incoming.pace(settings, tuner),
        ends=ends,
        stopping=stopping,
        foreign=incoming.foreign(settings, "market", named),
        held=held,
    )

    def shard(key: str, frozen: bytes | None) -> MarketShard:
        return MarketShard(settings, known, int(key.rpartition("-")[2]), frozen, held)

    return flow("market", source, [("features", shard)], outgoing.sink(settings, tuner))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps."""
    w = settings.windows
    cut = [w.base_ms, w.lateness_ms, w.keyframe_ms, settings.clock.ahead_ms, settings.clock.idle_ms, *w.lengths_ms()]
    return incoming.identity(settings, topics(settings), windows=cut, misplaced=settings.market.misplaced)


def parts(settings: Settings) -> list[Part]:
    """The states that are recovered, operator by operator, and by what contracts they go on."""
    fitted = [
        Part(f"the micro-price table of {venue} {symbol}", fingerprint(row.tolist()), "goes on")
        for venue, rows in micro_prices(settings).items()
        for symbol, row in rows.items()
    ]
    return [*map(part, catalog.chosen(frozenset(settings.market.without))), *contracts(settings), *fitted]


def contracts(settings: Settings) -> list[Part]:
    """What a unit of each known instrument is: recovered state goes on by what is said of it now."""
    return [
        Part(f"the contract of {venue} {symbol}", f"{row.kind} {row.contract} {row.settlement}", "goes on")
        for venue, rows in known_instruments(settings).items()
        for symbol, row in rows.items()
    ]
