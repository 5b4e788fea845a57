"""The alerts flow: derived rows in, alerts raised and cleared by rules, each log on its own; nothing is joined."""

import importlib.resources
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow

from flows import incoming, outgoing
from flows.epochs import Stopping
from flows.kafka.source import KafkaShards
from flows.recovery import Identity
from flows.settings import Settings, SettingsError
from flows.tables import ALERTED, BY_NAME, BY_TOPIC
from flows.wiring import flow
from operators.alerts.rules import Rule, load
from operators.alerts.watch import Watch
from operators.once import Once
from schemas.shard import Batch, Rows


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules of the settings' file; a mistake in it is one line that says where.

    Of the rules that come with the package those of tables that this version does not write yet are left out.
    """
    file = settings.alerts.rules
    if not file:
        shipped = load((importlib.resources.files("deploy") / "settings" / "alerts.toml").read_text())
        return tuple(rule for rule in shipped if rule.table in ALERTED)
    try:
        return load(Path(file).read_text(), {t: [c.name for c in BY_NAME[t].columns] for t in ALERTED})
    except OSError as error:
        raise SettingsError(f"alerts.rules: {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"alerts.rules: {file}: {error}") from None


def topics(settings: Settings) -> tuple[str, ...]:
    """The topics that some rule reads."""
    read = {rule.table for rule in rules(settings)}
    return tuple(settings.kafka.prefix + BY_NAME[t].topic for t in ALERTED if t in read)


class AlertShard:
    """One shard: a watch over each of its topics."""

    def __init__(self, settings: Settings, by: tuple[Rule, ...], shard: int, frozen: bytes | None) -> None:
        """New, or as it was frozen."""
        self.shard, self.prefix = shard, settings.kafka.prefix
        self.once = Once()
        was: dict[str, bytes] = {}
        if frozen is not None:
            once, was = msgspec.msgpack.decode(frozen, type=tuple[bytes, dict[str, bytes]])
            self.once = Once.thaw(once)
        self.watches = {}
        for name in dict.fromkeys(rule.table for rule in by):
            own = tuple(rule for rule in by if rule.table == name)
            watch = Watch(BY_NAME[name], own, settings.windows.base_ms)
            if name in was:
                watch.thaw(was[name])
            self.watches[name] = watch

    def on_batch(self, batch: Batch) -> list[Rows]:
        """Judge new rows, and give the alerts."""
        out: list[Rows] = []
        for frames in batch.frames:
            new, rejects = self.once.select(frames)
            watch = self.watches[BY_TOPIC[frames.topic.removeprefix(self.prefix)].name]
            published, refused = watch.read(new)
            out += outgoing.rejects("alerts", rejects + refused, self.prefix, self.shard)
            if published.base:
                out.append(outgoing.rows(published, self.prefix, self.shard))
        return out

    def freeze(self) -> bytes:
        """What was seen, and what is raised."""
        return msgspec.msgpack.encode((self.once.freeze(), {n: w.freeze() for n, w in self.watches.items()}))


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read shards, judge, write alerts."""
    by = rules(settings)
    kafka = settings.kafka
    source = KafkaShards(
        incoming.kafka(settings),
        topics(settings),
        kafka.partitions,
        incoming.share(settings),
        pace=incoming.pace(settings),
        ends=ends,
        stopping=stopping,
    )

    def shard(key: str, frozen: bytes | None) -> AlertShard:
        return AlertShard(settings, by, int(key.rpartition("-")[2]), frozen)

    return flow("alerts", source, [("rules", shard)], outgoing.sink(settings))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps."""
    return incoming.identity(settings, topics(settings))
