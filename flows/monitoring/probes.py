"""Probes: `/metrics`, `/healthz` and `/readyz` of a process, by its own figures: commit age and lag in event time.

Healthy is what commits: a process that stands still is to be started again. Ready is what has committed and is not far
behind; one that catches up after a start is healthy, and not ready yet, nor is one that has read and closed nothing. A
process without epochs (`live`) is healthy while its loop comes round, and ready once it has received anything.
"""

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from flows.monitoring import telemetry
from flows.refusal import Refused
from flows.settings.tree import Probes

Verdict = tuple[bool, str]
COMMITTED = telemetry.COMMITTED.name
EVENT_LAG = telemetry.EVENT_LAG.name
READ = telemetry.READ.total
TURNED = telemetry.LIVE_TURNED.name
RECEIVED = telemetry.LIVE_FRAMES.total


class Judge:
    """What the figures of a process say of it."""

    def __init__(
        self,
        limits: Probes,
        epochs: bool = True,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = time.time,
        closes: bool = True,
    ) -> None:
        """`epochs`: whether it has any (`live` has none); `closes`: whether it closes event time (`archive`: no)."""
        self._limits = limits
        self._epochs, self._closes = epochs, closes
        self._registry = registry
        self._clock = clock
        self._started = clock()

    def _values(self, name: str) -> list[float]:
        return [s.value for family in self._registry.collect() for s in family.samples if s.name == name]

    def healthy(self) -> Verdict:
        """Whether epochs are committed (of `live`: its loop comes round), or may be about to be for the first time."""
        figure, done = (COMMITTED, "committed") if self._epochs else (TURNED, "came round")
        last = max(self._values(figure), default=0.0)
        if not last:
            age = self._clock() - self._started
            return (
                age < self._limits.start_s,
                f"{'nothing committed' if self._epochs else 'nothing received'} yet, {age:.0f} s after the start",
            )
        age = self._clock() - last
        return age < self._limits.commit_age_s, f"{done} {age:.0f} s ago"

    def ready(self) -> Verdict:
        """Whether it has committed and is not far behind."""
        well, why = self.healthy()
        if not well:
            return well, why
        if not self._epochs:
            frames = sum(self._values(RECEIVED))
            return frames > 0, f"received {frames:,.0f} frames"
        if not max(self._values(COMMITTED), default=0.0):
            return False, why
        lags, read = self._values(EVENT_LAG), sum(self._values(READ))
        if self._closes and read and not lags:
            return False, f"{why}, read {read:,.0f} messages and closed nothing yet"
        lag = max(lags, default=0.0)
        return lag < self._limits.event_lag_s, f"{why}, {lag:.0f} s behind in event time"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return None


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def serve(host: str, port: int, judge: Judge) -> WSGIServer:
    """Answer on a thread of its own, for as long as the process lives; Refused where that cannot be."""
    metrics = make_wsgi_app()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked = {"/healthz": judge.healthy, "/readyz": judge.ready}.get(environ["PATH_INFO"])
        if asked is None:
            page: Iterable[bytes] = metrics(environ, start)
            return page
        well, why = asked()
        start("200 OK" if well else "503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{why}\n".encode()]

    try:
        server = make_server(host, port, answer, _Server, handler_class=_Quiet)
    except OSError as error:
        reason = error.strerror or error
        raise Refused(f"metrics_port: {host}:{port} cannot be used: {reason}") from None
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server
