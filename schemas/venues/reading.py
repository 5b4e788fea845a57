"""Reading: foreign bytes become messages or one short reason, and nothing is raised.

A frame of one message is used whole or not at all. Of a frame that lists several (trades, liquidations, marks), an
element that cannot be used is a reject by itself, with its number, and the others are used.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isfinite, nan
from operator import itemgetter
from typing import Annotated, TypeVar

import msgspec
import numpy as np

from schemas.frames import Frames, Reject
from schemas.venues.nesting import too_deep

T = TypeVar("T")
M = TypeVar("M")
Id = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_LAST_MS = (2**63 - 1) // 1_000_000
_FIRST_US = 10**14
_SECONDS = range(10**9, 10**10)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?")


class Unusable(Exception):
    """Why a frame, or an element of its list, cannot be used; begins with a machine-readable word."""


def present(value: T | None, name: str) -> T:
    """The value of a field that must be there."""
    if value is None:
        raise Unusable(f"missing_field {name}")
    return value


def raw(value: msgspec.Raw, name: str) -> bytes:
    """The bytes of a field that must be there."""
    data = bytes(value)
    if not data:
        raise Unusable(f"missing_field {name}")
    return data


def nanoseconds(ms: int | None, name: str) -> int:
    """An event time in ms as ns; one in microseconds (16 digits, Binance's `timeUnit`) is recognised, others are named.

    >>> nanoseconds(1740996000200, "E"), nanoseconds(1740996000200137, "E")
    (1740996000200000000, 1740996000200137000)
    """
    if not ms:
        raise Unusable(f"event_time_missing {name}")
    if ms in _SECONDS:
        raise Unusable(f"out_of_range {name}, seconds?")
    if _FIRST_US <= ms <= _LAST_MS * 1000:
        return ms * 1000
    if not 0 < ms <= _LAST_MS:
        raise Unusable(f"out_of_range {name}" + (", nanoseconds?" if ms > _LAST_MS * 1000 else ""))
    return ms * 1_000_000


def milliseconds(text: str | None, name: str) -> int | None:
    """The integer in a string that some venues use for times."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Unusable(f"wrong_type {name}")
    return int(text)


def number(value: str | float | None, name: str) -> float:
    """A number as printed; NaN where the field is absent or an empty string."""
    if value is None or value == "":
        return nan
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise Unusable(f"wrong_type {name}")
        value = float(value)
    if not isfinite(value):
        raise Unusable(f"out_of_range {name}")
    return float(value)


def price(value: str | float | None, name: str) -> float:
    """A price as printed; NaN where it is absent, empty or 0, which venues send for "none"."""
    found = number(value, name)
    if found < 0:
        raise Unusable(f"out_of_range {name}")
    return found or nan


def stated(value: msgspec.Raw, name: str) -> float:
    """The price of a liquidation as a number; NaN where a venue states none."""
    return price(_stated(bytes(value) or b"null"), name)


def identity(value: msgspec.Raw) -> int:
    """A trade's id as a number: itself where it is one, else a hash of its text; -1 where there is none.

    >>> identity(msgspec.Raw(b'"130639474"')), identity(msgspec.Raw(b"9")), identity(msgspec.Raw(b""))
    (130639474, 9, -1)
    """
    text = bytes(value).strip(b'"')
    if not text or text == b"null":
        return -1
    if text.isdigit() and len(text) <= 18:
        return int(text)
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def integer(value: msgspec.Raw) -> int:
    """A whole number that may stand as a string; -1 where there is none."""
    text = bytes(value).strip(b'"')
    return int(text) if text.isdigit() and len(text) <= 18 else -1


def amount(value: str | float | None, name: str) -> float:
    """A quantity as printed, 0 allowed; NaN where it is absent or empty."""
    found = number(value, name)
    if found < 0:
        raise Unusable(f"out_of_range {name}")
    return found


def one_of(signs: dict[str, int], value: str | None, name: str) -> int:
    """The sign of a side's word."""
    sign = signs.get(present(value, name))
    if sign is None:
        raise Unusable(f"wrong_type {name}")
    return sign


def _reason(error: Exception) -> str:
    if isinstance(error, Unusable):
        return str(error)
    if not isinstance(error, msgspec.ValidationError):
        return "not_json"
    text = str(error)
    path = text.partition(" - at `$")[2].strip("`.")
    if text.startswith("Object missing required field"):
        return f"missing_field {text.split('`')[1]}"
    bound = "<=" in text or ">=" in text or "length" in text or "out of range" in text
    return f"{'out_of_range' if bound else 'wrong_type'} {path}".strip()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why frames of a batch are not used, by frame; and of frames that are, elements, in log order."""

    frames: dict[int, str] = field(default_factory=dict)
    elements: list[tuple[int, str]] = field(default_factory=list)


_stated = msgspec.json.Decoder(str | float | None).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_FOREIGN = (Unusable, msgspec.MsgspecError, UnicodeDecodeError)


def gather(
    frames: Frames, which: Iterable[int], read: Callable[[bytes, str | None], Sequence[M | Unusable]]
) -> tuple[list[int], list[M], Refused]:
    """The messages of the frames, each with its frame, and why other frames, and elements of frames, were not read."""
    chosen = np.fromiter(which, np.int64)
    deep = np.zeros(len(chosen), np.bool_)
    too_deep(np.frombuffer(frames.data or b" ", np.uint8), frames.starts, chosen, deep)
    refused = Refused(dict.fromkeys(chosen[deep].tolist(), "not_json too deep"))
    starts = frames.starts.tolist()
    data, names = frames.data, frames.symbols
    at: list[int] = []
    messages: list[M] = []
    for i in chosen[~deep].tolist():
        try:
            found = read(data[starts[i] : starts[i + 1]], names.get(i))
        except _FOREIGN as error:
            refused.frames[i] = _reason(error)
            continue
        for message in found:
            if isinstance(message, Unusable):
                refused.elements.append((i, str(message)))
            else:
                at.append(i)
                messages.append(message)
    return at, messages, refused


def listed(data: bytes, read: Callable[[bytes], Sequence[T]]) -> Sequence[T | msgspec.Raw]:
    """The elements of a list; where one of them is not as it must be, all of them unread."""
    try:
        return read(data)
    except msgspec.ValidationError:
        return _raws(data)


def elements(
    items: Sequence[T | msgspec.Raw],
    read: Callable[[msgspec.Raw], T],
    make: Callable[[T, int], Iterable[M]],
) -> list[M | Unusable]:
    """What each element of a frame's list makes; of one that cannot be used, why: the others are used all the same.

    `make` is told which element it is, from 1, or 0 where there is only one.
    """
    found: list[M | Unusable] = []
    for n, item in enumerate(items, 1):
        try:
            found += make(read(item) if isinstance(item, msgspec.Raw) else item, n if len(items) > 1 else 0)
        except (Unusable, msgspec.ValidationError) as error:
            found.append(Unusable(element(_reason(error), n if len(items) > 1 else 0)))
    return found


def element(reason: str, number: int) -> str:
    """The reason with the number of the element that it is of, where a frame has several.

    >>> element("out_of_range", 2), element("out_of_range", 0)
    ('out_of_range in element 2', 'out_of_range')
    """
    return f"{reason} in element {number}" if number else reason


def rejects(frames: Frames, refused: Refused) -> list[Reject]:
    """The rejected frames, and those of which an element was, once for each; in log order."""
    every = sorted([*refused.frames.items(), *refused.elements], key=itemgetter(0))
    return [Reject(frames.topic, frames.partition, int(frames.offsets[i]), why, frames.frame(i)) for i, why in every]


def objection(read: Callable[[bytes], object], data: bytes) -> str | None:
    """Why a frame cannot be read; None where it can."""
    try:
        read(data)
    except (*_FOREIGN, RecursionError) as error:
        return _reason(error)
    return None


def attempt(read: Callable[[bytes], T | None], data: bytes) -> T | None:
    """What `read` finds in a frame; None where it cannot be read."""
    try:
        return read(data)
    except (*_FOREIGN, RecursionError):
        return None
