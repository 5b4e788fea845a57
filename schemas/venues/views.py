"""Views: of a symbol's book a log keeps one view, the deepest; what the others say is left out, and counted as dropped.

Venues stream one book several times: to other depths (Bybit `orderbook.1`, `.50`), at other speeds (Deribit `raw`,
`100ms`), each with ids of its own, so that what one view says cannot be applied to another. The log keeps the view it
saw first, until a snapshot of a deeper one comes, or until it was silent for `SILENT_NS` while another goes on.
"""

from schemas.batches import AFTER_SILENCE, BESIDE, WHOLE
from schemas.instrument import View
from schemas.venues.depth_message import Book

SILENT_NS = 10_000_000_000
"""Event time without a message after which another view takes over."""


def chosen(views: dict[str, View], book: Book) -> Book:
    """The message, or one that says that there was one, of a view that is not kept.

    >>> views = {}
    >>> full = Book("BTCUSDT", 5, True, 500, 500, -1, b"[]", b"[]", "50", 50)
    >>> chosen(views, full) is full, chosen(views, full._replace(view="1", levels=1)).last_id == BESIDE
    (True, True)
    """
    kept = views.get(book.symbol)
    mine = kept is None or kept.name == book.view
    deeper = kept is not None and not mine and book.snapshot and book.levels > kept.levels
    silent = kept is not None and not mine and book.event_ns - kept.event_ns > SILENT_NS
    if mine or deeper or silent:
        latest = max(book.event_ns, kept.event_ns) if kept and mine else book.event_ns
        views[book.symbol] = View(book.view, book.levels, latest)
        if silent and book.previous_id == -1:
            return book._replace(previous_id=AFTER_SILENCE)
        return book._replace(previous_id=WHOLE) if deeper and not silent else book
    return Book(book.symbol, 0, False, BESIDE, BESIDE, BESIDE, b"[]", b"[]")
