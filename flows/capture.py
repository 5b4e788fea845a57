"""Capture: recorded frames read from a file, one a line, plain or gzip.

A line is `<receive time, ns> <JSON>`. Two other forms are read as well: `<seconds>: <JSON>` (another recorder's), and
bare JSON, whose receive time is taken to be the venue's own `ts` or `E` in milliseconds.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from schemas.venue import Venue

_SECONDS = re.compile(rb"(\d{9,11})(?:\.(\d{1,9}))?: ")
_VENUE_MS = re.compile(rb'"(?:ts|E|timestamp)":\s*"?(\d{13})')


class CaptureError(ValueError):
    """A capture that cannot be read; one line with file and line number."""


class Recorded(NamedTuple):
    """One recorded frame on its way to a raw topic; `kind` None: not of a kind that is published."""

    received_ns: int
    kind: str | None
    symbol: str | None
    named: bool
    data: bytes


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers."""

    def opened() -> IO[bytes] | gzip.GzipFile:
        with path.open("rb") as probe:
            magic = probe.read(2)
        return gzip.open(path, "rb") if magic == b"\x1f\x8b" else path.open("rb")

    number = 0
    try:
        with opened() as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CaptureError(f"{path}: unreadable after line {number}: {reason}") from None


def split(line: bytes, before_ns: int) -> tuple[int, bytes] | None:
    """Receive time and frame; None where the line has neither form.

    >>> split(b'1723161255030314667 {"e":1}', 0)
    (1723161255030314667, b'{"e":1}')
    >>> split(b'1652459224.5: {"e":1}', 0)
    (1652459224500000000, b'{"e":1}')
    >>> split(b'{"ts":1733011200691}', 0)
    (1733011200691000000, b'{"ts":1733011200691}')
    """
    head, space, frame = line.partition(b" ")
    if space and head.isdigit() and 18 <= len(head) <= 19:
        return int(head), frame
    if match := _SECONDS.match(line):
        return int(match[1]) * 10**9 + int((match[2] or b"0").ljust(9, b"0")), line[match.end() :]
    if line.startswith((b"{", b"[")):
        own = _VENUE_MS.search(line)
        return (int(own[1]) * 10**6 if own else before_ns), line
    return None


class _Named(msgspec.Struct):
    account: str


_named = msgspec.json.Decoder(_Named).decode


def account_key(record: bytes) -> bytes:
    """The key of an account record; `unreadable` for one that names no account, which becomes a reject.

    >>> account_key(b'{"account":"a"}'), account_key(b"{}")
    (b'a', b'unreadable')
    """
    try:
        return _named(record).account.encode() or b"unreadable"
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return b"unreadable"


def read_records(path: Path) -> Iterator[Recorded]:
    """The account records of a file, `<receive time, ns> <JSON>` a line, in its order."""
    empty = True
    for number, line in _lines(path):
        head, _, record = line.partition(b" ")
        if line and not (head.isdigit() and 18 <= len(head) <= 19):
            raise CaptureError(f"{path}: line {number} is not <receive time, ns> <JSON>: {line[:60]!r}")
        if line:
            empty = False
            yield Recorded(int(head), "accounts", None, True, record)
    if empty:
        raise CaptureError(f"{path}: holds no records")


def only_symbol(path: Path, venue: Venue) -> str | None:
    """The one symbol that the frames of a file name, for those that name none; None when there are several or none."""
    found: set[str] = set()
    for _, line in _lines(path):
        got = split(line, 0)
        symbol = venue.symbol_of(got[1]) if got else None
        if symbol:
            found.add(symbol)
        if len(found) > 1:
            return None
    return found.pop() if found else None


def read(path: Path, venue: Venue) -> Iterator[Recorded]:
    """The frames of a file in its order.

    A frame that names no symbol (a REST snapshot) is given the file's one symbol; a file with such a frame and several
    symbols is refused, as is one with a line that is no frame.
    """
    alone: str | None = None
    looked = False
    before_ns = 0
    empty = True
    for number, line in _lines(path):
        if not line:
            continue
        got = split(line, before_ns)
        if got is None:
            raise CaptureError(f"{path}: line {number} is not a recorded frame: {line[:60]!r}")
        empty = False
        before_ns, frame = got
        kind = venue.kind_of(frame)
        symbol = venue.symbol_of(frame)
        named = symbol is not None
        if kind is not None and symbol is None:
            if not looked:
                alone, looked = only_symbol(path, venue), True
            if alone is None:
                raise CaptureError(
                    f"{path}: line {number} names no symbol, and the file's frames are not of one symbol"
                )
            symbol = alone
        yield Recorded(before_ns, kind, symbol, named, frame)
    if empty:
        raise CaptureError(f"{path}: holds no frames")
