"""`alphaplus replay`: recorded frames through every flow, to the last committed row, and a digest of what came out."""

import heapq
import shlex
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.table import Table as Grid

from flows import market
from flows.captures.capture import CaptureError, Recorded, account_key, places, read, read_records
from flows.clickhouse.client import connect
from flows.clickhouse.digest import digest
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.commands.apart import apart, make_database
from flows.commands.options import Data, File, Sets, settings
from flows.commands.printer import Printer
from flows.commands.reasons import grid, reasons
from flows.engine.signals import interrupted_when_told
from flows.forecast import folder
from flows.job_graph import FLOWS, raw_topic
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.kafka.written_marks import Marks
from flows.learning.promotion import put_in_force
from flows.printable import printable
from flows.refusal import Refused
from flows.session.embedded import refuse_in_use
from flows.session.preflight import check
from flows.session.session import Session
from flows.session.supervisor import ProcessFailed
from flows.settings.tree import Settings, SettingsError
from flows.tables import TABLES
from flows.topic_names import ACCOUNTS, every_topic, input_topics, written_topics
from models import model_registry
from schemas.frames import Reject
from schemas.rejected import records
from schemas.venue import Venue
from schemas.venues.registry import VENUES

ATTEND_S = 0.2
EVERY = tuple(flow.name for flow in FLOWS)
MARKED_MS = 1_000
"""Of recorded time: a replay at full speed would else write more marks than frames."""


def captures(pairs: tuple[str, ...]) -> list[tuple[Venue, Path]]:
    """The arguments, checked before anything starts."""
    out: list[tuple[Venue, Path]] = []
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not equals or name not in VENUES:
            raise SettingsError(f"{pair!r}: write VENUE=FILE, with VENUE one of {', '.join(VENUES)}")
        path = Path(file)
        if not path.is_file():
            raise SettingsError(f"{file}: there is no such file")
        if any(path.samefile(other) for _, other in out):
            raise SettingsError(f"{file}: it is named twice")
        try:
            deque(read(path, VENUES[name]), maxlen=0)  # to its last line: nothing is published of a broken file
        except CaptureError as error:
            raise SettingsError(str(error)) from None
        out.append((VENUES[name], path))
    if not out:
        raise SettingsError("no captures: write VENUE=FILE, e.g. binance-usdm=frames.log.gz")
    return out


def _check(accounts: Path) -> None:
    if not accounts.is_file():
        raise SettingsError(f"{accounts}: there is no such file")
    try:
        deque(read_records(accounts), maxlen=0)
    except CaptureError as error:
        raise SettingsError(str(error)) from None


def in_turn(files: list[tuple[Venue, Path]], accounts: Path | None = None) -> Iterator[tuple[Venue | None, Recorded]]:
    """All frames, of all files and the accounts (None), merged by receive time; at one time in the files' order."""

    def one(i: int, venue: Venue, path: Path) -> Iterator[tuple[int, int, Venue | None, Recorded]]:
        for frame in read(path, venue):
            yield frame.received_ns, i, venue, frame

    streams = [one(i, venue, path) for i, (venue, path) in enumerate(files)]
    if accounts is not None:
        streams.append((record.received_ns, len(files), None, record) for record in read_records(accounts))
    for _, _, venue, frame in heapq.merge(*streams, key=lambda item: item[:2]):
        yield venue, frame


