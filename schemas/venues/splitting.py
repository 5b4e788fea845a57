"""Splitting: a frame of several instruments as frames of one each, so that each can go to its own partition."""

from collections.abc import Callable

import msgspec

from schemas.venues.reading import attempt

_top = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
Fields = dict[str, msgspec.Raw]


def _parts(data: bytes, path: tuple[str, ...]) -> tuple[list[Fields], list[msgspec.Raw]] | None:
    """The objects on the way to a frame's list, and its elements; None where there is no list."""
    way: list[Fields] = []
    found: Fields | list[msgspec.Raw] = _top(data)
    for name in path:
        if isinstance(found, list):
            break
        way.append(found)
        inner = bytes(found.get(name, b""))
        if inner[:1] not in (b"{", b"["):
            return None
        found = _top(inner)
    return (way, found) if isinstance(found, list) else None


def _joined(way: list[Fields], path: tuple[str, ...], elements: list[msgspec.Raw]) -> bytes:
    """The frame again, with some of its elements."""
    out = _encode(elements)
    for fields, name in zip(reversed(way), reversed(path[: len(way)]), strict=True):
        out = _encode({**fields, name: msgspec.Raw(out)})
    return out


def splitter(symbol_of: Callable[[bytes], str | None], *path: str) -> Callable[[bytes], list[tuple[str | None, bytes]]]:
    """How a venue's frames are split: `path` leads to the list of their elements, where they have one.

    A frame of one instrument stays as it is, to the byte.

    >>> split = splitter(lambda frame: msgspec.json.decode(frame)["d"][0]["s"], "d")
    >>> split(b'{"d":[{"s":"A"},{"s":"B"},{"s":"A"}]}')
    [('A', b'{"d":[{"s":"A"},{"s":"A"}]}'), ('B', b'{"d":[{"s":"B"}]}')]
    """

    def split(data: bytes) -> list[tuple[str | None, bytes]]:
        found = attempt(lambda frame: _parts(frame, path), data)
        if found is None or len(found[1]) < 2:
            return [(symbol_of(data), data)]
        way, elements = found
        by_symbol: dict[str | None, list[msgspec.Raw]] = {}
        for element in elements:
            by_symbol.setdefault(symbol_of(_joined(way, path, [element])), []).append(element)
        if len(by_symbol) == 1:
            return [(next(iter(by_symbol)), data)]
        return [(symbol, _joined(way, path, some)) for symbol, some in by_symbol.items()]

    return split
