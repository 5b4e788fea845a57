"""The compose file: by its schema, by the graph, by the settings, and by the images that tests start."""

import re
import subprocess
import sys

import pytest
import yaml

from flows.__main__ import COMMANDS
from flows.job_graph import FLOWS
from flows.settings.sources import load
from tests.services.containers import COMPOSE, SERVICES, DockerClickHouse, DockerKafka
from tests.services.kafka_kraft.jars import kafka_version

WHOLE = yaml.safe_load(COMPOSE.read_text())
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def filled_in(text: str) -> str:
    """What Compose makes of `${NAME:-default}`, and of `${NAME:?why}` where there is one."""
    return re.sub(r"\$\{\w+:\?[^}]*\}", "sesame", re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))


def test_the_compose_file_obeys_the_schema_of_compose_files():
    ran = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_flow_has_a_service_and_every_service_runs_a_command_that_exists():
    assert [s["command"][1] for s in OURS.values() if s["command"][0] == "run"] == [f.name for f in FLOWS]
    assert {s["command"][0] for s in OURS.values()} <= set(COMMANDS)


@pytest.mark.parametrize("name", OURS)
def test_a_services_environment_is_settings_that_load(name):
    told = load(None, {key: filled_in(value) for key, value in OURS[name]["environment"].items()})
    assert told.clickhouse.password.reveal() == "sesame"
    assert told.kafka.brokers == "kafka:9092"
    assert (told.metrics_host, told.metrics_port) == ("0.0.0.0", 9100)


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_has_a_read_only_root_and_no_rights(name):
    service = OURS[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_compose_puts_into_a_service_with_a_read_only_root_are_files():
    """Anything else it copies into the container, and refuses to where the root is read-only: none of ours started."""
    for kind in ("secrets", "configs"):
        named = {n if isinstance(n, str) else n["source"] for s in OURS.values() for n in s.get(kind, ())}
        assert all("file" in WHOLE[kind][name] for name in named)


def test_each_flow_keeps_its_states_in_a_volume_of_its_own():
    mounted = {f.name: OURS[f.name]["volumes"][0] for f in FLOWS}
    assert mounted == {f.name: f"{f.name}:/var/lib/alphaplus" for f in FLOWS}
    assert set(mounted) <= set(WHOLE["volumes"])


def test_images_are_pinned_and_are_those_that_tests_start():
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+(\.\d+)?$", filled_in(service["image"])), name
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}" == DockerKafka.image
    assert SERVICES["clickhouse"]["image"] == DockerClickHouse.image


def test_ports_are_published_on_loopback_and_no_password_stands_in_the_file():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for key, value in service.get("environment", {}).items():
            if key.endswith("PASSWORD"):
                assert value.startswith("${CLICKHOUSE_PASSWORD:?")


def test_prometheus_asks_every_service_that_answers():
    told = yaml.safe_load((COMPOSE.parent / "prometheus" / "prometheus.yaml").read_text())
    (job,) = told["scrape_configs"]
    asked = {target for group in job["static_configs"] for target in group["targets"]}
    assert asked == {f"{name}:9100" for name, service in OURS.items() if "healthcheck" in service}
    assert job["job_name"] == "alphaplus"  # by which the rules know them
