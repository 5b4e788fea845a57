"""The risk flow: accounts by key, marks and books of every market to all -> rows of accounts and positions."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow
from prometheus_client import Gauge

from flows.counters import REJECTED, ROWS
from flows.epochs import Stopping
from flows.kafka_reader import Kafka
from flows.kafka_sink import KafkaRows
from flows.kafka_source import KafkaShare, Pace, log_name
from flows.recovery import Identity
from flows.rows import records
from flows.settings import Settings, SettingsError
from flows.tables import BY_NAME
from flows.wiring import flow
from operators.once import Once
from operators.portfolio.ledger import Ledger, Terms
from operators.portfolio.positions import BYBIT_RULES
from schemas import rejected
from schemas.brackets import Tiers, binance, bybit
from schemas.shard import Batch, Rows

UNTIL = Gauge("alphaplus_risk_until_seconds", "event time up to which accounts are valued")

ACCOUNTS = "accounts"
PATIENCE = 5
"""How much longer a derived log may be quiet than a raw one: its flow may be busy, not its market silent."""
SHARED = {"features.tape": "tape", "features.book": "book"}
BRACKETS: dict[str, Callable[[bytes], dict[str, Tiers]]] = {"binance-usdm": binance, "bybit-linear": bybit}


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
        out.update({(venue, symbol): t for symbol, t in found.items()})
    return out


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
    )


class RiskShare:
    """The accounts of this process's partitions."""

    def __init__(self, settings: Settings, how: Terms, logs: dict[str, tuple[str, int]], frozen: bytes | None) -> None:
        """New, or as it was frozen; `logs` is what the source reads."""
        self.prefix = settings.kafka.prefix
        kinds = {self.prefix + ACCOUNTS: "accounts"} | {self.prefix + t: kind for t, kind in SHARED.items()}
        self.kinds = kinds
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
            new, rejects = (frames, []) if kind == "accounts" else self.once.select(frames)
            rejects = rejects + self.ledger.read(kind, log, new)
            if rejects:
                REJECTED.labels(frames.topic, "record").inc(len(rejects))
                out.append(
                    Rows(self.prefix + "rejects", frames.partition, rejected.records("risk", rejects, self.prefix))
                )
        self.ledger.mark(batch.ended, batch.idle)
        for partition, published in self.ledger.advance():
            table = BY_NAME[published.table]
            rows = records(published, table.columns)
            ROWS.labels(published.table).inc(len(rows))
            out.append(Rows(self.prefix + table.topic, partition, rows, published.at_ms))
        UNTIL.set(max(0.0, self.ledger.timeline.released_ms / 1e3))
        return out

    def freeze(self) -> bytes:
        """What was seen, and the ledger."""
        return msgspec.msgpack.encode((self.once.freeze(), self.ledger.freeze()))


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read the share, value it, write rows."""
    kafka, share, prefix = settings.kafka, settings.share, settings.kafka.prefix
    how = terms(settings)
    source = KafkaShare(
        Kafka(kafka.brokers, retry_s=kafka.retry_s),
        (prefix + ACCOUNTS,),
        tuple(prefix + topic for topic in SHARED),
        kafka.partitions,
        (share.ordinal, share.count),
        pace=Pace(
            batch_frames=settings.source.batch_frames,
            batch_bytes=settings.source.batch_bytes,
            epoch_bytes=settings.source.epoch_bytes,
            align_ms=settings.source.align_ms,
            idle_ms=PATIENCE * settings.clock.idle_ms,
        ),
        ends=ends,
        stopping=stopping,
    )

    def ledger(key: str, frozen: bytes | None) -> RiskShare:
        return RiskShare(settings, how, source.logs, frozen)

    return flow("risk", source, [("ledger", ledger)], KafkaRows(kafka.brokers, kafka.partitions, kafka.retry_s))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps."""
    w = settings.windows
    return {
        "topics": [settings.kafka.prefix + t for t in (ACCOUNTS, *SHARED)],
        "partitions": settings.kafka.partitions,
        "share": [settings.share.ordinal, settings.share.count],
        "windows": [w.base_ms, w.lateness_ms, w.keyframe_ms],
    }
