"""`alphaplus verify`: the recorded topics of a run once more through every flow, and whether the same came out.

Two comparisons: what the flows derive of the recorded inputs with what was derived, and what is stored with the topics.
"""

import sys
import time
from collections.abc import Iterator, Mapping

import msgspec
from rich.table import Table as Grid

from flows.clickhouse.kept import Record, beside
from flows.commands.options import Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import under_way
from flows.engine.signals import interrupted_when_told
from flows.job_graph import FEATURES, FORECASTS, RISK
from flows.kafka import glance
from flows.kafka.recorded import Derived, Place, copy, digest, records
from flows.kafka.recorded import consumer as reading_from
from flows.kafka.topic_making import create_topics, delete_topics, end_offsets, present
from flows.kafka.written_marks import KEY
from flows.printable import printable
from flows.refusal import Refused, Unreachable
from flows.session.session import Session
from flows.session.supervisor import ProcessFailed
from flows.settings.tree import Settings
from flows.tables import TABLES as STORED
from flows.topic_names import every_topic, guess_topics, input_topics

TABLES = (*FEATURES, *RISK, *FORECASTS, "alerts")
COMPUTING = ("market", "risk", "forecast", "alerts")
STILL_S = 60.0


def verify(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Replay the recorded topics of a run (of a demo under way, or of the settings), and compare every table."""
    interrupted_when_told()
    told, since_ms = asked(config, set, data), 0
    if not told.kafka.brokers:
        told, folder = under_way(told)
        # the store of its data folder may hold rows of earlier runs
        since_ms = int((folder / "settings.json").stat().st_mtime * 1e3)
    present(told.kafka, glance.ANSWER_S)
    say = Printer()
    try:
        differences = compare(told, say, since_ms)
    except ProcessFailed as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1
    if differences:
        more = f" (and {len(differences) - 1} more differences)" if len(differences) > 1 else ""
        print(printable(f"alphaplus: {differences[0]}{more}"), file=sys.stderr)
    return 1 if differences else 0


def compare(told: Settings, say: Printer, since_ms: int = 0) -> list[str]:
    """Each difference in a line. Tables are compared up to the last mark that a log shows in both runs.

    Of what is stored, rows count that were stored since `since_ms`.
    """
    kafka = told.kafka
    recorded = read(told)
    inputs = ends(told, [*input_topics(told), *guess_topics(told)])
    prefix = f"{kafka.prefix}verify-{time.time_ns():x}."
    again = msgspec.structs.replace(
        told,
        kafka=msgspec.structs.replace(kafka, prefix=prefix),
        clock=msgspec.structs.replace(told.clock, guesses="recorded"),
    )
    topics = every_topic(again)
    try:
        create_topics(kafka, topics, kafka.partitions, forever=True)
        count = copy(kafka, inputs, lambda topic: prefix + topic.removeprefix(kafka.prefix))
        say.print(f"replaying {count:,} records of {len(inputs)} logs")
        with Session(again, "verify") as session:
            for flow in COMPUTING:
                session.start_flow(flow)
            replayed = follow(again, recorded, session)
    finally:
        try:
            delete_topics(kafka, topics)
        except Unreachable as error:
            print(printable(f"alphaplus: delete the topics {prefix}* by hand: {error}"), file=sys.stderr)
    name = f"{told.clickhouse.database}_{prefix.removeprefix(kafka.prefix).strip('.').replace('-', '_')}"
    kept = unlike_stored(told, name, since_ms)
    return judge(recorded, replayed, kept, say)


def unlike_stored(told: Settings, name: str, since_ms: int) -> dict[str, str]:
    """A line on each table that does not hold what its topic holds."""
    prefix, read_to = told.kafka.prefix, dict[Place, int]()
    topics = {prefix + table.topic: table.name for table in STORED}

    def gained() -> Iterator[Record]:
        since = dict(read_to)
        read_to.update(ends(told, list(topics)))
        for message in records(told.kafka, read_to, since):
            value = message.value()
            if value is not None and message.key() != KEY:
                yield topics[message.topic() or ""], value

    with beside(told.clickhouse, name, STORED, since_ms) as kept:
        kept.take(gained())
        return kept.differences(gained, STILL_S)


def ends(told: Settings, topics: list[str]) -> dict[Place, int]:
    """Where these logs end now."""
    return {(t, p): end for t in topics for p, end in enumerate(end_offsets(told.kafka, t))}


def read(told: Settings) -> dict[Place, Derived]:
    """What is recorded of the derived topics, by table and partition."""
    prefix = told.kafka.prefix
    found = {(table, p): Derived() for table in TABLES for p in range(told.kafka.partitions)}
    for message in records(told.kafka, ends(told, [prefix + table for table in TABLES])):
        found[(message.topic() or "").removeprefix(prefix), message.partition() or 0].take(message)
    if all(log.marked_ms < 0 for log in found.values()):
        raise Refused(f"the derived topics of {told.kafka.brokers} hold no mark: nothing was closed in this run")
    return found


def follow(told: Settings, recorded: dict[Place, Derived], session: Session) -> dict[Place, Derived]:
    """What the replay derives, until it has come as far as the recorded logs or says nothing more."""
    prefix = told.kafka.prefix
    found = {place: Derived() for place in recorded}
    reading = reading_from(told.kafka, [(prefix + table, p) for table, p in found])
    came_s = time.monotonic()
    try:
        while any(found[place].marked_ms < log.marked_ms for place, log in recorded.items()):
            session.supervisor.check()
            for message in reading.consume(10_000, 0.2):
                if message.error() is None:
                    came_s = time.monotonic()
                    found[(message.topic() or "").removeprefix(prefix), message.partition() or 0].take(message)
            if time.monotonic() - came_s > STILL_S:
                break
    finally:
        reading.close()
    return found


def judge(
    recorded: dict[Place, Derived], replayed: dict[Place, Derived], kept: Mapping[str, str], say: Printer
) -> list[str]:
    """Print digests by table; where the two differ, the replay did not come as far, or something else is stored."""
    grid = Grid("table", "rows", "recorded", "replayed", "", "stored", box=None, pad_edge=False)
    out = []
    for table in TABLES:
        places = [place for place in recorded if place[0] == table]
        until = {p: min(recorded[p].marked_ms, replayed[p].marked_ms) for p in places}
        short = [p for p in places if replayed[p].marked_ms < recorded[p].marked_ms]
        ours = {p: recorded[p].up_to(until[p]) for p in places}
        theirs = {p: replayed[p].up_to(until[p]) for p in places}
        (rows, one), (_, other) = digest(ours.values()), digest(theirs.values())
        stored = "DIFFERENT" if table.replace(".", "_") in kept else "equal"
        same = "equal" if one == other else "DIFFERENT"
        grid.add_row(table.replace(".", "_"), f"{rows:,}", one, other, same, stored)
        for place in places:
            unlike = [
                name for name in ours[place].keys() | theirs[place] if ours[place].get(name) != theirs[place].get(name)
            ]
            if unlike:
                where = sorted(unlike)[0].decode(errors="replace").removeprefix('{"id":"')
                out.append(f"{table}[{place[1]}]: {len(unlike)} rows differ, the first is {where}")
        out += [
            f"{t}[{p}]: the replay came only to {replayed[t, p].marked_ms} of {recorded[t, p].marked_ms}"
            for t, p in short
        ]
    say.print(grid)
    return out + [f"{table}: {line}" for table, line in kept.items()]
