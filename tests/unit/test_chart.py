"""The chart, rendered by Helm itself: valid for five releases of Kubernetes, no secret, no right too many."""

import json
import re
from functools import cache
from pathlib import Path

import helm_python
import kubernetes_validate
import msgspec
import pytest
import yaml

from flows.__main__ import COMMANDS
from flows.job_graph import FLOWS
from flows.published import DECIDED
from flows.settings.sources import SECRETS, load, written
from flows.settings.tree import Settings, Source

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
PRODUCTION = yaml.safe_load((CHART / "production.yaml").read_text())
SETS = {"defaults": {}, "production": PRODUCTION}
OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}
"""Of the Prometheus operator: Kubernetes itself has no schema for them."""
LATEST = int(kubernetes_validate.latest_version().split(".")[1])
VERSIONS = [f"1.{LATEST - back}" for back in range(4, -1, -1)]


def rendered(values):
    with helm_python.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="desk", namespace="trading")
    return [doc for text in texts.values() for doc in yaml.safe_load_all(text) if isinstance(doc, dict)]


@cache
def manifests(name):
    return rendered(SETS[name])


def of_kind(name, kind):
    return {m["metadata"]["name"]: m for m in manifests(name) if m["kind"] == kind}


def pods(name):
    """(part, pod template) of everything that runs."""
    for m in manifests(name):
        if m["kind"] in ("StatefulSet", "Deployment", "Job", "CronJob"):
            spec = m["spec"]["jobTemplate"]["spec"] if m["kind"] == "CronJob" else m["spec"]
            template = spec["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def containers(spec):
    return [*spec.get("initContainers", ()), *spec["containers"]]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SETS)
def test_every_manifest_is_valid_for_the_last_five_releases_of_kubernetes(name, version):
    foreign = set()
    for manifest in manifests(name):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            foreign.add(manifest["kind"])
    assert foreign == (OF_THE_OPERATOR if name == "production" else set())


def test_a_manifest_that_is_not_valid_would_be_found():
    manifest = json.loads(json.dumps(of_kind("defaults", "StatefulSet")["desk-market"]))
    manifest["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


def test_helm_finds_nothing_to_mend():
    found = helm_python.lint(str(CHART))
    assert "icon is recommended" in str(found)
    assert not re.search(r"(?i)\b(error|warning)\b[^=]*\bchart\b", str(found)), found


@pytest.mark.parametrize("name", SETS)
def test_each_flow_is_a_stateful_set_with_claims_probes_and_a_budget(name):
    sets, budgets, services = (of_kind(name, k) for k in ("StatefulSet", "PodDisruptionBudget", "Service"))
    assert set(sets) == set(budgets) == {f"desk-{flow.name}" for flow in FLOWS}
    for flow in FLOWS:
        spec = sets[f"desk-{flow.name}"]["spec"]
        assert spec["serviceName"] in services
        (claim,) = spec["volumeClaimTemplates"]
        (container,) = spec["template"]["spec"]["containers"]
        mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        assert mounts[claim["metadata"]["name"]] == "/var/lib/alphaplus"
        assert container["args"][:2] == ["run", flow.name]
        assert [container[f"{p}Probe"]["httpGet"]["path"] for p in ("startup", "liveness", "readiness")] == [
            "/healthz",
            "/healthz",
            "/readyz",
        ]
        given = {e["name"]: e for e in container["env"]}
        assert given["ALPHAPLUS_SHARE__COUNT"]["value"] == str(spec["replicas"])
        ordinal = given["ALPHAPLUS_SHARE__ORDINAL"]["valueFrom"]["fieldRef"]["fieldPath"]
        assert ordinal == "metadata.labels['apps.kubernetes.io/pod-index']"
        selected = budgets[f"desk-{flow.name}"]["spec"]["selector"]["matchLabels"].items()
        assert selected <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({"kafka": {"brokers": "a:9092, b:17835"}}, 17835),
        ({"kafka": {"brokers": "a:9092", "sasl": {"token_url": "https://idp/token"}}}, 443),
        ({"live": {"proxy": "http://10.0.0.7:3128"}}, 3128),
        ({"clickhouse": {"url": "https://a"}}, None),
        ({"clickhouse": {"url": "https://a:443/x"}}, 443),
        ({"kafka": {"brokers": "[2001:db8::1]:9999,a"}}, 9999),
    ],
    ids=str,
)
def test_an_address_to_whose_port_the_network_policy_does_not_lead_is_refused(settings, port):
    if port is not None:
        with pytest.raises(helm_python.HelmError, match=f"networkPolicy.egress: no port {port}, to which settings"):
            rendered({"settings": settings})
    more = [{"ports": [9092, 8123, 8443, port or 1]}]
    for policy in ({"egress": more}, {"enabled": False}, {"egress": [{"ports": []}]}):
        assert rendered({"settings": settings, "networkPolicy": policy})


