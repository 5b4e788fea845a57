"""Settings: one frozen tree, units in names; a name that does not exist stops the start and is named."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec

from schemas.instrument import Instrument

Positive = Annotated[int, msgspec.Meta(gt=0)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
ENVIRONMENT = "ALPHAPLUS_"


class SettingsError(ValueError):
    """A setting that does not exist or does not fit; the message is one line and names it."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section: unknown names are errors."""


class Kafka(_Strict, frozen=True):
    """The brokers (none: the embedded one), and how hard a process tries before it lets recovery replay."""

    brokers: str = ""
    prefix: str = ""
    partitions: Positive = 4
    replication: Positive = 1
    retry_s: Positive = 120
    message_max_bytes: Positive = 16_000_000
    fetch_wait_ms: Positive = 100
    """How long a broker may hold a fetch; Apache Kafka holds it only while there is nothing."""
    linger_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    """How long a record waits for company. Records that belong together are queued in one go, so hardly at all."""


class Clickhouse(_Strict, frozen=True):
    """The database (none: the embedded store); `archive` is its only writer."""

    url: str = ""
    user: str = "default"
    password: str = ""
    database: str = "default"
    connect_s: Positive = 5
    timeout_s: Positive = 60
    retry_s: Positive = 600
    block_rows: Positive = 50_000
    inserts: Positive = 4
    """At a time, of different shards."""


class Windows(_Strict, frozen=True):
    """Panes and the longer windows made of them."""

    base_ms: Positive = 1_000
    spans_ms: tuple[Positive, ...] = (1_000, 10_000, 60_000, 300_000)
    lateness_ms: NotNegative = 500
    keyframe_ms: Positive = 60_000

    def lengths_ms(self) -> tuple[int, ...]:
        """All window lengths, the base first."""
        return tuple(sorted({self.base_ms, *(s for s in self.spans_ms if s > self.base_ms)}))


class Clock(_Strict, frozen=True):
    """What event times are believed, and when a quiet topic stops holding up the others (live only)."""

    ahead_ms: NotNegative = 5_000
    idle_ms: Positive = 2_000


class Source(_Strict, frozen=True):
    """How raw topics are read: the larger a batch, the less a frame costs that had to wait anyway."""

    batch_frames: Positive = 5_000
    batch_bytes: Positive = 8_000_000
    epoch_bytes: Positive = 256_000_000
    align_ms: Positive = 10_000


class Recovery(_Strict, frozen=True):
    """Snapshots."""

    epoch_ms: NotNegative = 1_000


class Share(_Strict, frozen=True):
    """Which part of the partitions is this process's."""

    ordinal: NotNegative = 0
    count: Positive = 1


class Market(_Strict, frozen=True):
    """The venues read, and the instruments known beforehand (others are inferred and marked).

    `misplaced`: what to do with frames that are not on the partition to which Kafka's murmur2 assigns their base asset.
    Producers that disagree put an instrument on two shards, whose rows would replace each other: "reject". "use" is
    for topics that are partitioned in another way, the same for all.
    """

    venues: tuple[str, ...] = ("binance-usdm",)
    instruments: tuple[Instrument, ...] = ()
    instruments_json: dict[str, str] = {}
    """Venue -> file with its own exchange-info JSON."""
    misplaced: Literal["reject", "use"] = "reject"


class Forecast(_Strict, frozen=True):
    """Where model versions are kept (default DATA/models), what is forecast, and what is a burst at the least."""

    models: str = ""
    horizons_min: tuple[Positive, ...] = (5, 15, 30, 60)
    floor_usd: Annotated[float, msgspec.Meta(gt=0)] = 50_000.0


class Risk(_Strict, frozen=True):
    """Maintenance tiers, and which text of Bybit's rules holds."""

    brackets_json: dict[str, str] = {}
    """Venue -> file with its leverage brackets; a venue without one has no liquidation prices."""
    bybit_rule: Literal["2024-09", "2026-05"] = "2026-05"


class Alerts(_Strict, frozen=True):
    """What raises an alert."""

    rules: str = ""
    """A file of rules, TOML or JSON; empty: the rules that come with this package."""


