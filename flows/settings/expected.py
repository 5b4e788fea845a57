"""Expected: which setting is none, and what it may be, told from its type."""

import re
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from flows.settings.secret import Secret

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Secret: "a text",
    types.NoneType: "nothing",
}
_BOUNDS = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
_PLACE = re.compile(r"`\$\.?([^`]*)`$")
_PART = re.compile(r"\w+|\[[^\]]*\]")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
SHOWN = 80
"""So many characters of what is refused."""


def expected(hint: Any) -> str:
    """What may be written.

    >>> expected(Annotated[int, msgspec.Meta(ge=0, le=65_535)]), expected(tuple[Literal["a", "b"], ...])
    ('a whole number from 0 to 65535', 'a list as ["a"], of: a, b')
    >>> expected(dict[str, float]), expected(float | None)
    ('a table, with a number by each name', 'a number or nothing')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([expected(arguments[0]), *_bounds(arguments[1:])])
    if origin is Literal:
        return f"one of: {_listed(arguments)}"
    if origin is tuple:
        of = arguments[0]
        if get_origin(of) is Literal:
            return f'a list as ["{get_args(of)[0]}"], of: {_listed(get_args(of))}'
        return f"a list [..., ...], each {expected(of)}"
    if origin is dict:
        return f"a table, with {expected(arguments[1])} by each name"
    if origin in (Union, types.UnionType):
        return " or ".join(map(expected, arguments))
    return _WORDS.get(hint) or f"a table with: {_listed(sorted(get_type_hints(hint)))}"


def refused(error: msgspec.ValidationError, value: Any, hint: Any, name: str = "") -> str:
    """What msgspec found wrong in a value for the type `hint`, by the name of the setting and with what it may be.

    >>> def why(value, hint):
    ...     try:
    ...         msgspec.convert(value, hint)
    ...     except msgspec.ValidationError as error:
    ...         return refused(error, value, hint, "a")
    >>> why([1, "x"], tuple[int, ...]), why({"BTC": 0.1, "ETH": "x"}, dict[str, float])
    ("a[1]: 'x' is not a whole number", "a.ETH: 'x' is not a number")
    """
    message = str(error)
    place = _PLACE.search(message)
    for part in _PART.findall(place[1]) if place else ():
        if part == "[...]":
            hint = get_args(hint)[1]
            key = next(key for key, entry in value.items() if not _fits(entry, hint))
            name, value = f"{name}.{key}", value[key]
        elif part.startswith("["):
            hint, name, value = get_args(hint)[0], name + part, value[int(part[1:-1])]
        else:
            hint = get_type_hints(hint, include_extras=True)[part]
            name, value = f"{name}.{part}".lstrip("."), value[part]
    if unknown := _UNKNOWN.search(message):
        return no_setting(f"{name}.{unknown[1]}".lstrip("."), name, get_type_hints(hint))
    if missing := _MISSING.search(message):
        return f"{name}: {missing[1]} is missing"
    return f"{name}: {_shown(value, hint)} is not {expected(hint)}" if name else f"it is not {expected(hint)}"


def no_setting(name: str, within: str, known: Iterable[str]) -> str:
    """A name that does not exist, and those that do."""
    return f"there is no setting {name!r}; {within or 'the top level'} has: {_listed(sorted(known))}"


def _shown(value: object, hint: Any) -> str:
    """A value as it may be shown: no secret, nor what may hold one."""
    if hint is Secret or isinstance(value, dict | list):
        return "what it says" if hint is Secret else f"a {'table' if isinstance(value, dict) else 'list'}"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _fits(value: object, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _bounds(metas: Iterable[msgspec.Meta]) -> list[str]:
    told = ((word, getattr(meta, name)) for meta in metas for name, word in _BOUNDS.items())
    return [f"{word} {bound:.15g}" for word, bound in told if bound is not None]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(word or '""' for word in words)
