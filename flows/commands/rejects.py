"""`alphaplus rejects`: what flows could not use, by reason, and handing in again what can be used now."""

import sys
from collections import Counter
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from flows.clickhouse.client import ClickHouse, connect
from flows.commands import reasons
from flows.commands.options import Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import store, with_broker
from flows.engine.signals import interrupted_when_told
from flows.settings.tree import SettingsError
from flows.upkeep.resubmission import PUBLISHED, STORED, Outcome, Rejected, hand_in

rejects = App(name="rejects", help="What flows could not use: by reason; `replay` hands in again what can be used now.")
MOST = 1_000
CHOSEN = """
SELECT reader, topic, partition, offset, reason FROM rejects FINAL
WHERE (reader = {reader:String} OR {reader:String} = '') AND (topic = {topic:String} OR {topic:String} = '')
    AND position(reason, {reason:String}) > 0
ORDER BY topic, partition, offset, nth LIMIT {most:UInt32}
"""
Reader = Annotated[str, Parameter(help="only of this flow")]
Topic = Annotated[str, Parameter(help="only of this topic, without the prefix")]
Why = Annotated[str, Parameter(name="--reason", help="only those whose reason holds this text")]


@rejects.default
def show(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Print the reasons with their counts, where the first of each stands, and what to do; works while flows write."""
    with store(asked(config, set, data)) as told:
        found = reasons.reasons(connect(told.clickhouse))
    say = Printer()
    if found:
        say.print(reasons.grid(found), soft_wrap=True)
    else:
        say.print("nothing was rejected")
    return 0


@rejects.command
def replay(
    *,
    reader: Reader = "",
    topic: Topic = "",
    why: Why = "",
    most: Annotated[int, Parameter(help="of so many at the most, in the order of their logs")] = MOST,
    dry: Annotated[bool, Parameter(negative=(), help="hand in nothing, say what would become of each")] = False,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Hand in again what was rejected and can be used now, each record once; say of all else why not, and exit with 1.

    Rows that the store did not take are stored; inputs are published again at the end of their partition.
    """
    interrupted_when_told()
    if most < 1:
        raise SettingsError("--most must be at least 1")
    told = with_broker(asked(config, set, data))
    if not told.kafka.brokers:
        raise SettingsError("kafka.brokers is not set, and no demo runs: there are no topics to take records from")
    with store(told, reads=False) as reached:
        chosen = _chosen(connect(reached.clickhouse), reader, topic, why, most + 1)
        left, chosen = len(chosen) > most, chosen[:most]
        outcomes = hand_in(reached, chosen, dry)
    say = Printer()
    if outcomes:
        say.print(grid(outcomes), soft_wrap=True)
    if left:
        print(f"more than {most:,} are chosen: the rest was not looked at (--most)", file=sys.stderr)
    done = Counter(o.what for o in outcomes)
    verb = "would be " if dry else ""
    say.print(f"{len(chosen):,} rejects: {verb}{STORED} {done[STORED]:,}, {verb}{PUBLISHED} {done[PUBLISHED]:,}")
    return 0 if all(o.done for o in outcomes) and not left else 1


def _chosen(client: ClickHouse, reader: str, topic: str, why: str, most: int) -> list[Rejected]:
    found = client.rows(CHOSEN, reader=reader, topic=topic, reason=why, most=most)
    return [Rejected(*row) for row in msgspec.convert(found, list[tuple[str, str, int, int, str]])]


def grid(outcomes: list[Outcome]) -> Table:
    """Outcomes that are alike with their count and the first place, as a table for people."""
    alike: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        alike.setdefault((outcome.reject.reader, outcome.reject.topic, outcome.what), []).append(outcome)
    table = Table("rejects", "by", "topic", "the first", "", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for (reader, topic, what), of in sorted(alike.items(), key=lambda item: -len(item[1])):
        first = of[0].reject
        table.add_row(f"{len(of):,}", reader, topic, f"[{first.partition}] offset {first.offset}", what)
    return table
