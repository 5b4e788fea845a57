"""The chart on a real Kubernetes API: installed, upgraded, evicted from, rolled back and uninstalled, under `restricted`.

Only where ALPHAPLUS_TEST_KUBECONFIG names an API whose nodes are kwok's (pods become ready without an image).
"""

import json
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import helm_python
import pytest
import yaml

from flows.job_graph import FLOWS

CONFIG = os.environ.get("ALPHAPLUS_TEST_KUBECONFIG", "")
pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not CONFIG, reason="set ALPHAPLUS_TEST_KUBECONFIG to the kubeconfig of a Kubernetes API with kwok nodes"
    ),
    pytest.mark.skipif(
        CONFIG != "" and shutil.which("kubectl") is None,
        reason="no kubectl on the path: install the one of that API's release",
    ),
]
CHART = Path(__file__).parents[2] / "deploy" / "chart"
PRODUCTION = yaml.safe_load((CHART / "production.yaml").read_text())


def kubectl(*arguments, given=None, check=True):
    done = subprocess.run(
        ["kubectl", "--kubeconfig", CONFIG, *arguments], input=given, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def namespace():
    name = f"t{uuid.uuid4().hex[:8]}"
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}}]
    of_class = {"metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner"}
    made.append({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **of_class})
    for i in range(10):
        spec = {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"]}
        spec |= {"storageClassName": name, "hostPath": {"path": f"/nowhere/{name}-{i}"}}
        labelled = {"name": f"{name}-{i}", "labels": {"of": name}}
        made.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": labelled, "spec": spec})
    for secret, keys in (
        ("alphaplus", ["kafka-password", "clickhouse-password"]),
        ("alphaplus-ca", ["ca.crt"]),
        ("alphaplus-recovery", ["recovery.key"]),
    ):
        data = dict.fromkeys(keys, "x")
        at = {"name": secret, "namespace": name}
        made.append({"apiVersion": "v1", "kind": "Secret", "metadata": at, "stringData": data})
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
    kubectl("delete", "pv", "-l", f"of={name}", "--wait=false")
    kubectl("delete", "storageclass", name)


def ready(namespace, wanted):
    """Wait until the stateful sets have so many ready pods."""
    until = time.monotonic() + 120
    while True:
        sets = json.loads(kubectl("-n", namespace, "get", "sts", "-o", "json").stdout)["items"]
        found = {s["metadata"]["name"]: s["status"].get("readyReplicas", 0) for s in sets}
        if found == wanted:
            return
        assert time.monotonic() < until, (found, kubectl("-n", namespace, "get", "events").stdout[-2_000:])
        time.sleep(0.5)


def test_the_chart_is_installed_upgraded_rolled_back_and_uninstalled_and_its_claims_stay(namespace):
    first = {"storageClassName": namespace}
    grown = (
        PRODUCTION
        | first
        | {
            "flows": {"market": {"replicas": 3}, "risk": {"replicas": 2}},
            "models": {"enabled": True, "storageClassName": namespace},
            "priorityClassName": "",
            "serviceMonitor": {"enabled": False},
            "prometheusRule": {"enabled": False},
        }
    )
    ones = {f"desk-{flow.name}": 1 for flow in FLOWS}
    with helm_python.Config(kubeconfig_path=CONFIG, namespace=namespace) as helm:
        helm.install(str(CHART), "desk", first, timeout=120)
        ready(namespace, ones)
        stop(namespace, "desk-market", "desk-risk")
        helm.upgrade(str(CHART), "desk", grown, timeout=120)
        ready(namespace, ones | {"desk-market": 3, "desk-risk": 2})
        pod = json.loads(kubectl("-n", namespace, "get", "pod", "desk-market-2", "-o", "json").stdout)
        assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "2"
        budget = json.loads(kubectl("-n", namespace, "get", "pdb", "desk-market", "-o", "json").stdout)["status"]
        assert [budget[k] for k in ("expectedPods", "desiredHealthy", "disruptionsAllowed")] == [3, 2, 1]
        evict(namespace, "desk-market-0")
        ready(namespace, ones | {"desk-market": 3, "desk-risk": 2})
        stop(namespace, "desk-market", "desk-risk")
        helm.rollback("desk", version=1)
        ready(namespace, ones)
        claims = kubectl("-n", namespace, "get", "pvc", "-o", "name").stdout.split()
        helm.uninstall("desk")
    left = kubectl("-n", namespace, "get", "sts,deploy,cronjob,pdb,svc", "-o", "name").stdout.split()
    assert left == []
    assert kubectl("-n", namespace, "get", "pvc", "-o", "name").stdout.split() == claims
    assert {f"persistentvolumeclaim/data-desk-market-{i}" for i in range(3)} <= set(claims)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"flows": {"market": {"storage": "20Gi"}}}, r'desk-market has claims of 8Gi of class .*"Larger volumes"'),
        ({"storageClassName": "other"}, r'has claims of .* of class .*"Larger volumes"'),
        ({"flows": {"risk": {"replicas": 2}}}, r'desk-risk runs as 1, .*"Another number of processes"'),
    ],
    ids=str,
)
def test_an_upgrade_that_a_stateful_set_cannot_take_is_refused_before_anything_is_changed(namespace, values, why):
    """The API refuses other claims half-way, and another number of processes it takes: two then write one share."""
    first = {"storageClassName": namespace}
    with helm_python.Config(kubeconfig_path=CONFIG, namespace=namespace) as helm:
        helm.install(str(CHART), "desk", first, timeout=120)
        before = generations(namespace)
        with pytest.raises(helm_python.HelmError, match=why):
            helm.upgrade(str(CHART), "desk", {"image": {"tag": "next"}} | first | values, timeout=120)
        assert generations(namespace) == before
        helm.upgrade(str(CHART), "desk", {"image": {"tag": "next"}} | first, timeout=120)
        assert generations(namespace) != before
        helm.uninstall("desk")


def generations(namespace):
    """What changes when anything is told another way, jobs included."""
    of = json.loads(kubectl("-n", namespace, "get", "sts,cm,job", "-o", "json").stdout)["items"]
    return {(i["kind"], i["metadata"]["name"]): (i["metadata"]["uid"], i["metadata"].get("generation")) for i in of}


def stop(namespace, *sets):
    """As the runbook says before another number of processes."""
    kubectl("-n", namespace, "scale", "sts", *sets, "--replicas=0")
    kubectl("-n", namespace, "wait", "--for=jsonpath={.status.replicas}=0", "--timeout=60s", "sts", *sets)


def evict(namespace, pod):
    wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", given=json.dumps(wanted))


def test_a_pod_with_more_rights_than_the_chart_gives_is_refused_there(namespace):
    container = {"name": "x", "image": "x", "securityContext": {"runAsUser": 0}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": namespace}}
    refused = kubectl("apply", "-f", "-", given=json.dumps(pod | {"spec": {"containers": [container]}}), check=False)
    assert "violates PodSecurity" in refused.stderr
