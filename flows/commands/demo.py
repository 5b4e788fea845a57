"""`alphaplus demo`: everything on one machine, on a simulated market or on the exchanges, in the terminal."""

import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.live import Live

from flows.clickhouse.client import connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.commands.apart import apart, make_database
from flows.commands.options import DEMO, Data, File, Minutes, Sets, settings
from flows.commands.printer import Printer
from flows.engine.signals import interrupted_when_told
from flows.job_graph import FLOWS, derived_topics
from flows.kafka.topic_making import create_topics
from flows.kafka.topic_tail import Tail
from flows.monitoring import telemetry
from flows.monitoring.health import Health, scrape
from flows.printable import printable
from flows.session.demo_market import DemoMarket, LiveMarket, SimulatedMarket
from flows.session.demo_pages import Keys, screen, turned
from flows.session.embedded import refuse_in_use
from flows.session.preflight import check
from flows.session.session import Session
from flows.session.supervisor import ProcessFailed, Supervisor
from flows.session.view import line
from flows.settings.tree import Settings
from flows.topic_names import every_topic

PLAIN_S = 5.0
TROUBLE_S = 10.0
"""A commit comes every second."""
COMMITTED = telemetry.COMMITTED.name
PAST = 70


def demo(
    *,
    minutes: Minutes = 0.0,
    instruments: Annotated[int, Parameter(help="how many simulated instruments")] = 5,
    seed: Annotated[int, Parameter(help="seed of the simulated market")] = 7,
    past: Annotated[
        int, Parameter(help="minutes of market before the start: forecasts need 65, all horizons 120")
    ] = PAST,
    live: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            help="VENUE:SYMBOL[,SYMBOL...] of an exchange in place of the simulated market, as often as needed",
        ),
    ] = (),
    real_topics: Annotated[
        bool, Parameter(negative=(), help="write into the configured topics and tables, not into ones of its own")
    ] = False,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Run broker, store, a simulated market and every flow on this machine, and show what they say.

    Its rows are in a database of their own, `simulated` (with `--live`: `live`); in a configured ClickHouse its name
    begins with that of the configured one, and on configured brokers its topics begin with `simulated.`.
    """
    interrupted_when_told()
    market: DemoMarket = LiveMarket(live) if live else SimulatedMarket(instruments, seed, past)
    told = settings(config, set, data)
    if data is None:
        told = msgspec.structs.replace(told, data=str(Path(told.data) / DEMO))
    refuse_in_use(told)
    told = check(msgspec.structs.replace(told, market=market.changed(told.market)))
    through = told.clickhouse.database
    if not real_topics:
        told = apart(told, market.run)
    console = Printer()
    console.print("starting: broker, store, market, flows (the first start compiles for a minute or two)")
    try:
        session = Session(told, "demo")
        session.settings = market.prepared(told, session.folder)
        with session:
            make_database(session.settings.clickhouse, through)
            until = time.monotonic() + 60 * minutes if minutes else float("inf")
            health: dict[str, Health] = {}
            word = "done"
            try:
                _show(session, market, console, until, health)
            except KeyboardInterrupt:
                word = "stopped"
            left = uncommitted(session.supervisor, health, time.time())
    except KeyboardInterrupt:
        console.print("stopped")
        return 0
    except ProcessFailed as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1
    if left:
        print(printable(f"alphaplus: not all is stored: {'; '.join(left)}"), file=sys.stderr)
        return 1
    console.print(word)
    return 0


def uncommitted(supervisor: Supervisor, health: Mapping[str, Health], now_s: float) -> list[str]:
    """End the flows; of each that was in trouble and could not commit what it had read, its name and why.

    In trouble is one that has failed, or whose last commit is old; one that has only just begun is not.
    """
    flows = [name for name in supervisor.children if name.rsplit("-", 1)[0] in {f.name for f in FLOWS}]
    supervisor.stop(*flows)
    out = []
    for name in flows:
        child = supervisor.children[name]
        last_s = health[name].totals.get(COMMITTED, 0.0) if name in health else 0.0
        trouble = child.failures or (last_s and now_s - last_s > TROUBLE_S)
        if trouble and child.process.returncode not in (0, -signal.SIGTERM):
            out.append(f"{name}: {child.why()}")
    return out


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


def _show(session: Session, market: DemoMarket, console: Printer, until: float, before: dict[str, Health]) -> None:
    """Show all of it `until` then; `before` is the health of the flows when it was looked at last."""
    told: Settings = session.settings
    kafka, prefix = told.kafka, told.kafka.prefix
    apply_migrations(connect(told.clickhouse), FOLDER)
    written = [prefix + t for t in derived_topics()]
    create_topics(kafka, every_topic(told), kafka.partitions, forever=True)
    for flow in FLOWS:
        session.start_flow(flow.name)
    market.start(session)
    places = tuple(addresses(session))
    for text in places:
        console.print(text, soft_wrap=True, highlight=False)
    tail = Tail(kafka, tuple(written), kafka.partitions, kafka.fetch_wait_ms)
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
                    head = f"{market.title}; try: alphaplus query{where} SQL\n{market.said(session)}"
                    pressed = keys.pressed()
                    if "q" in pressed:
                        return
                    page = turned(page, pressed)
                    live.update(screen(page, seen, prefix, health, before, now - scraped, head, places), refresh=True)
                elif now - printed >= PLAIN_S:
                    printed = now
                    console.print(
                        f"{market.run}: {line(seen, prefix, health)}; {market.said(session)}",
                        soft_wrap=True,
                        highlight=False,
                    )
                before.update(health)
                scraped = now
    finally:
        tail.close()
