"""Watch: the rules of one table over the rows of one log, in its order; alerts come out as rows.

Rows that hold for the same time, of one venue, are judged together; before the first of them, the time that the venue
has reached lets holds run out that no row brings to light. Each venue has its own clock, so what is raised and cleared,
and when, depends on its rows alone, not on how the log interleaves them with another venue's. Of a table with windows
only the base window is judged: a longer one repeats it. One that the end of a log closed reaches beyond all that is
known, so it does not count as time either. More raises than anybody reads become a summary (`storm`).
"""

from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np

from operators.alerts.alert_step import WRITES, AlertState, abandon, alert_id, alerts, judge, shared_names
from operators.alerts.rules import Rule
from operators.alerts.storm import Alert, Storm
from operators.contract import Array, Columns, Step
from operators.hysteresis import NEVER, Moments
from operators.progress import AHEAD, ahead
from operators.published_rows import Published
from schemas.column import Column, Dtype
from schemas.frames import Frames, Reject
from schemas.table import Table

ALERTS = (
    *WRITES,
    Column("state", "str", "raised, or cleared once it is over"),
    Column(
        "revision",
        "i8",
        "grows from record to record of an alert: event time, ms, times 4, plus the kind, or one more than before",
        unit="count",
        low=0,
    ),
)
_KINDS = {"lower": 0, "raise": 1, "higher": 2, "clear": 3}
_TYPES: dict[Dtype, type] = {"str": str, "f8": float, "i8": int, "bool": bool, "time": int}
MS = 1_000_000


class _Moment(NamedTuple):
    """Consecutive rows of a venue that hold for the same time, by their place in what was read."""

    number: int
    end_ms: int
    rows: list[Any]


class _Frozen(msgspec.Struct):
    ends_ms: dict[str, int]
    rules: dict[str, bytes]
    states: dict[str, dict[str, bytes]]
    storms: dict[str, dict[str, Storm]] = {}
    revisions: dict[str, int] = {}
    told_apart: bool = False
    """Whether no two subjects can share a name (`subject_of`)."""


