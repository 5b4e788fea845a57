"""Rules: what raises an alert, as data from TOML or JSON text, checked with the place of every mistake."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from schemas.column import Dtype
from schemas.table import Table

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Tables = Mapping[str, Table]
"""The tables that rules may read, by their names."""
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metric` of `table` against thresholds; `raise` gives one for each severity that the rule knows.

    `subject` are the columns that name what an alert is about, all that tell rows of one time apart among them,
    `evidence` further columns it carries, `trust` a flag column (empty: none) whose false lowers the severity by one,
    `exists` a flag or a count whose false or 0 says that the subject is no more, which clears at once. `hold_s` delays
    a raise, `clear_hold_s` a clear and a lower severity; `cooldown_s` keeps quiet after a clear, but for what is graver
    than before it. A rise within `flap_s` of a fall doubles the clear hold, up to `flap_s`. `forget_s` clears what has
    had no known value for so long (0: never).
    `most_per_minute`: how many raises of a severity are told one by one; of more, a summary is.
    """

    name: Name
    table: Name
    metric: Name
    comparison: Literal["above", "below"]
    thresholds: Annotated[dict[Severity, float], msgspec.Meta(min_length=1)] = msgspec.field(name="raise")
    clear: float
    subject: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    hold_s: Seconds = 0.0
    clear_hold_s: Seconds = 0.0
    cooldown_s: Seconds = 0.0
    flap_s: Seconds = 600.0
    forget_s: Seconds = 0.0
    most_per_minute: Annotated[int, msgspec.Meta(ge=1)] = 100
    evidence: tuple[Name, ...] = ()
    trust: str = ""
    exists: str = ""

    @property
    def severities(self) -> tuple[Severity, ...]:
        """The severities that the rule knows, mildest first."""
        return tuple(s for s in SEVERITIES if s in self.thresholds)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of its table that the rule reads."""
        named = (*self.subject, self.metric, *self.evidence, self.trust, self.exists)
        return tuple(dict.fromkeys(filter(None, named)))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: Annotated[list[Rule], msgspec.Meta(min_length=1)]


def load(text: str, tables: Tables | None = None) -> tuple[Rule, ...]:
    """The rules of a file; with `tables` every column must exist, and be of a type that its use can read.

    Raises ValueError that names the rule, the field and, for TOML, the line.

    >>> load('[[rule]]\\nname = "x"\\ntable = "t"\\nmetric = "m"\\ncomparison = "over"')
    Traceback (most recent call last):
    ValueError: rule 1 "x", comparison, line 5: Invalid enum value 'over'; there are above, below
    """
    decode = msgspec.json.decode if text.lstrip().startswith("{") else msgspec.toml.decode
    try:
        tree = decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the rule file cannot be read: {error}") from None
    try:
        rules = msgspec.convert(tree, _File).rule
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        path = path.removeprefix("`key` in ").strip("`")
        raise ValueError(f"{_place(text, tree, path, message)}: {message}{_known(message, path)}") from None
    names = [rule.name for rule in rules]
    for i, rule in enumerate(rules):
        field, mistake = _mistake(rule, names[:i], tables)
        if field:
            raise ValueError(f"{_place(text, tree, f'$.rule[{i}].{field}', '')}: {mistake}")
    return tuple(rules)


def _known(message: str, path: str) -> str:
    """What there is, where a name was none of it."""
    if message.startswith("Invalid enum value"):
        known = SEVERITIES if path.endswith(".raise") else ("above", "below")
        return f"; there are {', '.join(known)}"
    if message.startswith("Object contains unknown field"):
        return f"; a rule has {', '.join(f.encode_name for f in msgspec.structs.fields(Rule))}"
    return ""


_READ: dict[str, tuple[Dtype, ...]] = {
    "metric": ("f8", "i8", "bool"),
    "subject": ("str", "i8"),
    "evidence": ("f8", "i8", "bool", "str", "time"),
    "trust": ("bool",),
    "exists": ("bool", "i8"),
}
_ORDERS = ("window_ms", "nth")
"""Of a key, what tells rows of one subject apart, beside their time."""
_KEYFRAME_S = 60
_TYPES: dict[Dtype, str] = {"f8": "number", "i8": "whole number", "bool": "flag", "str": "text", "time": "time"}


def _mistake(rule: Rule, before: list[str], tables: Tables | None) -> tuple[str, str]:
    if rule.name in before:
        return "name", f"another rule is called {rule.name!r}"
    sign = 1 if rule.comparison == "above" else -1
    thresholds = [rule.thresholds[s] for s in rule.severities]
    if not all(math.isfinite(t) for t in (*thresholds, rule.clear)):
        return "raise", "a threshold is not finite"
    if any(sign * b <= sign * a for a, b in pairwise(thresholds)):
        return "raise", f"a higher severity must be further {rule.comparison}, not {thresholds}"
    if sign * rule.clear > sign * thresholds[0]:
        return "clear", f"{rule.clear:g} is further {rule.comparison} than {thresholds[0]:g}, which raises"
    if tables is not None and rule.table not in tables:
        return "table", f"no table {rule.table!r}; there are {', '.join(sorted(tables))}"
    if tables is None:
        return "", ""
    table = tables[rule.table]
    columns = {column.name: column for column in table.columns}
    for field, types in _READ.items():
        value = getattr(rule, field)
        for name in filter(None, (value,) if isinstance(value, str) else value):
            if name not in columns:
                return field, f"table {rule.table!r} has no column {name!r}"
            if columns[name].dtype not in types:
                wanted = " or ".join(_TYPES[t] for t in types)
                return field, f"column {name!r} is a {_TYPES[columns[name].dtype]}, {field} needs a {wanted}"
    if left_out := [name for name in table.key if name not in (*rule.subject, table.time, *_ORDERS)]:
        rows = f"rows of {rule.table!r} that differ in it would count as one"
        return "subject", f"{left_out[0]!r} is left out: {rows}"
    if table.dense and 0 < rule.forget_s <= _KEYFRAME_S:
        return "forget_s", f"what does not move is told once a minute: {rule.forget_s:g} s would clear what is in force"
    metric = columns[rule.metric]
    for severity, threshold in zip(rule.severities, thresholds, strict=True):
        if rule.comparison == "above" and metric.high is not None and threshold > metric.high:
            return "raise", f"{rule.metric!r} is at most {metric.high:g}: {severity} at {threshold:g} would never come"
        if rule.comparison == "below" and metric.low is not None and threshold < metric.low:
            return "raise", f"{rule.metric!r} is at least {metric.low:g}: {severity} at {threshold:g} would never come"
    return "", ""


def _place(text: str, tree: object, path: str, message: str) -> str:
    found = re.match(r"\$\.rule\[(\d+)\]\.?(\w*)", path)
    if not found:
        return path or "the rule file"
    i, field = int(found[1]), found[2] or "".join(re.findall(r"(?:required|unknown) field `(\w+)`", message))
    name = ""
    if isinstance(tree, dict) and isinstance(tree["rule"][i], dict):
        name = f" {str(tree['rule'][i].get('name', ''))!r}".replace("'", '"')
    where = [f"rule {i + 1}{name}", *([field] if field else [])]
    line = _line(text, i, field)
    return ", ".join([*where, *([f"line {line}"] if line else [])])


def _line(text: str, rule: int, field: str) -> int:
    """The line of a field of the n-th `[[rule]]`, or of its heading; 0 where it cannot be told."""
    seen, heading = -1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[\[\s*rule\s*\]\]", line):
            seen += 1
            heading = number if seen == rule else heading
        elif seen == rule and field and re.match(rf"\s*(\[rule\.)?{field}\s*[=.\]]", line):
            return number
    return heading
