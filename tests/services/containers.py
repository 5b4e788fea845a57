"""The broker and the store as containers: the very images of deploy/compose.yaml."""

from pathlib import Path

import yaml

from tests.services.backend import Broker, Store
from tests.services.container import ContainerBackend
from tests.services.embedded_store import http_answers
from tests.services.kafka_answers import kafka_answers

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]


class DockerKafka(ContainerBackend, Broker):
    """Apache's own image, one KRaft node."""

    image = SERVICES["kafka"]["image"]
    inner_port = 9092

    def environment(self) -> dict[str, str]:
        return {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{self.port}",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_BROKER_SESSION_TIMEOUT_MS": "2000",
            "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "250",
            "KAFKA_LOG_INITIAL_TASK_DELAY_MS": "1000",
            "KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS": "1000",
            "KAFKA_LOG_SEGMENT_DELETE_DELAY_MS": "1000",
            "KAFKA_HEAP_OPTS": "-Xmx512m",
        }

    def answers(self) -> bool:
        return kafka_answers(self.port)


class DockerClickHouse(ContainerBackend, Store):
    """A ClickHouse server whose default user needs no password."""

    image = SERVICES["clickhouse"]["image"]
    inner_port = 8123

    def environment(self) -> dict[str, str]:
        return {"CLICKHOUSE_SKIP_USER_SETUP": "1"}

    def answers(self) -> bool:
        return http_answers(self.port)
