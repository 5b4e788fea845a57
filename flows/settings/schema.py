"""Schema: the JSON Schema of the settings, by which a chart's values are checked before anything is started."""

from collections.abc import Collection, Iterator
from typing import Any, get_type_hints

import msgspec

from flows.settings.secret import Secret
from flows.settings.tree import Settings

REF = "#/definitions/{name}"


def schema(decided: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of all settings, and the definitions that it refers to. What others decide has no place in it, nor has a secret.

    >>> of, _ = schema(["data"])
    >>> of["properties"]["data"], of["properties"]["clickhouse"]["properties"]["password"]
    (False, False)
    >>> of["properties"]["kafka"]["properties"]["retry_s"]
    {'type': 'integer', 'exclusiveMinimum': 0}
    """
    definitions: dict[str, Any] = {}
    return _section("", Settings, decided, definitions), definitions


def _section(path: str, of: type, decided: Collection[str], definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, hint in get_type_hints(of, include_extras=True).items():
        full = f"{path}.{name}".lstrip(".")
        if hint is Secret or full in decided:
            properties[name] = False
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            properties[name] = _section(full, hint, decided, definitions)
        else:
            (properties[name],), more = msgspec.json.schema_components([hint], ref_template=REF)
            definitions |= more
    return {"type": "object", "additionalProperties": False, "properties": properties}


def referable() -> list[str]:
    """Settings that a chart gives by reference: the secrets, and what is a file by its name.

    >>> [name for name in referable() if name.startswith("live.")]
    ['live.proxy_password', 'live.proxy_password_file']
    """
    return list(_referable("", Settings))


def _referable(path: str, of: type) -> Iterator[str]:
    for name, hint in get_type_hints(of).items():
        full = f"{path}.{name}".lstrip(".")
        if hint is Secret or name.endswith("_file"):
            yield full
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _referable(full, hint)
