"""Conversion: recordings of other recorders as the lines of a capture, merged by the time of receipt.

cryptofeed writes a file a connection: `<address> <-> <seconds>` when it opens, `<address> <- <seconds>: <text>` what it
sent, `<seconds>: <JSON>` what it received, `<address> -> <seconds>: <JSON>` the answer to a request, `configuration:
<JSON>` what was recorded. Tardis' raw replay has `<ISO time>Z <JSON>` a line, tardis-machine's
`{"localTimestamp":"<ISO time>Z","message":<JSON>}`, both an empty one where the connection was lost. A REST snapshot of
a Binance book does not name its symbol: it gets the form `<symbol>@depthSnapshot` of Tardis.
"""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from flows.captures.capture import CaptureError, lines, machine_line

Recorder = Literal["cryptofeed", "tardis"]
Line = tuple[int, bytes]
"""Receive time in nanoseconds, and the frame."""

_SECONDS = re.compile(rb"(\d{9,11})(?:\.(\d{1,9}))?: ")
_OPENED = re.compile(rb"\S+ <-> \d")
_SENT = re.compile(rb"\S+ <- \d")
_ANSWER = re.compile(rb"(\S+) -> ")
_ISO = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")


def cryptofeed(line: bytes, left_out: Counter[str]) -> Line | None:
    """The frame of a line; None for one that holds none, which is counted.

    >>> url = b"https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 -> 1626992741.301402: "
    >>> cryptofeed(url + b'{"lastUpdateId":7}', Counter())
    (1626992741301402000, b'{"stream":"btcusdt@depthSnapshot","generated":true,"data":{"lastUpdateId":7}}')
    """
    if not line:
        return None
    if _OPENED.match(line):
        left_out["openings of a connection"] += 1
        return None
    if line.startswith(b"configuration: "):
        left_out["configurations"] += 1
        return None
    if _SENT.match(line):
        left_out["messages sent"] += 1
        return None
    answer = _ANSWER.match(line)
    found = _SECONDS.match(line, answer.end() if answer else 0)
    if found is None:
        raise ValueError("is not a line of cryptofeed's recorder")
    at_ns, frame = _ns(int(found[1]), found[2]), line[found.end() :]
    if answer is None:
        return at_ns, frame
    address = urlsplit(answer[1].decode(errors="replace"))
    symbol = parse_qs(address.query).get("symbol", [""])[0]
    if symbol and address.path.endswith("/depth"):
        return at_ns, b'{"stream":"%s@depthSnapshot","generated":true,"data":%s}' % (symbol.lower().encode(), frame)
    if symbol and address.path.endswith("/openInterest"):
        return at_ns, frame
    left_out[f"answers of {address.path}"] += 1
    return None


def tardis(line: bytes, left_out: Counter[str]) -> Line | None:
    """The frame of a line; None for an empty one, where the connection was lost.

    >>> tardis(b'2019-08-01T00:00:00.1234567Z {"e":1}', Counter())
    (1564617600123456700, b'{"e":1}')
    """
    if not line:
        left_out["disconnects"] += 1
        return None
    if (told := machine_line(line)) is not None:
        return told
    found = _ISO.match(line)
    if found is None:
        raise ValueError("is not a line of Tardis' raw replay")
    second = datetime.strptime(found[1].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return _ns(int(second.timestamp()), found[2]), line[found.end() :]


READERS: dict[Recorder, Callable[[bytes, Counter[str]], Line | None]] = {"cryptofeed": cryptofeed, "tardis": tardis}


def converted(recorder: Recorder, files: Iterable[Path], left_out: Counter[str]) -> Iterator[Line]:
    """The frames of all files in the order of their receipt. CaptureError names the file and line that is no line."""
    return heapq.merge(*(_frames(recorder, path, left_out) for path in files), key=lambda line: line[0])


def _frames(recorder: Recorder, path: Path, left_out: Counter[str]) -> Iterator[Line]:
    read = READERS[recorder]
    for number, line in lines(path):
        try:
            found = read(line, left_out)
        except ValueError as error:
            raise CaptureError(f"{path}: line {number} {error}: {line[:60]!r}") from None
        if found is not None:
            yield found


def _ns(seconds: int, fraction: bytes | None) -> int:
    return seconds * 10**9 + int((fraction or b"0").ljust(9, b"0"))
