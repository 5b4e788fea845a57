"""The forecast flow: feature rows of a shard to a vector and forecasts for each instrument and minute.

Which model is in force is decided by the records of `model.versions`, which stand in every partition: a record names a
version and the event time from which it holds. A minute is forecast once that log has come past it too, so that a
replay forecasts with the same version; a record that comes later than that holds from the next minute. A version that
cannot be used is refused with one line when its record is read, and what was in force goes on.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from bytewax.dataflow import Dataflow

from flows.engine import incoming, outgoing
from flows.engine.model_memory import Memory
from flows.engine.wiring import flow
from flows.job_graph import FORECASTS
from flows.kafka.epochs import Stopping
from flows.kafka.source import KafkaShards
from flows.monitoring import telemetry
from flows.monitoring.event_time import Closing
from flows.monitoring.log_lines import LOG
from flows.recovery.directory import Identity
from flows.settings.tree import Settings, SettingsError
from models import model_registry
from models.bursts import Bursts, How
from models.forecaster import Forecaster
from models.forecaster import build as forecaster
from models.minutes import MINUTE_MS, Minutes
from models.promotions import Promotion, Promotions
from operators.once import Once
from schemas.frames import Frames, Reject
from schemas.shard import Batch, Rows

REFUSED = telemetry.MODELS_REFUSED.counter()
IN_FORCE = telemetry.MODEL_IN_FORCE.gauge()

KINDS = {"features.book": "book", "features.tape": "tape", "model.versions": "models"}
Load = Callable[[str], Forecaster]
"""The forecaster of a version; ValueError says in one line why it cannot be used."""


def folder(settings: Settings) -> Path:
    """Where model versions are kept."""
    return Path(settings.forecast.models or Path(settings.data) / "models")


def how(settings: Settings) -> How:
    """What is forecast."""
    if MINUTE_MS not in settings.windows.lengths_ms():
        raise SettingsError("windows.spans_ms: the forecast flow needs windows of 60000 ms")
    horizons = settings.forecast.horizons_min
    if not horizons or len(set(horizons)) < len(horizons):
        raise SettingsError("forecast.horizons_min: name at least one horizon, each once")
    return How(tuple(sorted(horizons)), settings.forecast.floor_usd)


def loader(settings: Settings) -> Load:
    """Versions of the settings' registry, kept in memory while they are used."""
    floor = settings.forecast.floor_usd

    def read(version: str) -> Forecaster:
        made = forecaster(model_registry.load(folder(settings), version))
        told = made.version.metadata.parameters.get("floor_usd")
        if told != floor:
            raise ValueError(f"model {version} calls more than {told} USD a burst, forecast.floor_usd is {floor}")
        return made

    return Memory(read, settings.processing).load


class _Frozen(msgspec.Struct):
    minutes: bytes
    bursts: bytes
    once: bytes
    promotions: list[Promotion]
    models_ms: int


