"""Inserts: which planned blocks of several logs one INSERT stores, told from their cuts alone.

A table is so wide that an insert of a few rows costs as much as one of a thousand, and logs with a few rows each are
many. So the planned blocks of a topic that are small are *gathered*: one insert, one token. Who crashed, or takes over
from the lease of one who did, must gather the same again, so the cuts say it: the end of a gathered block stands twice.

    cuts of a log = next offset, end of its first block[, once more if it is gathered], end of its second, ...

At any time the gathered blocks of a topic (of one series of tokens) are one insert. A log with a lot stands alone,
block by block, under the token that a block has always had.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Place = tuple[str, int]
"""Topic, partition: a log."""
Cuts = tuple[int, ...]


class Piece(NamedTuple):
    """A block of a log: its offsets from `first` to before `last`."""

    topic: str
    partition: int
    first: int
    last: int


class Insert(NamedTuple):
    """What is stored at once, under one token."""

    token: str
    pieces: tuple[Piece, ...]


def blocks(cuts: Sequence[int]) -> list[tuple[int, int, bool]]:
    """First offset, end, and whether it is gathered, of each block.

    >>> blocks((3, 5, 5, 9))
    [(3, 5, True), (5, 9, False)]
    """
    found: list[tuple[int, int, bool]] = []
    for first, last in pairwise(cuts):
        if last > first:
            found.append((first, last, False))
        else:
            found[-1] = (*found[-1][:2], True)
    return found


def told(start: int, planned: Iterable[tuple[int, bool]]) -> Cuts:
    """The cuts that say these blocks, each by its end and whether it is gathered.

    >>> told(3, [(5, True), (9, False)])
    (3, 5, 5, 9)
    """
    return (start, *(end for last, gathered in planned for end in (last,) * (1 + gathered)))


def inserts(cuts: Mapping[Place, Cuts], series: Mapping[Place, str]) -> list[Insert]:
    """All that is planned, each log's blocks in their order; `series` is what the tokens of a log begin with.

    >>> plan = inserts({("a", 0): (3, 5, 5, 9), ("a", 1): (2, 4, 4), ("b", 0): (7,)}, {("a", 0): "s", ("a", 1): "s"})
    >>> [(i.token, [p.partition for p in i.pieces]) for i in plan]
    [('s-a-0:3-5,1:2-4', [0, 1]), ('s-a-0-5-9', [0])]
    """
    gathered: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    alone: list[Insert] = []
    for (topic, partition), of in cuts.items():
        for first, last, together in blocks(of):
            piece = Piece(topic, partition, first, last)
            if together:
                gathered[series[topic, partition], topic].append(piece)
            else:
                alone.append(Insert(f"{series[topic, partition]}-{topic}-{partition}-{first}-{last}", (piece,)))
    return [*(_gathered(*place, sorted(pieces)) for place, pieces in gathered.items()), *alone]


def _gathered(series: str, topic: str, pieces: list[Piece]) -> Insert:
    names = ",".join(f"{p.partition}:{p.first}-{p.last}" for p in pieces)
    if len(names) > 200:  # a token travels in the request's address
        names = hashlib.blake2b(names.encode(), digest_size=16).hexdigest()
    return Insert(f"{series}-{topic}-{names}", tuple(pieces))


def gather(
    sizes: Mapping[Place, tuple[int, int]], series: Mapping[Place, str], most_rows: int, most_bytes: int
) -> set[Place]:
    """Of logs with one block each, of so many rows and bytes, those that are stored together, no more than fit.

    >>> logs = {("a", 0): (1, 3), ("a", 1): (1, 3), ("a", 2): (1, 3), ("b", 0): (1, 3)}
    >>> sorted(gather(logs, dict.fromkeys(logs, "s"), 9, 6))
    [('a', 0), ('a', 1)]
    """
    groups: dict[tuple[str, str], list[Place]] = defaultdict(list)
    filled: dict[tuple[str, str], tuple[int, int]] = {}
    for place, (rows, size) in sizes.items():
        group = series[place], place[0]
        there = filled.get(group, (0, 0))
        if there[0] + rows <= most_rows and there[1] + size <= most_bytes:
            filled[group] = there[0] + rows, there[1] + size
            groups[group].append(place)
    return {place for places in groups.values() if len(places) > 1 for place in places}
