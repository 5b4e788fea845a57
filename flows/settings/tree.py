"""Settings: one frozen tree, units in names; what each means and may be. Where they come from: `sources`."""

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from flows.settings.secret import Secret
from flows.settings.services import Clickhouse, Kafka, Positive, Section
from operators.optional import OptionalTable
from schemas.instrument import Instrument

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class SettingsError(ValueError):
    """A setting that does not exist or does not fit; the message is one line and names it."""


def _without_login(name: str, address: str, instead: str) -> None:
    """Addresses are shown in files and error lines. "@" wherever it is: by a "/" in a password the host ends early."""
    if "@" in address:
        raise SettingsError(f"{name} names a user or password: {instead}")


def _address(name: str, url: str, instead: str) -> SplitResult:
    _without_login(name, url, instead)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{name}: {url!r}: {error}") from None
    return parts


class Windows(Section, frozen=True):
    """Panes and the longer windows made of them."""

    base_ms: Positive = 1_000
    """The shortest window, of which the others are made; it divides a minute."""
    spans_ms: tuple[Positive, ...] = (1_000, 10_000, 60_000, 300_000)
    """The longer windows, multiples of the shortest; forecasts need 60000."""
    lateness_ms: NotNegative = 500
    """How long a window waits for events of its time; later ones are counted and rejected."""
    keyframe_ms: Positive = 60_000
    """Where nothing moved a row is written this often all the same; it divides a minute."""

    def lengths_ms(self) -> tuple[int, ...]:
        """All window lengths, the base first."""
        return tuple(sorted({self.base_ms, *(s for s in self.spans_ms if s > self.base_ms)}))


class Clock(Section, frozen=True):
    """What event times are believed, and after how much of its own time a log that is silent closes by marks."""

    ahead_ms: NotNegative = 5_000
    """How far an event's time may be ahead of its time of receipt; further ahead it is rejected."""
    idle_ms: Positive = 2_000
    """After so long of its own time a log that is silent holds up no window."""
    guesses: Literal["made", "recorded"] = "made"
    """About logs without marks: made anew, or only those that a run before has written down (`alphaplus verify`)."""


class Source(Section, frozen=True):
    """How raw topics are read: the larger a batch, the less a frame costs that had to wait anyway."""

    batch_frames: Positive = 20_000
    """Messages of a batch at the most."""
    batch_bytes: Positive = 8_000_000
    """Bytes of a batch at the most."""
    epoch_bytes: Positive = 256_000_000
    """Bytes between two snapshots at the most."""
    align_ms: Positive = 10_000
    """How far, in time of receipt, one topic may run ahead of another."""
    held_rows: Positive = 1_000_000
    """So many trades and panes of a shard may wait in memory for a topic that is at its end; more wait in Kafka."""
    buffer_bytes: Positive = 128_000_000
    """Bytes that a process may have fetched and not handed over, as of topics ahead of others; half as many, at most
    64 MB, may wait in its Kafka client besides."""


class Recovery(Section, frozen=True):
    """Snapshots."""

    epoch_ms: NotNegative = 1_000
    """Time between snapshots: what is read again after a crash."""
    key_file: str = ""
    """The key of the checksums of what is saved, 32 bytes; empty: `recovery.key` beside the recovery directory."""


class Share(Section, frozen=True):
    """Which part of the partitions is this process's."""

    ordinal: NotNegative = 0
    """Which process this is, from 0."""
    count: Positive = 1
    """How many processes share the partitions of a flow."""


