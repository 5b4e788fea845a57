"""Pages: the view of a demo cut to the terminal that there is, 80 x 24 at the least; a key chooses what is seen."""

import select
import sys
import termios
import tty
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from flows.kafka.topic_tail import Seen
from flows.monitoring import telemetry
from flows.monitoring.health import Health
from flows.printable import printable
from flows.session import view

PAGES = ("overview", "accounts", "alerts", "books", "bursts", "liquidations", "flows")
"""In the order of their keys, 1 for the first."""
DROPPED = {"Books": ("OFI", "imbalance"), "Accounts": ("VaR 1h 99 %", "maintenance"), "Flows": ("rows", "commit age s")}
"""Columns that a narrow terminal does without, by title, the first to go first."""
_GRAVITY = {level: i for i, level in enumerate(("critical", "high", "unknown", "elevated", "low"))}
_ROWS = 4
"""Of each table in the overview."""
NOTHING_YET = "no rows yet: the market's past is simulated first, and kernels compile once"


class Cut:
    """Something to show in at most so many lines of the terminal's width; what is cut off is counted."""

    def __init__(self, shown: RenderableType, lines: int) -> None:
        """`lines` is at least 1."""
        self.shown, self.lines = shown, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The first lines, the last of them saying how many more there are."""
        shown = self.shown
        if isinstance(shown, Table):
            _narrow(shown, console, options)
        lines = console.render_lines(shown, options.update(height=None), pad=False)
        left = len(lines) - self.lines
        for line in lines[: self.lines - 1] if left > 0 else lines:
            yield from line
            yield Segment.line()
        if left > 0:
            yield Text(f"... {left + 1} more", "dim")


def _narrow(table: Table, console: Console, options: ConsoleOptions) -> None:
    """A row a line: without frames, and without the columns that have no room."""
    table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1), False
    for column in table.columns:
        column.no_wrap = True
    going = list(DROPPED.get(str(table.title), ()))
    while going and Measurement.get(console, options.update(width=10_000), table).maximum > options.max_width:
        name = going.pop(0)
        table.columns = [column for column in table.columns if column.header != name]


class Screen:
    """All of one page, no line more than the terminal has; the most important first."""

    def __init__(self, parts: list[tuple[RenderableType, int]]) -> None:
        """`parts` with the lines that each may have, 0: what is left."""
        self.parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Part after part, as long as there is room."""
        left = (options.height or console.height) - 1
        for shown, most in self.parts:
            if left < 1:
                return
            lines = console.render_lines(Cut(shown, min(most or left, left)), options.update(height=None), pad=False)
            left -= len(lines)
            for line in lines:
                yield from line
                yield Segment.line()


def screen(
    page: str,
    seen: Seen,
    prefix: str,
    health: Mapping[str, Health],
    before: Mapping[str, Health],
    elapsed_s: float,
    head: str,
    places: tuple[str, ...] = (),
) -> Screen:
    """A page of the view; `places` are where broker, store and metrics answer, shown beside the flows."""
    rows = {
        name: seen.rows.get(prefix + name, {}) for name in ("features.book", "risk.accounts", "forecasts.liquidation")
    }
    latest = {name: list(seen.latest.get(prefix + name, ())) for name in ("alerts", "liquidations")}
    made: dict[str, Callable[[], Table]] = {
        "accounts": lambda: view.accounts(rows["risk.accounts"]),
        "alerts": lambda: view.alerts(latest["alerts"]),
        "books": lambda: view.quotes(rows["features.book"]),
        "bursts": lambda: view.forecasts(rows["forecasts.liquidation"]),
        "liquidations": lambda: view.liquidations(latest["liquidations"]),
        "flows": lambda: view.flows(health, before, elapsed_s),
    }
    told = Text(state(health), no_wrap=True, overflow="ellipsis")
    keys = " ".join(f"{i} {name}" for i, name in enumerate(PAGES, 1)) + " q quit"
    parts: list[tuple[RenderableType, int]] = [
        (Text(keys, "dim", no_wrap=True), 1),
        *((Text(printable(line), "bold", no_wrap=True, overflow="ellipsis"), 1) for line in head.splitlines()[:2]),
        (told, 1),
    ]
    if page in made:
        where = [(Text(line, no_wrap=True, overflow="ellipsis"), 1) for line in places] if page == "flows" else []
        return Screen([*parts, *where, (made[page](), 0)])
    few = 3 + _ROWS
    overview = [
        (view.alerts(latest["alerts"][-_ROWS:]), few),
        (view.accounts(_gravest(rows["risk.accounts"])), few),
        (made["books"](), 0),
    ]
    told_of: list[tuple[RenderableType, int]] = [part for part in overview if part[0].row_count]
    return Screen([*parts, *(told_of or [(Text(NOTHING_YET, no_wrap=True, overflow="ellipsis"), 1)])])


def _gravest(accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    order = sorted(accounts, key=lambda name: _GRAVITY.get(accounts[name]["risk_level"], -1))
    return {name: accounts[name] for name in order[:_ROWS]}


def state(health: Mapping[str, Health]) -> str:
    """Whether everything runs and how far behind, in a line."""
    lags = [h.highest[view.EVENT_TIME] for h in health.values() if view.EVENT_TIME in h.highest]
    age = f"{max(lags):,.1f} s" if lags else "-"
    behind = sum(h.totals.get(telemetry.LAG.name, 0.0) for h in health.values())
    rejects = sum(h.totals.get(telemetry.REJECTS.total, 0.0) for h in health.values())
    up = sum(h.up for h in health.values())
    return f"{up}/{len(health)} flows up, event time lag {age}, {behind:,.0f} messages behind, {rejects:,.0f} rejects"


class Keys:
    """The keys that are pressed in a terminal, without waiting; none where input is no terminal."""

    def __enter__(self) -> "Keys":
        """Keys come at once and are not shown."""
        self._before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
        if self._before is not None:
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """The terminal as it was."""
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """What was pressed since the last time."""
        out = ""
        while self._before is not None and select.select([sys.stdin], [], [], 0)[0]:
            if not (key := sys.stdin.read(1)):
                break
            out += key
        return out


def turned(page: str, keys: str) -> str:
    """The page after some keys: a number names one, tab or space goes on to the next.

    >>> turned("overview", "4"), turned("flows", "\\t"), turned("books", "x")
    ('books', 'overview', 'books')
    """
    for key in keys:
        if key in "\t ":
            page = PAGES[(PAGES.index(page) + 1) % len(PAGES)]
        elif key.isdigit() and 1 <= int(key) <= len(PAGES):
            page = PAGES[int(key) - 1]
    return page
