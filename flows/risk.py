"""The risk flow: accounts by key, marks and books of every market to all -> rows of accounts and positions."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow

from flows.engine import incoming, outgoing
from flows.engine.wiring import flow
from flows.job_graph import RISK
from flows.kafka.epochs import Stopping
from flows.kafka.source import KafkaShare, log_name, shard_name
from flows.market import contracts, known_instruments
from flows.monitoring.event_time import Closing
from flows.recovery.directory import Identity
from flows.settings.candle_files import candles
from flows.settings.tree import Settings, SettingsError
from operators.evolving import Part, fingerprint
from operators.once import Once
from operators.portfolio.ledger import Ledger, Terms
from operators.portfolio.positions import BYBIT_RULES, TAKER_FEE
from schemas.brackets import Tiers, binance, bybit, okx
from schemas.shard import Batch, Rows

ACCOUNTS = "accounts"
SHARED = {"features.tape": "tape", "features.book": "book"}
BRACKETS: dict[str, Callable[[bytes], dict[str, Tiers]]] = {
    "binance-usdm": binance,
    "bybit-linear": bybit,
    "okx-swap": okx,
}

HELD_RECORDS = 20_000
"""So many account records may wait for features that do not come: all are written down with each epoch."""


def tiers(settings: Settings) -> dict[tuple[str, str], Tiers]:
    """Maintenance tiers by (venue, symbol) from the files of the settings."""
    out = {}
    for venue, file in settings.risk.brackets_json.items():
        if venue not in BRACKETS:
            raise SettingsError(f"risk.brackets_json: no brackets of {venue!r} can be read, only {', '.join(BRACKETS)}")
        try:
            found = BRACKETS[venue](Path(file).read_bytes())
        except OSError as error:
            raise SettingsError(f"risk.brackets_json: {file}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"risk.brackets_json: {file}: {error}") from None
        if not found:
            raise SettingsError(f"risk.brackets_json: {file}: it holds no tiers")
        out.update({(venue, symbol): t for symbol, t in found.items()})
    return out


def haircuts(settings: Settings) -> dict[str, float]:
    """By asset as venues write it, in capitals: the environment's names have none left."""
    return {asset.upper(): share for asset, share in settings.risk.haircuts.items()}


def taker_fee(settings: Settings) -> dict[str, float]:
    """By venue; SettingsError for one that counts none, whose own rate would count in its place."""
    told = settings.risk.taker_fee
    if others := sorted(set(told) - set(TAKER_FEE)):
        raise SettingsError(f"risk.taker_fee: {others[0]!r} counts no fee within margins, only {', '.join(TAKER_FEE)}")
    return told


def terms(settings: Settings) -> Terms:
    """What of the settings the numbers depend on."""
    w = settings.windows
    return Terms(
        tiers(settings),
        BYBIT_RULES[settings.risk.bybit_rule],
        w.base_ms,
        w.lateness_ms,
        settings.clock.ahead_ms,
        w.keyframe_ms,
        settings.clock.idle_ms,
        {(venue, s): row for venue, rows in known_instruments(settings).items() for s, row in rows.items()},
        haircuts(settings),
        {**TAKER_FEE, **taker_fee(settings)},
        candles(settings),
        settings.market.venues,
    )


