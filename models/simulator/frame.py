"""A frame: one message of a venue as an edge of ours would have received it."""

from typing import Literal, NamedTuple

Kind = Literal["depth", "trades", "liquidations", "derivatives", "accounts"]


class Frame(NamedTuple):
    """`symbol` names the instrument, or the account of an `accounts` frame; `data` is the verbatim JSON."""

    received_ns: int
    kind: Kind
    symbol: str
    data: bytes