def publish(
    publisher: Publisher,
    frames: Iterable[tuple[Venue | None, Recorded]],
    prefix: str,
    times: float,
    say: Printer,
    attend: Callable[[], None],
    known: market.Known | None = None,
    marks: Marks | None = None,
) -> Counter[str]:
    """Write every frame to its topic; `times` the recorded pace, or as fast as it goes when 0.

    Keys are base assets: of the instruments that are `known`, as they say, of others as their symbols do. `attend` is
    called now and then: flows that died are started again while frames are still being written. `marks` are written
    between the frames.
    """
    count: Counter[str] = Counter()
    first_ns, began = 0, time.monotonic()
    attended = began
    for venue, frame in frames:
        if time.monotonic() - attended > ATTEND_S:
            attend()
            attended = time.monotonic()
        if times:
            first_ns = first_ns or frame.received_ns
            due = began + (frame.received_ns - first_ns) / 1e9 / times
            while (wait := due - time.monotonic()) > 0:
                publisher.poll()
                attend()
                time.sleep(min(wait, 0.05))
        if marks is not None:
            marks.come_to(frame.received_ns // 1_000_000 - 1)
        if venue is None:
            publisher.publish(prefix + ACCOUNTS, account_key(frame.data), frame.data, frame.received_ns // 1_000_000)
            count[prefix + ACCOUNTS] += 1
            continue
        if frame.problem:
            publisher.publish(prefix + "rejects", *_unreadable(frame), frame.received_ns // 1_000_000)
            count["unreadable, to rejects"] += 1
            continue
        if frame.kind is None or frame.kind not in venue.kinds or frame.symbol is None:
            count["not published"] += 1
            continue
        topic = prefix + raw_topic(frame.kind, venue.name)
        symbol = None if frame.named else frame.symbol
        listed = (known or {}).get(venue.name, {}).get(frame.symbol)
        key = (listed.base if listed else venue.base(frame.symbol)).encode()
        publisher.publish(topic, key, frame.data, frame.received_ns // 1_000_000, symbol)
        count[topic] += 1
        if sum(count.values()) % 100_000 == 0:
            say.print(f"published {sum(count.values()):,} frames", highlight=False)
    publisher.flush()
    return count


def _unreadable(frame: Recorded) -> tuple[bytes, bytes]:
    """Key and value of the reject of a line that is no frame."""
    reason = f"{frame.problem} line {frame.line}"
    ((key, value),) = records("replay", [Reject(frame.source, 0, frame.line, reason, frame.data)])
    return key, value


def replay(
    *files: Annotated[str, Parameter(help="VENUE=FILE, as often as needed; merged by receive time")],
    speed: Annotated[Literal["max", "1", "10"], Parameter(help="times the recorded pace")] = "max",
    accounts: Annotated[Path | None, Parameter(help="account records, `<receive time> <JSON>` a line")] = None,
    processes: Annotated[int, Parameter(help="processes of each computing flow")] = 1,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Publish recorded frames, run every flow until all of it is committed, print counts and digests.

    Its rows are in a database of their own, `replay_<run>`, and on configured brokers its topics begin with
    `replay-<run>.`.
    """
    interrupted_when_told()
    chosen = captures(files)
    if accounts is not None:
        _check(accounts)
    if processes < 1:
        raise SettingsError("--processes must be at least 1")
    names = tuple(dict.fromkeys(v.name for v, _ in chosen))
    base = settings(config, set, data)
    base = msgspec.structs.replace(base, market=base.market.only(names))
    known = market.known_instruments(check(base))
    refuse_in_use(base)
    through, base = base.clickhouse.database, apart(base, f"replay-{time.time_ns():x}")
    say = Printer(highlight=False)
    began = time.monotonic()
    try:
        with Session(base, "replay") as session:
            make_database(session.settings.clickhouse, through)
            times = {"max": 0.0, "1": 1.0, "10": 10.0}[speed]
            return _run(session, known, chosen, accounts, times, processes, say, began)
    except (ProcessFailed, CaptureError) as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1


def start(session: Session, processes: int, flows: Iterable[str] = EVERY) -> list[str]:
    """Tables and topics made, the flows started; the input topics, to be announced when all is published."""
    told: Settings = session.settings
    apply_migrations(connect(told.clickhouse), FOLDER)
    create_topics(told.kafka, every_topic(told), told.kafka.partitions, forever=True)
    try:
        if champion := model_registry.champion(folder(told)):
            put_in_force(told, model_registry.load(folder(told), champion), 0)
    except ValueError as error:
        raise Refused(str(error)) from None
    for flow in flows:
        session.start_flow(flow, 1 if flow == "archive" else processes, bounded=True)
    return input_topics(told)


def _run(
    session: Session,
    known: market.Known,
    files: list[tuple[Venue, Path]],
    accounts: Path | None,
    times: float,
    processes: int,
    say: Printer,
    began: float,
) -> int:
    told: Settings = session.settings
    say.print("starting: broker, store, flows (the first start compiles for minutes)")
    inputs = start(session, processes)
    publisher = Publisher(told.kafka, told.kafka.retry_s)
    attend = session.supervisor.check
    marks = Marks(publisher, written_topics(told), told.kafka.partitions, MARKED_MS)
    frames = publish(publisher, in_turn(files, accounts), told.kafka.prefix, times, say, attend, known, marks)
    if not any(t.startswith(told.kafka.prefix + "raw.") for t in frames):
        raise Refused("the files hold no frame of a published kind")
    session.announce(inputs)
    for topic, n in sorted(frames.items()):
        say.print(f"{n:>9,} frames  {topic}")
    say.print("published; the flows go on until all of it is committed")
    session.settle(list(EVERY))
    client = connect(told.clickhouse)
    elapsed = time.monotonic() - began
    counts = Grid("table", "rows", "digest", box=None, pad_edge=False)
    for table in TABLES:
        rows, hexadecimal = digest(client, table.name)
        counts.add_row(table.name, f"{rows:,}", hexadecimal)
    say.print(counts)
    ((gaps, rejects),) = client.rows(
        "SELECT (SELECT sum(depth_gaps) FROM quality FINAL), (SELECT count() FROM rejects FINAL)"
    )
    rate = f"{sum(frames.values()) / elapsed:,.0f} frames/s overall, {elapsed:.1f} s"
    say.print(f"gaps {gaps}, rejects {rejects}, {rate}")
    if rejects:
        kinds = reasons(client)
        paths = [path for _, path in files] + ([accounts] if accounts is not None else [])
        say.print(grid(kinds, places(paths, {kind.frame for kind in kinds})), soft_wrap=True)
    _where(told, session, say)
    return 0


def _where(told: Settings, session: Session, say: Printer) -> None:
    """Where the rows are, and a query to begin with."""
    sql = "SELECT symbol, window_start, best_bid, best_ask, book_ok FROM features_book"
    sql += " WHERE window_ms = 60000 ORDER BY symbol, window_start LIMIT 10"
    database = told.clickhouse.database
    if "store" in session.embedded:
        place, more = f"{session.data / 'store'}", f"--data {shlex.quote(told.data)}"
    else:
        place, more = told.clickhouse.url, f"--set clickhouse.url={told.clickhouse.url}"
    place, more = f"in database {database} of {place}", f"{more} --set clickhouse.database={database}"
    say.print(f"the rows are {place}; try:", soft_wrap=True)
    say.print(f'alphaplus query {more} "{sql}"', soft_wrap=True)
