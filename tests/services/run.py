"""Which backends a test run asked for, which it used, and why it did not use the others."""

from dataclasses import dataclass, field
from typing import Any

from tests.services.backend import Backend
from tests.services.containers import DockerClickHouse, DockerKafka
from tests.services.embedded_store import LABEL as CHDB
from tests.services.embedded_store import EmbeddedStore
from tests.services.kafka_kraft.broker import KraftBroker
from tests.services.tansu import LABEL as TANSU
from tests.services.tansu import TansuBroker

KINDS: dict[str, tuple[type[Backend], ...]] = {
    "broker": (TansuBroker, KraftBroker, DockerKafka),
    "store": (EmbeddedStore, DockerClickHouse),
}
SESSIONS: dict[str, dict[str, str]] = {}
"""The embedded services that sessions of flows brought with them, as `Run.used` holds them."""
NAMES = ("embedded", "kafka", "docker")


def parse(option: str) -> frozenset[str]:
    """The names of `--backends`; ValueError for one that does not exist.

    >>> sorted(parse("kafka,embedded")), sorted(parse(""))
    (['embedded', 'kafka'], [])
    """
    named = frozenset(part.strip() for part in option.split(",") if part.strip())
    unknown = sorted(named - set(NAMES))
    if unknown:
        raise ValueError(f"--backends: {', '.join(unknown)} is none of {', '.join(NAMES)}")
    return named


def note_session(brokers: str, store: str) -> None:
    """A session of flows is to start; it brings what is not named."""
    if not brokers:
        SESSIONS["broker"] = {"embedded": TANSU}
    if not store:
        SESSIONS["store"] = {"embedded": CHDB}


@dataclass
class Run:
    """`named` is what `--backends` says. Of a kind that has none of the named ones, all that can run here are taken."""

    named: frozenset[str]
    wanted: set[str] = field(default_factory=set)
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)

    def choose(self, kind: str) -> list[type[Backend]]:
        """The backends of a kind that tests shall run on; a named one is among them even if it cannot start."""
        self.wanted.add(kind)
        reasons = self.reasons.setdefault(kind, {})
        named = [c for c in KINDS[kind] if c.name in self.named]
        for other in KINDS[kind]:
            if named and other not in named:
                reasons[other.name] = "not named in --backends"
            elif not named and (missing := other.missing()):
                reasons[other.name] = missing
        return named or [c for c in KINDS[kind] if c.name not in reasons]

    def told(self) -> dict[str, Any]:
        """What happened, in plain data."""
        return {"wanted": sorted(self.wanted), "used": self.used, "reasons": self.reasons}

    def take(self, told: dict[str, Any]) -> None:
        """Add what another process told.

        >>> run = Run(frozenset())
        >>> run.take({"wanted": ["store"], "used": {"store": {"embedded": "chDB"}}, "reasons": {}})
        >>> run.used
        {'store': {'embedded': 'chDB'}}
        """
        self.wanted.update(told["wanted"])
        for mine, others in ((self.used, told["used"]), (self.reasons, told["reasons"])):
            for kind, found in others.items():
                mine.setdefault(kind, {}).update(found)

    def lines(self) -> list[str]:
        """The report, one line a kind of backend.

        >>> run = Run(frozenset(), {"store"}, {"store": {"embedded": "embedded chDB 4"}}, {"store": {"docker": "none"}})
        >>> run.lines()
        ['services stores: embedded chDB 4; not used: docker (none)']
        """
        if not self.wanted:
            return ["services: no test needed a broker or a store"]
        return [self._line(kind) for kind in KINDS if kind in self.wanted]

    def _line(self, kind: str) -> str:
        used, reasons = self.used.get(kind, {}), self.reasons.get(kind, {})
        names = [c.name for c in KINDS[kind] if c.name not in used]
        idle = [f"{name} ({reasons.get(name, 'no selected test ran on it')})" for name in names]
        line = f"services {kind}s: {', '.join(used.values()) or 'none'}"
        return f"{line}; not used: {', '.join(idle)}" if idle else line