class RiskShare:
    """The accounts of this process's partitions."""

    def __init__(
        self,
        settings: Settings,
        how: Terms,
        logs: dict[str, tuple[str, int]],
        frozen: bytes | None,
        held: dict[str, int] | None = None,
    ) -> None:
        """New, or as it was frozen; `logs` is what the source reads, in `held` it says how many records wait here."""
        self.held = {} if held is None else held
        self.name = shard_name(settings.share.ordinal)
        self.prefix, self.ahead_ms = settings.kafka.prefix, settings.clock.ahead_ms
        kinds = {self.prefix + ACCOUNTS: "accounts"} | {self.prefix + t: kind for t, kind in SHARED.items()}
        self.kinds = kinds
        own = sorted({partition for topic, partition in logs.values() if kinds[topic] == "accounts"})
        self.closing = Closing("risk", ",".join(map(str, own)), self.waits_for)
        self.marks = {partition: outgoing.MarkTimes(RISK, self.prefix) for partition in own}
        account_logs = [name for name, (topic, _) in logs.items() if kinds[topic] == "accounts"]
        self.ledger = Ledger(how, account_logs, [name for name in logs if name not in account_logs])
        self.once = Once()
        if frozen is not None:
            once, ledger = msgspec.msgpack.decode(frozen, type=tuple[bytes, bytes])
            self.once = Once.thaw(once)
            self.ledger.thaw(ledger)

    def on_batch(self, batch: Batch) -> list[Rows]:
        """Read what came, value what is complete, and give the records for every topic."""
        out: list[Rows] = []
        for frames in batch.frames:
            kind, log = self.kinds[frames.topic], log_name(frames.topic, frames.partition)
            new, rejects = (frames, []) if kind == "accounts" else self.once.select(frames, self.ahead_ms)
            rejects = rejects + self.ledger.read(kind, log, new)
            out += outgoing.rejects("risk", rejects, self.prefix, frames.partition)
        self.ledger.mark(batch.ended)
        out += [outgoing.rows(published, self.prefix, partition) for partition, published in self.ledger.advance()]
        self.held[self.name] = len(self.ledger.timeline.records)
        until = self.ledger.timeline.complete_ms
        self.closing.came(sum(map(len, batch.frames)), until)
        return out + [rows for p, marks in self.marks.items() for rows in marks.come_to(until, p)]

    def waits_for(self) -> str:
        """The log that is furthest behind."""
        return self.ledger.timeline.furthest_behind

    def freeze(self) -> bytes:
        """What was seen, and the ledger."""
        return msgspec.msgpack.encode((self.once.freeze(), self.ledger.freeze()))


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read the share, value it, write rows."""
    kafka, prefix = settings.kafka, settings.kafka.prefix
    how = terms(settings)
    tuner, held = incoming.tuner(settings), dict[str, int]()
    pace = incoming.pace(settings, tuner)
    source = KafkaShare(
        incoming.kafka(settings, "risk"),
        (prefix + ACCOUNTS,),
        tuple(prefix + topic for topic in SHARED),
        kafka.partitions,
        incoming.share(settings),
        pace=replace(pace, held_rows=min(pace.held_rows, HELD_RECORDS)),
        ends=ends,
        stopping=stopping,
        foreign=incoming.foreign(settings, "risk", (prefix + ACCOUNTS,)),
        held=held,
    )

    def ledger(key: str, frozen: bytes | None) -> RiskShare:
        return RiskShare(settings, how, source.logs, frozen, held)

    return flow("risk", source, [("ledger", ledger)], outgoing.sink(settings, tuner))


def topics(settings: Settings) -> tuple[str, ...]:
    """The topics the flow reads."""
    return tuple(settings.kafka.prefix + t for t in (ACCOUNTS, *SHARED))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps."""
    w = settings.windows
    return incoming.identity(
        settings,
        topics(settings),
        windows=[w.base_ms, w.lateness_ms, w.keyframe_ms, settings.clock.ahead_ms, settings.clock.idle_ms],
    )


def parts(settings: Settings) -> list[Part]:
    """What the recovered state may be valued by otherwise than before, from the next second on."""
    risk = settings.risk
    brackets = {
        venue: fingerprint(Path(risk.brackets_json[venue]).read_bytes()) if venue in risk.brackets_json else "none"
        for venue in BRACKETS
    }
    told = {
        "risk.bybit_rule": risk.bybit_rule,
        **{f"risk.brackets_json of {venue}": mark for venue, mark in brackets.items()},
        "risk.haircuts": _listed(haircuts(settings)),
        "risk.taker_fee": _listed(risk.taker_fee),
    }
    return [*(Part(name, now, "goes on") for name, now in told.items()), *contracts(settings)]


def _listed(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {rate}" for name, rate in sorted(rates.items())) or "none"
