"""Vectors: the training set that flows left in ClickHouse, read back as a dataset."""

import numpy as np

from flows.clickhouse.client import ClickHouse
from flows.clickhouse.errors import StoreError
from flows.refusal import Refused
from models.dataset import Dataset
from models.vector_items import FEATURE_VERSION, NAMES

UNKNOWN_TABLE = 60


def read(client: ClickHouse, days: int) -> Dataset:
    """The vectors of the last `days` of event time, of today's features only. Refused when there are none."""
    numbers = ", ".join(f"assumeNotNull(ifNull(`{name}`, nan))" for name in (*NAMES, "long_liquidated_usd"))
    try:
        rows = client.rows(
            f"""
            SELECT venue, symbol, toUnixTimestamp64Milli(as_of), book_ok, ifNull(short_liquidated_usd, nan), [{numbers}]
            FROM forecast_vectors FINAL
            WHERE feature_version = {{version:String}}
              AND as_of > (SELECT max(as_of) FROM forecast_vectors) - toIntervalDay({{days:UInt32}})
            ORDER BY as_of, venue, symbol
            """,
            version=FEATURE_VERSION,
            days=days,
        )
    except StoreError as error:
        if error.code != UNKNOWN_TABLE:
            raise
        raise Refused("there is no table forecast_vectors: run `alphaplus migrate`, or name another database") from None
    if not rows:
        raise Refused(f"forecast_vectors has no vectors of features {FEATURE_VERSION}: run `demo` or `replay` first")
    number: dict[tuple[object, object], int] = {}
    x = np.array([row[5] for row in rows], np.float64)
    return Dataset(
        np.array([number.setdefault(row[:2], len(number)) for row in rows], np.int64),  # type: ignore[arg-type]
        np.array([row[2] for row in rows], np.int64) * 1_000_000,
        np.ascontiguousarray(x[:, :-1]),
        np.column_stack([x[:, -1], np.array([row[4] for row in rows], np.float64)]),
        np.array([row[3] for row in rows], np.bool_),
    )
