"""Scan: the physical bound, frames merely parsed by simdjson, or by the standard library where that is missing."""

import importlib
import json
from collections.abc import Callable, Sequence
from typing import Any


def scanner() -> tuple[str, Callable[[bytes], Any]]:
    """The parser's name and the parser; simdjson reads nothing out, so this is the rate of scanning."""
    try:
        return "simdjson", importlib.import_module("simdjson").Parser().parse
    except ModuleNotFoundError:
        return "json.loads", json.loads


def scan(parse: Callable[[bytes], Any], values: Sequence[bytes]) -> None:
    """Parse every frame."""
    for value in values:
        parse(value)
