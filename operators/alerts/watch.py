"""Watch: the rules of one table over the rows of one log, in its order; alerts come out as rows.

Rows that hold for the same time, of one venue, are judged together; before the first of them, the time that the venue
has reached lets holds run out that no row brings to light. Each venue has its own clock, so what is raised and cleared,
and when, depends on its rows alone, not on how the log interleaves them with another venue's. Of a table with windows
only the base window is judged: a longer one repeats it.
"""

from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from operators.alerts.rules import Rule
from operators.alerts.step import WRITES, AlertState, advance, alerts
from operators.contract import Array, Columns, Step
from operators.published import Published
from schemas.column import Column, Dtype
from schemas.frames import Frames, Reject
from schemas.table import Table

ALERTS = (
    *WRITES,
    Column("state", "str", "raised, or cleared once it is over"),
    Column(
        "revision",
        "i8",
        "grows from record to record of an alert: event time, ms, times 4, plus the kind",
        unit="count",
        low=0,
    ),
)
_KINDS = {"raise": 1, "higher": 2, "clear": 3}
_TYPES: dict[Dtype, type] = {"str": str, "f8": float, "i8": int, "bool": bool, "time": int}
MS = 1_000_000


class _Frozen(msgspec.Struct):
    ends_ms: dict[str, int]
    rules: dict[str, bytes]
    states: dict[str, dict[str, bytes]]


class Watch:
    """The rules of one table. A rule that was changed since it was frozen begins anew."""

    def __init__(self, table: Table, rules: tuple[Rule, ...], base_ms: int) -> None:
        """Nothing seen yet."""
        self.table, self.rules, self.base_ms = table, rules, base_ms
        self.steps: list[Step[AlertState]] = [alerts(rule) for rule in rules]
        self.states: dict[str, list[AlertState]] = {}
        self.ends_ms: dict[str, int] = {}
        names = {c.name for c in table.columns}
        self.windowed = "window_ms" in names
        self.by_venue = "venue" in names and "account" not in names
        wanted = dict.fromkeys(c for rule in rules for c in rule.columns)
        wanted |= dict.fromkeys((table.time, *["window_ms"] * self.windowed, *["venue"] * self.by_venue))
        fields: list[tuple[str, Any]] = []
        for name in wanted:
            kind = _TYPES[table.column(name).dtype]
            fields.append((name, kind | None if table.column(name).null_when else kind))
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Row", fields)).decode

    def read(self, frames: Frames) -> tuple[Published, list[Reject]]:
        """Judge the next rows of the log; what cannot be read comes back with its reason."""
        rows, rejects = [], []
        for i in range(len(frames)):
            try:
                rows.append(self._decode(frames.frame(i)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                reason = " ".join(str(error).split())[:300]
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), reason, frames.frame(i)))
        out: list[dict[str, Any]] = []
        for run, together in groupby(rows, self._run):
            out += self._judge(run, list(together))
        return _published(out), rejects

    def _run(self, row: Any) -> tuple[str, int]:
        at: int = getattr(row, self.table.time)
        return row.venue if self.by_venue else "", at + row.window_ms if self.windowed else at

    def _judge(self, run: tuple[str, int], rows: list[Any]) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        venue, end_ms = run
        states = self.states.setdefault(venue, [step.init() for step in self.steps])
        if end_ms > self.ends_ms.get(venue, 0):
            self.ends_ms[venue] = end_ms
            for rule, state in zip(self.rules, states, strict=True):
                out += _listed(advance(rule, state, (end_ms - 1) * MS))
        if self.windowed:
            rows = [row for row in rows if row.window_ms == self.base_ms]
        if not rows:
            return out
        found: list[tuple[int, int, dict[str, Any]]] = []
        event_ns = np.full(len(rows), end_ms * MS, np.int64)
        for nth, (rule, step) in enumerate(zip(self.rules, self.steps, strict=True)):
            columns: dict[str, Array] = {"event_ns": event_ns}
            columns |= {c: self._array(c, [getattr(row, c) for row in rows]) for c in rule.columns}
            told = _listed(step.step(states[nth], columns))
            if told:
                names = zip(*(columns[c].tolist() for c in rule.subject), strict=True)
                place = {"/".join(map(str, parts)): i for i, parts in enumerate(names)}
                found += [(place[alert["subject"]], nth, alert) for alert in told]
        return out + [alert for _, _, alert in sorted(found, key=lambda item: item[:2])]

    def _array(self, name: str, values: list[Any]) -> Array:
        dtype = self.table.column(name).dtype
        if dtype == "str":
            return np.array(["" if v is None else v for v in values], np.str_)
        if dtype == "f8":
            return np.array([np.nan if v is None else v for v in values], np.float64)
        return np.array(values, np.bool_ if dtype == "bool" else np.int64)

    def freeze(self) -> bytes:
        """Latches and evidence by venue and rule, with the rules as they were."""
        states = {
            venue: {r.name: step.freeze(s) for r, step, s in zip(self.rules, self.steps, held, strict=True)}
            for venue, held in self.states.items()
        }
        rules = {rule.name: msgspec.json.encode(rule) for rule in self.rules}
        return msgspec.msgpack.encode(_Frozen(self.ends_ms, rules, states))

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.ends_ms = was.ends_ms
        for venue, held in was.states.items():
            self.states[venue] = [
                step.thaw(held[rule.name]) if was.rules.get(rule.name) == msgspec.json.encode(rule) else step.init()
                for rule, step in zip(self.rules, self.steps, strict=True)
            ]


def _listed(columns: Columns) -> list[dict[str, Any]]:
    """Alerts one by one."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]


def _published(found: list[dict[str, Any]]) -> Published:
    """Alerts as rows: the record's key is the subject, its id the alert's with the revision as order."""
    at_ms = [alert["at"] // MS for alert in found]
    revision = [4 * at + _KINDS[alert["kind"]] for at, alert in zip(at_ms, found, strict=True)]
    columns: dict[str, Array | list[str]] = {}
    for c in WRITES:
        values = [alert[c.name] for alert in found]
        kinds = {"f8": np.float64, "bool": np.bool_}
        columns[c.name] = values if c.dtype == "str" else np.array(values, kinds.get(c.dtype, np.int64))
    columns["state"] = ["cleared" if alert["kind"] == "clear" else "raised" for alert in found]
    columns["revision"] = np.array(revision, np.int64)
    natural = [alert["alert_id"] for alert in found]
    return Published("alerts", [alert["subject"] for alert in found], natural, revision, at_ms, columns)
