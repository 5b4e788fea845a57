"""Presence: whether any broker answers, by the client's own statistics, and for how long none has."""

import time
from collections.abc import Mapping

import msgspec

from flows.kafka.connection import LOG, Brokers, Complaints, address
from flows.refusal import Unreachable

MUTE_S = 3
"""A broker is away that owes an answer and has sent none for so long, beside the time for which it may hold a fetch. By
the client's own seconds, which do not pass while this process is stopped; it would wait for a minute itself."""
SAID_S = 3.0
"""Brokers that are away for longer are spoken of."""


class Broker(msgspec.Struct):
    """What librdkafka says of one each second: its state, answers received, requests without one."""

    state: str
    nodeid: int
    rx: int
    waitresp_cnt: int


class Presence:
    """Of the brokers of one client."""

    def __init__(self, brokers: Brokers, complaints: Complaints, retry_s: float, fetch_wait_ms: int) -> None:
        """They may be away for `retry_s`."""
        self._address, self._complaints = address(brokers), complaints
        self._retry_s, self._most_s = retry_s, MUTE_S + fetch_wait_ms // 1_000
        self._since: float | None = None
        self._said = False
        self._owed: dict[str, tuple[int, int]] = {}
        """Of each broker: how many answers it has sent, and for how many seconds it has owed the next one."""

    def lost(self) -> None:
        """The client has no connection left."""
        if self._since is None:
            self._since = time.monotonic()

    def told(self, brokers: Mapping[str, Broker]) -> None:
        """The statistics of another second."""
        if not self._answering(brokers):
            self.lost()
            return
        if self._said:
            LOG.warning("%s answers again", self._address)
        self._since, self._said = None, False
        self._complaints.forget()

    def check(self) -> None:
        """Say once that they are waited for; Unreachable when that was for too long."""
        if self._since is None:
            return
        away_s = time.monotonic() - self._since
        if away_s > self._retry_s:
            why = self._complaints.line() or f"no Kafka broker at {self._address}"
            raise Unreachable(f"{why} for {self._retry_s:.0f} s")
        if away_s > SAID_S and not self._said:
            self._said = True
            LOG.warning("%s; it is waited for, %.0f s at most", self._complaints.away(), self._retry_s)

    def _answering(self, brokers: Mapping[str, Broker]) -> bool:
        """Whether one of them is there and owes no answer for too long."""
        owed = {}
        for name, b in brokers.items():
            answers, seconds = self._owed.get(name, (b.rx, 0))
            owed[name] = b.rx, seconds + 1 if b.waitresp_cnt and b.rx == answers else 0
        self._owed = owed
        return any(b.state == "UP" and b.nodeid >= 0 and owed[n][1] <= self._most_s for n, b in brokers.items())
