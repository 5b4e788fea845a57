"""Settings' sources: file, environment and arguments made one tree; a name that does not exist is named and stops all.

A secret comes from the environment (`ALPHAPLUS_CLICKHOUSE__PASSWORD`), from a settings file, or from a file of its own
that `..._file` names (`ALPHAPLUS_CLICKHOUSE__PASSWORD_FILE=/run/secrets/clickhouse`), never from an argument.
"""

import json
import os
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from flows.settings.expected import no_setting, refused
from flows.settings.secret import Secret
from flows.settings.tree import Settings, SettingsError

ENVIRONMENT = "ALPHAPLUS_"


def _secret_names(section: type[msgspec.Struct], *before: str) -> Iterator[tuple[str, ...]]:
    for name, hint in get_type_hints(section).items():
        if hint is Secret:
            yield (*before, name)
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _secret_names(hint, *before, name)


SECRETS = tuple(_secret_names(Settings))
"""Where secrets are in the tree; beside each, `..._file` may name the file that holds it."""


def _decoded(kind: type, value: object) -> Secret:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError("Expected `str`")


def _hidden(value: object) -> str:
    if isinstance(value, Secret):
        return ""
    raise TypeError(f"{type(value).__name__} is no setting")


def written(settings: Settings) -> bytes:
    """The settings as the JSON that `load` reads, without the secrets: those travel by `environment_of`.

    >>> b"sesame" in written(load(None, {"ALPHAPLUS_CLICKHOUSE__PASSWORD": "sesame"}))
    False
    """
    return msgspec.json.encode(settings, enc_hook=_hidden)


def environment_of(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for processes that read these settings as `written`: the secrets that are in no file of their own.

    Whatever else `environ` says to settings is in them already and would be said twice.

    >>> told = load(None, {"ALPHAPLUS_CLICKHOUSE__PASSWORD": "sesame"})
    >>> environment_of(told, {"PATH": "/bin", "ALPHAPLUS_KAFKA__PREFIX": "a."})
    {'PATH': '/bin', 'ALPHAPLUS_CLICKHOUSE__PASSWORD': 'sesame'}
    """
    variables = {name: value for name, value in environ.items() if not name.startswith(ENVIRONMENT)}
    for path in SECRETS:
        section: Any = settings
        for name in path[:-1]:
            section = getattr(section, name)
        secret: Secret = getattr(section, path[-1])
        if secret and not getattr(section, f"{path[-1]}_file"):
            variables[ENVIRONMENT + "__".join(path).upper()] = secret.reveal()
    return variables


def _read_secrets(tree: dict[str, Any]) -> None:
    """Replace what `..._file` names by what the file says, its last line end left out."""
    for path in SECRETS:
        section: Any = tree
        for part in path[:-1]:
            section = section.get(part, {})
        name = ".".join(path)
        if not (file := section.get(f"{path[-1]}_file")):
            continue
        if section.get(path[-1]):
            raise SettingsError(f"{name} and {name}_file are both given")
        try:
            section[path[-1]] = Path(file).read_text().removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise SettingsError(f"{name}_file {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{name}_file {file}: it is not text") from None
        except ValueError as error:
            raise SettingsError(f"{name}_file {file!r}: {error}") from None
        if not section[path[-1]]:
            raise SettingsError(f"{name}_file {file}: it is empty")


def _json(data: bytes) -> Any:
    """JSON in which no name stands twice: nobody could say which of the two is meant."""
    if not data.strip():
        raise msgspec.DecodeError("it is empty")
    found = msgspec.json.decode(data)
    json.loads(data, object_pairs_hook=_once, parse_int=str)
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise _Doubled(f"{doubled[0]!r} stands twice in one table")


class _Doubled(ValueError):
    """A name that stands twice; the message is one line."""


def _value(hint: Any, text: str, name: str) -> Any:
    """The text of `--set` or of the environment, as JSON where it is JSON, else as the string it is."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{name}: it is not text, in UTF-8") from None
    if hint is Secret:
        return text
    try:
        return msgspec.convert(_json(encoded), hint, strict=True)
    except msgspec.ValidationError as error:
        if text.startswith(("[", "{")):
            raise SettingsError(refused(error, msgspec.json.decode(encoded), hint, name)) from None
    except msgspec.DecodeError:
        pass
    except _Doubled as error:
        raise SettingsError(f"{name}: {error}") from None
    except RecursionError:
        raise SettingsError(f"{name}: nested too deeply") from None
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(refused(error, text, hint, name)) from None