class Market(Section, frozen=True):
    """The venues read, and the instruments known beforehand (others are inferred and marked).

    `misplaced`: what to do with frames that are not on the partition to which Kafka's murmur2 assigns their base asset.
    Producers that disagree put an instrument on two shards, whose rows would replace each other: "reject". "use" is
    for topics that are partitioned in another way, the same for all.
    """

    venues: tuple[str, ...] = ("binance-usdm",)
    """The venues read: binance-usdm, binance-coinm, binance-spot, bybit-linear, bybit-inverse, okx-swap, deribit."""
    instruments: tuple[Instrument, ...] = ()
    """Instruments known beforehand, one by one; they go before those of files."""
    instruments_json: dict[str, str] = msgspec.field(default_factory=dict)
    """Venue -> file with its own exchange-info JSON."""
    micro_price: str = ""
    """A file that `alphaplus microprice` wrote; empty: no micro-prices."""
    misplaced: Literal["reject", "use"] = "reject"
    """What becomes of frames on another partition than murmur2 gives their base asset."""
    without: tuple[OptionalTable, ...] = ()
    """Tables that are not computed and stay empty; what fills them then costs neither time nor state."""

    def only(self, venues: Iterable[str]) -> "Market":
        """The same for some venues, without what is told of the instruments of the others.

        >>> of = Market(venues=("deribit", "okx-swap"), instruments_json={"deribit": "d.json", "okx-swap": "o.json"})
        >>> of.only(["deribit"]).instruments_json
        {'deribit': 'd.json'}
        """
        chosen = tuple(venues)
        others = {*self.venues} - {*chosen}
        files = {venue: file for venue, file in self.instruments_json.items() if venue not in others}
        rows = tuple(row for row in self.instruments if row.venue not in others)
        return msgspec.structs.replace(self, venues=chosen, instruments_json=files, instruments=rows)


class Forecast(Section, frozen=True):
    """Where model versions are kept (default DATA/models), what is forecast, and what is a burst at the least."""

    models: str = ""
    """Folder of the model versions; empty: `models` in `data`."""
    horizons_min: tuple[Positive, ...] = (5, 15, 30, 60)
    """What is forecast."""
    floor_usd: Annotated[float, msgspec.Meta(gt=0)] = 50_000.0
    """Less than this, liquidated within a horizon, is no burst."""


Share01 = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Risk(Section, frozen=True):
    """Maintenance tiers, which text of Bybit's rules holds, what collateral counts, and what is known of past hours."""

    brackets_json: dict[str, str] = msgspec.field(default_factory=dict)
    """Venue -> file with its leverage brackets; a venue without one has no liquidation prices."""
    bybit_rule: Literal["2024-09", "2026-05"] = "2024-09"
    """The published text for linear contracts; that of 2026-05 is known for inverse ones and carried over to linear."""
    haircuts: dict[str, Share01] = msgspec.field(default_factory=dict)
    """Asset -> what is taken off its value where several assets back positions together; 0.05: 5 %."""
    taker_fee: dict[str, Share01] = msgspec.field(default_factory=dict)
    """Venue -> your fee for closing, which Bybit (0.0006 unless told) and OKX (0.0005) count within margins."""
    candles: dict[str, str] = msgspec.field(default_factory=dict)
    """Venue -> folder with candles of past hours, as the venue gives them (archive files, or REST answers)."""


class Alerts(Section, frozen=True):
    """What raises an alert."""

    rules: str = ""
    """A file of rules, TOML or JSON; empty: the rules that come with this package."""


class Live(Section, frozen=True):
    """How exchanges are listened to (`live`, `record`)."""

    sockets: dict[str, str] = msgspec.field(default_factory=dict)
    """Venue, or VENUE/NAME where it has several -> address that stands in for the venue's own."""
    rest: dict[str, str] = msgspec.field(default_factory=dict)
    """Venue -> address of its REST interface, if another than its own."""
    proxy: str = ""
    """http://host:port through which sockets and requests go."""
    proxy_user: str = ""
    """Who asks, where the proxy wants to know; told for addresses with TLS, as all venues' are."""
    proxy_password: Secret = Secret("")
    """The password of that user."""
    proxy_password_file: str = ""
    """A file that holds the password instead."""
    buffer_bytes: Positive = 256_000_000
    """What may wait for Kafka; frames beyond are counted, marked and lost."""
    lifetime_s: Annotated[float, msgspec.Meta(gt=0)] = 82_800.0
    """After so long a connection is replaced by a new one, before the venue cuts it."""
    overlap_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long the old connection and the new one listen side by side; what came twice is dropped by its id."""
    connect_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long connecting and subscribing may take."""
    heartbeat_s: Annotated[float, msgspec.Meta(gt=0)] = 15.0
    """How often a connection is asked whether it still stands."""
    backoff_s: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    """The first wait before connecting again; it doubles, with full jitter."""
    books_every_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """How often a book is fetched whole again whose stream never sends one (Binance), or as half the venue's budget
    allows: the price moves away from the levels that the book before it knew."""
    seed: NotNegative = 0
    """Of the waits between attempts; 0: another one each time."""


