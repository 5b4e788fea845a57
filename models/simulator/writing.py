"""Writing: events as the venue's JSON, byte by byte in compiled code, since formatting is what frames cost."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.simulator.simulated_rows import DEPTH, FORCE, I8, INTEREST, MARK, SNAPSHOT, TRADE, Event
from schemas.kernels import kernel

U1 = NDArray[np.uint8]

PHRASES: tuple[tuple[str, ...], ...] = (
    ('{"stream":"%l@depth@100ms","data":{"e":"depthUpdate","E":', ',"T":', ',"s":"%u","U":', ',"u":', ',"pu":',
     ',"b":[', '],"a":[', "]}}"),
    ('{"lastUpdateId":', ',"E":', ',"T":', ',"bids":[', '],"asks":[', "]}"),
    ('{"stream":"%l@trade","data":{"e":"trade","E":', ',"T":', ',"s":"%u","t":', ',"p":"', '","q":"',
     '","X":"MARKET","m":', "}}"),
    ('{"stream":"%l@forceOrder","data":{"e":"forceOrder","E":', ',"o":{"s":"%u","S":"',
     '","o":"LIMIT","f":"IOC","q":"', '","p":"', '","ap":"', '","X":"', '","l":"', '","z":"', '","T":', "}}}"),
    ('{"stream":"%l@markPrice@1s","data":{"e":"markPriceUpdate","E":', ',"s":"%u","p":"', '","i":"', '","P":"',
     '","r":"', '","T":', "}}"),
    ('{"openInterest":"', '","symbol":"%u","time":', "}"),
    ("BUY", "SELL", "true", "false", "FILLED", "PARTIALLY_FILLED", '["', '","', '"],'),
)  # fmt: skip
"""The text between the values of a frame, by kind of event; %l and %u are the symbol in lower and upper case."""

WIDEST = max(map(len, PHRASES))
WORDS = len(PHRASES) - 1


def phrases(symbols: tuple[str, ...]) -> tuple[U1, I8]:
    """All text between values as one buffer, and where phrase j of a kind begins for an instrument."""
    text = bytearray()
    at = np.zeros((len(symbols), len(PHRASES), WIDEST + 1), np.int64)
    for i, symbol in enumerate(symbols):
        for kind, parts in enumerate(PHRASES):
            at[i, kind, :] = len(text)
            for j, part in enumerate(parts):
                text += part.replace("%l", symbol.lower()).replace("%u", symbol).encode()
                at[i, kind, j + 1 :] = len(text)
    return np.frombuffer(bytes(text), np.uint8), at


@kernel
def say(out: U1, n: int, text: U1, start: int, end: int) -> int:
    """Copy a phrase."""
    for j in range(start, end):
        out[n] = text[j]
        n += 1
    return n


@kernel
def number(out: U1, n: int, value: int, decimals: int) -> int:
    """A decimal number: value / 10**decimals with exactly that many decimals.

    >>> out = np.zeros(9, np.uint8)
    >>> end = number(out, 0, -105, 2)
    >>> out[:end].tobytes()
    b'-1.05'
    """
    if value < 0:
        out[n] = 45
        n += 1
        value = -value
    digits = 1
    rest = value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    digits = max(digits, decimals + 1)
    end = n + digits + (1 if decimals > 0 else 0)
    at = end - 1
    for j in range(digits):
        if decimals > 0 and j == decimals:
            out[at] = 46
            at -= 1
        out[at] = 48 + value % 10
        value //= 10
        at -= 1
    return end


@kernel
def ladder(out: U1, n: int, levels: I8, start: int, end: int, tick: I8, lot: I8, text: U1, words: I8) -> int:
    """Levels as pairs of decimal strings."""
    for j in range(start, end):
        n = say(out, n, text, words[6], words[7])
        n = number(out, n, levels[j, 0] * tick[0], tick[1])
        n = say(out, n, text, words[7], words[8])
        n = number(out, n, levels[j, 1] * lot[0], lot[1])
        n = say(out, n, text, words[8], words[9])
    return n - 1 if end > start else n


@kernel
def write(
    events: Sequence[Event], order: I8, levels: I8, ticks: I8, lots: I8, text: U1, at: I8, out: U1, ends: I8
) -> int:
    """Frames of `events[order]`, one after the other in `out`; frame j ends at `ends[j]`. Returns the last end."""
    n = 0
    for j in range(len(order)):
        e = events[order[j]]
        here, words = at[e.instrument, e.kind], at[e.instrument, WORDS]
        tick, lot = ticks[e.instrument], lots[e.instrument]
        n = say(out, n, text, here[0], here[1])
        middle = e.start + e.bids
        if e.kind == DEPTH:
            n = say(out, number(out, n, e.event_ms, 0), text, here[1], here[2])
            n = say(out, number(out, n, e.event_ms, 0), text, here[2], here[3])
            n = say(out, number(out, n, e.first_id, 0), text, here[3], here[4])
            n = say(out, number(out, n, e.id, 0), text, here[4], here[5])
            n = say(out, number(out, n, e.previous_id, 0), text, here[5], here[6])
            n = say(out, ladder(out, n, levels, e.start, middle, tick, lot, text, words), text, here[6], here[7])
            n = ladder(out, n, levels, middle, middle + e.asks, tick, lot, text, words)
            n = say(out, n, text, here[7], here[8])
        elif e.kind == SNAPSHOT:
            n = say(out, number(out, n, e.id, 0), text, here[1], here[2])
            n = say(out, number(out, n, e.event_ms, 0), text, here[2], here[3])
            n = say(out, number(out, n, e.event_ms, 0), text, here[3], here[4])
            n = say(out, ladder(out, n, levels, e.start, middle, tick, lot, text, words), text, here[4], here[5])
            n = ladder(out, n, levels, middle, middle + e.asks, tick, lot, text, words)
            n = say(out, n, text, here[5], here[6])
        elif e.kind == TRADE:
            n = say(out, number(out, n, e.event_ms, 0), text, here[1], here[2])
            n = say(out, number(out, n, e.event_ms, 0), text, here[2], here[3])
            n = say(out, number(out, n, e.id, 0), text, here[3], here[4])
            n = say(out, number(out, n, e.ticks * tick[0], tick[1]), text, here[4], here[5])
            n = say(out, number(out, n, e.lots * lot[0], lot[1]), text, here[5], here[6])
            maker = 3 if e.side > 0 else 2
            n = say(out, say(out, n, text, words[maker], words[maker + 1]), text, here[6], here[7])
        elif e.kind == FORCE:
            bought, state = (0 if e.side > 0 else 1), (4 if e.id == e.lots else 5)
            n = say(out, number(out, n, e.event_ms, 0), text, here[1], here[2])
            n = say(out, say(out, n, text, words[bought], words[bought + 1]), text, here[2], here[3])
            n = say(out, number(out, n, e.lots * lot[0], lot[1]), text, here[3], here[4])
            n = say(out, number(out, n, e.ticks * tick[0], tick[1]), text, here[4], here[5])
            n = say(out, number(out, n, e.price_e8, 8), text, here[5], here[6])
            n = say(out, say(out, n, text, words[state], words[state + 1]), text, here[6], here[7])
            n = say(out, number(out, n, e.id * lot[0], lot[1]), text, here[7], here[8])
            n = say(out, number(out, n, e.id * lot[0], lot[1]), text, here[8], here[9])
            n = say(out, number(out, n, e.event_ms, 0), text, here[9], here[10])
        elif e.kind == MARK:
            n = say(out, number(out, n, e.event_ms, 0), text, here[1], here[2])
            n = say(out, number(out, n, e.price_e8, 8), text, here[2], here[3])
            n = say(out, number(out, n, e.index_e8, 8), text, here[3], here[4])
            n = say(out, number(out, n, e.index_e8, 8), text, here[4], here[5])
            n = say(out, number(out, n, e.funding_e8, 8), text, here[5], here[6])
            n = say(out, number(out, n, e.next_funding_ms, 0), text, here[6], here[7])
        elif e.kind == INTEREST:
            n = say(out, number(out, n, e.lots * lot[0], lot[1]), text, here[1], here[2])
            n = say(out, number(out, n, e.event_ms, 0), text, here[2], here[3])
        ends[j] = n
    return n