def _put(tree: dict[str, Any], name: str, text: str) -> None:
    hints, at, parts = get_type_hints(Settings, include_extras=True), tree, name.split(".")
    for depth, part in enumerate(parts):
        if part not in hints:
            raise SettingsError(no_setting(name, ".".join(parts[:depth]), hints))
        hint = hints[part]
        if get_origin(hint) is dict and depth < len(parts) - 1:
            at.setdefault(part, {})[".".join(parts[depth + 1 :])] = _value(get_args(hint)[1], text, name)
            return
        if depth == len(parts) - 1:
            at[part] = msgspec.to_builtins(_value(hint, text, name))
            return
        if not (isinstance(hint, type) and issubclass(hint, msgspec.Struct)):
            raise SettingsError(f"{'.'.join(parts[: depth + 1])!r} has no setting below it")
        hints, at = get_type_hints(hint, include_extras=True), at.setdefault(part, {})


def load(file: Path | None, environ: Mapping[str, str], sets: Iterable[str] = ()) -> Settings:
    """A TOML or JSON file, then `ALPHAPLUS_KAFKA__BROKERS=...` and its like, then `section.key=value`, later ones win.

    A table is filled by its keys: `risk.brackets_json.binance-usdm=FILE`.

    >>> load(None, {"ALPHAPLUS_KAFKA__BROKERS": "a:9092"}, ["windows.base_ms=100"]).windows.base_ms
    100
    >>> load(None, {}, ["windows.bas_ms=100"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    flows.settings.tree.SettingsError: there is no setting 'windows.bas_ms'; windows has: base_ms, ...
    """
    tree: dict[str, Any] = {}
    if file is not None:
        try:
            text = file.read_bytes().removeprefix(BOM_UTF8)
            tree = _json(text) if file.suffix == ".json" else tomllib.loads(text.decode())
            msgspec.convert(tree, Settings, dec_hook=_decoded)
        except OSError as error:
            raise SettingsError(f"settings {file}: {error.strerror}") from None
        except msgspec.ValidationError as error:
            raise SettingsError(f"settings {file}: {refused(error, tree, Settings)}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"settings {file}: it is not text, in UTF-8") from None
        except (msgspec.MsgspecError, tomllib.TOMLDecodeError, _Doubled) as error:
            raise SettingsError(f"settings {file}: {error}") from None
        except RecursionError:
            raise SettingsError(f"settings {file}: nested too deeply") from None
    for key, value in environ.items():
        if key.startswith(ENVIRONMENT):
            _put(tree, key.removeprefix(ENVIRONMENT).lower().replace("__", "."), value)
    for item in sets:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingsError(f"--set {item!r}: write section.key=value")
        if tuple(name.strip().split(".")) in SECRETS:
            variable = ENVIRONMENT + name.strip().replace(".", "__").upper()
            raise SettingsError(
                f"{name.strip()} is a secret, and everybody on this machine sees arguments: "
                f"put it into {variable}, or its file's name into {variable}_FILE"
            )
        _put(tree, name.strip(), value.strip())
    _read_secrets(tree)
    try:
        return msgspec.convert(tree, Settings, dec_hook=_decoded).applied().check()
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings{f' {file}' if file else ''}: {refused(error, tree, Settings)}") from None


def environment() -> Mapping[str, str]:
    """The process's own environment."""
    return os.environ
