"""Start: from the start of the market flow's process to its first row, with compiled code cached and without."""

import itertools
import os
import tempfile
import time

from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied
from flows.bench.place import end, place, publish, start_flow
from flows.bench.result import Result
from flows.bench.rows_seen import RowsSeen
from flows.bench.size import RATE, Size
from flows.session.session import Session
from flows.settings.tree import Settings

FRAMES = 60_000
CACHE = "NUMBA_CACHE_DIR"


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """Three seconds of frames wait in the topics; once with an empty cache, which also is what costs most."""
    with place(settings, material.venue, "start") as session:
        told = session.settings
        frames = multiplied(material, size.instruments, RATE, START_NS)
        publish(told, material, itertools.islice(frames, FRAMES))
        before = os.environ.get(CACHE)
        with tempfile.TemporaryDirectory() as empty:
            os.environ[CACHE] = empty
            try:
                compiling = _first_row_s(session, "empty")
                cached = [_first_row_s(session, f"cached-{n}") for n in range(size.repeats)]
            finally:
                os.environ.pop(CACHE)
                if before is not None:
                    os.environ[CACHE] = before
    row = "start to first row"
    return [
        Result(row, "compiled code cached", tuple(cached), "s", "<= 4"),
        Result(row, "cache empty", (compiling,), "s", "<= 20"),
    ]


def _first_row_s(session: Session, name: str) -> float:
    rows = RowsSeen(session.settings, "features_book", "features_tape", embedded="broker" in session.embedded)
    try:
        began = time.monotonic()
        start_flow(session, "market", name, name, bounded=False)
        return rows.first(session.supervisor.check) - began
    finally:
        rows.close()
        end(session, name)