class Watch:
    """The rules of one table. A rule that was changed since it was frozen begins anew; what it raised is cleared."""

    def __init__(
        self, table: Table, rules: tuple[Rule, ...], base_ms: int, shard: int = 0, ahead_ms: int = 5_000
    ) -> None:
        """Nothing seen yet; `shard` tells the summaries of several logs apart."""
        self.table, self.rules, self.base_ms, self.shard, self.ahead_ms = table, rules, base_ms, shard, ahead_ms
        self.steps: list[Step[AlertState]] = [alerts(rule) for rule in rules]
        self.states: dict[str, list[AlertState]] = {}
        self.storms: dict[str, list[Storm]] = {}
        self.revisions: dict[str, int] = {}
        """Of the alerts that are raised: the last revision told."""
        self.ends_ms: dict[str, int] = {}
        names = {c.name for c in table.columns}
        self.windowed = "window_ms" in names
        self.by_venue = "venue" in names and "account" not in names
        wanted = dict.fromkeys(c for rule in rules for c in rule.columns)
        wanted |= dict.fromkeys((table.time, *["window_ms", "closed_by"] * self.windowed, *["venue"] * self.by_venue))
        fields: list[tuple[str, Any]] = []
        for name in wanted:
            kind = _TYPES[table.column(name).dtype]
            fields.append((name, kind | None if table.column(name).null_when else kind))
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Row", fields)).decode

    def read(self, frames: Frames) -> tuple[Published, list[Reject]]:
        """Judge the next rows of the log; what cannot be read comes back with its reason."""
        rows: list[Any] = []
        rejects = []
        for i in range(len(frames)):
            try:
                row: Any = self._decode(frames.frame(i))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                reason = " ".join(str(error).split())[:300]
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), reason, frames.frame(i)))
                continue
            if ahead(self._run(row)[1], int(frames.received_ns[i]), self.ahead_ms):
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), AHEAD, frames.frame(i)))
            elif not (self.windowed and row.closed_by == "end" and row.window_ms > self.base_ms):
                rows.append(row)
        moments: dict[str, list[_Moment]] = {}
        for number, ((venue, end_ms), together) in enumerate(groupby(rows, self._run)):
            moments.setdefault(venue, []).append(_Moment(number, end_ms, list(together)))
        told = [alert for venue, of in moments.items() for alert in self._judge(venue, of)]
        told.sort(key=itemgetter(0))
        return self._published([alert for _, alert in told]), rejects

    def end(self) -> Published:
        """No row will follow: what waits for time to go on is told."""
        out = [alert for venue in self.states for alert in self._turn(venue, self.ends_ms[venue], ended=True)]
        return self._published(out)

    def _run(self, row: Any) -> tuple[str, int]:
        at: int = getattr(row, self.table.time)
        return row.venue if self.by_venue else "", at + row.window_ms if self.windowed else at

    def _judge(self, venue: str, moments: list[_Moment]) -> list[tuple[int, Alert]]:
        """Alerts of a venue's rows, each with the number of its moment."""
        states = self.states.setdefault(venue, [step.init() for step in self.steps])
        storms = self.storms.setdefault(venue, [Storm() for _ in self.rules])
        rows: list[Any] = []
        starts, until_ns, times_ns = [0], [], []
        for moment in moments:
            later = moment.end_ms > self.ends_ms.get(venue, 0)
            if later:
                self.ends_ms[venue] = moment.end_ms
            until_ns.append((moment.end_ms - 1) * MS if later else NEVER)
            own = [row for row in moment.rows if not self.windowed or row.window_ms == self.base_ms]
            rows += own
            times_ns += [moment.end_ms * MS] * len(own)
            starts.append(len(rows))
        by = Moments(np.array(starts), np.array(until_ns))
        event_ns = np.array(times_ns, np.int64)
        timely: dict[int, list[tuple[int, Alert]]] = {}
        of_rows: dict[int, list[tuple[int, int, Alert]]] = {}
        for nth, (rule, state) in enumerate(zip(self.rules, states, strict=True)):
            columns: dict[str, Array] = {"event_ns": event_ns}
            columns |= {c: self._array(c, [getattr(row, c) for row in rows]) for c in rule.columns}
            told, found = judge(rule, state, columns, by)
            for alert, m, place in zip(_listed(told), found.moment.tolist(), found.place.tolist(), strict=True):
                if place < 0:
                    timely.setdefault(m, []).append((nth, alert))
                else:
                    of_rows.setdefault(m, []).append((place, nth, alert))
        out: list[tuple[int, Alert]] = []
        for m, moment in enumerate(moments):
            at: list[Alert] = []
            if until_ns[m] != NEVER:
                # What ran out meanwhile comes first, and of the minute in which it did: told after what is withheld,
                # a clear would lie before the raise that it ends.
                for nth, alert in timely.get(m, ()):
                    if storms[nth].lags(alert["at"]):
                        at += self._told(venue, self.rules[nth], storms[nth], alert["at"])
                    at += storms[nth].admit(self.rules[nth], alert)
                at += self._turn(venue, moment.end_ms)
            for _, nth, alert in sorted(of_rows.get(m, ()), key=itemgetter(0, 1)):
                at += storms[nth].admit(self.rules[nth], alert)
            out += [(moment.number, alert) for alert in at]
        return out

    def _turn(self, venue: str, end_ms: int, ended: bool = False) -> list[Alert]:
        out: list[Alert] = []
        for rule, storm in zip(self.rules, self.storms[venue], strict=True):
            out += self._told(venue, rule, storm, end_ms * MS, ended)
        return out

    def _told(self, venue: str, rule: Rule, storm: Storm, now_ns: int, ended: bool = False) -> list[Alert]:
        subject = "/".join([*([venue] if venue else []), "*", f"shard-{self.shard}"])
        frame: Alert = {"rule": rule.name, "subject": subject, "downgraded": False}
        found = storm.turn(rule, frame, now_ns, ended)
        return [{"alert_id": alert_id(rule.name, a["subject"], a["raised_at"])} | a for a in found]

    def _array(self, name: str, values: list[Any]) -> Array:
        dtype = self.table.column(name).dtype
        if dtype == "str":
            return np.array(["" if v is None else v for v in values], np.str_)
        if dtype == "f8":
            return np.array([np.nan if v is None else v for v in values], np.float64)
        if any(v is None for v in values):
            return np.array(values, object)
        return np.array(values, np.bool_ if dtype == "bool" else np.int64)

    def freeze(self) -> bytes:
        """Latches and evidence by venue and rule, with the rules as they were."""
        states = {
            venue: {r.name: step.freeze(s) for r, step, s in zip(self.rules, self.steps, held, strict=True)}
            for venue, held in self.states.items()
        }
        storms = {
            venue: {r.name: s for r, s in zip(self.rules, held, strict=True) if s != Storm()}
            for venue, held in self.storms.items()
        }
        rules = {rule.name: msgspec.json.encode(rule) for rule in self.rules}
        return msgspec.msgpack.encode(_Frozen(self.ends_ms, rules, states, storms, self.revisions, True))

    def thaw(self, data: bytes) -> Published:
        """Take up what was frozen. Of rules that are gone or changed: the clears of what they had raised."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.ends_ms, self.revisions = was.ends_ms, was.revisions
        then = {name: msgspec.json.decode(text, type=Rule) for name, text in was.rules.items()}
        now = {rule.name: rule for rule in self.rules}
        out: list[Alert] = []
        for venue, held in was.states.items():
            storms = was.storms.get(venue, {})
            self.states[venue], self.storms[venue] = [], []
            over = {name: self._over(then[name], now.get(name), frozen, was) for name, frozen in held.items()}
            for rule, step in zip(self.rules, self.steps, strict=True):
                same = over.get(rule.name) == ""
                self.states[venue].append(step.thaw(held[rule.name]) if same else step.init())
                self.storms[venue].append(storms.get(rule.name, Storm()) if same else Storm())
            for name, frozen in held.items():
                if over[name]:
                    out += self._abandoned(venue, then[name], frozen, storms.get(name, Storm()), over[name])
        return self._published(out)

    @staticmethod
    def _over(then: Rule, now: Rule | None, frozen: bytes, was: _Frozen) -> str:
        """Why what a rule had raised at a venue is cleared and it begins anew; empty where it goes on."""
        if then != now:
            return "the rule was removed" if now is None else "the rule was changed"
        shared = not was.told_apart and shared_names(then, alerts(then).thaw(frozen))
        return "its subjects are named in another way" if shared else ""

    def _abandoned(self, venue: str, rule: Rule, frozen: bytes, storm: Storm, why: str) -> list[Alert]:
        at_ns = self.ends_ms.get(venue, 0) * MS
        left = _listed(abandon(rule, alerts(rule).thaw(frozen), at_ns, why))
        out = [alert for told in left for alert in storm.admit(rule, told)]
        storm.withheld.clear()
        return out + [alert | {"reason": why} for alert in self._told(venue, rule, storm, at_ns)]

    def _published(self, found: list[Alert]) -> Published:
        """Alerts as rows: the record's key is the subject, its id the alert's with the revision as order."""
        at_ms, revision = [alert["at"] // MS for alert in found], []
        for at, alert in zip(at_ms, found, strict=True):
            name = alert["alert_id"]
            revision.append(max(4 * at + _KINDS[alert["kind"]], self.revisions.get(name, 0) + 1))
            self.revisions[name] = revision[-1]
            if alert["kind"] == "clear":
                del self.revisions[name]
        columns: dict[str, Array | list[str]] = {}
        for c in WRITES:
            values = [alert[c.name] for alert in found]
            kinds = {"f8": np.float64, "bool": np.bool_}
            columns[c.name] = values if c.dtype == "str" else np.array(values, kinds.get(c.dtype, np.int64))
        columns["state"] = ["cleared" if alert["kind"] == "clear" else "raised" for alert in found]
        columns["revision"] = np.array(revision, np.int64)
        natural = [alert["alert_id"] for alert in found]
        return Published("alerts", [alert["subject"] for alert in found], natural, revision, at_ms, columns)


def _listed(columns: Columns) -> list[Alert]:
    """Alerts one by one."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]
