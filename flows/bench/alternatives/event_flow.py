"""Event flow: the Bytewax dataflow one would write first, one event an item, a dict book a symbol."""

from collections.abc import Sequence

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.bench.alternatives.dict_book import DictBook, Event, Row, decode

POLL = 1_000
"""Items handed over at once: the source is not what is compared."""

Raw = tuple[bytes, str | None]


def _apply(book: DictBook | None, event: tuple[str, Event]) -> tuple[DictBook, list[Row]]:
    symbol, what = event
    book = book or DictBook(symbol)
    row = book.apply(what)
    return book, [row] if row is not None else []


def _keyed(raw: Raw) -> tuple[str, tuple[str, Event]]:
    symbol, event = decode(*raw)
    return symbol, (symbol, event)


def run(values: Sequence[Raw]) -> list[Row]:
    """The rows of all windows but the last."""
    rows: list[tuple[str, Row]] = []
    flow = Dataflow("events")
    frames = op.input("frames", flow, TestingSource(values, POLL))
    events = op.map("decode", frames, _keyed)
    closed = op.stateful_flat_map("book", events, _apply)
    op.output("rows", closed, TestingSink(rows))
    run_main(flow)  # type: ignore[no-untyped-call]
    return [row for _, row in rows]
