"""Apache Kafka as users run it, on one KRaft node, from its published jars."""

import base64
import functools
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.services.backend import Broker, free_ports
from tests.services.kafka_answers import kafka_answers
from tests.services.kafka_kraft.jars import jar_folder, jars, kafka_version
from tests.services.process import ProcessBackend

# Expiry is looked for every second, so that a test whose records would be gone next week fails today.
# Topics are not created by asking for them: a misspelt name fails.
# A killed broker is let in again when its old session has run out: nine seconds by default.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
"""


@functools.cache
def java_major() -> int | None:
    """The major version of the `java` on the path; None without one."""
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if said.returncode == 0 and found else None


class KraftBroker(ProcessBackend, Broker):
    """Durable: the same folder is mounted again after a kill. The JVM's heap is bounded to 512 MB."""

    name = "kafka"
    durable = True

    def __init__(self, folder: Path, lasting: bool = False) -> None:
        """`lasting`: for drills that take more than a few minutes."""
        super().__init__(folder)
        self.port, self.controller_port = free_ports(2)
        self._classpath = ""
        self._lasting = lasting

    @classmethod
    def missing(cls) -> str | None:
        major = java_major()
        if major is None:
            return "no java"
        if major < 17:
            return f"java {major}, Apache Kafka {kafka_version()} needs 17"
        if not jar_folder().is_dir() and shutil.which("mvn") is None:
            return "no Maven to fetch its jars with"
        return None

    @property
    def label(self) -> str:
        return f"Apache Kafka {kafka_version()} (java {java_major()})"

    def prepare(self) -> None:
        self._classpath = str(jars() / "*")
        data = self.folder / "data"
        if data.exists():
            return
        self._properties.write_text(self.properties())
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One word, since one id in 64 begins with "-" and would be read as an option.
        tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
        tool += ["-c", str(self._properties)]
        tool += self.format_arguments()
        run = subprocess.run([*self._java, *tool], capture_output=True, text=True, check=False, timeout=120)
        if run.returncode != 0:
            raise RuntimeError(f"formatting {data} failed\n{run.stdout}{run.stderr}")

    def properties(self) -> str:
        """The broker's settings."""
        data = self.folder / "data"
        return PROPERTIES.format(port=self.port, controller_port=self.controller_port, data=data)

    def format_arguments(self) -> list[str]:
        """What a new data folder is told besides."""
        return []

    def command(self) -> list[str]:
        return [*self._java, "-Dorg.apache.logging.log4j.level=INFO", "kafka.Kafka", str(self._properties)]

    def answers(self) -> bool:
        return kafka_answers(self.port)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _java(self) -> list[str]:
        # one that lives for minutes spends more on its second compiler than that gives back; one that lasts takes, after
        # two of them, 0.41 of a core where it would take 0.65
        first_compiler = () if self._lasting else ("-XX:TieredStopAtLevel=1",)
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", *first_compiler, "-cp", self._classpath]