class Settings(_Strict, frozen=True):
    """Everything a process can be told."""

    data: str = ".alphaplus"
    kafka: Kafka = Kafka()
    clickhouse: Clickhouse = Clickhouse()
    windows: Windows = Windows()
    clock: Clock = Clock()
    source: Source = Source()
    recovery: Recovery = Recovery()
    share: Share = Share()
    market: Market = Market()
    forecast: Forecast = Forecast()
    risk: Risk = Risk()
    alerts: Alerts = Alerts()
    metrics_port: NotNegative = 0

    def check(self) -> "Settings":
        """What types cannot say: windows that do not divide, a share that is none, an address that is none."""
        for length in self.windows.lengths_ms():
            if length % self.windows.base_ms:
                raise SettingsError(
                    f"windows.spans_ms: {length} is not a multiple of windows.base_ms {self.windows.base_ms}"
                )
        if self.windows.base_ms < 100:
            raise SettingsError(f"windows.base_ms: {self.windows.base_ms} is below 100, the shortest pane there is")
        if self.windows.keyframe_ms % self.windows.base_ms:
            raise SettingsError("windows.keyframe_ms is not a multiple of windows.base_ms")
        address = urlsplit(self.clickhouse.url)
        if self.clickhouse.url and (address.scheme not in ("http", "https") or not address.hostname):
            raise SettingsError(f"clickhouse.url: {self.clickhouse.url!r} is not http://host:port or https://host:port")
        if self.share.ordinal >= self.share.count:
            raise SettingsError(f"share.ordinal {self.share.ordinal} is not below share.count {self.share.count}")
        return self


def _value(hint: Any, text: str, name: str) -> Any:
    """The text of `--set` or of the environment, as JSON where it is JSON, else as the string it is."""
    try:
        return msgspec.convert(msgspec.json.decode(text.encode()), hint, strict=True)
    except msgspec.ValidationError as error:
        if text.startswith(("[", "{")):
            raise SettingsError(f"{name}: {error}") from None
    except msgspec.DecodeError:
        pass
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name}: {text!r}: {error}") from None


def _put(tree: dict[str, Any], name: str, text: str) -> None:
    hints, at, parts = get_type_hints(Settings, include_extras=True), tree, name.split(".")
    for depth, part in enumerate(parts):
        if part not in hints:
            known = ", ".join(sorted(hints))
            raise SettingsError(
                f"there is no setting {name!r}; {'.'.join(parts[:depth]) or 'the top level'} has: {known}"
            )
        hint = hints[part]
        if depth == len(parts) - 1:
            at[part] = msgspec.to_builtins(_value(hint, text, name))
            return
        if not (isinstance(hint, type) and issubclass(hint, msgspec.Struct)):
            raise SettingsError(f"{'.'.join(parts[: depth + 1])!r} has no setting below it")
        hints, at = get_type_hints(hint, include_extras=True), at.setdefault(part, {})


def load(file: Path | None, environ: Mapping[str, str], sets: Iterable[str] = ()) -> Settings:
    """A TOML or JSON file, then `ALPHAPLUS_KAFKA__BROKERS=...` and its like, then `section.key=value`, later ones win.

    >>> load(None, {"ALPHAPLUS_KAFKA__BROKERS": "a:9092"}, ["windows.base_ms=100"]).windows.base_ms
    100
    >>> load(None, {}, ["windows.bas_ms=100"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    flows.settings.SettingsError: there is no setting 'windows.bas_ms'; windows has: base_ms, ...
    """
    tree: dict[str, Any] = {}
    if file is not None:
        try:
            text = file.read_bytes()
            tree = msgspec.json.decode(text) if file.suffix == ".json" else tomllib.loads(text.decode())
            msgspec.convert(tree, Settings)
        except OSError as error:
            raise SettingsError(f"settings {file}: {error.strerror}") from None
        except (msgspec.MsgspecError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings {file}: {error}") from None
    for key, value in environ.items():
        if key.startswith(ENVIRONMENT):
            _put(tree, key.removeprefix(ENVIRONMENT).lower().replace("__", "."), value)
    for item in sets:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingsError(f"--set {item!r}: write section.key=value")
        _put(tree, name.strip(), value.strip())
    try:
        return msgspec.convert(tree, Settings).check()
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings{f' {file}' if file else ''}: {error}") from None


def environment() -> Mapping[str, str]:
    """The process's own environment."""
    return os.environ
