"""Capture: recorded frames read from a file, one a line, plain or gzip.

A line is `<receive time> <JSON>`. The time is nanoseconds since 1970; milli- and microseconds are told by their number
of digits, and seconds with a fraction, `<seconds>: <JSON>` (cryptofeed's recorder), `<ISO time>Z <JSON>` (Tardis) and
`{"localTimestamp":"<ISO time>Z","message":<JSON>}` (tardis-machine) are read as well. Bare JSON is taken to have been
received when the venue's own `ts` or `E` says; a line without it, when the line before was, and the first ones of a
file when the first that says so was.

A line that cannot be read, or whose JSON is no frame of the venue (one that a recorder has put into a wrapping of its
own), is handed on as such, with its number; a file of which no line can be read is refused.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from schemas.venue import Venue

_UNITS = {10: 10**9, 13: 10**6, 16: 10**3, 18: 1, 19: 1}
"""By the digits of a receive time, nanoseconds of its unit: from 2001 to 2286, or 1973 in nanoseconds."""
_SECONDS = re.compile(rb"(\d{9,11})(?:\.(\d{1,9}):?|:) ")
_LAST_NS = 2**63 - 1
_ISO = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00) ")
_MACHINE = re.compile(rb'\{\s*"localTimestamp"\s*:\s*"([^"]{1,40})"\s*,\s*"message"\s*:\s*(.*)\}\s*', re.DOTALL)
_MARK = b"\xef\xbb\xbf"
"""What some editors write before the first line (UTF-8's byte order mark)."""
_PACKED = {
    "zstd": b"\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "xz": b"\xfd7zXZ\x00",
    "bzip2": b"BZh",
    "zip": b"PK\x03\x04",
}
_VENUE_MS = re.compile(rb'"(?:ts|E|timestamp)":\s*"?(\d{16}|\d{13})(?!\d)')


class CaptureError(ValueError):
    """A capture that cannot be read; one line with file and line number."""


class Recorded(NamedTuple):
    """One recorded frame on its way to a raw topic; `kind` None: not of a kind that is published.

    `problem` says why a line, the `line`th of the file `source`, is no frame at all.
    """

    received_ns: int
    kind: str | None
    symbol: str | None
    named: bool
    data: bytes
    problem: str | None = None
    source: str = ""
    line: int = 0


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers."""

    def opened() -> IO[bytes] | gzip.GzipFile:
        with path.open("rb") as probe:
            magic = probe.read(6)
        for name, begins in _PACKED.items():
            if magic.startswith(begins):
                raise CaptureError(f"{path}: is packed by {name}, and plain text and gzip are read: unpack it first")
        return gzip.open(path, "rb") if magic.startswith(b"\x1f\x8b") else path.open("rb")

    number = 0
    try:
        with opened() as file:
            for number, line in enumerate(file, 1):
                yield number, (line.removeprefix(_MARK) if number == 1 else line).rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, EOFError):
            reason = (
                f"its end is missing: the recorder was killed, or still writes; `gzip -dc {path}` gives what there is"
            )
        raise CaptureError(f"{path}: unreadable after line {number}: {reason}") from None


def receive_time(line: bytes) -> tuple[int, bytes] | None:
    """The receive time that a line begins with, in nanoseconds, and what follows it; None where there is none.

    >>> receive_time(b'1723161255030314667 {"e":1}'), receive_time(b'1723161255030 {"e":1}')
    ((1723161255030314667, b'{"e":1}'), (1723161255030000000, b'{"e":1}'))
    >>> receive_time(b'2024-08-08T23:54:15.03Z {"e":1}'), receive_time(b'1723161255.03 {"e":1}')
    ((1723161255030000000, b'{"e":1}'), (1723161255030000000, b'{"e":1}'))
    """
    at_ns, frame = _before_frame(line)
    return (at_ns, frame) if 0 <= at_ns <= _LAST_NS else None


def machine_line(line: bytes) -> tuple[int, bytes] | None:
    """Receive time and frame of a line of tardis-machine; no frame where the message is null.

    >>> machine_line(b'{"localTimestamp":"2019-08-01T00:00:00.1234567Z","message":{"e":1}}')
    (1564617600123456700, b'{"e":1}')
    """
    found = _MACHINE.fullmatch(line)
    if found is None:
        return None
    frame = found[2].rstrip()
    return receive_time(found[1] + b" " + (b"" if frame == b"null" else frame))


def _before_frame(line: bytes) -> tuple[int, bytes]:
    """The time that a line begins with, -1 where there is none, and what follows it."""
    head, space, frame = line.partition(b" ")
    if space and head.isdigit() and len(head) in _UNITS:
        return int(head) * _UNITS[len(head)], frame
    if match := _SECONDS.match(line):
        return int(match[1]) * 10**9 + int((match[2] or b"0").ljust(9, b"0")), line[match.end() :]
    if match := _ISO.match(line):
        try:
            at = datetime.fromisoformat(match[1].decode()).replace(tzinfo=UTC)
        except ValueError:
            return -1, line
        return int(at.timestamp()) * 10**9 + int((match[2] or b"0").ljust(9, b"0")), line[match.end() :]
    return -1, line


def split(line: bytes, before_ns: int) -> tuple[int, bytes] | None:
    """Receive time and frame; None where the line has none of the forms.

    >>> split(b'1723161255030314667 {"e":1}', 0)
    (1723161255030314667, b'{"e":1}')
    >>> split(b'1652459224.5: {"e":1}', 0)
    (1652459224500000000, b'{"e":1}')
    >>> split(b'{"ts":1733011200691}', 0)
    (1733011200691000000, b'{"ts":1733011200691}')
    """
    if found := receive_time(line):
        return found
    if not line.startswith((b"{", b"[")):
        return None
    if _MACHINE.fullmatch(line):
        return machine_line(line)
    own = _VENUE_MS.search(line)
    own_ns = int(own[1]) * _UNITS[len(own[1])] if own else before_ns
    return (own_ns if own_ns <= _LAST_NS else before_ns), line


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
    for number, line in lines(path):
        found = receive_time(line)
        if line and found is None:
            told = f"line {number} is not <receive time> <JSON>: {line[:60]!r}{_unit(line)}"
            raise CaptureError(f"{path}: {told}")
        if found is not None:
            empty = False
            yield Recorded(found[0], "accounts", None, True, found[1])
    if empty:
        raise CaptureError(f"{path}: holds no records")


def _timed(path: Path) -> Iterator[tuple[int, bytes, int, bytes | None]]:
    """Number, line, receive time and frame (None: there is none) of every line that is not empty."""
    before_ns = 0
    early: list[tuple[int, bytes, bytes | None]] = []
    for number, line in lines(path):
        if not line:
            continue
        got = split(line, before_ns)
        at_ns, frame = got if got is not None else (before_ns, None)
        if not at_ns:
            early.append((number, line, frame))
            continue
        for first, of, data in early:
            yield first, of, at_ns, data
        early.clear()
        before_ns = at_ns
        yield number, line, at_ns, frame
    if early and all(frame is None for _, _, frame in early):
        number, line, _ = early[0]
        raise CaptureError(f"{path}: line {number} is not a recorded frame: {line[:60]!r}{_unit(line)}")
    if early:
        raise CaptureError(f"{path}: no line says when it was received: write <receive time> <JSON>")


def _unit(line: bytes) -> str:
    """What may be wrong with the time that a line begins with."""
    head, space, _ = line.partition(b" ")
    if not (space and head.isdigit()):
        return ""
    return (
        f"; a time of {len(head)} digits is neither nanoseconds (19), micro- (16), milliseconds (13) nor seconds (10)"
    )


def places(paths: Iterable[Path], frames: Iterable[bytes]) -> dict[bytes, str]:
    """Where frames stand first in the files, as `<file>:<line>`; without those that no line holds as they are."""
    wanted = set(frames)
    found: dict[bytes, str] = {}
    for path in paths if wanted else ():
        for number, line in lines(path):
            got = split(line, 0)
            if got is not None and got[1] in wanted and got[1] not in found:
                found[got[1]] = f"{path.name}:{number}"
    return found


def only_symbol(path: Path, venue: Venue) -> str | None:
    """The one symbol that the frames of a file name, for those that name none; None when there are several or none."""
    found: set[str] = set()
    for _, line in lines(path):
        got = split(line, 0)
        found |= {symbol for symbol, _ in venue.split(got[1]) if symbol} if got else set()
        if len(found) > 1:
            return None
    return found.pop() if found else None


def _problem(frame: bytes, venue: Venue) -> str | None:
    """Why what should be a frame is none of the venue; empty ones and a bare `pong` are ordinary."""
    if frame in (b"", b"pong", b"ping"):
        return None
    why = venue.strange(frame)
    if why is None:
        return None
    try:
        msgspec.json.decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "not_json"
    return why


def read(path: Path, venue: Venue) -> Iterator[Recorded]:
    """The frames of a file in its order, those of several instruments as one each.

    A frame that names no symbol is given the file's one symbol. Of a file of several it is a reject; but where it is of
    the kind that never does (a REST snapshot), the file is refused.
    """
    alone: str | None = None
    looked = False
    empty = True
    first = ""
    for number, line, at_ns, whole in _timed(path):
        problem = _problem(whole, venue) if whole is not None and venue.kind_of(whole) is None else None
        if whole is None or problem:
            why = problem or "no_receive_time"
            yield Recorded(at_ns, None, None, False, line, why, path.name, number)
            first = first or f" of {venue.name}: line {number} is refused, {why}: {line[:60]!r}"
            continue
        empty = False
        kind = venue.kind_of(whole)
        for own, frame in venue.split(whole) if kind is not None else [(None, whole)]:
            if kind is not None and own is None:
                if not looked:
                    alone, looked = only_symbol(path, venue), True
                if alone is None and not whole.startswith(venue.nameless):
                    yield Recorded(at_ns, None, None, False, frame, "symbol_missing", path.name, number)
                    continue
                if alone is None:
                    raise CaptureError(
                        f"{path}: line {number} names no symbol, and the file's frames are not of one symbol"
                    )
            yield Recorded(at_ns, kind, alone if kind and own is None else own, own is not None, frame)
    if empty:
        raise CaptureError(f"{path}: holds no frames{first}")
