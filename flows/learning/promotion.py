"""Promotion: telling every shard which version is in force and from when, and the tables how versions scored."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.engine.json_rows import records
from flows.kafka.prefix_publisher import Publisher
from flows.settings.tree import Settings
from flows.tables import BY_NAME
from models.model_registry import Version
from operators.contract import Array
from operators.published_rows import Published

if TYPE_CHECKING:
    from models.evaluation import Score


MINUTE_MS = 60_000
AHEAD_MS = 20_000
"""A promotion holds from the first whole minute after so long: every flow has read of it by then."""
Key = tuple[str, int]


def put_in_force(settings: Settings, version: Version, from_ms: int | None = None) -> int:
    """Tell every shard; the event time from which the version holds, by default soon.

    A time in the past is for a replay: its record is then older than all frames, so it is read before them.
    """
    now_ms = time.time_ns() // 1_000_000
    since = -(-(now_ms + AHEAD_MS) // MINUTE_MS) * MINUTE_MS if from_ms is None else from_ms
    about = version.metadata
    columns: dict[str, Array | list[str]] = {
        "version": [version.version],
        "in_force_from": np.array([since * 1_000_000]),
        "feature_version": [about.feature_version],
        "label_version": [about.label_version],
        "trained_from": np.array([about.trained_from_ms * 1_000_000]),
        "trained_to": np.array([about.trained_to_ms * 1_000_000]),
        "forecasts": [", ".join(f"{c.position_side} {c.horizon_min}" for c in about.models)],
        "data_hash": [about.data_hash],
    }
    order = now_ms if from_ms is None else max(from_ms, 1)
    _publish(settings, Published("model_versions", ["registry"], ["registry"], [order], [order], columns), every=True)
    return since


def publish_scores(settings: Settings, version: str, of: Mapping[Key, "tuple[Score, NDArray[np.int64]]"]) -> None:
    """Rows of `forecast.scores`: a model and baseline each; beside each score the minutes of its test."""
    now_ms = time.time_ns() // 1_000_000
    rows = [
        (side, horizon, score, at_ns, skill) for (side, horizon), (score, at_ns) in of.items() for skill in score.skills
    ]
    natural = [f"{version}|{side}|{horizon}|{s.baseline}" for side, horizon, _, _, s in rows]
    columns: dict[str, Array | list[str]] = {
        "version": [version] * len(rows),
        "position_side": [r[0] for r in rows],
        "horizon_min": np.array([r[1] for r in rows], np.int64),
        "baseline": [r[4].baseline for r in rows],
        "scored_from": np.array([r[3].min() for r in rows], np.int64),
        "scored_to": np.array([r[3].max() for r in rows], np.int64),
        "beaten": np.array([r[4].beaten for r in rows], np.bool_),
        "skill": np.array([r[4].skill for r in rows]),
        "skill_low": np.array([r[4].low for r in rows], np.float64),
        "skill_high": np.array([r[4].high for r in rows], np.float64),
        "cases": np.array([r[2].cases for r in rows], np.int64),
        "days": np.array([r[2].days for r in rows], np.int64),
        "pr_auc": np.array([r[2].pr_auc for r in rows], np.float64),
        **{
            name: np.array([getattr(r[2], name) for r in rows]) for name in ("prevalence", "brier", "calibration_error")
        },
    }
    n = len(rows)
    _publish(settings, Published("forecast_scores", ["scores"] * n, natural, [now_ms] * n, [now_ms] * n, columns))


def _publish(settings: Settings, published: Published, every: bool = False) -> None:
    kafka, table = settings.kafka, BY_NAME[published.table]
    publisher = Publisher(kafka, kafka.retry_s)
    for partition in range(kafka.partitions if every else 1):
        for at_ms, (key, value) in zip(published.at_ms, records(published, table.columns), strict=True):
            publisher.publish(kafka.prefix + table.topic, key, value, at_ms, partition=partition)
    publisher.flush()
