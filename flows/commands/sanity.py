"""`alphaplus sanity`: what captures come to, a line a column, for eyes that know the market; nothing is stored."""

import math
import sys
from collections import Counter
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.table import Table as Grid

from flows.captures.capture import CaptureError
from flows.captures.summary import QUANTILES, Line, computed, lines
from flows.commands.options import File, Sets, settings
from flows.commands.printer import Printer
from flows.commands.replay import captures, in_turn
from flows.market import known_instruments
from flows.printable import printable
from flows.session.preflight import check
from flows.settings.tree import SettingsError
from flows.tables import TABLES

WIDTH = 110
MOST_REASONS = 12


def sanity(
    *files: Annotated[str, Parameter(help="VENUE=FILE, as often as needed; merged by receive time")],
    table: Annotated[str, Parameter(help="only this table")] = "",
    window_ms: Annotated[int, Parameter(help="of tables of windows, the length")] = 1_000,
    set: Sets = (),
    config: File = None,
) -> int:
    """Print median, 1 % and 99 % of every number that captures come to, nulls, values out of bounds, shares of words.

    Over the rows that the market flow would publish; what of the captures it could not use is told on standard error.
    Fails if one value is not what its declaration allows.
    """
    chosen = captures(files)
    if table and table not in (t.name for t in TABLES):
        raise SettingsError(f"there is no table {table!r}; there are: {', '.join(t.name for t in TABLES)}")
    names = tuple(dict.fromkeys(v.name for v, _ in chosen))
    base = settings(config, set, None)
    told = check(msgspec.structs.replace(base, market=base.market.only(names)))
    if window_ms not in told.windows.lengths_ms():
        lengths = ", ".join(map(str, told.windows.lengths_ms()))
        raise SettingsError(f"--window-ms: there are no windows of {window_ms} ms; there are those of {lengths}")
    refused: Counter[str] = Counter()
    try:
        found = lines(computed(lambda: in_turn(chosen), known_instruments(told), told, refused), window_ms)
    except CaptureError as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1
    for reason, times in refused.most_common(MOST_REASONS):
        print(printable(f"not used: {times:,} times {reason}"), file=sys.stderr)
    if not any(table in ("", name) for name, _ in found):
        what = f"no row of {table}" if found else "no row: no frame of a published kind closes a window"
        print(printable(f"alphaplus: {', '.join(files)}: {what}"), file=sys.stderr)
        return 1
    say = Printer(highlight=False)
    wide = Printer(width=max(say.width, WIDTH))
    for (name, of), columns in found.items():
        if table in ("", name):
            say.print(f"{name}  {of}  {columns[0].rows:,} rows")
            wide.print(_grid([c for c in columns if not c.shares]))
            for line in filter(None, map(_shares, columns)):
                say.print(line)
    wrong = [f"{name} {of} {c.column.name}" for (name, of), columns in found.items() for c in columns if c.forbidden]
    if wrong:
        more = f" (and {len(wrong) - 1} more columns)" if len(wrong) > 1 else ""
        print(printable(f"alphaplus: {wrong[0]} holds what its declaration forbids{more}"), file=sys.stderr)
    return 1 if wrong else 0


def _shares(of: Line) -> str:
    """Which words are there, and how often; empty of numbers."""
    shares = ", ".join(f"{word or 'empty'} {100 * share:.1f} %" for word, share in of.shares)
    return printable(f"{of.column.name}: {shares}") if shares else ""


def _grid(columns: list[Line]) -> Grid:
    heads = ("column", "unit", *(f"{100 * q:g} %" for q in QUANTILES), "null %", "forbidden")
    grid = Grid(*heads, box=None, pad_edge=False)
    for column in grid.columns[2:]:
        column.justify = "right"
    for of in columns:
        numbers = ("" if math.isnan(q) else f"{q:.6g}" for q in of.quantiles)
        nulls = f"{100 * of.nulls / of.rows:.1f}" if of.nulls else ""
        grid.add_row(of.column.name, of.column.unit, *numbers, nulls, str(of.forbidden or ""))
    return grid
