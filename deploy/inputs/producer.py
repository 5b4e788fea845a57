"""Frames into raw topics: `python producer.py BROKERS VENUE KIND BASE [SYMBOL] < frames`, one JSON a line."""

import sys
import time

from confluent_kafka import Producer

brokers, venue, kind, base, *symbol = sys.argv[1:]  # SYMBOL only where the frames do not name theirs
told = {"bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True}
lost: list[object] = []
failed = {"delivery.report.only.error": True, "on_delivery": lambda error, _: lost.append(error)}
producer, topic, key = Producer({**told, **failed}), f"raw.{kind}.{venue}", base.encode()
for line in sys.stdin.buffer:
    producer.poll(0 if len(producer) < 50_000 else 1)  # a full queue takes nothing
    ms = time.time_ns() // 1_000_000
    producer.produce(topic, line.strip(), key, timestamp=ms, headers=[("symbol", s) for s in symbol])
left = producer.flush(30) + len(lost)
sys.exit(f"{left} frames were not acknowledged {lost[:1] or ''}" if left else 0)