class ForecastShard:
    """One shard: its minutes, instruments and promotions."""

    def __init__(self, settings: Settings, load: Load, bounded: bool, shard: int, frozen: bytes | None) -> None:
        """New, or as it was frozen. A version that was in force and can no longer be loaded is refused now."""
        self.shard, self.load, self.bounded = shard, load, bounded
        self.prefix = settings.kafka.prefix
        ahead_ms = settings.clock.ahead_ms
        self.minutes, self.bursts = Minutes(ahead_ms=ahead_ms), Bursts(how(settings))
        self.once, self.promotions = Once(), Promotions()
        self.models_ms = 0
        self.told = ""
        self.closing = Closing("forecast", str(shard), lambda: f"{self.prefix}features.*[{shard}]")
        self.marks = outgoing.MarkTimes(FORECASTS, self.prefix)
        self._packed: bytes | None = None
        if frozen is not None:
            was = msgspec.msgpack.decode(frozen, type=_Frozen)
            self.minutes = Minutes.thaw(was.minutes, ahead_ms)
            self.bursts = Bursts.thaw(how(settings), was.bursts)
            self.once, self.promotions = Once.thaw(was.once), Promotions(was.promotions)
            self.models_ms = was.models_ms

    def on_batch(self, batch: Batch) -> list[Rows]:
        """Take in rows and promotions, and forecast every minute that has become complete."""
        out: list[Rows] = []
        for frames in sorted(batch.frames, key=lambda f: KINDS[f.topic.removeprefix(self.prefix)] != "models"):
            kind = KINDS[frames.topic.removeprefix(self.prefix)]
            rejects = self._promote(frames) if kind == "models" else self.minutes.read(kind, frames)
            out += outgoing.rejects("forecast", rejects, self.prefix, self.shard)
        ended = {KINDS[topic.removeprefix(self.prefix)] for topic in batch.ended}
        self.minutes.mark(ended)
        if self.bounded and "models" not in ended:
            return out
        out += self._forecast()
        until_ms = self.minutes.marked_until_ms
        if until_ms is not None and not self.bounded:
            until_ms = min(until_ms, self.models_ms) or None
        self.closing.came(sum(map(len, batch.frames)), until_ms)
        return out + self.marks.come_to(until_ms, self.shard)

    def _forecast(self) -> list[Rows]:
        """What every minute gives that has become complete."""
        out: list[Rows] = []
        for minute in self.minutes.ready(None if self.bounded else self.models_ms):
            for published in self.bursts.step(minute, self._in_force(minute.end_ms)):
                self._packed = None
                out.append(outgoing.rows(published, self.prefix, self.shard))
        self.promotions.forget(min(self.minutes.done_ms.values(), default=-1))
        return out

    def _promote(self, log: Frames) -> list[Reject]:
        new, rejects = self.once.select(log)
        times_ms = new.marks.time_ns // 1_000_000
        for i in range(len(new)):
            self.models_ms = max(self.models_ms, *times_ms[new.marks.at <= i].tolist(), 0)
            try:
                promotion = msgspec.json.decode(new.frame(i), type=Promotion)
            except msgspec.MsgspecError as error:
                why = f"not a promotion: {error}"
                rejects.append(Reject(log.topic, log.partition, int(new.offsets[i]), why, new.frame(i)))
                continue
            if self._usable(promotion.version) is not None:
                since = max(promotion.in_force_from, self.models_ms + 1)
                self.promotions.add(msgspec.structs.replace(promotion, in_force_from=since))
        self.models_ms = max(self.models_ms, *times_ms.tolist(), 0)
        return rejects

    def _usable(self, version: str) -> Forecaster | None:
        try:
            return self.load(version)
        except ValueError as error:
            REFUSED.inc()
            LOG.warning("forecast: shard %d: refused: %s", self.shard, error, extra={"shard": str(self.shard)})
            return None

    def _in_force(self, at_ms: int) -> Forecaster | None:
        while version := self.promotions.at(at_ms):
            by = self._usable(version)
            if by is None:
                self.promotions.drop(version)
                continue
            if version != self.told:
                if self.told:
                    IN_FORCE.labels(str(self.shard), self.told).set(0)
                IN_FORCE.labels(str(self.shard), version).set(1)
                LOG.info(
                    "forecast: shard %d: %s is in force from minute %d",
                    self.shard,
                    version,
                    at_ms,
                    extra={"shard": str(self.shard)},
                )
                self.told = version
            return by
        return None

    def freeze(self) -> bytes:
        """All of it; what only a minute changes is packed once a minute."""
        if self._packed is None:
            self._packed = self.bursts.freeze()
        return msgspec.msgpack.encode(
            _Frozen(self.minutes.freeze(), self._packed, self.once.freeze(), self.promotions.held, self.models_ms)
        )


def topics(settings: Settings) -> tuple[str, ...]:
    """The topics the flow reads."""
    return tuple(settings.kafka.prefix + topic for topic in KINDS)


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow: read feature rows and promotions, forecast, write rows."""
    how(settings)
    kafka = settings.kafka
    tuner = incoming.tuner(settings)
    source = KafkaShards(
        incoming.kafka(settings, "forecast"),
        topics(settings),
        kafka.partitions,
        incoming.share(settings),
        pace=incoming.pace(settings, tuner),
        ends=ends,
        stopping=stopping,
        foreign=incoming.foreign(settings, "forecast", (kafka.prefix + "model.versions",)),
    )
    load = loader(settings)

    def shard(key: str, frozen: bytes | None) -> ForecastShard:
        return ForecastShard(settings, load, ends is not None, int(key.rpartition("-")[2]), frozen)

    return flow("forecast", source, [("forecasts", shard)], outgoing.sink(settings, tuner))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps."""
    f = how(settings)
    return incoming.identity(
        settings, topics(settings), horizons=list(f.horizons_min), floor_usd=str(settings.forecast.floor_usd)
    )
