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
        self._at_last = groups["last"]
        self._at_previous, self._at_first = groups.get("previous", 0), groups.get("first", 0)
        self._last: dict[bytes, int] = {}

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
        last = int(found[self._at_last])
        before = self._last.get(stream)
        if before is None or (chain.whole and frame.find(chain.whole, 0, _EDGE) >= 0):
            self._last[stream] = last
            return True
        if last <= before:
            return True
        self._last[stream] = last
        if self._at_previous:
            return int(found[self._at_previous]) <= before
        if self._at_first:
            return int(found[self._at_first]) <= before + 1
        return last == before + 1
