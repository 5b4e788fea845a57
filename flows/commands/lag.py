"""`alphaplus lag`: how far each flow is behind in each log, in messages and in event time."""

import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.table import Table

from flows.commands.options import Data, Directories, File, Sets, seal_key, settings
from flows.commands.printer import Printer
from flows.commands.reach import running_broker
from flows.job_graph import FLOWS
from flows.kafka.glance import ANSWER_S, bounds_of, last_marks, times_before, told_to_group
from flows.kafka.topic_making import present
from flows.monitoring.status import listed
from flows.refusal import Refused
from flows.settings.tree import Settings, SettingsError
from flows.upkeep.committed import Place, directories, least, positions

WIDTH = 160


class Lag(msgspec.Struct, frozen=True):
    """One log as a flow reads it.

    `closed_until_ms`: the newest second that the flow has closed on this partition, as the marks say that it writes; of
    `archive`, which writes no topic, the time of the last record that it has stored. `event_time_lag_s` is its age,
    and 0 for a log of which `archive` has stored everything, whenever the last of it came.
    """

    flow: str
    topic: str
    partition: int
    committed: int
    end: int
    lag_messages: int
    closed_until_ms: int | None
    event_time_lag_s: float | None


def lag(
    *flow: Annotated[str, Parameter(help="market, risk, forecast, alerts, archive (default: all that there are)")],
    format: Annotated[Literal["table", "json"], Parameter(help="how to print it")] = "table",
    most: Annotated[int | None, Parameter(help="exit with 1 when a flow is more messages behind in a log")] = None,
    most_s: Annotated[float | None, Parameter(help="exit with 1 when what it has closed is older")] = None,
    recovery: Directories = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Print of each flow and log what is committed, where the log ends, and the lag in messages and in event time.

    What is committed is asked of the brokers where flows tell it them (kafka.offsets_group), and else read from the
    recovery directories of this machine; without brokers in the settings, from those of the demo that runs.
    A log of which no process has committed anything, though others of its topic were, counts from its start where the
    brokers know of all processes; else it is named, for its process may be on another machine.
    """
    told = settings(config, set, data)
    known = [f.name for f in FLOWS]
    for name in flow:
        if name not in known:
            raise SettingsError(f"there is no flow {name!r}; there are: {', '.join(known)}")
    if recovery and (len(flow) != 1 or "{}" not in recovery):
        raise SettingsError(f"--recovery {recovery!r} is of one flow, with {{}} where the ordinal stands")
    folder = Path(told.data)
    if not told.kafka.brokers:
        told, folder = running_broker(told)
    where = {name: recovery or str(folder / "recovery" / f"{name}-{{}}") for name in flow or known}
    committed = {name: _committed(told, name, pattern) for name, pattern in where.items()}
    for name, found in committed.items():
        if without := begun_by_nobody(told, found):
            if told.kafka.group_of(name):
                found |= {place: low for place, (low, _) in bounds_of(told.kafka, without).items()}
            else:
                logs = listed(f"{topic}[{partition}]" for topic, partition in without)
                print(f"{name}: no process here has committed anything of {logs}", file=sys.stderr)
    silent = [name for name, found in committed.items() if not found]
    if len(silent) == len(committed) or (flow and silent):
        places = (told.kafka.group_of(name) or where[name] for name in silent)
        raise Refused(f"{', '.join(silent)}: nothing is committed in {', '.join(places)}")
    rows = [row for name, found in committed.items() for row in lags(told, name, found)]
    if format == "json":
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        say = Printer()
        Printer(width=max(say.width, WIDTH)).print(grid(rows))
        if silent:
            print(f"nothing committed: {', '.join(silent)}", file=sys.stderr)
    over = [r for r in rows if most is not None and r.lag_messages > most]
    over += [r for r in rows if most_s is not None and (r.event_time_lag_s is None or r.event_time_lag_s > most_s)]
    if over:
        row = over[0]
        age = "nothing closed yet" if row.event_time_lag_s is None else f"{row.event_time_lag_s:.1f} s"
        print(
            f"alphaplus: {row.flow} is behind in {row.topic}[{row.partition}]: {row.lag_messages:,} messages, {age}",
            file=sys.stderr,
        )
    return 1 if over else 0


def _committed(told: Settings, flow: str, pattern: str) -> dict[Place, int]:
    if group := told.kafka.group_of(flow):
        return told_to_group(told.kafka, group)
    return least([positions(flow, directory, seal_key(told)) for directory in directories(pattern)])


def begun_by_nobody(told: Settings, committed: Iterable[Place]) -> list[Place]:
    """The logs of which nothing is committed, of topics of which something is."""
    there, known = set(committed), present(told.kafka, ANSWER_S) if committed else {}
    return [(t, p) for t in sorted({t for t, _ in there}) for p in range(known.get(t, 0)) if (t, p) not in there]


def lags(told: Settings, flow: str, committed: dict[Place, int]) -> list[Lag]:
    """The lag of a flow in each of its logs, by what it has committed."""
    if not committed:
        return []
    within = bounds_of(told.kafka, committed)
    for (topic, partition), offset in committed.items():
        low, end = within[topic, partition]
        if not low <= offset <= end:
            has = f"it has {low} to {end}: retention deleted what lay between, or the log was cut or made anew"
            raise Refused(f"{flow} is to go on in {topic}[{partition}] at offset {offset}, and {has}")
    closed = _closed(told, flow, {p for _, p in committed})
    stored = {} if closed else times_before(told.kafka, committed, within)
    now_ms = time.time() * 1e3
    rows = []
    for (topic, partition), offset in sorted(committed.items()):
        end = within[topic, partition][1]
        until = closed.get(partition) if closed else stored.get((topic, partition))
        age = None if until is None else round((now_ms - until) / 1e3, 3)
        if flow == "archive" and offset == end:
            age = 0.0
        rows.append(Lag(flow, topic, partition, offset, end, end - offset, until, age))
    return rows


def _closed(told: Settings, flow: str, partitions: Iterable[int]) -> dict[int, int]:
    """Up to when a flow has closed each partition: the latest mark on any topic that it alone writes."""
    writes = next(f.writes for f in FLOWS if f.name == flow)
    own = [told.kafka.prefix + t for t in writes if t not in ("rejects", "clickhouse")]
    if not own:
        return {}
    places = [(topic, p) for topic in own for p in partitions]
    found: dict[int, int] = dict.fromkeys(partitions, -1)
    for (_, partition), at_ms in last_marks(told.kafka, bounds_of(told.kafka, places)).items():
        found[partition] = max(found[partition], at_ms)
    return {p: at_ms for p, at_ms in found.items() if at_ms >= 0}


def grid(rows: list[Lag]) -> Table:
    """The lags as a table for people."""
    table = Table("flow", "log", "committed", "end", "lag", "closed until", "behind", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for r in rows:
        until = "nothing yet"
        if r.closed_until_ms is not None:
            until = datetime.fromtimestamp(r.closed_until_ms / 1e3, UTC).strftime("%Y-%m-%d %H:%M:%S")
        behind = "" if r.event_time_lag_s is None else f"{r.event_time_lag_s:,.1f} s"
        log = f"{r.topic}[{r.partition}]"
        table.add_row(r.flow, log, f"{r.committed:,}", f"{r.end:,}", f"{r.lag_messages:,}", until, behind)
    return table
