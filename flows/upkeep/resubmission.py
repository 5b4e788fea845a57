"""Resubmission: what was rejected and can be used now is handed in again, each record once; all else says why not.

Two kinds can come to something. *Rows that the store did not take* are stored, unless their key is there already: the
archive itself would drop them as repeats. *Inputs* are published again at the end of their own partition, stamped with
now, if the flow as it is now can use them and nothing is there that they would undo:

    accounts              a record of ours, none of that account came later (`as_of` only grows)
    trades, liquidations  received after the newest closed second (older ones would come late), and not so long ago
                          that those of its rows that were used are forgotten, whose repeats are dropped by trade
                          ids, and of liquidations by time, side, price and size

A record that stands later in its log with the same key and bytes was handed in already. Books are never mended so: they
went on from a snapshot, and old updates carry ids that they have passed; nor are marks, of which the next is in force.
What a flow made of its inputs is not handed in again either: others have read on. All that is made anew from the
recorded topics, by `alphaplus verify` or a deployment of another prefix, and compared by `alphaplus diff`.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from flows import market
from flows.clickhouse.client import BadBlock, ClickHouse
from flows.clickhouse.kept import beside
from flows.job_graph import FEATURES
from flows.kafka.connection import client_config
from flows.kafka.glance import READ_S, Bounds, bounds_of, last_marks, times_before
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.recorded import Place, records
from flows.kafka.written_marks import KEY
from flows.refusal import Unreachable
from flows.settings.services import Kafka
from flows.settings.tree import Settings
from flows.tables import BY_TOPIC
from flows.topic_names import ACCOUNTS
from operators.tape import identity
from operators.venue_market import VenueMarket
from schemas import accounts
from schemas.frames import frames
from schemas.instrument import Instrument
from schemas.venues.registry import VENUES

STORED, PUBLISHED, ALREADY = "stored", "published", "there already"
GONE = "its topic no longer has it"
ANEW = "make it anew from the recorded topics (`alphaplus verify`, or a deployment of another prefix)"
LATE = f"it would come late, or rows of it twice: {ANEW}"
MILLISECOND_NS = 1_000_000
REMEMBERED_MS = identity.MEMORY_NS // MILLISECOND_NS


class Rejected(NamedTuple):
    """A reject as the table has it; its topic is named without the prefix."""

    reader: str
    topic: str
    partition: int
    offset: int
    reason: str


class Outcome(NamedTuple):
    """What became of a reject."""

    reject: Rejected
    what: str

    @property
    def done(self) -> bool:
        """Whether it is where it belongs now."""
        return self.what in (STORED, PUBLISHED, ALREADY)


class _Record(NamedTuple):
    key: bytes
    value: bytes
    received_ms: int
    symbol: str | None

    @property
    def name(self) -> bytes:
        """The same for records of one key and value."""
        return hashlib.blake2b(self.value, key=hashlib.blake2b(self.key).digest(), digest_size=16).digest()


def _record(message: Message) -> _Record:
    symbol = dict(message.headers() or ()).get("symbol")
    key, value = message.key(), message.value()
    return _Record(
        key if isinstance(key, bytes) else b"",
        value or b"",
        message.timestamp()[1],
        symbol.decode(errors="replace") if isinstance(symbol, bytes) else None,
    )


def hand_in(told: Settings, rejects: Iterable[Rejected], dry: bool = False) -> list[Outcome]:
    """Hand in each reject, or say why not; `dry` hands nothing in and says what would become of each."""
    groups: dict[str, list[Rejected]] = defaultdict(list)
    out: list[Outcome] = []
    once: dict[tuple[object, ...], Rejected] = {}
    for reject in rejects:
        once.setdefault((reject.reader, *_place(reject)), reject)
    for reject in once.values():
        kind = _kind(reject)
        if kind in ("store", "accounts", "raw"):
            groups[kind].append(reject)
        else:
            out.append(Outcome(reject, kind))
    out += _store(told, groups["store"], dry)
    out += _publish(told, groups["accounts"], _account, dry)
    out += _publish_raw(told, groups["raw"], dry)
    return out


def _kind(reject: Rejected) -> str:
    """How it can be handed in, or why it cannot."""
    if reject.reader == "archive":
        return "store" if reject.topic in BY_TOPIC and reject.topic != "rejects" else f"no table is of {reject.topic}"
    if reject.topic == ACCOUNTS:
        return "accounts"
    raw, _, rest = reject.topic.partition(".")
    kind, _, venue = rest.partition(".")
    if raw == "raw" and venue in VENUES:
        if kind == "depth":
            return f"the book went on, its update ids have passed this one: {ANEW}"
        if kind == "derivatives":
            return f"the next of its kind is in force: {ANEW}"
        return "raw"
    return f"{reject.reader} has read on, and made rows without it: {ANEW}"


def _store(told: Settings, rejects: list[Rejected], dry: bool) -> list[Outcome]:
    """Rows that the store did not take, into their tables where they are not."""
    out: list[Outcome] = []
    if not rejects:
        return out
    found = _read(told.kafka, rejects)
    tables = {BY_TOPIC[r.topic].name: BY_TOPIC[r.topic] for r in rejects}
    client = ClickHouse(told.clickhouse, tuple(tables.values()))
    scratch = f"{told.clickhouse.database}_again_{time.time_ns():x}"
    try:
        with beside(told.clickhouse, scratch, tables.values()) as kept:
            lacking = dict.fromkeys(tables, 0)
            for reject in rejects:
                table, record = BY_TOPIC[reject.topic], found.get(_place(reject))
                if record is None:
                    out.append(Outcome(reject, GONE))
                    continue
                try:
                    kept.take([(table.name, record.value)])
                except BadBlock as error:
                    out.append(Outcome(reject, f"the store does not take it now either: {error}"))
                    continue
                there = kept.missing(table)[0] == lacking[table.name]
                if not there and dry:
                    lacking[table.name] += 1
                elif not there:
                    token = f"again-{reject.topic}-{reject.partition}-{reject.offset}"
                    client.insert_block(table.name, record.value, token, count=1)
                out.append(Outcome(reject, ALREADY if there else STORED))
    finally:
        client.close()
    return out


Judge = Callable[[Settings, Rejected, _Record, bool], str]
"""Why a record cannot be handed in, "" if it can; told whether its log has a later one of the same key."""


def _publish(told: Settings, rejects: list[Rejected], judge: Judge, dry: bool) -> list[Outcome]:
    """Records whose logs are read from the first reject to the end, published again there."""
    out: list[Outcome] = []
    logs: dict[Place, list[Rejected]] = defaultdict(list)
    for reject in rejects:
        logs[told.kafka.prefix + reject.topic, reject.partition].append(reject)
    if not logs:
        return out
    publisher = Publisher(told.kafka, told.kafka.retry_s)
    for place, of in logs.items():
        wanted = {r.offset for r in of}
        found: dict[int, _Record] = {}
        latest: dict[bytes, int] = {}
        for offset, record in _from(told.kafka, place, min(wanted)):
            if offset in wanted:
                found[offset] = record
            latest[b"key" + record.key] = latest[record.name] = offset
        for reject in sorted(of, key=lambda r: r.offset):
            if (at := found.get(reject.offset)) is None:
                out.append(Outcome(reject, GONE))
            elif latest[at.name] > reject.offset:
                out.append(Outcome(reject, ALREADY))
            elif why := judge(told, reject, at, latest[b"key" + at.key] > reject.offset):
                out.append(Outcome(reject, why))
            else:
                if not dry:
                    now_ms = int(time.time() * 1e3)
                    publisher.publish(place[0], at.key, at.value, now_ms, at.symbol, place[1])
                out.append(Outcome(reject, PUBLISHED))
    publisher.flush()
    return out


def _publish_raw(told: Settings, rejects: list[Rejected], dry: bool) -> list[Outcome]:
    """Frames of the market, those whose second is not closed yet."""
    if not rejects:
        return []
    places = {r: (told.kafka.prefix + r.topic, r.partition) for r in rejects}
    within = bounds_of(told.kafka, set(places.values()))
    newest = times_before(told.kafka, {place: end for place, (_, end) in within.items()}, within)
    closed = _closed(told, {r.partition for r in rejects})
    opens_ms = {p: max(closed.get(p[1], -1) + 1, newest.get(p, 0) - REMEMBERED_MS) for p in within}
    opens = _first_after(told.kafka, opens_ms, within)
    late = {r for r, place in places.items() if r.offset < opens[place]}
    out = [Outcome(r, LATE) for r in rejects if r in late]

    def judge(told: Settings, reject: Rejected, record: _Record, replaced: bool) -> str:
        # some brokers answer with the batch in which the time falls: the record says it exactly
        return LATE if record.received_ms < opens_ms[places[reject]] else _frame(told, reject, record)

    return out + _publish(told, [r for r in rejects if r not in late], judge, dry)


def _account(told: Settings, reject: Rejected, record: _Record, replaced: bool) -> str:
    if b'"frame"' in record.value:
        return "a venue's frame changes the account as it was then: publish the whole account"
    found = accounts.decode(record.value)
    if isinstance(found, str):
        return f"it cannot be read now either: {found}"
    if replaced:
        return "a later record of the account replaced it"
    return ""


def _frame(told: Settings, reject: Rejected, record: _Record) -> str:
    """Whether the market as it is now can read the frame."""
    _, kind, venue = reject.topic.split(".", 2)
    known: Mapping[str, Instrument] = market.known_instruments(told).get(venue, {})
    reading = VenueMarket(VENUES[venue], dict(known), market.cut(told))
    symbols = {} if record.symbol is None else {0: record.symbol}
    again = frames(reject.topic, reject.partition, [record.value], [record.received_ms * MILLISECOND_NS], 0, symbols)
    refused = reading.read(kind, again)
    return f"it cannot be read now either: {refused[0].reason}" if refused else ""


def _closed(told: Settings, partitions: set[int]) -> dict[int, int]:
    """The newest closed time of each shard of the market, Unix milliseconds."""
    places = [(told.kafka.prefix + topic, p) for topic in FEATURES for p in partitions]
    found: dict[int, int] = {}
    for (_, partition), at_ms in last_marks(told.kafka, bounds_of(told.kafka, places)).items():
        found[partition] = max(found.get(partition, -1), at_ms)
    return found


def _first_after(kafka: Kafka, times_ms: Mapping[Place, int], within: Bounds) -> dict[Place, int]:
    """The first offset of each log that was received at that time or later; its end where there is none."""
    consumer = Consumer({**client_config(kafka), "group.id": "alphaplus-times", "log_level": 2})
    try:
        asked = [TopicPartition(*place, max(0, at_ms)) for place, at_ms in times_ms.items()]
        found = consumer.offsets_for_times(asked, timeout=READ_S)
    except KafkaException as error:
        raise Unreachable(f"offsets by time: {error.args[0].str()}") from None
    finally:
        consumer.close()
    at = {(p.topic, p.partition): p.offset for p in found}
    return {place: offset if offset >= 0 else within[place][1] for place, offset in at.items()}


def _place(reject: Rejected) -> tuple[str, int, int]:
    return reject.topic, reject.partition, reject.offset


def _read(kafka: Kafka, rejects: list[Rejected]) -> dict[tuple[str, int, int], _Record]:
    """The records of rejects, one by one."""
    out = {}
    within = bounds_of(kafka, {(kafka.prefix + r.topic, r.partition) for r in rejects})
    for reject in rejects:
        place = kafka.prefix + reject.topic, reject.partition
        if within[place][0] <= reject.offset < within[place][1]:
            for message in records(kafka, {place: reject.offset + 1}, {place: reject.offset}, READ_S):
                if message.offset() == reject.offset:
                    out[_place(reject)] = _record(message)
    return out


def _from(kafka: Kafka, place: Place, offset: int) -> Iterator[tuple[int, _Record]]:
    """The records of a log from an offset on."""
    low, end = bounds_of(kafka, [place])[place]
    for message in records(kafka, {place: end}, {place: max(low, offset)}, READ_S):
        if message.key() != KEY:
            yield message.offset() or 0, _record(message)
