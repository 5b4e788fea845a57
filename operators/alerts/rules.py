"""Rules: what raises an alert, as data from TOML or JSON text, checked with the place of every mistake."""

import math
import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metric` of `table` against thresholds; `raise` gives one for each severity that the rule knows.

    `subject` are the columns that name what an alert is about, `evidence` further columns it carries, `trust` a flag
    column (empty: none) whose false lowers the severity by one, `exists` one whose false says that the subject is no
    more, which clears; `cooldown_s` keeps quiet after a clear.
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


def load(text: str, tables: Mapping[str, Collection[str]] | None = None) -> tuple[Rule, ...]:
    """The rules of a file; with `tables` (columns by table) every column must exist.

    Raises ValueError that names the rule, the field and, for TOML, the line.

    >>> load('[[rule]]\\nname = "x"\\ntable = "t"\\nmetric = "m"\\ncomparison = "over"')
    Traceback (most recent call last):
    ValueError: rule 1 "x", comparison, line 5: Invalid enum value 'over'
    """
    decode = msgspec.json.decode if text.lstrip().startswith("{") else msgspec.toml.decode
    try:
        tree = decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the rule file cannot be read: {error}") from None
    try:
        rules = msgspec.convert(tree, _File).rule
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise ValueError(f"{_place(text, tree, path.rstrip('`'), message)}: {message}") from None
    names = [rule.name for rule in rules]
    for i, rule in enumerate(rules):
        field, mistake = _mistake(rule, names[:i], tables)
        if field:
            raise ValueError(f"{_place(text, tree, f'$.rule[{i}].{field}', '')}: {mistake}")
    return tuple(rules)


def _mistake(rule: Rule, before: list[str], tables: Mapping[str, Collection[str]] | None) -> tuple[str, str]:
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
    for field in ("metric", "subject", "evidence", "trust", "exists"):
        value = getattr(rule, field)
        for column in (value,) if isinstance(value, str) else value:
            if tables is not None and column and column not in tables[rule.table]:
                return field, f"table {rule.table!r} has no column {column!r}"
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
