"""Multiplied: recorded frames of one instrument as those of many, without end and at any rate.

Every copy is a frame as the venue would have sent it: another symbol, the time at which the copy is due, and in each
further lap ids that go on where the lap before ended. Each lap brings its snapshot again, so the chain of ids is whole.
"""

import itertools
import re
from collections.abc import Iterator

from flows.bench.material import Material
from flows.captures.capture import Recorded
from flows.refusal import Refused

SECOND_NS = 1_000_000_000
_ID = re.compile(rb'("(?:U|u|pu|lastUpdateId|t|a|f|l)":)(\d+)')
_TIME = rb'(?<="[ET]":)\d{13}|(?<="time":)\d{13}'
TIME, SYMBOL = None, 0
Piece = bytes | int | None


def whole_book(material: Material, instruments: int) -> int:
    """After so many frames of `multiplied` every instrument has had its snapshot."""
    for at, frame in enumerate(_from_snapshot(material)):
        if not frame.named or b"lastUpdateId" in frame.data[:20]:
            return (at + 1) * instruments
    raise Refused("the frames hold no snapshot")


def lap(material: Material) -> int:
    """How many recorded frames go to each instrument before the first of them comes again."""
    return len(_from_snapshot(material))


def names(symbol: str, base: str, instruments: int) -> list[str]:
    """The symbols: the recorded one, then others of the same form.

    >>> names("BTCUSD_PERP", "BTC", 3)
    ['BTCUSD_PERP', 'Q1USD_PERP', 'Q2USD_PERP']
    """
    return [symbol, *(symbol.replace(base, f"Q{i}", 1) for i in range(1, instruments))]


def multiplied(material: Material, instruments: int, per_s: float, start_ns: int) -> Iterator[Recorded]:
    """Frames of all instruments, `per_s` in a second of event time; each recorded frame goes to each instrument.

    Refuses what is not a Binance venue's, or of several symbols.
    """
    symbols = {f.symbol for f in material.frames}
    symbol = symbols.pop()
    if symbols or symbol is None or not material.venue.name.startswith("binance"):
        raise Refused(f"only frames of one Binance instrument can be multiplied, not {material.venue.name}'s")
    others = names(symbol, material.venue.base(symbol), instruments)
    coded = [(name, name.encode()) for name in others]
    pattern = re.compile(re.escape(symbol.encode()) + b"|" + _TIME)
    frames = _from_snapshot(material)
    found = [int(m[2]) for f in frames for m in _ID.finditer(f.data)]
    ids = max(found) - min(found) + 1
    count = 0
    for lap in itertools.count():
        for frame in frames:
            pieces = _pieces(_shifted(frame.data, lap * ids), pattern)
            for name, code in coded:
                at_ns = start_ns + int(count * SECOND_NS / per_s)
                count += 1
                now = b"%d" % (at_ns // 1_000_000)
                data = b"".join([now if p is TIME else code if p is SYMBOL else p for p in pieces])  # type: ignore[misc]
                yield Recorded(at_ns, frame.kind, name, frame.named, data)


def _from_snapshot(material: Material) -> tuple[Recorded, ...]:
    """From a second before the first snapshot on: what comes earlier no book can use, and it spoils short runs."""
    for at, frame in enumerate(material.frames):
        if b"lastUpdateId" in frame.data[:20]:
            return material.frames[max(0, at - 20) :]
    raise Refused("the frames hold no snapshot")


def _shifted(data: bytes, by: int) -> bytes:
    return _ID.sub(lambda m: m[1] + b"%d" % (int(m[2]) + by), data) if by else data


def _pieces(data: bytes, pattern: re.Pattern[bytes]) -> list[Piece]:
    """The frame cut at its symbol and its times."""
    out: list[Piece] = []
    at = 0
    for match in pattern.finditer(data):
        out += [data[at : match.start()], TIME if match[0].isdigit() else SYMBOL]
        at = match.end()
    return [*out, data[at:]]
