"""Feed: what a venue streams and how one subscribes to it, as data; what all venues share is elsewhere."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

Say = Callable[[list[str], int, bool], str]
"""The message that subscribes to streams (or ends it, where False), with a number of its own."""


class Channel(NamedTuple):
    """One kind of stream. `{symbol}` and `{SYMBOL}` stand for the instrument in small letters and as it is written.

    A stream without either is of all instruments. `quiet_s` is how long one that works may say nothing while others
    move; None: as long as it likes, if not all of them do.
    """

    name: str
    stream: str
    quiet_s: float | None
    socket: str = ""


class Snapshots(NamedTuple):
    """Whole books by REST, for venues whose streams do not begin with one: where, and what they cost a minute."""

    path: str
    weight: int
    per_minute: int
    id: re.Pattern[bytes]
    """The update id of a snapshot, by which it is told whether the stream already reaches beyond it."""


class Chain(NamedTuple):
    """How consecutive updates of a book hang together: what an update says of itself, as groups of a pattern.

    `last` is its own last id. The one before it must have had `previous`, or one not below `first` - 1, or, where only
    `last` is told, one less. `whole` is how an update begins anew (a snapshot in the stream).
    """

    pattern: re.Pattern[bytes]
    whole: re.Pattern[bytes] | None = None
    tail: bool = False
    """The ids stand at the end of a message."""


class Rates(NamedTuple):
    """What a venue allows: messages a second on a socket, streams a message and a socket, new sockets a time.

    `messages_a_socket`: how many a socket is sent before another one is opened instead, where a venue counts them over
    hours.
    """

    messages_per_s: float
    streams_a_message: int
    streams_a_socket: int
    sockets: int
    per_s: float
    messages_a_socket: float = math.inf


@dataclass(frozen=True, slots=True)
class Feed:
    """A venue. `head` finds the name of the stream at the beginning of a frame."""

    venue: str
    sockets: dict[str, str]
    rest: str
    channels: tuple[Channel, ...]
    head: re.Pattern[bytes]
    say: Say
    rates: Rates
    refusal: re.Pattern[bytes]
    """How a frame says that a subscription is refused; its group is the reason."""
    ping: str | None = None
    """What a client says now and then, where the protocol's own pings do not count."""
    ping_s: float = 20.0
    greeting: str | None = None
    """What is said once, before anything else."""
    answers: tuple[tuple[bytes, str], ...] = ()
    """What to say when a frame holds some bytes."""
    farewell: bytes | None = None
    """What a frame holds with which the venue says that it will end the connection."""
    snapshots: Snapshots | None = None
    chain: Chain | None = None


class Stream(NamedTuple):
    """One subscription; `symbol` None: of all instruments of the channel."""

    name: str
    channel: Channel
    symbol: str | None


def streams(feed: Feed, symbols: Iterable[str]) -> list[Stream]:
    """All that is subscribed to for some instruments, one channel after the other."""
    symbols = list(symbols)
    found = []
    for channel in feed.channels:
        if "{symbol}" not in channel.stream.lower():
            found.append(Stream(channel.stream, channel, None))
            continue
        for symbol in symbols:
            name = channel.stream.replace("{symbol}", symbol.lower()).replace("{SYMBOL}", symbol)
            found.append(Stream(name, channel, symbol))
    return found
