"""Restart: kill -9, a minute of frames while it is away, and the time from its new start until all is committed."""

import itertools
import time

from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied
from flows.bench.place import empty_topics, end, place, publish, raw_topics, start_flow
from flows.bench.result import Result
from flows.bench.rows_seen import RowsSeen
from flows.bench.size import BACKLOG_S, Size
from flows.settings.tree import Settings

BEFORE_S = 5
COMMIT_S = 3.0


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """The new process ends by itself once the backlog is in the topics, every row acknowledged and committed."""
    per_s = size.frames / BACKLOG_S
    taken = []
    for _ in range(size.repeats):
        with place(settings, material.venue, "restart") as session:
            told = session.settings
            frames = multiplied(material, size.instruments, per_s, START_NS)
            rows = RowsSeen(told, "features_book", embedded="broker" in session.embedded)
            publish(told, material, itertools.islice(frames, int(per_s * BEFORE_S)))
            session.announce(empty_topics(told))
            start_flow(session, "market", "before", "restart", bounded=True)
            rows.first(session.supervisor.check)
            rows.close()
            time.sleep(COMMIT_S)
            end(session, "before", kill=True)
            publish(told, material, itertools.islice(frames, int(per_s * BACKLOG_S)))
            session.announce(raw_topics(told))
            began = time.monotonic()
            child = start_flow(session, "market", "after", "restart", bounded=True)
            session.supervisor.wait(lambda child=child: child.finished, every_s=0.01)  # type: ignore[misc]
            taken.append(time.monotonic() - began)
    row = f"kill -9, {BACKLOG_S} s at {per_s:,.0f} frames/s"
    return [Result(row, "caught up", tuple(taken), "s", "<= 5")]
