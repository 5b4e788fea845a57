"""Figures: declared once, made once, named by convention; what rules and dashboards ask for is declared, and shown."""

import json
import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

import flows
from flows.monitoring import telemetry
from flows.monitoring.telemetry import FIGURES, Figure
from flows.published import RUNBOOK

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = {path.name: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
SCRAPED = {"instance", "job", "le"}
BY_SERIES = {series: figure for figure in FIGURES for series in figure.series}
QUESTIONS = [
    *((rule["alert"], rule["expr"]) for rule in RULES),
    *(
        (f"{name}: {panel['title']}", target["expr"])
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
        if "expr" in target
    ),
]


def test_figures_are_made_of_their_declarations_only_and_each_by_one_module():
    made = Counter()
    for module in pkgutil.walk_packages(flows.__path__, "flows."):
        path = ROOT / Path(*module.name.split(".")).with_suffix(".py")
        if not path.is_file() or module.name == "flows.monitoring.telemetry":
            continue
        text = path.read_text()
        assert not re.search(r"\b(Counter|Gauge|Histogram|Summary|Info|Enum)\(\s*[\"']", text), module.name
        made.update(re.findall(r"telemetry\.(\w+)\.(?:counter|gauge|histogram)\(\)", text))
    declared = {name for name, value in vars(telemetry).items() if isinstance(value, Figure)}
    assert made == Counter(declared)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_a_figure_is_named_by_convention_and_says_what_it_is(figure):
    assert re.fullmatch(r"alphaplus_[a-z_]+[a-z]", figure.name)
    assert not figure.name.endswith("_total"), "the client adds that"
    assert figure.meaning[0].isupper() or figure.meaning[0].isdigit()
    assert not figure.meaning.endswith(".")
    if figure.unit in ("seconds", "bytes", "messages", "streams"):
        assert figure.name.endswith(f"_{figure.unit}")
    assert bool(figure.buckets) == (figure.kind == "histogram")
    assert list(figure.buckets) == sorted(set(figure.buckets))
    getattr(figure, figure.kind)(CollectorRegistry())
    with pytest.raises(TypeError, match=f"{figure.name} is declared as a {figure.kind}"):
        (figure.gauge if figure.kind != "gauge" else figure.counter)(CollectorRegistry())


@pytest.mark.parametrize(("who", "question"), QUESTIONS, ids=[who for who, _ in QUESTIONS])
def test_a_rule_or_a_panel_asks_for_series_and_labels_that_are_declared(who, question):
    asked = re.findall(r"alphaplus_\w+", question)
    assert asked or re.search(r"\bup\{", question)
    labels = set(SCRAPED)
    for series in asked:
        labels |= set(BY_SERIES[series].labels)
    for listed in re.findall(r"(?:by|without|on|ignoring) \(([^)]*)\)", question):
        assert {name.strip() for name in listed.split(",")} <= labels, question
    for matched in re.findall(r"\{([^}]*)\}", question):
        assert set(re.findall(r"(\w+)\s*[=!]", matched)) <= labels, question
    for series in asked:
        counted = BY_SERIES[series].kind != "gauge"
        assert counted == bool(re.search(rf"\b(rate|increase)\({series}", question)), f"{who}: {series}"


def test_every_figure_is_on_a_dashboard():
    shown = {
        BY_SERIES[series].name for who, q in QUESTIONS if ": " in who for series in re.findall(r"alphaplus_\w+", q)
    }
    assert shown == {figure.name for figure in FIGURES}


def test_what_legends_name_is_what_the_question_leaves():
    for board in BOARDS.values():
        for target in (t for panel in board["panels"] for t in panel["targets"] if "expr" in t):
            (kept,) = re.findall(r"by \(([^)]*)\)", target["expr"])
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= {name.strip() for name in kept.split(",")}, target


def test_there_are_eight_dashboards_whose_panels_ask_provisioned_sources_and_do_not_overlap():
    assert len(BOARDS) == 8
    told = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "alphaplus.yaml").read_text())["datasources"]
    sources = {(s["type"], s["uid"]) for s in told}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    for name, board in BOARDS.items():
        taken = set()
        assert (
            len({p["id"] for p in board["panels"]})
            == len({p["title"] for p in board["panels"]})
            == len(board["panels"])
        )
        for panel in board["panels"]:
            assert panel["description"]
            for source in [panel["datasource"], *(t["datasource"] for t in panel["targets"])]:
                assert (source["type"], source["uid"]) in sources
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells
        asked = set(re.findall(r"\$\{(\w+)", json.dumps([p["targets"] for p in board["panels"]])))
        assert asked == {v["name"] for v in board["templating"]["list"]}, name


def test_compose_puts_the_dashboards_where_grafana_is_told_to_look():
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "alphaplus.yaml").read_text())["providers"]
    mounts = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    mounted = dict(m.split(":")[:2] for m in mounts)
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"


def test_figures_that_the_runbook_names_exist():
    before, _, _ = RUNBOOK.read_text().partition(telemetry.BEGINS)
    for name in re.findall(r"`(alphaplus_\w+)`", before):
        assert name in BY_SERIES or name in {f.name for f in FIGURES}, name


def test_a_line_of_rows_stays_where_it_is_until_the_next_row_and_one_of_samples_does_not():
    for board in BOARDS.values():
        for panel in (p for p in board["panels"] if p["type"] == "timeseries"):
            drawn = panel["fieldConfig"]["defaults"].get("custom", {}).get("lineInterpolation")
            assert drawn == ("stepAfter" if "rawSql" in panel["targets"][0] else None), panel["title"]
