"""Laws of the job graph: everything read is written by someone, each topic has one writer, the picture is the graph."""

import importlib

from flows.job_graph import FLOWS, MODELS, RAW, mermaid, raw_topic
from flows.settings.tree import Settings
from flows.tables import TABLES
from schemas.venues.registry import VENUES

OUTSIDE = {*RAW, "accounts", *MODELS}
"""Written by venues, by those whose accounts they are, and by the commands that make and promote models."""


def test_everything_read_is_written_by_some_flow_or_comes_from_outside():
    written = {w for flow in FLOWS for w in flow.writes}
    assert {r for flow in FLOWS for r in flow.reads} - written <= OUTSIDE


def test_each_topic_has_one_writer_but_for_rejects_which_every_reader_may_write():
    written = [w for flow in FLOWS for w in flow.writes if w != "rejects"]
    assert len(written) == len(set(written))
    assert not set(written) & OUTSIDE


def test_no_flow_reads_what_it_writes_and_flow_names_are_unique():
    assert [f.name for f in FLOWS if set(f.reads) & set(f.writes)] == []
    assert len({f.name for f in FLOWS}) == len(FLOWS)


def test_every_table_is_a_topic_that_a_flow_writes_and_archive_reads():
    topics = {t.topic for t in TABLES}
    archive = next(f for f in FLOWS if f.name == "archive")
    assert topics <= {w for flow in FLOWS for w in flow.writes} | set(MODELS)
    assert topics == set(archive.reads)


def test_a_table_is_called_as_its_topic_with_underscores_which_is_how_archive_finds_it():
    assert [(t.topic, t.name) for t in TABLES if t.topic.replace(".", "_") != t.name] == []


def test_every_flow_is_a_module_that_builds_it():
    for flow in FLOWS:
        module = importlib.import_module(f"flows.{flow.name}")
        assert callable(module.build)
        assert callable(module.identity)


def test_the_market_flow_reads_the_kinds_of_its_venues():
    market = importlib.import_module("flows.market")
    told = Settings()
    kinds = {"raw." + kind for _, kind in market.topics(told).values()}
    assert kinds == set(RAW)


def test_every_venue_has_depth_and_trades_and_no_kind_outside_the_graph():
    for venue in VENUES.values():
        assert {"depth", "trades"} <= set(venue.kinds)
        assert {"raw." + kind for kind in venue.kinds} <= set(RAW)
        assert raw_topic("depth", venue.name) == f"raw.depth.{venue.name}"


def test_the_picture_has_an_arrow_for_every_edge_and_no_other_and_no_flow_is_taken_for_a_topic():
    lines = mermaid().splitlines()
    edges = {(r, f"{f.name}.flow") for f in FLOWS for r in f.reads}
    edges |= {(f"{f.name}.flow", w) for f in FLOWS for w in f.writes}
    drawn = []
    for line in lines[1:]:
        left, _, right = (
            [end.split("[")[0].split("{")[0] for end in part.split(" & ")] for part in line.strip().partition(" --> ")
        )
        drawn += [(source, target) for source in left for target in right]
    assert lines[0] == "graph LR"
    assert sorted(drawn) == sorted(edges)
    assert not {f"{f.name}.flow" for f in FLOWS} & {end for f in FLOWS for end in (*f.reads, *f.writes)}
