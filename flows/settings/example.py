"""Example: the file with every setting, its default and what it means, made from the declarations of the settings.

A setting is commented out as it stands by default; whoever takes away the `#` before it has changed nothing yet.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from flows.settings.tree import Settings

WIDTH = 118
HEAD = (
    "Every setting of alphaplus with its default. Give a file of yours to any command with --settings FILE, or one "
    "setting with --set section.key=value or ALPHAPLUS_SECTION__KEY=value in the environment; later ones win. This "
    "file is made from the declarations (python -m flows.published)."
)
EXAMPLES = {
    "market.instruments": """\
[[market.instruments]]
venue = "binance-usdm"
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
kind = "linear"
tick = "0.1"
lot = "0.001\"""",
    "market.instruments_json": '[market.instruments_json]\nbinance-usdm = "exchangeInfo.json"',
    "risk.brackets_json": '[risk.brackets_json]\nbinance-usdm = "leverageBracket.json"',
}
"""What a table looks like that has no default."""


def text() -> str:
    """The whole file, TOML."""
    out = [_prose(HEAD), ""]
    out += _section("", Settings, Settings())
    return "\n".join(out).rstrip() + "\n"


def _section(path: str, of: type[msgspec.Struct], value: Any) -> Iterator[str]:
    """Plain settings first, then the sections below: TOML has no way back from a table."""
    docs, hints = _docs(of), get_type_hints(of, include_extras=True)
    below = [name for name in hints if isinstance(getattr(value, name), msgspec.Struct)]
    examples: list[str] = []
    for name, hint in hints.items():
        if name in below:
            continue
        full = f"{path}.{name}".lstrip(".")
        if full in EXAMPLES:
            examples += ["", _prose(_meaning(docs, of, name)), _prose(EXAMPLES[full])]
            continue
        yield _prose(_meaning(docs, of, name) + _allowed(hint))
        yield f"#{name} = {_toml(getattr(value, name))}"
    yield from examples
    for name in below:
        inner = getattr(value, name)
        full = f"{path}.{name}".lstrip(".")
        yield ""
        yield f"[{full}]"
        yield _prose(" ".join(inspect.cleandoc(type(inner).__doc__ or "").split()))
        yield from _section(full, type(inner), inner)


def _meaning(docs: dict[str, str], of: type[msgspec.Struct], name: str) -> str:
    if name not in docs:
        raise ValueError(f"{of.__name__}.{name} has no line that says what it is")
    return docs[name]


def _docs(of: type[msgspec.Struct]) -> dict[str, str]:
    """The strings that stand below the fields of a section."""
    (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(of))).body if hasattr(node, "body"))
    out = {}
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            out[field.target.id] = " ".join(str(after.value.value).split())
    return out


def _allowed(hint: Any) -> str:
    """What a value must be, where the type says more than number or text."""
    if get_origin(hint) is Literal:
        return f" One of {', '.join(json.dumps(v) for v in get_args(hint))}."
    if get_origin(hint) is Annotated:
        bounds = [m for m in get_args(hint)[1:] if isinstance(m, msgspec.Meta)]
        told = [f"above {m.gt}" for m in bounds if m.gt is not None] + [
            f"at least {m.ge}" for m in bounds if m.ge is not None
        ]
        return f" ({', '.join(told)})" if told else ""
    return ""


def _toml(value: Any) -> str:
    """A default; of a type that is not plain, a secret for one, nothing."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=lambda _: ""))


def _prose(words: str) -> str:
    lines = [part for line in words.splitlines() for part in textwrap.wrap(line, WIDTH - 2) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)