class Probes(Section, frozen=True):
    """When `/healthz` and `/readyz` (on `metrics_port`) say no; seconds."""

    start_s: Positive = 300
    """How long the first commit may take: kernels are compiled, and recovered states are loaded."""
    commit_age_s: Positive = 60
    """`/healthz`: how old the last commit may be; of `live` the last turn of its loop."""
    event_lag_s: Positive = 60
    """`/readyz`: how far the newest closed second may be behind."""


class Tuning(Section, frozen=True):
    """How a flow holds a latency under changing load: every decision is logged and counted (`flows/kafka/tuning`).

    It moves `source.batch_frames`, `kafka.linger_ms` and `source.epoch_bytes` within these bounds. Not the archive.
    """

    on: bool = False
    """Whether it does."""
    objective_ms: Positive = 500
    """How old, since its receipt, the newest frame of a batch may be when it is handed over: 95 % of batches."""
    batch_frames_low: Positive = 500
    """Messages of a batch, at least."""
    batch_frames_high: Positive = 50_000
    """Messages of a batch, at most."""
    linger_ms_low: Annotated[float, msgspec.Meta(ge=0)] = 0.1
    """How long a record waits for company, at least."""
    linger_ms_high: Annotated[float, msgspec.Meta(ge=0)] = 200.0
    """How long a record waits for company, at most."""
    epoch_bytes_low: Positive = 16_000_000
    """Bytes between two snapshots, at least."""
    epoch_bytes_high: Positive = 1_000_000_000
    """Bytes between two snapshots, at most."""


class Processing(Section, frozen=True):
    """The switches that the design names, each over the setting that does it; as they are here, that setting holds.

    `cache` is the one cache that there is: model versions in memory. What flows know is state, kept until it is over,
    and is never evicted by age.
    """

    micro_batch_size: NotNegative = 0
    """If not 0, sets `source.batch_frames`: messages of a batch at the most."""
    micro_batch_timeout: NotNegative = 0
    """If not 0, sets `kafka.fetch_wait_ms`, milliseconds: how long a broker may hold a fetch that finds nothing."""
    parallel_processing: bool = True
    """false sets `clickhouse.inserts` to 1: one insert at a time. A flow's shards are parallel by processes (share)."""
    memory_cache_enabled: bool = True
    """Whether model versions stay in memory; if not, each is read from its folder whenever a minute is forecast."""
    cache_ttl: Positive = 86_400
    """Seconds after its last use that a version stays in memory."""
    cache_cleanup_interval: Positive = 3_600
    """Seconds between two looks for versions to let go."""
    delta_storage_enabled: bool = True
    """false sets `windows.keyframe_ms` to `windows.base_ms`: a row a window is stored, moved or not."""


class Log(Section, frozen=True):
    """What flows print while they run."""

    format: Literal["text", "json"] = "text"
    """text, or a JSON object a line: time, level, flow, shard, offset (of each log of the shard) and message."""


