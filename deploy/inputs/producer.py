"""Frames into raw topics: `python producer.py BROKERS VENUE KIND BASE [SYMBOL] < frames`, one JSON a line."""

import sys
import time

from confluent_kafka import Producer

brokers, venue, kind, base, *symbol = sys.argv[1:]  # SYMBOL only where the frames do not name theirs
producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True})
topic, key = f"raw.{kind}.{venue}", base.encode()
for line in sys.stdin.buffer:
    ms = time.time_ns() // 1_000_000
    producer.produce(topic, line.strip(), key, timestamp=ms, headers=[("symbol", s) for s in symbol])
left = producer.flush(30)
sys.exit(f"{left} frames were not acknowledged" if left else 0)
