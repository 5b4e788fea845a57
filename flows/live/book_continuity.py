"""Continuity: whether the updates of each book hang together as they are received, and which books must begin anew."""

from flows.live.feed import Chain

_EDGE = 400
"""The ids of an update stand within so many bytes of its beginning or its end."""


class Continuity:
    """The last update id of each stream of depth; an update that two connections brought counts once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._search = chain.pattern.search
        groups = chain.pattern.groupindex
        self._by_previous, self._by_first = "previous" in groups, "first" in groups
        self._ids = groups["last"], groups.get("previous") or groups.get("first") or groups["last"]
        self._last: dict[bytes, bytes] = {}

    def follows(self, stream: bytes, frame: bytes) -> bool:
        """Whether an update continues its book; True too where that cannot be told.

        >>> of = Continuity(Chain(re.compile(rb'"u":(?P<last>\\d+),"pu":(?P<previous>\\d+)')))
        >>> [of.follows(b"a", b'"u":%d,"pu":%d' % ids) for ids in ((2, 1), (5, 2), (5, 2), (9, 7), (11, 9))]
        [True, True, True, False, True]
        """
        chain = self._chain
        start = max(0, len(frame) - _EDGE) if chain.tail else 0
        found = self._search(frame, start, start + _EDGE)
        if found is None:
            return True
        last, link = found.group(*self._ids)
        before = self._last.get(stream)
        if before is None or (link == before and self._by_previous):  # nearly always, and without a number made of it
            self._last[stream] = last
            return True
        if chain.whole and frame.find(chain.whole, 0, _EDGE) >= 0:
            self._last[stream] = last
            return True
        if int(last) <= int(before):
            return True
        self._last[stream] = last
        if self._by_previous:
            return int(link) <= int(before)
        return int(link) <= int(before) + 1
