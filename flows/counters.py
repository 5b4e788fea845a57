"""Counters that every computing flow keeps under the same names, so that one panel shows them all."""

from prometheus_client import Counter

REJECTED = Counter("alphaplus_rejects", "frames and rows rejected", ["topic", "reason"])
ROWS = Counter("alphaplus_rows", "rows published", ["table"])
