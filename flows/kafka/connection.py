"""Connection: how every Kafka client of this project reaches the brokers, and what they have against it, as one line.

Whatever is wrong with a password or a certificate, librdkafka goes on trying; here it becomes a refusal that says so.
"""

import logging
import socket
import ssl
import time
from typing import Any

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from flows.refusal import Refused
from flows.settings.certificate_files import refuse_unusable
from flows.settings.services import Kafka

Brokers = Kafka | str
"""How to reach the brokers; an address alone is reached in the clear."""
Config = dict[str, Any]
SAID_ELSEWHERE = ("SASL authentication error", "SSL handshake failed", "connecting to a ", "enable.gapless.guarantee")
"""Log lines of librdkafka that `Complaints` makes one clear line of, and its warning of a setting chosen on purpose."""
REPEATED_S = 10.0
PERSISTENT_S = 3.0
"""A broker that has just started may not know its users yet: only what stands so long is a refusal."""
_HANDSHAKE_S = 5.0
_LOGIN = frozenset((KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED))
_RIGHTS = frozenset(
    (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    )
)


class _Seldom(logging.Filter):
    """What librdkafka logs at each attempt to connect, once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition(" (after ")[0]
        if any(said in text for said in SAID_ELSEWHERE):
            return False
        now = time.monotonic()
        if now - self._said.get(text, -REPEATED_S) < REPEATED_S:
            return False
        self._said = {t: at for t, at in self._said.items() if now - at < REPEATED_S} | {text: now}
        return True


LOG = logging.getLogger("alphaplus.kafka")
LOG.addFilter(_Seldom())
SILENT = logging.getLogger("alphaplus.kafka.admin")
SILENT.propagate = False
SILENT.addHandler(logging.NullHandler())
"""For clients whose every error becomes the one line that a command ends with."""


def address(brokers: Brokers) -> str:
    """Where the brokers are, for people."""
    return brokers if isinstance(brokers, str) else brokers.brokers


def client_config(brokers: Brokers) -> Config:
    """What every client is told, as librdkafka's settings.

    >>> client_config("here:9092")
    {'bootstrap.servers': 'here:9092'}
    >>> client_config(Kafka(brokers="here:9092", rack="b"))["security.protocol"]
    'plaintext'
    """
    if isinstance(brokers, str):
        return {"bootstrap.servers": brokers}
    tls, sasl = brokers.tls, brokers.sasl
    config: Config = {
        "bootstrap.servers": brokers.brokers,
        "client.id": brokers.client_id,
        "client.rack": brokers.rack,
        "security.protocol": ("sasl_" if sasl.mechanism else "") + ("ssl" if tls.on else "plaintext"),
    }
    if tls.on:
        refuse_unusable("kafka.tls", tls.ca_file, tls.certificate_file, tls.key_file, tls.key_password)
        files = {"ca_file": "ssl.ca", "certificate_file": "ssl.certificate", "key_file": "ssl.key"}
        for name, option in files.items():
            if file := getattr(tls, name):
                config[f"{option}.location"] = file
        if tls.key_password:
            config["ssl.key.password"] = tls.key_password.reveal()
    if sasl.mechanism == "OAUTHBEARER":
        config |= {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": sasl.user,
            "sasl.oauthbearer.client.secret": sasl.password.reveal(),
            "sasl.oauthbearer.token.endpoint.url": sasl.token_url,
            **({"sasl.oauthbearer.scope": sasl.scope} if sasl.scope else {}),
            **({"sasl.oauthbearer.extensions": sasl.extensions} if sasl.extensions else {}),
        }
    elif sasl.mechanism:
        config |= {
            "sasl.mechanism": sasl.mechanism,
            "sasl.username": sasl.user,
            "sasl.password": sasl.password.reveal(),
        }
    return config


def producer_config(brokers: Brokers) -> Config:
    """What every producer is told besides: keys go where Java's clients put them, batches are compressed, and neither
    a record nor a batch is longer than the topics are made for.
    """
    told = Kafka() if isinstance(brokers, str) else brokers
    return {
        **client_config(brokers),
        "compression.type": told.compression,
        "message.max.bytes": told.message_max_bytes,
        "partitioner": "murmur2_random",
    }


class Complaints:
    """What the brokers have against this client: give it to librdkafka as `error_cb`, and ask it while waiting."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._error: KafkaError | None = None
        self._line: str | None = None
        self._since = 0.0
        self._doubt = ""

    def __call__(self, error: KafkaError) -> None:
        """Note an error; that a broker is away is none of this, unless it looks like the wrong door."""
        if error.code() == KafkaError._TRANSPORT and "listener?" in error.str():
            self._doubt = f": {_reason(error)} (see kafka.tls and kafka.sasl)"
        if error.code() not in _LOGIN | _RIGHTS | {KafkaError._SSL}:
            return
        if self._error is None:
            self._since = time.monotonic()
        if self._error is None or self._error.code() != error.code():
            self._error, self._line = error, None

    def line(self) -> str | None:
        """What stands against this client, None while nothing does."""
        if self._error is not None and self._line is None:
            self._line = self._told(self._error)
        return self._line

    def away(self) -> str:
        """Why nobody answers, as far as is known."""
        return self.line() or f"no Kafka broker answers at {address(self._brokers)}{self._doubt}"

    def check(self) -> None:
        """Refuse once it has stood for long enough that it will not go away by itself."""
        if self._error is not None and time.monotonic() - self._since > PERSISTENT_S:
            raise Refused(self.line() or "")

    def forget(self) -> None:
        """A broker answers."""
        self._error = self._line = None

    def _told(self, error: KafkaError) -> str:
        where = address(self._brokers)
        if error.code() in _LOGIN:
            return f"{where} refuses the login: {_reason(error)} (see kafka.sasl)"
        if error.code() in _RIGHTS:
            return f"{where}: the rights of this user do not suffice: {_reason(error)}"
        return f"{where}: no encrypted connection: {self._certificate_fault(error)}"

    def _certificate_fault(self, error: KafkaError) -> str:
        """Why the certificate does not do, which librdkafka does not tell: a handshake of our own does."""
        ca_file = None if isinstance(self._brokers, str) else self._brokers.tls.ca_file
        for where in address(self._brokers).split(","):
            host, _, port = where.strip().rpartition(":")
            try:
                context = ssl.create_default_context(cafile=ca_file or None)
                with (
                    socket.create_connection((host.strip("[]"), int(port)), timeout=_HANDSHAKE_S) as plain,
                    context.wrap_socket(plain, server_hostname=host.strip("[]")),
                ):
                    pass
            except ssl.SSLCertVerificationError as found:
                return f"its certificate is not accepted: {found.verify_message} (see kafka.tls.ca_file)"
            except (OSError, ValueError):
                continue
        return _reason(error)


def admin(brokers: Brokers, complaints: Complaints) -> AdminClient:
    """A client that asks for metadata and makes topics; `complaints` hears what it is told while it is polled."""
    config: Config = {**client_config(brokers), "error_cb": complaints}
    return AdminClient(config, logger=SILENT)


def _reason(error: KafkaError) -> str:
    """What the broker said, without librdkafka's own surroundings.

    >>> _reason(KafkaError(KafkaError._SSL, "ssl://a:1/bootstrap: SSL handshake failed: no (after 3ms in state X)"))
    'SSL handshake failed: no'
    """
    return error.str().partition("://")[2].partition(": ")[2].partition(" (after ")[0] or error.str()
