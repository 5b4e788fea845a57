"""Continuity: whether the updates of each book hang together as they are received, and which books must begin anew."""

import re

from flows.live.feed import Chain

_EDGE = 400
"""The ids of an update stand within so many bytes of its beginning or its end."""


class Continuity:
    """The last update id of each stream of depth; an update that two connections brought counts once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._search = chain.pattern.search
        self._groups = frozenset(re.compile(chain.pattern).groupindex)
        self._last: dict[str, int] = {}

    def follows(self, stream: str, frame: bytes) -> bool:
        """Whether an update continues its book; True too where that cannot be told.

        >>> of = Continuity(Chain(re.compile(rb'"u":(?P<last>\\d+),"pu":(?P<previous>\\d+)')))
        >>> [of.follows("a", b'"u":%d,"pu":%d' % ids) for ids in ((2, 1), (5, 2), (5, 2), (9, 7), (11, 9))]
        [True, True, True, False, True]
        """
        chain = self._chain
        edge = frame[-_EDGE:] if chain.tail else frame[:_EDGE]
        found = self._search(edge)
        if found is None:
            return True
        last = int(found["last"])
        before = self._last.get(stream)
        if before is None or (chain.whole and chain.whole in frame[:_EDGE]):
            self._last[stream] = last
            return True
        if last <= before:
            return True
        self._last[stream] = last
        if "previous" in self._groups:
            return int(found["previous"]) <= before
        if "first" in self._groups:
            return int(found["first"]) <= before + 1
        return last == before + 1

    def forget(self, stream: str) -> None:
        """The book begins anew."""
        self._last.pop(stream, None)

    def last(self, stream: str) -> int | None:
        """The latest update id of a stream."""
        return self._last.get(stream)
