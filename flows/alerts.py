"""The alerts flow: derived rows in, alerts raised and cleared by rules, each log on its own; nothing is joined."""

import importlib.resources
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow

from flows.engine import incoming, outgoing
from flows.engine.wiring import flow
from flows.kafka.epochs import Stopping
from flows.kafka.source import KafkaShards
from flows.monitoring.event_time import Closing
from flows.recovery.directory import Identity
from flows.settings.tree import Settings, SettingsError
from flows.tables import ALERTED, BY_NAME, BY_TOPIC
from operators.alerts.rules import Rule, load
from operators.alerts.watch import Watch
from operators.once import Once
from operators.published_rows import Published
from schemas.shard import Batch, Rows


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules of the settings' file, or those of the package; a mistake is one line that says where."""
    file = settings.alerts.rules
    if not file:
        return load((importlib.resources.files("deploy") / "settings" / "alerts.toml").read_text(), ALERTED)
    try:
        return load(Path(file).read_text(), ALERTED)
    except OSError as error:
        raise SettingsError(f"alerts.rules: {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"alerts.rules: {file}: {error}") from None


def topics(settings: Settings) -> tuple[str, ...]:
    """The topics that some rule reads."""
    read = {rule.table for rule in rules(settings)}
    return tuple(settings.kafka.prefix + BY_NAME[t].topic for t in ALERTED if t in read)


class _Frozen(msgspec.Struct, array_like=True):
    once: bytes
    watches: dict[str, bytes]


class AlertShard:
    """One shard: a watch over each of its topics."""

    def __init__(self, settings: Settings, by: tuple[Rule, ...], shard: int, frozen: bytes | None) -> None:
        """New, or as it was frozen; what rules that no longer hold had raised is cleared with the first batch."""
        self.shard, self.prefix, self.ahead_ms = shard, settings.kafka.prefix, settings.clock.ahead_ms
        self.closing = Closing("alerts", str(shard), self.waits_for)
        self.marks = outgoing.MarkTimes(("alerts",), self.prefix)
        self.marked_ms: dict[str, int] = {}
        self.once = Once()
        was: dict[str, bytes] = {}
        if frozen is not None:
            told = msgspec.msgpack.decode(frozen, type=_Frozen)
            self.once, was = Once.thaw(told.once), told.watches
        self.watches = {}
        self._first: list[Published] = []
        self._frozen = frozen
        for name in dict.fromkeys((*(rule.table for rule in by), *was)):
            own = tuple(rule for rule in by if rule.table == name)
            watch = Watch(BY_NAME[name], own, settings.windows.base_ms, shard, self.ahead_ms)
            if name in was:
                self._first.append(watch.thaw(was[name]))
            if own:
                self.watches[name] = watch

    def on_batch(self, batch: Batch) -> list[Rows]:
        """Judge new rows, and give the alerts."""
        told, self._first, self._frozen = self._first, [], None
        out: list[Rows] = []
        for frames in batch.frames:
            new, rejects = self.once.select(frames, self.ahead_ms)
            watch = self._of(frames.topic)
            if watch is not None:
                if len(frames.marks):
                    self.marked_ms[watch.table.name] = int(frames.marks.time_ns.max()) // 1_000_000
                published, refused = watch.read(new)
                rejects += refused
                told.append(published)
            out += outgoing.rejects("alerts", rejects, self.prefix, self.shard)
        told += [watch.end() for watch in map(self._of, batch.ended) if watch is not None]
        complete = min(self.marked_ms.values()) if len(self.marked_ms) == len(self.watches) else None
        self.closing.came(sum(map(len, batch.frames)), complete)
        out += [outgoing.rows(published, self.prefix, self.shard) for published in told if published.base]
        return out + self.marks.come_to(complete, self.shard)

    def _of(self, topic: str) -> Watch | None:
        return self.watches.get(BY_TOPIC[topic.removeprefix(self.prefix)].name)

    def waits_for(self) -> str:
        """The topic that is furthest behind."""
        name = min(self.watches, key=lambda table: self.marked_ms.get(table, -1))
        return f"{self.prefix}{BY_NAME[name].topic}[{self.shard}]"

    def freeze(self) -> bytes:
        """What was seen, and what is raised; what it was thawed from while its first clears are not yet told."""
        if self._frozen is not None:
            return self._frozen
        watches = {n: w.freeze() for n, w in self.watches.items()}
        return msgspec.msgpack.encode(_Frozen(self.once.freeze(), watches))


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read shards, judge, write alerts."""
    by = rules(settings)
    kafka = settings.kafka
    tuner = incoming.tuner(settings)
    source = KafkaShards(
        incoming.kafka(settings, "alerts"),
        topics(settings),
        kafka.partitions,
        incoming.share(settings),
        pace=incoming.pace(settings, tuner),
        ends=ends,
        stopping=stopping,
        others=True,
    )

    def shard(key: str, frozen: bytes | None) -> AlertShard:
        return AlertShard(settings, by, int(key.rpartition("-")[2]), frozen)

    return flow("alerts", source, [("rules", shard)], outgoing.sink(settings, tuner))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps: not the topics, which other rules may change."""
    return incoming.identity(settings)
