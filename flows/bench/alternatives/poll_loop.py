"""Poll loop: plain confluent-kafka, msgspec and dict books, JSON rows back to Kafka; no recovery, no late events."""

import time

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from flows.bench.alternatives.dict_book import DictBook, decode
from flows.kafka.connection import Brokers, client_config
from flows.refusal import Unreachable

POLL = 5_000


def run(brokers: Brokers, topics: list[str], partitions: int, output: str) -> tuple[int, float]:
    """How many frames were read up to the end of the topics, and the seconds from the first to the last row's ack."""
    consumer = Consumer(
        {
            **client_config(brokers),
            "group.id": "alphaplus-bench",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 2,
            "queued.min.messages": 200_000,
        }
    )
    producer = Producer({**client_config(brokers), "linger.ms": 2, "queue.buffering.max.messages": 1_000_000})
    encode = msgspec.json.Encoder().encode
    books: dict[str, DictBook] = {}
    left = {(t, p) for t in topics for p in range(partitions)}
    consumer.assign([TopicPartition(t, p, 0) for t, p in left])
    began, count = 0.0, 0
    while left:
        messages = consumer.consume(POLL, 0.1)
        began = began or (time.perf_counter() if messages else 0.0)
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise Unreachable(f"{message.topic()}: {error.str()}")
                left.discard((message.topic() or "", message.partition() or 0))
                continue
            value = message.value() or b""
            symbol = None
            if value.startswith(b'{"lastUpdateId"'):
                header = dict(message.headers() or ()).get("symbol")
                named = msgspec.json.decode(value).get("symbol")
                symbol = header.decode() if isinstance(header, bytes) else named
            name, event = decode(value, symbol)
            book = books.get(name)
            if book is None:
                book = books[name] = DictBook(name)
            row = book.apply(event)
            if row is not None:
                producer.produce(output, encode(row), name)
            count += 1
        producer.poll(0)
    for name, book in books.items():
        producer.produce(output, encode(book.close()), name)
    producer.flush()
    seconds = time.perf_counter() - began
    consumer.close()
    return count, seconds