@pytest.mark.parametrize("name", SETS)
def test_processes_of_a_flow_are_kept_apart_from_each_other_alone(name):
    for m in manifests(name):
        if m["kind"] == "StatefulSet":
            for over in m["spec"]["template"]["spec"]["topologySpreadConstraints"]:
                assert over["labelSelector"]["matchLabels"] == m["spec"]["selector"]["matchLabels"]
                assert over["whenUnsatisfiable"] == "ScheduleAnyway", "a start must not wait for nodes"


def test_a_refusal_of_the_setup_is_not_tried_again():
    (job,) = of_kind("defaults", "Job").values()
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]) == ("FailJob", {"operator": "In", "values": [2]})
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never", "else the API refuses the rule"


def test_what_receives_is_given_as_long_to_start_and_to_answer_as_a_flow():
    (live,) = of_kind("production", "Deployment").values()
    (flow, *_) = of_kind("production", "StatefulSet").values()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        told = [m["spec"]["template"]["spec"]["containers"][0][probe] for m in (live, flow)]
        assert told[0] == told[1]


@pytest.mark.parametrize("name", SETS)
def test_nothing_runs_as_root_or_writes_to_its_image(name):
    seen = []
    for part, spec in pods(name):
        of_pod = spec["securityContext"]
        assert (of_pod["runAsNonRoot"], of_pod["runAsUser"], of_pod["fsGroup"]) == (True, 10001, 10001)
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert of_pod["fsGroupChangePolicy"] == "OnRootMismatch"
        assert spec["automountServiceAccountToken"] is False
        for container in containers(spec):
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= container["resources"].keys()
            assert "cpu" not in container["resources"]["limits"], "a limit of CPU throttles"
            assert container["args"][0] in COMMANDS
            assert "command" not in container
        seen.append(part)
    assert sorted(seen) == sorted({f.name for f in FLOWS} | {"setup"} | ({"live", "retrain"} & set(seen)))
    assert ("retrain" in seen) == ("live" in seen) == (name == "production")


@pytest.mark.parametrize("name", SETS)
def test_no_secret_is_in_any_manifest(name):
    assert not of_kind(name, "Secret")
    for part, spec in pods(name):
        for container in containers(spec):
            for variable in container.get("env", ()):
                path = variable["name"].removeprefix("ALPHAPLUS_").lower().split("__")
                assert tuple(path) not in SECRETS, part


@pytest.mark.parametrize("path", SECRETS, ids=".".join)
def test_a_secret_among_the_values_is_refused(path):
    values = "sesame"
    for name in reversed(path):
        values = {name: values}
    with pytest.raises(helm_python.HelmError, match=path[-1]) as refused:
        rendered({"settings": values})
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"flow": {}},
        {"flows": {"markets": {"replicas": 1}}},
        {"flows": {"market": {"replicas": "two"}}},
        {"settings": {"share": {"count": 2}}},
        {"settings": {"metrics_port": 1}},
        {"settings": {"probes": {"start_s": 1}}},
        {"settings": {"forecast": {"models": "/elsewhere"}}},
        {"settings": {"kafka": {"broker": "a:9092"}}},
        {"settings": {"kafkas": {}}},
        {"settings": {"kafka": {"partitions": 0}}},
        {"settings": {"log": {"format": "xml"}}},
        {"settings": {"market": {"instruments": [{"venue": "deribit"}]}}},
        {"files": {"settings.json": "{}"}},
        {"files": {"a/b.toml": ""}},
        {"live": {"instruments": ["BTCUSDT"]}},
        {"secrets": [{"setting": "clickhouse.password", "value": "sesame"}]},
        {"secrets": [{"setting": "clickhouse.pasword", "secret": "s", "key": "k"}]},
        {"retrain": {"enabled": True}},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(values):
    with pytest.raises(helm_python.HelmError):
        rendered(values)