class Settings(Section, frozen=True):
    """Everything a process can be told."""

    data: str = ".alphaplus"
    """Folder of the embedded store, recovery states, models and logs."""
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
    live: Live = Live()
    probes: Probes = Probes()
    log: Log = Log()
    tuning: Tuning = Tuning()
    processing: Processing = Processing()
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """Port of the Prometheus endpoint of a flow; 0: none. Of several flows the next ports."""
    metrics_host: str = "127.0.0.1"
    """Where `/metrics`, `/healthz` and `/readyz` are answered; 0.0.0.0 lets other machines ask."""

    def check(self) -> "Settings":
        """What types cannot say: windows that do not divide, a share that is none, an address that is none."""
        if self.windows.base_ms < 100:
            raise SettingsError(f"windows.base_ms: {self.windows.base_ms} is below 100, the shortest pane there is")
        if 60_000 % self.windows.base_ms:
            raise SettingsError(
                f"windows.base_ms: {self.windows.base_ms} does not divide a minute, 60000, by which many features count"
            )
        for length in self.windows.lengths_ms():
            if length % self.windows.base_ms:
                raise SettingsError(
                    f"windows.spans_ms: {length} is not a multiple of windows.base_ms {self.windows.base_ms}"
                )
        if self.windows.keyframe_ms % self.windows.base_ms:
            raise SettingsError("windows.keyframe_ms is not a multiple of windows.base_ms")
        if 60_000 % self.windows.keyframe_ms:
            raise SettingsError(
                f"windows.keyframe_ms: {self.windows.keyframe_ms} does not divide a minute, 60000: all who read rows"
                " count on one a minute"
            )
        address = _address("clickhouse.url", self.clickhouse.url, "use clickhouse.user and clickhouse.password")
        if self.clickhouse.url and (address.scheme not in ("http", "https") or not address.hostname):
            raise SettingsError(f"clickhouse.url: {self.clickhouse.url!r} is not http://host:port or https://host:port")
        if self.clickhouse.ca_file and address.scheme == "http":
            raise SettingsError("clickhouse.ca_file is for https, and clickhouse.url says http")
        if self.share.ordinal >= self.share.count:
            raise SettingsError(f"share.ordinal {self.share.ordinal} is not below share.count {self.share.count}")
        self._check_kafka()
        self._check_live()
        self._check_tuning()
        return self

    def applied(self) -> "Settings":
        """The settings with what `processing` says of others put there; SettingsError where both say something else.

        >>> Settings(processing=Processing(micro_batch_size=10)).applied().source.batch_frames
        10
        """
        said, told = self.processing, self
        for name, section, field, value in (
            ("micro_batch_size", "source", "batch_frames", said.micro_batch_size or None),
            ("micro_batch_timeout", "kafka", "fetch_wait_ms", said.micro_batch_timeout or None),
            ("parallel_processing", "clickhouse", "inserts", None if said.parallel_processing else 1),
            (
                "delta_storage_enabled",
                "windows",
                "keyframe_ms",
                None if said.delta_storage_enabled else self.windows.base_ms,
            ),
        ):
            part = getattr(told, section)
            default = getattr(type(part)(), field)
            if value is None or getattr(part, field) == value:
                continue
            if getattr(part, field) != default:
                raise SettingsError(f"processing.{name} and {section}.{field} say different things: set one of them")
            told = msgspec.structs.replace(told, **{section: msgspec.structs.replace(part, **{field: value})})
        return told

    def _check_live(self) -> None:
        live = self.live
        proxy = _address("live.proxy", live.proxy, "use live.proxy_user and live.proxy_password")
        if live.proxy and (proxy.scheme not in ("http", "https") or not proxy.hostname):
            raise SettingsError(f"live.proxy: {live.proxy!r} is not http://host:port")
        if live.proxy_user and not live.proxy:
            raise SettingsError("live.proxy_user is told, but live.proxy is not set")
        if ":" in live.proxy_user:
            raise SettingsError("live.proxy_user has a colon, which no login of HTTP may")
        if live.proxy_password and not live.proxy_user:
            raise SettingsError("live.proxy_password needs live.proxy_user")
        for of, addresses in (("sockets", live.sockets), ("rest", live.rest)):
            for venue, url in addresses.items():
                _without_login(f"live.{of}.{venue}", url, "there is no place for them")

    def _check_tuning(self) -> None:
        tuning = self.tuning
        for section, field in (("source", "batch_frames"), ("kafka", "linger_ms"), ("source", "epoch_bytes")):
            low, high = getattr(tuning, f"{field}_low"), getattr(tuning, f"{field}_high")
            told = getattr(getattr(self, section), field)
            if tuning.on and not low <= told <= high:
                raise SettingsError(f"{section}.{field} {told} is not within tuning.{field}_low {low} and _high {high}")

    def _check_kafka(self) -> None:
        tls, sasl = self.kafka.tls, self.kafka.sasl
        for name, told in (("kafka.brokers", self.kafka.brokers), ("kafka.sasl.token_url", sasl.token_url)):
            _without_login(name, told, "use kafka.sasl.user and kafka.sasl.password")
        if not tls.on and (tls.ca_file or tls.certificate_file):
            raise SettingsError("kafka.tls has files, but kafka.tls.on is false")
        if bool(tls.certificate_file) != bool(tls.key_file):
            raise SettingsError("kafka.tls.certificate_file and kafka.tls.key_file go together")
        if not sasl.mechanism and sasl.user:
            raise SettingsError("kafka.sasl has a user, but kafka.sasl.mechanism is not set")
        if sasl.mechanism and not (sasl.user and sasl.password):
            raise SettingsError(f"kafka.sasl.mechanism {sasl.mechanism} needs kafka.sasl.user and kafka.sasl.password")
        if sasl.mechanism == "OAUTHBEARER" and not sasl.token_url:
            raise SettingsError("kafka.sasl.mechanism OAUTHBEARER needs kafka.sasl.token_url")
