"""Change: what a frame of a venue's account stream, or an answer of its REST interface, says of an account."""

from collections.abc import Callable
from typing import Literal

import msgspec

Mode = Literal["isolated", "cross"]


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A position as a venue counts it; `quantity` is signed and in the venue's unit, 0: it is closed.

    What a frame does not say is None, and is as it was before. `product` is the venue's own word for its kind of
    contract, `unvalued` why there are no rules for it, "" where there are.
    """

    symbol: str
    side: Literal["both", "long", "short"] = "both"
    key: str = ""
    quantity: float
    entry_price: float | None = None
    leverage: float | None = None
    mode: Mode | None = None
    margin: float | None = None
    settles_in: str = ""
    product: str = ""
    unvalued: str = ""


def none(leg: Leg) -> bool:
    """Of a frame that tells what changed, and is not all there is of anything."""
    return False


def every(leg: Leg) -> bool:
    """Of an answer that is all there is."""
    return True


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """All that is not empty replaces what was known of it.

    `at_ms` 0: the frame has no time. `stream`: the venue's stream whose frames have an order of their own; "" of an
    answer. `all_wallets`: what is not among them is no more; `all_legs`: of which positions the frame is all there is.
    `rates`: asset to the dollars of one unit, of a positive and a negative balance. `backs`: whether an asset is
    collateral. `mode`: of those positions that do not say it themselves. `unruled`: why the account's mode has no rules
    here, "": it has. `classic`: of wallets that a unified account has beside its own. `piece`: a snapshot that may be
    told in several frames, of which none says so.
    """

    at_ms: int = 0
    stream: str = ""
    wallets: dict[str, float] = {}
    legs: list[Leg] = []
    leverages: dict[str, float] = {}
    rates: dict[str, tuple[float, float]] = {}
    backs: dict[str, bool] = {}
    multi_assets: bool | None = None
    mode: Mode | None = None
    all_wallets: bool = False
    all_legs: Callable[[Leg], bool] = none
    unruled: str | None = None
    classic: bool = False
    piece: bool = False


def number(text: str | float | None) -> float | None:
    """A decimal as venues write it; None where there is none.

    >>> number("0.5"), number(""), number(None)
    (0.5, None, None)
    """
    return None if text is None or text == "" else float(text)
