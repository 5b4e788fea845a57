"""Rows of a topic as they come: `python consumer.py BROKERS alerts [HOW MANY]`, one JSON a line."""

import sys

from confluent_kafka import Consumer

brokers, topic, *most = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "example", "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
left = int(most[0]) if most else -1
while left:
    message = consumer.poll(1.0)
    if message is not None and message.error() is None and (value := message.value()):  # a mark has none
        print(value.decode(), flush=True)
        left -= 1
consumer.close()
