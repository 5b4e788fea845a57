"""A venue: its name, its rule of sequence, and one parser per kind of raw topic."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.batches import Depth, Derivatives, Liquidations, Sequencing, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable


def whole(data: bytes) -> list[tuple[str | None, bytes]]:
    """A frame that is never split."""
    return [(None, data)]


def ordinary(data: bytes) -> None:
    """Nothing is strange about a frame."""


@dataclass(frozen=True, slots=True)
class Venue:
    """Parsers never raise on foreign bytes: a frame becomes rows, nothing (an acknowledgement) or a `Reject`.

    They may add to the table they are given (a symbol seen for the first time), and read nothing else.
    What a frame becomes depends on the frames before it in its log only, never on where a batch was cut.
    """

    name: str
    sequencing: Sequencing
    depth: Callable[[Frames, InstrumentTable], tuple[Depth, list[Reject]]]
    trades: Callable[[Frames, InstrumentTable], tuple[Trades, Liquidations, list[Reject]]]
    liquidations: Callable[[Frames, InstrumentTable], tuple[Liquidations, list[Reject]]]
    derivatives: Callable[[Frames, InstrumentTable], tuple[Derivatives, list[Reject]]]
    instruments: Callable[[bytes], list[Instrument]]
    """The venue's own exchange-info JSON as instruments; ValueError says what is missing."""
    base: Callable[[str], str]
    """The base asset of a symbol, which keys the raw topics."""
    kind_of: Callable[[bytes], str | None]
    """Which raw topic a recorded frame belongs to (depth, trades, liquidations, derivatives); None: not published."""
    infer: Callable[[str], Instrument]
    """What a symbol alone says of its instrument."""
    symbol_of: Callable[[bytes], str | None]
    """The symbol a recorded frame names itself; None where it does not (it then travels in the header `symbol`)."""
    kinds: tuple[str, ...] = ("depth", "trades", "liquidations", "derivatives")
    """Which raw topics the venue has; liquidations may come inside trades."""
    nameless: tuple[bytes, ...] = ()
    """How frames begin whose symbol travels in the record header `symbol`."""
    split: Callable[[bytes], list[tuple[str | None, bytes]]] = whole
    """A recorded frame as frames of one base asset each, with a symbol of it; a frame of one base is itself."""
    strange: Callable[[bytes], str | None] = ordinary
    """Why a recorded frame that belongs to no raw topic is none of the venue's; None of those known to be of no use."""
