"""`alphaplus verify`: the recorded topics of a run once more through every flow, and whether the same came out."""

import sys
import time
from pathlib import Path

import msgspec
from rich.table import Table as Grid

from flows.commands.options import Data, File, Sets, asked
from flows.graph import FEATURES, FORECASTS, RISK
from flows.kafka.topics import create_topics, end_offsets
from flows.printable import Printer
from flows.recorded import Derived, Place, copy, digest, records
from flows.recorded import consumer as reading_from
from flows.refusal import Refused
from flows.session import Session
from flows.settings import Settings, SettingsError, environment, load
from flows.supervisor import ProcessFailed
from flows.topics import every_topic, guess_topics, input_topics

TABLES = (*FEATURES, *RISK, *FORECASTS, "alerts")
COMPUTING = ("market", "risk", "forecast", "alerts")
STILL_S = 60.0
SHOWN = 5


def verify(set: Sets = (), config: File = None, data: Data = None) -> int:
    """Replay the recorded topics of a run (of a demo under way, or of the settings), and compare every table."""
    told = asked(config, set, data)
    if not told.kafka.brokers:
        told = under_way(Path(told.data))
    say = Printer()
    try:
        differences = compare(told, say)
    except ProcessFailed as error:
        print(f"alphaplus: {error}", file=sys.stderr)
        return 1
    for line in differences[:SHOWN]:
        print(f"alphaplus: {line}", file=sys.stderr)
    return 1 if differences else 0


def under_way(data: Path) -> Settings:
    """The settings of the demo that runs on a data folder."""
    for file in sorted((data / "runs").glob("demo-*/settings.json"), key=lambda f: f.stat().st_mtime, reverse=True):
        told = load(file, environment())
        if told.kafka.brokers:
            return told
    raise SettingsError(f"no demo runs on {data}, and kafka.brokers is not set: there are no topics to replay")


def compare(told: Settings, say: Printer) -> list[str]:
    """Each difference in a line. Tables are compared up to the last mark that a log shows in both runs."""
    kafka = told.kafka
    recorded = read(told)
    inputs = ends(told, [*input_topics(told), *guess_topics(told)])
    prefix = f"{kafka.prefix}verify-{time.time_ns():x}."
    again = msgspec.structs.replace(
        told,
        kafka=msgspec.structs.replace(kafka, prefix=prefix),
        clock=msgspec.structs.replace(told.clock, guesses="recorded"),
    )
    create_topics(kafka, every_topic(again), kafka.partitions, forever=True, replication=kafka.replication)
    count = copy(kafka, inputs, lambda topic: prefix + topic.removeprefix(kafka.prefix))
    say.print(f"replaying {count:,} records of {len(inputs)} logs")
    with Session(again, "verify") as session:
        for flow in COMPUTING:
            session.start_flow(flow)
        replayed = follow(again, recorded, session)
    return judge(recorded, replayed, say)


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


def judge(recorded: dict[Place, Derived], replayed: dict[Place, Derived], say: Printer) -> list[str]:
    """Print digests by table; where the two differ, or the replay did not come as far."""
    grid = Grid("table", "rows", "recorded", "replayed", "", box=None, pad_edge=False)
    out = []
    for table in TABLES:
        places = [place for place in recorded if place[0] == table]
        until = {p: min(recorded[p].marked_ms, replayed[p].marked_ms) for p in places}
        short = [p for p in places if replayed[p].marked_ms < recorded[p].marked_ms]
        ours = {p: recorded[p].up_to(until[p]) for p in places}
        theirs = {p: replayed[p].up_to(until[p]) for p in places}
        (rows, one), (_, other) = digest(ours.values()), digest(theirs.values())
        grid.add_row(table.replace(".", "_"), f"{rows:,}", one, other, "equal" if one == other else "DIFFERENT")
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
    return out
