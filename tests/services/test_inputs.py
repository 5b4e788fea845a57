"""The page on inputs, as printed: its commands run against a broker, its examples are read by what reads them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from flows.captures.capture import read
from flows.kafka.partitioner import partition_of
from flows.kafka.topic_making import create_topics
from flows.tables import ALERTED
from operators.alerts.rules import load
from schemas.brackets import binance
from schemas.candles import hours
from schemas.venues.registry import VENUES
from tests.services.flow_processes import brokers

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "deploy" / "inputs" / "README.md"
BLOCKS = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
TOPICS = ["raw.trades.binance-usdm", "raw.depth.binance-usdm"]


def example(name: str) -> str:
    (text,) = [text for _, of, text in BLOCKS if of == name]
    return text


def test_every_form_of_a_capture_that_is_shown_is_read(tmp_path):
    file = tmp_path / "capture.log"
    file.write_text(example("capture"))
    frames = list(read(file, VENUES["binance-usdm"]))
    assert [f.kind for f in frames] == ["trades"] * 5
    after_ns = [f.received_ns - 1767225600 * 10**9 for f in frames]
    assert after_ns == [169585817, 170000000, 169585817, 169585800, 166000000]


def test_the_rule_the_brackets_and_the_candles_that_are_shown_are_read():
    (rule,) = load(example("rules"), ALERTED)
    assert rule.name == "margin"
    assert list(binance(example("brackets").encode())) == ["BTCUSDT"]
    at, price = hours(example("candles").encode(), over=True)
    assert (at.tolist(), price.tolist()) == ([490_896, 490_897], [60_250.4, 60_188.8])


def test_the_page_names_every_venue():
    assert all(f"`{name}`" in PAGE.read_text() for name in VENUES)


@pytest.mark.parametrize("name", ["producer.py", "consumer.py"])
def test_an_example_is_fifteen_lines(name):
    text = (PAGE.parent / name).read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 16


@pytest.mark.services
def test_the_commands_of_the_page_run_and_frames_arrive_where_flows_look_for_them(tmp_path):
    with brokers() as address:
        create_topics(address, TOPICS, 4, forever=True)
        environ = {**os.environ, "BROKERS": address, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (tmp_path / "python").chmod(0o755)
        said = ""
        for language, _, text in BLOCKS:
            if language == "sh" and "alphaplus" not in text:
                done = subprocess.run(
                    ["sh", "-e", "-c", text],
                    cwd=ROOT,
                    env=environ,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=120,
                )
                assert done.returncode == 0, done.stderr
                said = done.stdout
        assert said.startswith('{"e":"aggTrade"') and said.count("\n") == 1
        place = partition_of(b"BTC", 4)
        consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
        found = {}
        for topic in TOPICS:
            consumer.assign([TopicPartition(topic, place, 0)])
            for _ in range(60):
                if (message := consumer.poll(1.0)) is not None and message.error() is None:
                    found[topic] = message
                    break
        consumer.close()
    assert {t: (m.key(), m.headers()) for t, m in found.items()} == {
        TOPICS[0]: (b"BTC", None),
        TOPICS[1]: (b"BTC", [("symbol", b"BTCUSDT")]),
    }


@pytest.mark.services
def test_a_file_of_more_frames_than_a_producers_queue_takes_is_handed_over_whole():
    frames = b"".join(b'{"a":%d}\n' % i for i in range(120_000))
    with brokers() as address:
        create_topics(address, TOPICS, 4, forever=True)
        script = [sys.executable, str(PAGE.parent / "producer.py"), address, "binance-usdm", "trades", "BTC"]
        done = subprocess.run(script, input=frames, capture_output=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, b"")
        consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
        consumer.assign([TopicPartition(TOPICS[0], partition_of(b"BTC", 4), 119_999)])
        last = consumer.poll(30.0)
        consumer.close()
    assert last is not None and last.value() == b'{"a":119999}'
