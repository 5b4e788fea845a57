"""The forecast flow on a broker: rows with a version, a swap under load, a corrupt version, and a kill in between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from flows.forecast import folder
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.learning.promotion import put_in_force
from flows.settings.services import Kafka
from flows.settings.sources import written
from flows.settings.tree import Forecast, Settings
from models import model_registry
from tests.laws.feature_rows import T0, logs, model
from tests.services.flow_processes import ROOT, brokers, named, read, wait_until

pytestmark = pytest.mark.services
MINUTES = 100


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


def test_a_swap_under_load_changes_the_version_once_loses_nothing_and_a_corrupt_version_is_refused(address, tmp_path):
    (prefix,) = (name + "." for name in named("fc"))
    told = Settings(
        data=str(tmp_path),
        kafka=Kafka(brokers=address, prefix=prefix, partitions=1),
        forecast=Forecast(horizons_min=(5, 15)),
    )
    names = (
        "features.book",
        "features.tape",
        "forecast.vectors",
        "forecasts.liquidation",
        "model.versions",
        "rejects",
        "guesses.forecast",
    )
    create_topics(address, [prefix + n for n in names], 1, forever=True)
    root = folder(told)
    one, two, bad = (model(root, seed) for seed in (1, 2, 3))
    versions = {name: model_registry.load(root, name) for name in (one, two, bad)}
    file = root / "versions" / bad / "long5.txt"
    file.write_bytes(file.read_bytes() + b" ")
    settings = tmp_path / "settings.json"
    settings.write_bytes(written(told))
    command = [sys.executable, "-m", "flows", "run", "forecast", "--settings", str(settings)]
    command += ["--recovery", str(tmp_path / "recovery")]
    said = (tmp_path / "log").open("ab")

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, env={**os.environ})

    def forecasts() -> list[dict]:
        return [json.loads(v) for v in read(address, prefix + "forecasts.liquidation")[0]]

    book, tape = logs(MINUTES)
    publisher = Publisher(address)

    def publish(first: int, last: int) -> None:
        for log, topic in ((book, "features.book"), (tape, "features.tape")):
            for ms, value in log[first * 3 : last * 3]:
                publisher.publish(prefix + topic, b"BTC", value, ms, partition=0)
        publisher.flush()

    put_in_force(told, versions[one], T0 + 10 * 60_000)
    process = start()
    try:
        publish(0, 40)
        wait_until(lambda: len(forecasts()) >= 39 * 8, 180)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()
        put_in_force(told, versions[two], T0 + 80 * 60_000)
        put_in_force(told, versions[bad], T0 + 90 * 60_000)
        for m in range(40, MINUTES, 6):
            publish(m, min(m + 6, MINUTES))
            time.sleep(0.05)
        wait_until(lambda: any(r["as_of"] == T0 + MINUTES * 60_000 for r in forecasts()), 180)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        said.close()
    rows = {row["id"]: row for row in forecasts()}
    assert len(rows) == MINUTES * 2 * 2 * 2
    for row in rows.values():
        minute = (row["as_of"] - T0) // 60_000
        assert row["model_version"] == ("" if minute < 10 else one if minute < 80 else two)
    given = Counter(r["model_version"] for r in rows.values() if r["p_burst"] is not None)
    assert given[two] == 21 * 8 and given[one] > 0
    text = (tmp_path / "log").read_text()
    assert f"refused: model {bad} is corrupt: long5.txt does not have the hash that its metadata tells" in text
    assert len({v for v in read(address, prefix + "forecast.vectors")[0]}) == MINUTES * 2