def test_every_setting_that_the_chart_does_not_decide_may_be_said_and_is_what_a_part_is_told(tmp_path):
    said = msgspec.json.decode(written(Settings(source=Source(epoch_bytes=123_456_789_012))))
    for path in (*SECRETS, *(tuple(name.split(".")) for name in DECIDED)):
        at = said
        for part in path[:-1]:
            at = at[part]
        del at[path[-1]]
    (told,) = [
        m["data"]
        for m in rendered({"settings": said})
        if m["kind"] == "ConfigMap" and m["metadata"]["name"] == "desk-settings"
    ]
    (tmp_path / "settings.json").write_text(told["settings.json"])
    ours = {"data": "/var/lib/alphaplus", "metrics_host": "0.0.0.0", "metrics_port": 9100}
    expected = msgspec.structs.replace(Settings(source=Source(epoch_bytes=123_456_789_012)), **ours)
    assert load(tmp_path / "settings.json", {}) == expected


@pytest.mark.parametrize("name", SETS)
def test_what_a_part_is_told_are_settings_that_load(name, tmp_path):
    maps = of_kind(name, "ConfigMap")
    files = {}
    for path in SECRETS:
        files["/".join(path)] = tmp_path / ".".join(path)
        files["/".join(path)].write_text("sesame\n")
    for part, spec in pods(name):
        (told,) = [
            s["configMap"]["name"]
            for v in spec["volumes"]
            for s in v.get("projected", {}).get("sources", ())
            if "configMap" in s
        ]
        (tmp_path / "settings.json").write_text(maps[told]["data"]["settings.json"])
        for container in containers(spec):
            variables = {e["name"]: e.get("value", "0") for e in container.get("env", ())}
            for path in SECRETS:
                if (key := f"ALPHAPLUS_{'__'.join(path).upper()}_FILE") in variables:
                    variables[key] = str(files["/".join(path)])
            expected = load(tmp_path / "settings.json", variables)
            assert expected.data == "/var/lib/alphaplus"
            assert (expected.metrics_host, expected.metrics_port) == ("0.0.0.0", 9100)
            if name == "production" and part != "live":
                assert expected.clickhouse.password.reveal() == "sesame"


def test_a_part_is_given_no_secret_that_it_has_no_use_for():
    given = {}
    for part, spec in pods("production"):
        (volume,) = [v for v in spec["volumes"] if v["name"] == "settings"]
        assert volume["projected"]["defaultMode"] == 0o440, "others could read a key, which is refused"
        paths = [i["path"] for s in volume["projected"]["sources"] if "secret" in s for i in s["secret"]["items"]]
        given[part] = {p.removeprefix("secrets/") for p in paths}
        mounted = {p.removeprefix("/etc/alphaplus/secrets/") for c in containers(spec) for p in _named(c)}
        assert given[part] == mounted
    kafka, stored = {"kafka.sasl.password", "kafka.tls.ca_file"}, {"clickhouse.password"}
    assert given["live"] == kafka
    assert given["setup"] == given["retrain"] == kafka | stored
    assert all(given[f.name] == kafka | stored | {"recovery.key_file"} for f in FLOWS)


def _named(container):
    return [
        e["value"] for e in container.get("env", ()) if str(e.get("value", "")).startswith("/etc/alphaplus/secrets/")
    ]


def test_every_secret_of_the_settings_can_be_given_by_reference():
    paths = [".".join(p) for p in SECRETS] + ["recovery.key_file", "clickhouse.ca_file", "kafka.tls.key_file"]
    secrets = [{"setting": p, "secret": "s", "key": "k"} for p in paths]
    told = rendered({"secrets": secrets, "live": {"instruments": ["deribit:BTC-PERPETUAL"]}})
    parts = [
        m for m in told if m["metadata"]["name"] in ("desk-market", "desk-live") and "template" in m.get("spec", {})
    ]
    names = {e["name"] for m in parts for e in m["spec"]["template"]["spec"]["containers"][0]["env"]}
    known = msgspec.to_builtins(Settings(), enc_hook=str)
    for variable in names:
        at = known
        for part in variable.removeprefix("ALPHAPLUS_").lower().split("__"):
            at = at[part]
    assert len(names) == len(paths) + 2


def test_alert_rules_and_dashboards_are_those_of_the_repository():
    (rule,) = of_kind("production", "PrometheusRule").values()
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
    shown = {
        k: v for m in of_kind("production", "ConfigMap").values() for k, v in m["data"].items() if k.endswith(".json")
    }
    shown.pop("settings.json")
    folder = ROOT / "deploy" / "grafana" / "dashboards"
    assert {k: json.loads(v) for k, v in shown.items()} == {p.name: json.loads(p.read_text()) for p in folder.iterdir()}


def test_the_chart_is_of_the_release_in_the_repository():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert chart["appVersion"] == chart["version"] == version
