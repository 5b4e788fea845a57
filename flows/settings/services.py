"""Service settings: the brokers and the database, how they are reached, who asks, and how hard is tried."""

from typing import Annotated, Literal

import msgspec

from flows.settings.secret import Secret

Positive = Annotated[int, msgspec.Meta(gt=0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section: unknown names are errors."""


class Tls(Section, frozen=True):
    """Encryption to the brokers; their certificate is always checked, and that it was made for their name."""

    on: bool = False
    """Whether connections to the brokers are encrypted."""
    ca_file: str = ""
    """PEM file of the authorities that may have signed it; empty: the system's."""
    certificate_file: str = ""
    """PEM file with this client's own certificate, where the brokers ask for one."""
    key_file: str = ""
    """PEM file with the key of that certificate."""
    key_password: Secret = Secret("")
    """What the key is encrypted with, if it is."""
    key_password_file: str = ""
    """A file that holds that password instead."""


class Sasl(Section, frozen=True):
    """Who this client is to the brokers; with OAUTHBEARER, to the service that gives out tokens."""

    mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = ""
    """How the client shows who it is; empty: not at all."""
    user: str = ""
    """The user, or the client id at `token_url`."""
    password: Secret = Secret("")
    """The password, or the client secret at `token_url`."""
    password_file: str = ""
    """A file that holds the password instead."""
    token_url: str = ""
    """Where tokens are asked for (OpenID Connect, client credentials)."""
    scope: str = ""
    """What is asked for at `token_url`, where it wants to know."""
    extensions: str = ""
    """key=value,... that go with a token: some brokers ask for them."""


class Kafka(Section, frozen=True):
    """The brokers (none: the embedded one), and how hard a process tries before it lets recovery replay."""

    brokers: str = ""
    """host:port,host:port; empty: `demo` and `replay` bring a broker of their own."""
    tls: Tls = Tls()
    sasl: Sasl = Sasl()
    client_id: str = "alphaplus"
    """By which brokers' logs and quotas know these clients."""
    rack: str = ""
    """Where this process runs, so that it reads from replicas nearby."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    """How batches of records are compressed."""
    prefix: str = ""
    """Before the name of every topic, so that several deployments share brokers."""
    offsets_group: str = ""
    """If set, what a flow has committed is told to the brokers as offsets of the group `PREFIX<this>.<flow>`."""
    partitions: Positive = 4
    """Of every topic; a partition is what one process works on at a time."""
    replication: Positive = 1
    """Copies of each topic that is created."""
    retry_s: Positive = 120
    """How long brokers may be away before the process ends and recovery goes on from the last epoch."""
    message_max_bytes: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000_000)] = 16_000_000
    """The longest message, and the longest batch of them: a snapshot of a deep book is some megabytes."""
    fetch_wait_ms: Positive = 100
    """How long a broker may hold a fetch; Apache Kafka holds it only while there is nothing."""
    mark_ms: Positive = 100
    """How often a writer says how far it has come: so much later may a window close of whose logs one is silent."""
    linger_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    """How long a record waits for company. Records that belong together are queued in one go, so hardly at all."""

    def group_of(self, flow: str) -> str:
        """The consumer group to which a flow's committed offsets are told; "" when they are told to nobody.

        >>> Kafka(prefix="eu.", offsets_group="alphaplus").group_of("risk"), Kafka().group_of("risk")
        ('eu.alphaplus.risk', '')
        """
        return f"{self.prefix}{self.offsets_group}.{flow}" if self.offsets_group else ""


class Clickhouse(Section, frozen=True):
    """The database (none: the embedded store); `archive` is its only writer."""

    url: str = ""
    """http://host:8123 or https://host:8443; empty: `demo`, `replay` and `query` use a store in `data`."""
    user: str = "default"
    """Who asks."""
    password: Secret = Secret("")
    """The password of that user."""
    password_file: str = ""
    """A file that holds the password instead."""
    ca_file: str = ""
    """PEM file of the authorities that may have signed an https server's certificate; empty: the well-known ones."""
    certificate_file: str = ""
    """PEM file with this client's own certificate, where the server asks for one."""
    key_file: str = ""
    """PEM file with the key of that certificate."""
    database: str = "default"
    """Where the tables are; an embedded store is then asked for the rows of its newest run."""
    replicated: bool = False
    """Whether `migrate` makes replicated tables, in a database of the engine Replicated (see the runbook)."""
    connect_s: Positive = 5
    """How long a connection may take."""
    timeout_s: Positive = 60
    """How long an answer may take."""
    retry_s: Positive = 600
    """How long an insert is tried again before the process ends."""
    block_rows: Positive = 50_000
    """Rows of an insert at the most."""
    inserts: Positive = 4
    """At a time, of different shards."""
    lease_s: Positive = 30
    """So long after the last word of an archive that is gone another one may take over what it archived."""
