"""Log lines: whatever a flow says while it runs, one line each, as text for people or as JSON for who collects logs.

    {"time":"2026-11-27T15:04:05.678Z","level":"warning","flow":"market","shard":"3","offset":{"raw.depth.okx-swap[3]":8},
     "message":"shard 3 has closed nothing for 31 s ..."}

`shard` is called as in the metrics, and `offset` is where the logs of that shard stand, next offset by log; both are
null for what is of the whole process. What goes on goes to standard output, what somebody may have to look at to
standard error. `extra={"shard": ...}` says of which shard a line is.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import msgspec

from flows.printable import printable

Format = Literal["text", "json"]
Offsets = Callable[[], Mapping[str, int]]


class Line(msgspec.Struct, frozen=True):
    """A line as JSON."""

    time: str
    level: str
    flow: str | None
    shard: str | None
    offset: Mapping[str, int] | None
    message: str


class _Lines(logging.Handler):
    """Writes to whatever the two streams are now."""

    def __init__(self) -> None:
        super().__init__()
        self.format_, self.flow = "text", ""
        self.offsets: dict[str, Offsets] = {}

    def emit(self, record: logging.LogRecord) -> None:
        out = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        with suppress(OSError):  # a flow does not end because its log has no room or its terminal is gone
            out.write(self.line(record) + "\n")
            out.flush()

    def line(self, record: logging.LogRecord) -> str:
        """The record as it is written."""
        text = record.msg
        if self.format_ == "json":
            return msgspec.json.encode(self._json(record, text.removeprefix(f"{self.flow}: "))).decode()
        sayer = getattr(record, "sayer", self.flow)
        if sayer and not text.startswith(f"{sayer}: "):
            text = f"{sayer}: {text}"
        return text

    def _json(self, record: logging.LogRecord, text: str) -> Line:
        shard = getattr(record, "shard", None)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        offsets = None if shard is None else self.offsets.get(str(shard).partition(",")[0])
        standing = None if offsets is None else offsets()
        return Line(at, record.levelname.lower(), self.flow or None, shard, standing, text)


def _plain(record: logging.LogRecord) -> bool:
    """What comes from outside is data in every line, whoever writes it out: half a character has no UTF-8, nor JSON."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True


_LINES = _Lines()
_LINES.addFilter(_plain)
ALL = logging.getLogger("alphaplus")
ALL.addHandler(_LINES)
LOG = logging.getLogger("alphaplus.flow")
LOG.setLevel(logging.INFO)


def speak(flow: str, form: Format = "text") -> None:
    """From now on this process is a flow, and its lines are of that form."""
    _LINES.flow, _LINES.format_ = flow, form


def follow(shard: str, offsets: Offsets) -> None:
    """Lines of a shard say where it stands."""
    _LINES.offsets[shard] = offsets


def fail(text: str) -> None:
    """Say why the command ends."""
    LOG.error("%s", " ".join(text.splitlines()), extra={"sayer": "alphaplus"})


def told(line: str) -> str:
    """What a line says, whichever form it has.

    >>> told('{"time":"","level":"error","flow":"risk","shard":null,"offset":null,"message":"no broker"}')
    'no broker'
    >>> told("risk: no broker")
    'risk: no broker'
    """
    try:
        return msgspec.json.decode(line, type=Line).message
    except msgspec.MsgspecError:
        return line
