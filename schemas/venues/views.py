"""Views: of a symbol's book a log keeps one view, the deepest; what the others say is left out, and counted as dropped.

Venues stream one book several times: to other depths (Bybit `orderbook.1`, `.50`), at other speeds (Deribit `raw`,
`100ms`), each with ids of its own, so that what one view says cannot be applied to another. The log keeps the view it
saw first, until a snapshot of a deeper one comes, or of any while there is no book yet (a recording begins in the
middle; Bybit's `orderbook.full` never sends one), or until it has fallen silent: another begins anew by a snapshot
`SILENT_NS` after its last message, or has told of changes for as long. Where nothing changes all views are silent, and
the first message after that may be of any; what a view only says again (Bybit's level 1 does, every three seconds) is
no change.
"""

import msgspec

from schemas.batches import AFTER_SILENCE, BESIDE, WHOLE
from schemas.instrument import View
from schemas.venues.depth_message import Book

SILENT_NS = 10_000_000_000
"""Event time without a message after which another view takes over."""


def chosen(views: dict[str, View], book: Book) -> Book:
    """The message, or one that says that there was one, of a view that is not kept; a REST answer is of none.

    >>> views = {}
    >>> full = Book("BTCUSDT", 5, True, 500, 500, -1, b"[]", b"[]", "50", 50)
    >>> chosen(views, full) is full, chosen(views, full._replace(view="1", levels=1)).last_id == BESIDE
    (True, True)
    """
    kept = views.get(book.symbol)
    if not book.view:
        if kept and not kept.begun:
            views[book.symbol] = msgspec.structs.replace(kept, begun=True)
        return book
    if kept is None or kept.name == book.view:
        latest = max(book.event_ns, kept.event_ns) if kept else book.event_ns
        begun = book.snapshot or bool(kept and kept.begun)
        views[book.symbol] = View(book.view, book.levels, latest, kept.beside if kept else {}, begun=begun)
        return book
    begins = book.snapshot and book.previous_id != WHOLE
    alone_ns = kept.alone_ns
    if not alone_ns and kept.beside.get(book.view, book.last_id) != book.last_id:
        alone_ns = book.event_ns
    since_ns = kept.event_ns if begins else max(kept.event_ns, alone_ns or book.event_ns)
    silent = book.event_ns - since_ns > SILENT_NS
    if silent or (book.snapshot and (book.levels > kept.levels or not kept.begun)):
        views[book.symbol] = View(book.view, book.levels, book.event_ns, begun=book.snapshot)
        if not silent:
            return book._replace(previous_id=WHOLE)
        return book._replace(previous_id=AFTER_SILENCE) if book.previous_id == -1 else book
    beside = {**kept.beside, book.view: book.last_id}
    views[book.symbol] = msgspec.structs.replace(kept, beside=beside, alone_ns=alone_ns)
    return Book(book.symbol, 0, False, BESIDE, BESIDE, BESIDE, b"[]", b"[]")
