"""Health: the figures that the flows of a session export, read from their Prometheus endpoints."""

import http.client
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Health(NamedTuple):
    """One process: whether it answers, its samples summed by metric, and the highest of each metric."""

    up: bool
    totals: dict[str, float]
    highest: Mapping[str, float] = MappingProxyType({})


def scrape(port: int) -> Health:
    """Read the endpoint of a process on this machine; one that says nothing, or not all of it, is not up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return Health(False, {})
    totals: dict[str, float] = {}
    highest: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
            highest[sample.name] = max(highest.get(sample.name, sample.value), sample.value)
    return Health(bool(totals), totals, highest)
