"""The alert step: rows of a table in, raised, heightened, lowered and cleared alerts out, by one rule.

`alert_id` is a hash of rule, subject and the event time of the raise, so the same log makes the same ids wherever and
however often it is replayed; a clear carries the id of its raise. While the value in force came without a good stamp,
the severity is one lower and `downgraded` says so; when the stamp is good again, the alert is heightened.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from operators import hysteresis
from operators.alerts.rules import SEVERITIES, Rule
from operators.contract import Columns, Step
from operators.pack import pack, unpack
from schemas.column import Column

SECOND_NS = 1_000_000_000
KINDS = np.array(["", "raise", "higher", "clear", "lower"])
GONE, BELOW = "the subject is no more", "the value"

WRITES = (
    Column("alert_id", "str", "Names an alert from its raise to its clear"),
    Column("rule", "str", "Which rule raised it"),
    Column(
        "subject",
        "str",
        "What it is about: account, or venue/symbol; where one of several names has a / itself, a / before each, and"
        " / and % in them as %2F and %25; `*` and a shard: a summary of a storm",
    ),
    Column("kind", "str", "raise, higher (a graver severity), lower or clear"),
    Column("at", "time", "Event time of this transition"),
    Column("raised_at", "time", "Event time of the raise"),
    Column("cleared_at", "time", "Event time of the clear", null_when="not cleared; 0 in arrays"),
    Column("severity", "str", "info, warning or critical; of a clear, the gravest before it"),
    Column("downgraded", "bool", "Whether the severity was lowered because the value came with a bad stamp"),
    Column(
        "value",
        "f8",
        "The metric in force at the transition; of one that a storm held back, when it was held back",
        unit="the metric's",
        null_when="the subject is no more",
        source="as the rule's column states it",
    ),
    Column("reason", "str", "Why it was cleared: the value, or what else; empty when it was not"),
    Column("evidence", "str", "JSON: metric, thresholds and the rule's evidence columns", unit="json"),
)


@dataclass(slots=True)
class AlertState:
    """Subjects in the order in which they were first seen, their latches, and evidence of those not at rest."""

    subjects: dict[str, int] = field(default_factory=dict)
    latches: hysteresis.Latches = field(default_factory=hysteresis.latches)
    evidence: dict[int, dict[str, float | str | bool | None]] = field(default_factory=dict)


def thresholds(rule: Rule) -> hysteresis.Thresholds:
    """The rule's thresholds in the direction of harm."""
    sign = 1.0 if rule.comparison == "above" else -1.0
    return hysteresis.Thresholds(
        sign * np.array([rule.thresholds[s] for s in rule.severities]),
        sign * rule.clear,
        int(rule.hold_s * SECOND_NS),
        int(rule.clear_hold_s * SECOND_NS),
        int(rule.cooldown_s * SECOND_NS),
        int(rule.flap_s * SECOND_NS),
        int(rule.forget_s * SECOND_NS),
        tuple(SEVERITIES.index(s) for s in rule.severities),
    )


def subject_of(parts: Iterable[object]) -> str:
    """The name of a subject: its columns, joined. No two of a rule share one, whatever an account is called.

    >>> subject_of(["main", "BTCUSDT"]), subject_of(["desk/1", "50%"]), subject_of(["desk/1"])
    ('main/BTCUSDT', '/desk%2F1/50%25', 'desk/1')
    """
    names = [str(part) for part in parts]
    if len(names) > 1 and any("/" in name for name in names):
        return "".join("/" + name.replace("%", "%25").replace("/", "%2F") for name in names)
    return "/".join(names)


def shared_names(rule: Rule, state: AlertState) -> bool:
    """Whether a state of a release that joined columns as they are names subjects that others might share."""
    return len(rule.subject) > 1 and any(name.count("/") >= len(rule.subject) for name in state.subjects)


def alert_id(rule: str, subject: str, raised_ns: int) -> str:
    """32 hexadecimal digits.

    >>> alert_id("margin", "sim-001", 1_700_000_000_000_000_000)
    'a00416f1a904f602010783467e86017a'
    """
    return hashlib.blake2b(f"{rule}\0{subject}\0{raised_ns}".encode(), digest_size=16).hexdigest()


def alerts(rule: Rule) -> Step[AlertState]:
    """The step of a rule. It reads `event_ns` and the rule's columns; metrics may be numbers or flags."""
    return Step(
        f"alert_{rule.name}",
        ("event_ns", *rule.columns),
        tuple(c.name for c in WRITES),
        AlertState,
        lambda state, rows: judge(rule, state, rows)[0],
        _freeze,
        lambda data: _thaw(rule, data),
    )


def judge(
    rule: Rule, state: AlertState, rows: Columns, moments: hysteresis.Moments | None = None
) -> tuple[Columns, hysteresis.Transitions]:
    """Alerts of rows in order, moment by moment, with the transitions that they tell of."""
    sign = 1.0 if rule.comparison == "above" else -1.0
    value = sign * np.asarray(rows[rule.metric], np.float64)
    if rule.exists:
        value = np.where(np.asarray(rows[rule.exists], np.float64) == 0, -np.inf, value)
    names = [subject_of(parts) for parts in zip(*(rows[c].tolist() for c in rule.subject), strict=True)]
    subject = np.array([state.subjects.setdefault(name, len(state.subjects)) for name in names], np.int64)
    hysteresis.widen(state.latches, len(state.subjects))
    trusted = np.asarray(rows[rule.trust], np.bool_) if rule.trust else np.ones(len(value), np.bool_)
    found = hysteresis.follow(state.latches, thresholds(rule), subject, value, rows["event_ns"], trusted, moments)
    out = _columns(rule, state, found, rows)
    marks = state.latches.marks
    busy = (marks[:, hysteresis.LEVEL] > 0) | (marks[:, hysteresis.SINCE] != hysteresis.NEVER)
    for s in np.flatnonzero(busy & (found.in_force >= 0)).tolist():
        state.evidence[s] = _row(rule, rows, int(found.in_force[s]))
    state.evidence = {s: row for s, row in state.evidence.items() if busy[s]}
    return out, found


