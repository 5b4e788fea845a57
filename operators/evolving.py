"""Evolving: state kept part by part, by name and fingerprint, so that a new release takes up what it still knows.

A part is an operator's state, or one of its fields. What was frozen under a name and fingerprint that are declared is
taken up. A part that is new starts empty, one that is no longer declared is dropped, and of one that changed its own
declaration says whether it begins anew, is refused, or goes on (a setting that counts from now on, and is only told
of: what is taken up does not hang on it). Nothing is ever read in another shape than it was written in.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

OnChange = Literal["refuse", "anew", "goes on"]
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[str, bytes]]).decode


class Changed(ValueError):
    """Frozen state that the declarations of now cannot take up; the message is one line and names the part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A declared piece of state: its name, what its shape and meaning hang on, and what happens when that changes."""

    name: str
    fingerprint: str
    changed: OnChange = "refuse"


def fingerprint(*meaning: Any) -> str:
    """Eight bytes, hex, of everything that the meaning of a state hangs on: fields, dtypes, versions of a computation.

    >>> fingerprint("ofi", 1, ["<i8"]) == fingerprint("ofi", 1, ["<i8"]) != fingerprint("ofi", 2, ["<i8"])
    True
    """
    return hashlib.blake2b(_encode(meaning), digest_size=8).hexdigest()


def freeze(parts: Iterable[tuple[Part, bytes]]) -> bytes:
    """Parts and their states as one.

    >>> walls = Part("walls", fingerprint("walls", 1))
    >>> thaw(freeze([(walls, b"state"), (Part("old", "1"), b"")]), [walls, Part("kyle", "2")])
    {'walls': b'state'}
    """
    return _encode({part.name: (part.fingerprint, state) for part, state in parts})


def thaw(data: bytes, declared: Iterable[Part]) -> dict[str, bytes]:
    """The states that may be taken up, by name; a part that is not among them starts empty. Changed if one refuses."""
    try:
        frozen = _decode(data)
    except msgspec.MsgspecError as error:
        raise Changed(f"it is not a frame of named states: {error}") from None
    known = matched({name: mark for name, (mark, _) in frozen.items()}, declared)
    return {name: state for name, (_, state) in frozen.items() if name in known}


def matched(frozen: Mapping[str, str], declared: Iterable[Part]) -> set[str]:
    """Of frozen parts, name to fingerprint, those that may be taken up. Changed if one refuses.

    >>> matched({"cvd": "1", "ofi": "1", "gone": "1"}, [Part("cvd", "1"), Part("ofi", "2", "anew"), Part("new", "1")])
    {'cvd'}
    >>> matched({"ofi": "1"}, [Part("ofi", "2")])
    Traceback (most recent call last):
    operators.evolving.Changed: ofi is 1 in the recovered state and 2 now, and is not declared to begin anew
    """
    known = set()
    for part in declared:
        there = frozen.get(part.name)
        if there == part.fingerprint or (there is not None and part.changed == "goes on"):
            known.add(part.name)
        elif there is not None and part.changed == "refuse":
            raise Changed(
                f"{part.name} is {there} in the recovered state and {part.fingerprint} now,"
                " and is not declared to begin anew"
            )
    return known


def begun(parts: Iterable[Part], anew: frozenset[str]) -> list[Part]:
    """The parts, of which those named begin anew whatever was frozen.

    >>> begun([Part("cvd", "1"), Part("ofi", "2")], frozenset({"ofi"}))[1]
    Part(name='ofi', fingerprint='', changed='anew')
    """
    return [Part(part.name, "", "anew") if part.name in anew else part for part in parts]


def marks(parts: Iterable[Part]) -> NDArray[np.bytes_]:
    """Names and fingerprints as an array, to stand in `pack` beside a matrix with a column of state for each part.

    >>> marks([Part("cvd", "1"), Part("ofi", "2")])
    array([b'cvd 1', b'ofi 2'], dtype='|S5')
    """
    return np.array([f"{part.name} {part.fingerprint}" for part in parts], np.bytes_)


def taken_up(held: NDArray[Any], there: NDArray[Any], declared: Sequence[Part], empty: NDArray[Any]) -> NDArray[Any]:
    """A matrix whose last axis are parts, in the columns of now; what is not taken up is empty. Changed if one refuses.

    >>> was = np.array([[1, 2], [3, 4]])
    >>> taken_up(was, marks([Part("a", "1"), Part("b", "1")]), [Part("new", "1"), Part("b", "1")], np.array([-1, 0]))
    array([[-1,  2],
           [-1,  4]])
    """
    frozen = dict(str(mark, "ascii").split(" ") for mark in there.tolist())
    if held.shape[-1] != len(frozen):
        raise Changed(f"{len(frozen)} columns of state are named, and {held.shape[-1]} are there")
    known, at = matched(frozen, declared), {name: i for i, name in enumerate(frozen)}
    out = np.empty((*held.shape[:-1], len(declared)), empty.dtype)
    out[...] = empty
    for i, part in enumerate(declared):
        if part.name in known:
            out[..., i] = held[..., at[part.name]]
    return out
