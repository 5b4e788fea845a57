"""`alphaplus demo`: everything on one machine, on a simulated market, in the terminal."""

import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.live import Live

from flows.clickhouse.client import connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.commands.apart import apart, make_database
from flows.commands.options import DEMO, Data, File, Sets, settings
from flows.demo_pages import Keys, screen, turned
from flows.health import Health, scrape
from flows.job_graph import FLOWS, derived_topics
from flows.kafka.topic_making import create_topics
from flows.kafka.topic_tail import Tail
from flows.preflight import check
from flows.printable import Printer, printable
from flows.session import Session, refuse_in_use
from flows.settings import Settings, SettingsError
from flows.supervisor import ProcessFailed
from flows.topic_names import every_topic, input_topics
from flows.view import line
from models.simulator import Disturbances, brackets, numbered
from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from models.simulator.simulation import LISTED

PLAIN_S = 5.0
PAST = 70
BRACKETS = "brackets.json"
ROUGH = Disturbances(p_gap=0.02, gap_max_s=5.0, p_duplicate=0.001, p_delay=0.001, p_garbage=0.0002)
"""What goes wrong on the way, as it does with a real venue: now and then a book is not trusted and a frame rejected."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _simulated(count: int, seed: int) -> Simulated:
    if count < 1:
        raise SettingsError("--instruments must be at least 1")
    names = tuple(LISTED)[:count]
    return Simulated(seed=seed, symbols=(*names, *numbered(max(0, count - len(names)))), disturbances=ROUGH)


def demo(
    *,
    minutes: Annotated[float, Parameter(help="stop after so many minutes (0: at Ctrl-C)")] = 0.0,
    instruments: Annotated[int, Parameter(help="how many simulated instruments")] = 5,
    seed: Annotated[int, Parameter(help="seed of the simulated market")] = 7,
    past: Annotated[
        int, Parameter(help="minutes of market before the start: forecasts need 65, all horizons 120")
    ] = 70,
    real_topics: Annotated[
        bool, Parameter(negative=(), help="write into the configured topics and tables, not into ones of its own")
    ] = False,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Run broker, store, a simulated market and every flow on this machine, and show what they say.

    Its rows are in a database of their own, `simulated`; in a configured ClickHouse its name begins with that of the
    configured one, and on configured brokers its topics begin with `simulated.`.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if past < 0:
        raise SettingsError("--past must not be negative")
    simulated = _simulated(instruments, seed)
    told = settings(config, set, data)
    if data is None:
        told = msgspec.structs.replace(told, data=str(Path(told.data) / DEMO))
    refuse_in_use(told)
    changed = msgspec.structs.replace(told.market, venues=(simulated.venue,), instruments=tuple(listed(simulated)))
    told = check(msgspec.structs.replace(told, market=changed))
    through = told.clickhouse.database
    if not real_topics:
        told = apart(told, "simulated")
    console = Printer()
    console.print("starting: broker, store, simulated market, flows (the first start compiles for some seconds)")
    try:
        session = Session(told, "demo")
        session.settings = _with_brackets(told, session.folder / BRACKETS, simulated)
        with session:
            make_database(session.settings.clickhouse, through)
            until = time.monotonic() + 60 * minutes if minutes else float("inf")
            _show(session, simulated, console, until, past)
    except KeyboardInterrupt:
        console.print("stopped")
        return 0
    except ProcessFailed as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1
    console.print("done")
    return 0


def addresses(session: Session) -> list[str]:
    """Where the services of a session answer, and where it keeps what."""
    told = session.settings
    ports = ", ".join(f"{name} {port}" for name, port in session.ports.items())
    return [
        f"broker  {told.kafka.brokers}",
        f"store   {told.clickhouse.url}  (alphaplus query --data {shlex.quote(str(session.data))} SQL)",
        f"metrics http://127.0.0.1:PORT/metrics  ({ports})",
        f"logs    {session.folder}",
    ]


def _with_brackets(told: Settings, file: Path, simulated: Simulated) -> Settings:
    """The settings with the maintenance tiers of the simulated venue."""
    risk = msgspec.structs.replace(told.risk, brackets_json={**told.risk.brackets_json, simulated.venue: str(file)})
    return msgspec.structs.replace(told, risk=risk)


def _show(session: Session, simulated: Simulated, console: Printer, until: float, past: int) -> None:
    told: Settings = session.settings
    kafka, prefix = told.kafka, told.kafka.prefix
    apply_migrations(connect(told.clickhouse), FOLDER)
    inputs, written = input_topics(told), [prefix + t for t in derived_topics()]
    create_topics(kafka, every_topic(told), kafka.partitions, forever=True, replication=kafka.replication)
    file = session.folder / "simulated.json"
    file.write_bytes(msgspec.json.encode(simulated))
    (session.folder / BRACKETS).write_bytes(msgspec.json.encode(brackets(simulated)))
    for flow in FLOWS:
        session.start_flow(flow.name)
    session.supervisor.start(
        "simulate",
        "flows.simulate",
        "--settings",
        str(session.file),
        "--market",
        str(file),
        "--topics",
        ",".join(inputs),
        "--past",
        str(past),
    )
    session.supervisor.start(
        "model",
        "flows.learning.rehearse",
        "--settings",
        str(session.file),
        "--seed",
        str(simulated.seed + 1000),
        keep=False,
        vital=False,
    )
    model = session.supervisor.children["model"]
    places = tuple(addresses(session))
    for text in places:
        console.print(text, soft_wrap=True, highlight=False)
    tail = Tail(kafka, tuple(written), kafka.partitions, kafka.fetch_wait_ms)
    before: dict[str, Health] = {}
    scraped, printed = time.monotonic(), 0.0
    where = "" if session.data == Path(Settings().data, DEMO).resolve() else f" --data {shlex.quote(str(session.data))}"
    try:
        page = "overview"
        with Keys() as keys, Live(console=console, auto_refresh=False) as live:
            while time.monotonic() < until:
                seen = tail.read(0.5)
                session.supervisor.check()
                health = {name: scrape(port) for name, port in session.ports.items()}
                now = time.monotonic()
                if console.is_terminal:
                    head = f"SIMULATED market, seed {simulated.seed}; try: alphaplus query{where} SQL"
                    head += f"\n{model.last_line()}"
                    pressed = keys.pressed()
                    if "q" in pressed:
                        return
                    page = turned(page, pressed)
                    live.update(screen(page, seen, prefix, health, before, now - scraped, head, places), refresh=True)
                elif now - printed >= PLAIN_S:
                    printed = now
                    console.print(
                        f"simulated: {line(seen, prefix, health)}; {model.last_line()}", soft_wrap=True, highlight=False
                    )
                before, scraped = health, now
    finally:
        tail.close()
