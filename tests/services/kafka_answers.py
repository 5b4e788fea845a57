"""Whether a Kafka-compatible broker serves metadata on a loopback port."""

import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


def kafka_answers(port: int) -> bool:
    """True once it names itself in the metadata; a closed port costs no client."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False