def abandon(rule: Rule, state: AlertState, now_ns: int, reason: str) -> Columns:
    """Clears of everything that is raised by a rule that no longer holds, in the order of the subjects."""
    marks, value = state.latches.marks, state.latches.value
    open_ = np.flatnonzero(marks[:, hysteresis.LEVEL] > 0)
    at = np.maximum(marks[open_, hysteresis.SEEN], now_ns)
    n, trusted = len(open_), marks[open_, hysteresis.TRUSTED].astype(np.bool_)
    found = hysteresis.Transitions(
        open_.astype(np.int64),
        np.full(n, hysteresis.CLEAR),
        at,
        marks[open_, hysteresis.RAISED].copy(),
        marks[open_, hysteresis.PEAK].copy(),
        np.zeros(n, np.bool_),
        value[open_].copy(),
        trusted,
        np.full(n, -1),
        np.full(n, -1),
        np.zeros(n, np.int64),
        np.full(len(value), -1),
    )
    return {**_columns(rule, state, found, {}), "reason": np.full(n, reason)}


def _row(rule: Rule, rows: Columns, i: int) -> dict[str, float | str | bool | None]:
    named = {c: rows[c][i : i + 1].tolist()[0] for c in (rule.metric, *rule.evidence)}
    return {c: None if isinstance(v, float) and not np.isfinite(v) else v for c, v in named.items()}


def _evidence(rule: Rule, row: dict[str, float | str | bool | None]) -> str:
    return msgspec.json.encode({**row, "raise": rule.thresholds, "clear": rule.clear}, order="sorted").decode()


def _columns(rule: Rule, state: AlertState, found: hysteresis.Transitions, rows: Columns) -> Columns:
    sign = 1.0 if rule.comparison == "above" else -1.0
    names = list(state.subjects) if len(found.subject) else []
    subject = [names[s] for s in found.subject.tolist()]
    ids = [alert_id(rule.name, s, at) for s, at in zip(subject, found.raised_ns.tolist(), strict=True)]
    cleared = found.kind == hysteresis.CLEAR
    reason = np.where(found.value == -np.inf, GONE, BELOW)
    reason = np.where(found.forgotten, f"no value for {rule.forget_s:g} s", reason)
    evidence = [
        _evidence(rule, _row(rule, rows, row) if row >= 0 else state.evidence.get(s, {}))
        for s, row in zip(found.subject.tolist(), found.row.tolist(), strict=True)
    ]
    return {
        "alert_id": np.array(ids, np.str_),
        "rule": np.full(len(ids), rule.name),
        "subject": np.array(subject, np.str_),
        "kind": KINDS[found.kind],
        "at": found.at_ns,
        "raised_at": found.raised_ns,
        "cleared_at": np.where(cleared, found.at_ns, 0),
        "severity": np.array(SEVERITIES)[found.grade],
        "downgraded": ~found.trusted,
        "value": sign * found.value,
        "reason": np.where(cleared, reason, ""),
        "evidence": np.array(evidence, np.str_),
    }


_out = msgspec.msgpack.Encoder().encode
_in = msgspec.msgpack.Decoder(
    tuple[list[str], dict[int, dict[str, float | str | bool | None]], bytes], strict=False
).decode


def _freeze(state: AlertState) -> bytes:
    return _out(
        (list(state.subjects), state.evidence, pack({"marks": state.latches.marks, "value": state.latches.value}))
    )


def _thaw(rule: Rule, data: bytes) -> AlertState:
    subjects, evidence, packed = _in(data)
    arrays = unpack(packed)
    marks = np.asarray(arrays["marks"], np.int64)
    held = hysteresis.latches(len(marks))
    held.marks[:, : marks.shape[1]] = marks
    held.value[:] = np.asarray(arrays["value"], np.float64)
    if marks.shape[1] == hysteresis.GRADE:
        _regrade(rule, held)
    return AlertState({name: i for i, name in enumerate(subjects)}, held, evidence)


def _regrade(rule: Rule, held: hysteresis.Latches) -> None:
    """Latches of a release that kept no grades: what was told is worked out from level and trust."""
    marks = held.marks
    open_ = marks[:, hysteresis.LEVEL] > 0
    grades = thresholds(rule).grade_of()[np.maximum(marks[:, hysteresis.LEVEL], 1) - 1]
    told = np.maximum(grades - 1 + marks[:, hysteresis.TRUSTED], 0)
    for name in (hysteresis.GRADE, hysteresis.PEAK):
        marks[open_, name] = told[open_]
    marks[:, hysteresis.KNOWN] = marks[:, hysteresis.SEEN]
    marks[:, hysteresis.FELL] = marks[:, hysteresis.CLEARED]
