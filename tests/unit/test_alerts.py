"""Alerts: hysteresis in event time against a naive oracle, ids, evidence, severity, and rule files with mistakes."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.dashboards.boards import RISK
from flows.tables import ALERTED
from operators import hysteresis
from operators.alerts.alert_step import GONE, WRITES, alert_id, alerts, judge
from operators.alerts.rules import Rule, load
from schemas.column import Column
from schemas.table import Table

S = 1_000_000_000
FILE = Path(__file__).parents[2] / "deploy" / "settings" / "alerts.toml"
RULE = """
[[rule]]
name = "margin"
table = "risk_accounts"
metric = "use"
comparison = "above"
raise = { warning = 0.8, critical = 0.9 }
clear = 0.7
subject = ["account"]
hold_s = 5
clear_hold_s = 3
cooldown_s = 20
evidence = ["equity_usd"]
trust = "ok"
"""


def rule(text: str = RULE, **changes: str) -> Rule:
    for old, new in changes.items():
        assert f"\n{old} = " in text, f"the rule says nothing of {old}"
        text = "\n".join(f"{old} = {new}" if line.startswith(old + " ") else line for line in text.splitlines())
    return load(text)[0]


def rows(*given_rows: tuple[str, float, float], ok: bool = True) -> dict[str, np.ndarray]:
    accounts, seconds, values = zip(*given_rows, strict=True)
    return {
        "account": np.array(accounts),
        "event_ns": np.array([int(s * S) for s in seconds], np.int64),
        "use": np.array(values, np.float64),
        "equity_usd": 1000 * np.array(values, np.float64),
        "ok": np.full(len(values), ok),
    }


def advance(by: Rule, state, now_ns: int):
    """Alerts of holds that run out by `now_ns` although no row comes."""
    none = {name: column[:0] for name, column in rows(("a", 0, 0.0)).items()}
    return judge(by, state, none, hysteresis.Moments(np.zeros(2, np.int64), np.array([now_ns])))[0]


def told(out) -> list[tuple[str, str, str, float]]:
    parts = (out["kind"], out["subject"], out["severity"], out["at"] / S)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def test_the_colours_of_the_risk_dashboard_change_where_the_shipped_rules_raise():
    """Of 0.85 of the maintenance margin a critical alert was raised, and the chart was orange until 0.95."""
    raised = {r.metric: tuple(r.thresholds.values()) for r in load(FILE.read_text()) if r.table == "risk_accounts"}
    coloured = {panel.title: panel.steps for panel in RISK.panels if panel.steps}
    assert coloured
    for title, steps in coloured.items():
        assert tuple(value for value, _ in steps) == raised[title.replace(" ", "_")], title


def test_a_raise_waits_for_its_hold_and_a_clear_for_its_own():
    step = alerts(rule())
    batch = rows(("a", 0, 0.85), ("a", 4, 0.85), ("a", 6, 0.85), ("a", 10, 0.6), ("a", 12, 0.6), ("a", 14, 0.6))
    assert told(step.step(step.init(), batch)) == [("raise", "a", "warning", 5), ("clear", "a", "warning", 13)]


def test_a_dip_below_the_raise_threshold_starts_the_hold_again():
    step = alerts(rule())
    batch = rows(("a", 0, 0.85), ("a", 4, 0.75), ("a", 5, 0.85), ("a", 9, 0.85), ("a", 11, 0.85))
    assert told(step.step(step.init(), batch)) == [("raise", "a", "warning", 10)]


def test_between_the_thresholds_nothing_changes():
    step = alerts(rule())
    state = step.init()
    step.step(state, rows(("a", 0, 0.85), ("a", 6, 0.85)))
    assert told(step.step(state, rows(("a", 10, 0.75), ("a", 100, 0.75)))) == []


def test_a_graver_value_heightens_the_alert_at_once_and_keeps_its_id():
    step = alerts(rule())
    out = step.step(step.init(), rows(("a", 0, 0.85), ("a", 6, 0.95), ("a", 7, 0.85), ("a", 8, 0.6), ("a", 20, 0.6)))
    assert told(out) == [
        ("raise", "a", "warning", 5),
        ("higher", "a", "critical", 6),
        ("clear", "a", "critical", 11),
    ]
    assert set(out["alert_id"].tolist()) == {alert_id("margin", "a", 5 * S)}
    assert (out["cleared_at"] / S).tolist() == [0, 0, 11]


def test_after_a_clear_the_cooldown_delays_the_next_raise():
    step = alerts(rule(hold_s="0", clear_hold_s="0"))
    out = step.step(step.init(), rows(("a", 0, 0.85), ("a", 1, 0.1), ("a", 2, 0.85), ("a", 30, 0.85)))
    assert told(out) == [("raise", "a", "warning", 0), ("clear", "a", "warning", 1), ("raise", "a", "warning", 21)]


def test_a_hold_that_runs_out_between_rows_is_found_by_event_time_alone():
    by = rule()
    step = alerts(by)
    state = step.init()
    assert told(step.step(state, rows(("a", 0, 0.85), ("b", 1, 0.95)))) == []
    assert told(advance(by, state, 4 * S)) == []
    out = advance(by, state, 60 * S)
    assert told(out) == [("raise", "a", "warning", 5), ("raise", "b", "critical", 6)]
    assert [json.loads(e)["equity_usd"] for e in out["evidence"].tolist()] == [850, 950]
    assert told(advance(by, state, 61 * S)) == []


def test_an_unknown_value_neither_raises_nor_clears():
    step = alerts(rule())
    state = step.init()
    unknown = float("nan")
    assert told(step.step(state, rows(("a", 0, 0.85), ("a", 3, unknown), ("a", 4, 0.85), ("a", 8, 0.85)))) == []
    assert told(step.step(state, rows(("a", 9, 0.85)))) == [("raise", "a", "warning", 9)]
    assert told(step.step(state, rows(("a", 10, 0.1), ("a", 11, unknown), ("a", 50, unknown)))) == []


def test_a_bad_stamp_lowers_the_severity_and_says_so():
    step = alerts(rule())
    out = step.step(step.init(), rows(("a", 0, 0.95), ("b", 0, 0.85), ("a", 6, 0.95), ("b", 6, 0.85), ok=False))
    assert [(t[1], t[2]) for t in told(out)] == [("a", "warning"), ("b", "info")]
    assert out["downgraded"].all()


def test_below_is_above_turned_round_and_a_flag_is_a_number():
    broken = next(r for r in load(FILE.read_text()) if r.name == "book_broken")
    step = alerts(broken)
    n = 4
    batch = {
        "venue": np.full(n, "binance-usdm"),
        "symbol": np.full(n, "BTCUSDT"),
        "event_ns": np.array([0, 3, 4, 20]) * S,
        "book_ok": np.array([False, False, True, True]),
        "gap_ms": np.array([1.0, np.nan, 0, 0]),
        "stale_ms": np.zeros(n),
        "last_update_id": np.arange(n),
    }
    out = step.step(step.init(), batch)
    assert told(out) == [
        ("raise", "binance-usdm/BTCUSDT", "warning", 2),
        ("clear", "binance-usdm/BTCUSDT", "warning", 9),
    ]
    assert out["value"].tolist() == [0, 1]
    evidence = json.loads(out["evidence"][0])
    assert evidence == {
        "book_ok": False,
        "clear": 0.5,
        "gap_ms": 1.0,
        "last_update_id": 0,
        "raise": {"warning": 0.5},
        "stale_ms": 0.0,
    }


def test_a_severity_falls_again_when_the_value_does_with_hysteresis_and_a_hold():
    """critical at .9, clear .1 below the mildest: it is held down to .8, then given up after 3 s below."""
    step = alerts(rule(hold_s="0"))
    out = step.step(step.init(), rows(("a", 0, 0.95), ("a", 1, 0.85), ("a", 9, 0.79), ("a", 11, 0.81), ("a", 20, 0.79)))
    assert told(out) == [("raise", "a", "critical", 0)]
    out = step.step(step.init(), rows(("a", 0, 0.95), ("a", 9, 0.79), ("a", 20, 0.79), ("a", 21, 0.91), ("a", 22, 0.1)))
    assert told(out) == [
        ("raise", "a", "critical", 0),
        ("lower", "a", "warning", 12),
        ("higher", "a", "critical", 21),
    ]


def test_when_trust_returns_the_alert_gets_its_true_severity():
    step = alerts(rule(hold_s="0"))
    state = step.init()
    assert told(step.step(state, rows(("a", 0, 0.95), ok=False))) == [("raise", "a", "warning", 0)]
    assert told(step.step(state, rows(("a", 1, 0.95)))) == [("higher", "a", "critical", 1)]
    assert told(step.step(state, rows(("a", 2, 0.95), ok=False))) == []
    assert told(step.step(state, rows(("a", 9, 0.95), ok=False))) == [("lower", "a", "warning", 5)]


def test_what_is_graver_than_before_the_clear_does_not_wait_for_the_cooldown():
    step = alerts(rule(hold_s="0", clear_hold_s="0", cooldown_s="20\nflap_s = 0"))
    batch = rows(("a", 0, 0.85), ("a", 1, 0.1), ("a", 2, 0.85), ("a", 3, 0.95), ("a", 4, 0.1), ("a", 5, 0.95))
    assert told(step.step(step.init(), batch)) == [
        ("raise", "a", "warning", 0),
        ("clear", "a", "warning", 1),
        ("raise", "a", "critical", 3),
        ("clear", "a", "critical", 4),
    ]


def test_what_swings_through_the_whole_band_ends_up_raised():
    """An hour of a second above, a second below: without a floor 1,800 raises and clears."""
    step = alerts(rule(hold_s="0", clear_hold_s="0", cooldown_s="0"))
    out = step.step(step.init(), rows(*(("a", t, (0.95, 0.1)[t % 2]) for t in range(3600)), ("a", 9_999, 0.1)))
    assert told(out) == [
        ("raise", "a", "critical", 0),
        ("clear", "a", "critical", 1),
        ("raise", "a", "critical", 2),
        ("clear", "a", "critical", 3601),
    ]
    slow = [("a", 300 * n, (0.95, 0.1)[n % 2]) for n in range(288)]
    assert len(step.step(step.init(), rows(*slow))["kind"]) < 25, "a day of 5 minutes above and 5 below"


def test_an_account_that_is_no_more_clears_its_alert_though_its_number_is_null():
    step = alerts(rule(trust='"ok"\nexists = "n"', hold_s="0"))
    state = step.init()
    there, gone = rows(("a", 0, 0.95)), rows(("a", 9, float("nan")), ("a", 12, float("nan")))
    assert told(step.step(state, {**there, "n": np.array([2])})) == [("raise", "a", "critical", 0)]
    out = step.step(state, {**gone, "n": np.array([0, 0])})
    assert told(out) == [("clear", "a", "critical", 9)], "no later row would bring the end of a hold to light"
    assert out["reason"].tolist() == [GONE]


def test_what_has_no_known_value_for_long_is_forgotten_where_the_rule_says_so():
    for forget, expected in (("0", []), ("60", [("clear", "a", "critical", 61)])):
        by = rule(cooldown_s=f"20\nforget_s = {forget}", hold_s="0")
        step = alerts(by)
        state = step.init()
        step.step(state, rows(("a", 1, 0.95), ("a", 30, float("nan"))))
        out = advance(by, state, 3600 * S)
        assert told(out) == expected
        assert out["reason"].tolist() == ["no value for 60 s"] * len(expected)


def test_what_is_forgotten_before_its_hold_or_cooldown_ran_out_is_not_raised():
    waits = rows(("a", 0.0, 0.9), ("a", 10.0, 0.1), ("a", 20.0, 0.9), ("b", 300.0, 0.1))
    by = rule(RULE + "forget_s = 90\n", cooldown_s="120")
    step = alerts(by)
    state = step.init()
    told = step.step(state, waits)
    assert told["kind"].tolist() == ["raise", "clear"]
    after = advance(by, state, 300 * S)
    assert after["kind"].tolist() == [], "raised at 130 s, and cleared at 110 for want of a value, before its raise"


def test_states_of_a_release_without_grades_are_taken_up():
    from operators.pack import pack, unpack

    step = alerts(rule(hold_s="0"))
    state = step.init()
    step.step(state, rows(("a", 0, 0.95), ok=False))
    subjects, evidence, packed = msgspec.msgpack.decode(step.freeze(state))
    arrays = unpack(packed)
    old = {"marks": np.ascontiguousarray(arrays["marks"][:, : hysteresis.GRADE]), "value": arrays["value"]}
    frozen = msgspec.msgpack.encode((subjects, evidence, pack(old)))
    again = step.thaw(frozen)
    assert again.latches.marks[0, hysteresis.GRADE] == 1
    assert told(step.step(again, rows(("a", 1, 0.95)))) == [("higher", "a", "critical", 1)]


def test_what_an_alert_publishes_is_what_it_declares():
    step = alerts(rule())
    out = step.step(step.init(), rows(("a", 0, 0.95), ("a", 6, 0.95)))
    assert tuple(out) == step.writes == tuple(c.name for c in WRITES)


def naive(events, by: hysteresis.Thresholds):
    """One subject, second by second: the definition read literally."""
    found, level, grade, peak, flaps, value, ok = [], 0, 0, -1, 0, 0.0, True
    since = clearing = lowering = cleared = fell = raised = known = None
    held = [by.clear_at, *(x - (by.raise_at[0] - by.clear_at) for x in by.raise_at[1:])]
    by_time: dict[int, list[tuple[float, bool]]] = {}
    for when, *row in events:
        by_time.setdefault(when, []).append(tuple(row))

    def reached(v):
        return sum(x <= v for x in by.raise_at)

    def graded(at):
        return max(by.grade_of()[at - 1] - (not ok), 0)

    def rose(t):
        nonlocal flaps, peak
        if fell is not None:
            flaps = flaps + 1 if t - fell <= by.flap_ns else 0
        peak = max(peak, grade)

    def tell(kind, t):
        found.append((kind, t, raised, grade))

    for t in range(0, (max(by_time, default=0) // S + 1) * S, S):
        for row in [None, *by_time.get(t, [])]:
            if row is not None and np.isnan(row[0]):
                since = clearing = lowering = None
            elif row is not None:
                (value, ok), known = row, t
                if level == 0:
                    since = (t if since is None else since) if reached(value) else None
                else:
                    now = level
                    while now > 1 and value < held[now - 1]:
                        now -= 1
                    now = max(now, reached(value))
                    if graded(now) < grade:
                        level, lowering = max(level, now), t if lowering is None else lowering
                    else:
                        level, lowering = now, None
                        if graded(now) > grade:
                            grade = graded(now)
                            rose(t)
                            tell(hysteresis.HIGHER, t)
                    clearing = (t if clearing is None else clearing) if value < by.clear_at else None
                    if value == -np.inf:
                        clearing, lowering = t, None
            if level == 0 and since is not None and by.forget_ns and t >= known + by.forget_ns:
                since = None
            if level == 0 and since is not None and t >= since + by.hold_ns:
                graver = graded(reached(value)) > peak
                if cleared is None or graver or t >= cleared + by.cooldown_ns:
                    level, grade, since, raised = reached(value), graded(reached(value)), None, t
                    peak = grade
                    rose(t)
                    tell(hysteresis.RAISE, t)
            elif level:
                hold = by.clear_hold_ns
                if value == -np.inf:
                    hold = 0
                elif flaps:
                    hold = max(hold, min(max(hold, S) * 2**flaps, by.flap_ns))
                gone = clearing is not None and t >= clearing + hold
                forgotten = by.forget_ns and t >= known + by.forget_ns
                if not gone and not forgotten and lowering is not None and t >= lowering + hold:
                    while level > 1 and value < held[level - 1]:
                        level -= 1
                    grade, lowering, fell = graded(level), None, t
                    tell(hysteresis.LOWER, t)
                if gone or forgotten:
                    grade = peak
                    tell(hysteresis.CLEAR, t)
                    level, clearing, lowering, cleared, fell = 0, None, None, t, t
    return found


VALUES = st.sampled_from([0.1, 0.72, 0.79, 0.85, 0.95, float("nan"), -np.inf])
EVENTS = st.lists(st.tuples(st.integers(0, 3), VALUES, st.booleans()), max_size=40)
TIMES = st.tuples(
    st.integers(0, 4), st.integers(0, 4), st.integers(0, 6), st.integers(0, 9), st.sampled_from([0, 5, 9])
)


@settings(max_examples=500, deadline=None)
@given(EVENTS, TIMES, st.sampled_from([(), (1, 2), (0, 2)]), st.integers(0, 40))
def test_the_compiled_latch_equals_the_definition_read_second_by_second(steps, times, grades, cut):
    when = (S * np.cumsum([s for s, _, _ in steps])).tolist() if steps else []
    values, oks = [v for _, v, _ in steps], [ok for _, _, ok in steps]
    by = hysteresis.Thresholds(np.array([0.8, 0.9]), 0.7, *(S * t for t in times), grades)
    state, got = hysteresis.latches(1), []
    for part in (slice(None, cut), slice(cut, None)):
        n = len(values[part])
        out = hysteresis.follow(
            state,
            by,
            np.zeros(n, np.int64),
            np.array(values[part], np.float64),
            np.array(when[part], np.int64),
            np.array(oks[part], np.bool_),
        )
        columns = (out.kind, out.at_ns, out.raised_ns, out.grade)
        got += list(zip(*(c.tolist() for c in columns), strict=True))
    assert got == naive(list(zip(when, values, oks, strict=True)), by)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.booleans(), st.lists(st.tuples(st.integers(0, 3), VALUES, st.booleans()), max_size=5)
        ),
        max_size=20,
    ),
    TIMES,
)
def test_moments_judged_at_once_tell_what_each_tells_alone(moments, times):
    by = hysteresis.Thresholds(np.array([0.8, 0.9]), 0.7, *(S * t for t in times))
    now_s, parts = 0, []
    for step, later, values in moments:
        now_s += step
        until = now_s * S - 1 if later else hysteresis.NEVER
        subjects, value, ok = zip(*values, strict=True) if values else ((), (), ())
        columns = np.array(subjects, np.int64), np.array(value, np.float64), np.full(len(values), now_s * S)
        parts.append((until, (*columns, np.array(ok, np.bool_))))

    def listed(out, first, number):
        place = np.where(out.place < 0, -1, out.place + first)
        columns = (
            out.subject,
            out.kind,
            out.at_ns,
            out.raised_ns,
            out.grade,
            out.value,
            out.trusted,
            out.forgotten,
            place,
        )
        return [(number + m, *row) for m, *row in zip(out.moment.tolist(), *(c.tolist() for c in columns), strict=True)]

    alone, one, first = [], hysteresis.latches(4), 0
    for number, (until, columns) in enumerate(parts):
        n = len(columns[0])
        out = hysteresis.follow(one, by, *columns, hysteresis.Moments(np.array([0, n]), np.array([until])))
        alone += listed(out, first, number)
        first += n
    whole = [np.concatenate([columns[c] for _, columns in parts] or [np.empty(0)]) for c in range(4)]
    starts = np.cumsum([0, *(len(columns[0]) for _, columns in parts)])
    state = hysteresis.latches(4)
    out = hysteresis.follow(state, by, *whole, hysteresis.Moments(starts, np.array([until for until, _ in parts])))
    assert listed(out, 0, 0) == alone
    assert (state.marks == one.marks).all()


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.integers(0, 40))
def test_a_freeze_and_thaw_anywhere_changes_no_alert(steps, cut):
    step = alerts(rule(hold_s="2", cooldown_s="1"))
    when = np.cumsum([s for s, _, _ in steps]) if steps else np.empty(0)
    batch = rows(
        *(("ab"[i % 2], float(t), v) for i, (t, (_, v, _)) in enumerate(zip(when, steps, strict=True))), ("a", 999, 0.1)
    )
    whole = step.step(step.init(), batch)
    state = step.init()
    first = step.step(state, {k: v[:cut] for k, v in batch.items()})
    state = step.thaw(step.freeze(state))
    second = step.step(state, {k: v[cut:] for k, v in batch.items()})
    for name, column in whole.items():
        assert column.tolist() == first[name].tolist() + second[name].tolist()


def test_the_rules_that_are_shipped_load():
    names = [r.name for r in load(FILE.read_text())]
    assert names == [
        "margin_utilisation",
        "distance_to_liquidation",
        "maintenance_ratio",
        "insolvent",
        "record_age",
        "record_incomplete",
        "not_valued",
        "missing_marks",
        "stale_marks",
        "liquidation_burst",
        "book_broken",
        "spread",
    ]


def test_the_rules_that_are_shipped_read_columns_that_are_declared():
    assert load(FILE.read_text(), ALERTED) == load(FILE.read_text())


def test_rules_may_be_json():
    tree = {
        "rule": [
            {
                "name": "margin",
                "table": "t",
                "metric": "m",
                "comparison": "above",
                "raise": {"info": 1},
                "clear": 0,
                "subject": ["s"],
            }
        ]
    }
    assert load(json.dumps(tree))[0].columns == ("s", "m")


TABLES = {
    "risk_accounts": Table(
        "risk_accounts",
        "risk.accounts",
        (
            Column("account", "str", "who"),
            Column("use", "f8", "share used", low=0.0, high=1.0),
            Column("equity_usd", "f8", "what is there"),
            Column("ok", "bool", "trusted"),
            Column("risk_level", "str", "in words"),
            Column("as_of", "time", "when"),
        ),
        key=("account", "as_of"),
        time="as_of",
    )
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"comparison": '"over"'}, "rule 1 \"margin\", comparison, line 6: Invalid enum value 'over'"),
        ({"hold_s": "-1"}, 'rule 1 "margin", hold_s, line 10: Expected `float` >= 0.0'),
        ({"hold_s": '"5"'}, 'rule 1 "margin", hold_s, line 10: Expected `float`, got `str`'),
        ({"clear": "0.85"}, 'rule 1 "margin", clear, line 8: 0.85 is further above than 0.8, which raises'),
        ({"clear": "nan"}, 'rule 1 "margin", raise, line 7: a threshold is not finite'),
        (
            {"raise": "{ warning = 0.9, critical = 0.8 }"},
            'rule 1 "margin", raise, line 7: a higher severity must be further above, not [0.9, 0.8]',
        ),
        (
            {"raise": "{ fatal = 0.9 }"},
            "rule 1 \"margin\", raise, line 7: Invalid enum value 'fatal'; there are info, warning, critical",
        ),
        ({"metric": '"risk_level"'}, "metric, line 5: column 'risk_level' is a text, metric needs a number or "),
        ({"metric": '"as_of"'}, "metric, line 5: column 'as_of' is a time, metric needs a number or "),
        ({"trust": '"use"'}, "trust, line 14: column 'use' is a number, trust needs a flag"),
        ({"trust": '"ok"\nexists = "account"'}, "exists, line 15: column 'account' is a text, exists needs a flag or "),
        ({"subject": '["use"]'}, "subject, line 9: column 'use' is a number, subject needs a text or "),
        ({"raise": "{ warning = 80.0 }"}, "raise, line 7: 'use' is at most 1: warning at 80 would never come"),
        ({"cooldown_s": "20\nmost_per_minute = 0"}, "most_per_minute, line 13: Expected `int` >= 1"),
        ({"raise": "{ }"}, 'rule 1 "margin", raise, line 7'),
        ({"trust": '"book_ok"'}, "trust, line 14: table 'risk_accounts' has no column 'book_ok'"),
        ({"metric": '"usage"'}, "metric, line 5: table 'risk_accounts' has no column 'usage'"),
        ({"evidence": '["gone"]'}, "evidence, line 13: table 'risk_accounts' has no column 'gone'"),
        ({"subject": "[]"}, 'rule 1 "margin", subject, line 9'),
        (
            {"subject": '["risk_level"]'},
            "subject, line 9: 'account' is left out: rows of 'risk_accounts' that differ in it would count as one",
        ),
        ({"table": '"risk"'}, "table, line 4: no table 'risk'; there are risk_accounts"),
        ({"cooldown_s": "20\ncooldown = 3"}, 'rule 1 "margin", cooldown, line 13: Object contains unknown field'),
        ({"clear": "0.7\n="}, "the rule file cannot be read: Invalid statement (at line 9, column 1)"),
    ],
)
def test_a_mistake_in_a_rule_file_says_where_it_is(changes, expected):
    text = RULE
    for field, new in changes.items():
        text = "\n".join(f"{field} = {new}" if line.startswith(field + " ") else line for line in text.splitlines())
    with pytest.raises(ValueError, match="rule") as error:
        load(text, TABLES)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_field_is_named_with_its_rule():
    text = RULE + RULE.replace("margin", "other").replace('metric = "use"\n', "")
    with pytest.raises(ValueError, match='rule 2 "other", metric, line 16: Object missing required field `metric`'):
        load(text)


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValueError, match="rule 2 \"margin\", name, line 17: another rule is called 'margin'"):
        load(RULE + RULE)


def test_an_empty_file_is_refused():
    with pytest.raises(ValueError, match="the rule file"):
        load("")


def test_a_rule_that_would_forget_what_has_not_moved_for_less_than_a_minute_is_refused():
    """A quiet book's row comes once a minute: with 30 s its alert was cleared and raised again each minute."""
    of_book = (
        RULE.replace("risk_accounts", "features_book").replace('"use"', '"spread_bps"').replace('"ok"', '"book_ok"')
    )
    of_book = of_book.replace('["account"]', '["venue", "symbol"]').replace("equity_usd", "mid")
    assert load(of_book + "forget_s = 61\n", ALERTED)[0].forget_s == 61
    for seconds in (30, 60):
        with pytest.raises(ValueError, match=f"forget_s, line 15: .* once a minute: {seconds} s would clear"):
            load(of_book + f"forget_s = {seconds}\n", ALERTED)
