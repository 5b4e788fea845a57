"""A session: the processes that a demo or a replay runs, embedded services among them, first start to last stop."""

import json
import os
import time
from pathlib import Path
from types import TracebackType

import msgspec

from flows.job_graph import FLOWS, derived_topics
from flows.kafka.ends import announce
from flows.kafka.topic_making import end_offsets
from flows.monitoring.log_lines import LOG
from flows.refusal import Refused, Unreachable
from flows.session.embedded import asking, running_store
from flows.session.free_ports import free_port
from flows.session.supervisor import SAYER, Child, ProcessFailed, Supervisor
from flows.settings.sources import environment, environment_of, written
from flows.settings.tree import Settings

SAID_S, START_S = 10.0, 600.0
"""When a start is said to be going on, and after how long it is one no more: a cold disk gives an engine in minutes."""
EMBEDDED_LINGER_MS = 200.0
EMBEDDED_FETCH_WAIT_MS = 200
EMBEDDED_MARK_MS = 500
"""For each fetch the embedded broker works the more, the more batches a log has: it is given few, and asked seldom."""


def private(*folders: Path) -> None:
    """Make folders for their owner alone, what is above them too where it is not there yet."""
    for folder in folders:
        for missing in (*reversed([up for up in folder.parents if not up.exists()]), folder):
            missing.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


class Session:
    """Start with `with Session(settings, name) as session`; leaving ends every process that it started."""

    def __init__(self, settings: Settings, name: str) -> None:
        """`name` tells one run's folder from another's."""
        self.data = Path(settings.data).resolve()
        self.folder = self.data / "runs" / f"{name}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
        self.supervisor = Supervisor(self.folder)
        self.settings = settings
        self.ends = self.folder / "ends"
        self.ports: dict[str, int] = {}
        self.embedded: list[str] = []
        self.file = self.folder / "settings.json"

    def __enter__(self) -> "Session":
        """Bring up what the settings do not name: a broker, a store."""
        private(self.data / "runs", self.folder)
        try:
            self._services()
        except BaseException:
            self.supervisor.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End every process, flows first."""
        self.supervisor.stop()

    def _services(self) -> None:
        changes: dict[str, object] = {"data": str(self.data)}
        if not self.settings.kafka.brokers:
            port_file = self.folder / "broker.json"
            self.supervisor.start(
                "broker", "deploy.local.broker", "--port", "0", "--port-file", str(port_file), keep=False
            )
            port = self._await_port(port_file, "broker")
            changes["kafka"] = msgspec.structs.replace(
                self.settings.kafka,
                brokers=f"127.0.0.1:{port}",
                linger_ms=EMBEDDED_LINGER_MS,
                mark_ms=EMBEDDED_MARK_MS,
                fetch_wait_ms=EMBEDDED_FETCH_WAIT_MS,
            )
            self.embedded.append("broker")
        if not self.settings.clickhouse.url:
            url = running_store(self.data)
            if url is None:
                told = self.folder / "store.json"
                self.supervisor.start(
                    "store",
                    "deploy.local.store",
                    "--data",
                    str(self.data),
                    "--port",
                    "0",
                    "--port-file",
                    str(told),
                    "--with-parent",
                    keep=False,
                )
                url = f"http://127.0.0.1:{self._await_port(told, 'store')}"
                self.embedded.append("store")
            changes["clickhouse"] = asking(self.settings.clickhouse, url, self.data)
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self.file.write_bytes(written(self.settings))
        self.supervisor.environ = environment_of(self.settings, environment())

    def _await_port(self, file: Path, name: str) -> int:
        """The port that a service writes down once it is ready; for as long as its process lives and loads."""

        def ready() -> bool:
            if self.supervisor.children[name].finished:
                raise Refused(f"{name} ended at once: {self.supervisor.children[name].last_line()}")
            return file.exists()

        try:
            came = self.supervisor.wait(ready, timeout_s=SAID_S)
            if not came:
                LOG.warning("the embedded %s is still starting", name, extra=SAYER)
                came = self.supervisor.wait(ready, timeout_s=START_S - SAID_S)
        except ProcessFailed as error:
            raise Unreachable(f"the embedded {error}") from None
        if not came:
            raise Unreachable(f"the embedded {name} did not start within {START_S:.0f} s")
        return int(json.loads(file.read_bytes())["port"])

    def start_flow(self, name: str, processes: int = 1, *, bounded: bool = False) -> list[Child]:
        """Start a flow as one or more processes that share its partitions out."""
        children = []
        for ordinal in range(processes):
            label = f"{name}-{ordinal}"
            self.ports[label] = free_port()
            more = ["--ends", str(self.ends)] if bounded else []
            children.append(
                self.supervisor.start(
                    label,
                    "flows",
                    "run",
                    name,
                    "--settings",
                    str(self.file),
                    "--recovery",
                    str(self.folder / "recovery" / label),
                    "--set",
                    f"share.ordinal={ordinal}",
                    "--set",
                    f"share.count={processes}",
                    "--set",
                    f"metrics_port={self.ports[label]}",
                    *more,
                )
            )
        return children

    def finished(self, flow: str) -> bool:
        """Whether every process of a flow has ended well."""
        return all(c.finished for n, c in self.supervisor.children.items() if n.rsplit("-", 1)[0] == flow)

    def announce(self, topics: list[str]) -> None:
        """Tell bounded readers where these topics end; nothing more will be written to them."""
        for topic in topics:
            announce(self.ends, topic, end_offsets(self.settings.kafka, topic))

    def settle(self, flows: list[str]) -> None:
        """Wait for bounded flows, announcing each derived topic when all of its writers have ended.

        The rejects of `archive` itself are its own affair: it ends where that topic then ends.
        """
        prefix = self.settings.kafka.prefix
        left = {t: [f.name for f in FLOWS if f.name in flows and t in f.writes] for t in derived_topics()}

        def done() -> bool:
            for topic, writers in list(left.items()):
                if all(self.finished(w) for w in writers):
                    self.announce([prefix + topic])
                    del left[topic]
            return all(self.finished(f) for f in flows)

        self.supervisor.wait(done)
