"""Probes: healthy is what commits, ready is what is not far behind; every alert rule fires and keeps quiet when it should."""

import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge

from flows.monitoring import telemetry
from flows.monitoring.probes import Judge, serve
from flows.settings.tree import Probes

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
CASES = DEPLOY / "prometheus" / "alerts_test.yaml"


@pytest.fixture
def process():
    registry = CollectorRegistry()

    class Process:
        now = 1_000.0
        committed = Gauge("alphaplus_last_commit_seconds", "", registry=registry)
        read = telemetry.READ.counter(registry)
        lag = Gauge("alphaplus_event_time_lag_seconds", "", ["shard"], registry=registry)

    found = Process()
    found.registry = registry
    found.judge = Judge(Probes(start_s=300, commit_age_s=60, event_lag_s=30), True, registry, lambda: found.now)
    return found


def test_a_process_that_starts_is_healthy_for_a_while_and_not_ready(process):
    assert process.judge.healthy()[0]
    assert not process.judge.ready()[0]
    process.now += 301
    assert process.judge.healthy() == (False, "nothing committed yet, 301 s after the start")


def test_a_process_that_commits_is_healthy_and_one_that_stopped_is_not(process):
    process.committed.set(process.now)
    process.now += 59
    assert process.judge.healthy()[0]
    assert process.judge.ready()[0]
    process.now += 2
    assert process.judge.healthy() == (False, "committed 61 s ago")
    assert not process.judge.ready()[0]


def test_a_process_that_is_far_behind_is_healthy_and_not_ready(process):
    process.committed.set(process.now)
    process.lag.labels("0").set(5)
    process.lag.labels("1").set(31)
    assert process.judge.healthy()[0]
    assert process.judge.ready() == (False, "committed 0 s ago, 31 s behind in event time")


def test_a_process_that_has_read_and_closed_nothing_yet_is_not_ready(process):
    process.committed.set(process.now)
    assert process.judge.ready()[0], "there is nothing to read"
    process.read.labels("raw").inc(215_441)
    assert process.judge.ready() == (False, "committed 0 s ago, read 215,441 messages and closed nothing yet")
    assert Judge(Probes(), registry=process.registry, clock=lambda: process.now, closes=False).ready()[0]
    process.lag.labels("0").set(5)
    assert process.judge.ready()[0]


def test_the_probes_answer_beside_the_metrics(process):
    server = serve("127.0.0.1", 0, process.judge)
    where = f"http://127.0.0.1:{server.server_port}"
    try:
        with urllib.request.urlopen(f"{where}/healthz", timeout=5) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{where}/readyz", timeout=5)
        with caught.value as refused:
            assert refused.code == 503
            assert refused.read() == b"nothing committed yet, 0 s after the start\n"
        with urllib.request.urlopen(f"{where}/metrics", timeout=5) as answer:
            assert b"# TYPE" in answer.read()
    finally:
        server.shutdown()
        server.server_close()


def test_a_process_without_epochs_is_healthy_while_its_loop_comes_round():
    registry, now = CollectorRegistry(), 1_000.0
    judge = Judge(Probes(start_s=300, commit_age_s=60), epochs=False, registry=registry, clock=lambda: now)
    frames, turned = telemetry.LIVE_FRAMES.counter(registry), telemetry.LIVE_TURNED.gauge(registry)
    frames.labels("deribit", "depth")
    assert judge.healthy() == (True, "nothing received yet, 0 s after the start")
    now += 301
    assert not judge.healthy()[0]
    turned.set(now)
    assert judge.healthy() == (True, "came round 0 s ago")
    assert judge.ready() == (False, "received 0 frames"), "a rollout that waits for readiness would pass any mistake"
    frames.labels("deribit", "depth").inc(1_200)
    assert judge.ready() == (True, "received 1,200 frames")
    now += 61
    assert judge.healthy() == judge.ready() == (False, "came round 61 s ago")


def test_every_alert_rule_has_a_section_in_the_runbook_a_severity_and_two_cases():
    names = [rule["alert"] for rule in RULES]
    assert re.findall(r"^## (\w+)$", (DEPLOY / "runbook.md").read_text(), re.MULTILINE) == names
    assert all(rule["labels"]["severity"] in ("warning", "critical") for rule in RULES)
    fires, quiet = set(), set()
    for test in yaml.safe_load(CASES.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case.get("exp_alerts") else quiet).add(case["alertname"])
    assert fires == quiet == set(names)


def test_alert_rules_fire_and_keep_quiet_as_their_cases_say():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the path: it comes with Prometheus (Debian package `prometheus`)")
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        ran = subprocess.run(
            [promtool, *command], cwd=CASES.parent, capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
