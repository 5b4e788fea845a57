"""Continuity: whether the updates of each book hang together as they are received, and which books must begin anew."""

import re
from dataclasses import dataclass

from flows.live.feed import Chain
from flows.live.outlet import Route, Routed

SET_BACK = 100
"""So many updates in turn that are older than their book: the venue has set its ids back, and a second connection that
lags would have been left by then."""
_EDGE = 400
"""The ids of an update stand within so many bytes of its beginning or its end."""


@dataclass(slots=True)
class _Book:
    """Where an instrument's depth stands."""

    last: bytes
    """Id of the last update, in digits."""
    next: bytes
    """The id that the update after it names, if none is missing: compared as it is written, no number is made of it."""
    since: int
    """The id from which its updates hang together: a whole book that ends before it is of no use to them."""
    at: int
    """Where the ids stood in the last update, from the beginning or from the end: they nearly always do so again."""
    older: int = 0
    older_than: bytes = b""
    """How many updates in turn were older than which last one."""


class Continuity:
    """The last update id of each instrument's depth; an update that two connections brought counts once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        groups = chain.pattern.groupindex
        self._by_previous = "previous" in groups
        self._link = groups.get("previous") or groups.get("first") or groups["last"]
        self._last = groups["last"]
        self._match = chain.pattern.match
        self._books: dict[str, _Book] = {}
        self._wholes: dict[str, int] = {}
        """Whole books that came before the first update, by their ids."""
        self.headless: set[str] = set()
        """Instruments whose streams begin with a whole book, and whose whole book has not come since it was missed."""

    def forget(self, symbol: str) -> None:
        """The next update begins a chain: what was before it may be missing, and a whole book is on its way."""
        self._books.pop(symbol, None)
        self._wholes.pop(symbol, None)
        self.headless.discard(symbol)

    def joins(self, symbol: str, whole: int) -> bool:
        """Whether the updates go on from a whole book with this id; True too while none has come.

        >>> of = Continuity(Chain(re.compile(rb'"u":(?P<last>\\d+),"pu":(?P<previous>\\d+)')))
        >>> of.follows("A", b'"u":9,"pu":7'), of.joins("A", 6), of.joins("A", 7), of.joins("B", 5)
        (True, False, True, True)
        >>> of.follows("B", b'"u":9,"pu":7')
        False
        """
        book = self._books.get(symbol)
        if book is None:
            self._wholes[symbol] = whole
            return True
        return whole >= book.since

    def newer(self, symbol: str, whole: int) -> bool:
        """Whether a whole book with this id is newer than the last update; True too while none has come.

        >>> of = Continuity(Chain(re.compile(rb'"u":(?P<last>\\d+),"pu":(?P<previous>\\d+)')))
        >>> of.follows("A", b'"u":9,"pu":7'), of.newer("A", 9), of.newer("A", 10), of.newer("B", 1)
        (True, False, True, True)
        """
        book = self._books.get(symbol)
        return book is None or whole > int(book.last)

    def follows(self, symbol: str, frame: bytes) -> bool:
        """Whether an update continues its book; True too where that cannot be told.

        >>> of = Continuity(Chain(re.compile(rb'"u":(?P<last>\\d+),"pu":(?P<previous>\\d+)')))
        >>> [of.follows("A", b'"u":%d,"pu":%d' % ids) for ids in ((2, 1), (5, 2), (5, 2), (9, 7), (11, 9))]
        [True, True, True, False, True]
        """
        return not self.broken(Routed([Route("depth", symbol, b"", True)], [frame]))

    def broken(self, routed: Routed) -> list[str]:
        """The instruments whose updates do not continue their books, of frames of any kind; one loop, for it is hot."""
        broken = []
        books, match, tail = self._books, self._match, self._chain.tail
        link_of, last_of, by_previous = self._link, self._last, self._by_previous
        for (kind, symbol, _, named), frame in zip(*routed, strict=True):
            if kind != "depth" or not named:
                continue
            book = books.get(symbol)
            if book is None:
                if not self._begins(symbol, frame):
                    broken.append(symbol)
                continue
            found = match(frame, book.at + len(frame) if tail else book.at)
            if found is None:
                found = self._search(frame)
                if found is None:
                    continue
                book.at = self._place(found, frame)
            link, last = found.group(link_of, last_of)
            if link == book.next:
                book.last = last
                book.next = last if by_previous else self._after(last)
            elif not self._steps(symbol, book, link, last, frame):
                broken.append(symbol)
        return broken

    def _begins(self, symbol: str, frame: bytes) -> bool:
        if (found := self._search(frame)) is None:
            return True
        link, last = found.group(self._link, self._last)
        since = self._since(link or last)
        self._books[symbol] = _Book(last, self._after(last), since, self._place(found, frame))
        if self._chain.whole and not self._anew(link, frame):
            return self._lacks_its_whole(symbol)
        return self._wholes.pop(symbol, since) >= since

    def _steps(self, symbol: str, book: _Book, link: bytes | None, last: bytes, frame: bytes) -> bool:
        """An update that is not simply the next."""
        before, anew = int(book.last), self._anew(link, frame)
        if int(last) <= before and not anew and not self._set_back(book):
            return True
        follows = link is not None and self._since(link) <= before < int(last)
        book.last, book.next = last, self._after(last)
        if anew:
            self.headless.discard(symbol)
            return True
        if symbol in self.headless:
            book.next = b""
            return True
        if follows:
            return True
        book.since = self._since(link or last)
        return self._lacks_its_whole(symbol)

    def _lacks_its_whole(self, symbol: str) -> bool:
        """False, for an update that does not continue its book; where the stream sends whole ones, one is awaited.

        Until it has come no update is simply the next: the whole book could be, by its id.
        """
        if self._chain.whole:
            self.headless.add(symbol)
            self._books[symbol].next = b""
        return False

    def _set_back(self, book: _Book) -> bool:
        """Whether so many updates in turn are older than the book that no second connection has sent them."""
        book.older = book.older + 1 if book.older_than == book.last else 1
        book.older_than = book.last
        return book.older >= SET_BACK

    def _anew(self, link: bytes | None, frame: bytes) -> bool:
        """Whether it is a whole book, or one that names none before it."""
        whole = self._chain.whole
        return link is None or (whole is not None and whole.search(frame, 0, _EDGE) is not None)

    def _since(self, link: bytes) -> int:
        """The id of which an update with this link is the next."""
        return int(link) if self._by_previous else int(link) - 1

    def _after(self, last: bytes) -> bytes:
        return last if self._by_previous else b"%d" % (int(last) + 1)

    def _search(self, frame: bytes) -> re.Match[bytes] | None:
        start = max(0, len(frame) - _EDGE) if self._chain.tail else 0
        return self._chain.pattern.search(frame, start, start + _EDGE)

    def _place(self, found: re.Match[bytes], frame: bytes) -> int:
        return found.start() - len(frame) if self._chain.tail else found.start()
