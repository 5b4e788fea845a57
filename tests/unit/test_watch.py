"""A watch over one log: what it raises and clears does not hang on how the log is cut, and it ends what is no more."""

import json
import random
from itertools import product

import msgspec
import pytest

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from operators.alerts.alert_step import alert_id, subject_of
from operators.alerts.rules import load
from operators.alerts.watch import Watch
from operators.once import keep
from operators.progress import AHEAD
from schemas.column import Column
from schemas.frames import frames

RULES = """
[[rule]]
name = "near"
table = "risk_positions"
metric = "distance_to_liquidation_bps"
comparison = "below"
raise = { warning = 150, critical = 50 }
clear = 200
subject = ["account", "symbol"]
clear_hold_s = 2
evidence = ["mark_price"]
trust = "marks_ok"
exists = "open"

[[rule]]
name = "large"
table = "risk_positions"
metric = "notional_usd"
comparison = "above"
raise = { info = 1000 }
clear = 900
subject = ["account"]
hold_s = 3
"""


LATER_NS = 2**61


def row(second: int, account: str, distance: float | None, notional: float = 0.0, **more) -> bytes:
    told = {"account": account, "symbol": "BTCUSDT", "as_of": 1_000 * second, "distance_to_liquidation_bps": distance}
    told |= {"notional_usd": notional, "mark_price": 10.0, "marks_ok": True, "open": True}
    return json.dumps({"id": f"{account}|{second}"} | told | more).encode()


def watch(rules: str = RULES) -> Watch:
    return Watch(BY_NAME["risk_positions"], load(rules), 1_000)


def log(*values: bytes):
    return frames("risk.positions", 0, values, [LATER_NS] * len(values))


def told(published) -> list[dict]:
    return [msgspec.json.decode(value) for _, value in records(published, BY_NAME["alerts"].columns)]


def brief(rows: list[dict]) -> list[tuple]:
    return [(r["rule"], r["subject"], r["kind"], r["severity"], r["at"] // 1_000) for r in rows]


def test_an_alert_is_raised_heightened_and_cleared_under_one_id():
    published, rejects = watch().read(
        log(row(1, "a", 140.0), row(2, "a", 40.0), row(3, "a", 300.0), row(5, "a", 300.0))
    )
    rows = told(published)
    assert rejects == []
    assert brief(rows) == [
        ("near", "a/BTCUSDT", "raise", "warning", 1),
        ("near", "a/BTCUSDT", "higher", "critical", 2),
        ("near", "a/BTCUSDT", "clear", "critical", 5),
    ]
    assert len({r["alert_id"] for r in rows}) == 1
    assert [(r["state"], r["cleared_at"]) for r in rows] == [("raised", None), ("raised", None), ("cleared", 5_000)]
    assert [r["revision"] for r in rows] == [4_001, 8_002, 20_003]
    assert [r["id"] for r in rows] == [f"{r['alert_id']}|{r['revision']}" for r in rows]


def test_a_position_that_is_closed_clears_its_alert_without_a_further_row_of_it():
    closed = row(2, "a", None, open=False)
    rows = told(watch().read(log(row(1, "a", 20.0), closed))[0])
    assert brief(rows) == [
        ("near", "a/BTCUSDT", "raise", "critical", 1),
        ("near", "a/BTCUSDT", "clear", "critical", 2),
    ]
    assert rows[-1]["value"] is None


def test_a_hold_runs_out_although_no_row_of_its_subject_comes():
    rows = told(watch().read(log(row(1, "a", 900.0, 5_000.0), row(9, "b", 900.0)))[0])
    assert brief(rows) == [("large", "a", "raise", "info", 4)]


def test_severity_is_one_lower_while_the_stamp_is_bad():
    rows = told(watch().read(log(row(1, "a", 20.0, marks_ok=False)))[0])
    assert brief(rows) == [("near", "a/BTCUSDT", "raise", "warning", 1)]
    assert rows[0]["downgraded"] is True


def test_what_cannot_be_read_is_a_reject_and_the_rest_is_judged():
    published, rejects = watch().read(log(b'{"id":"x|1","account":3}', row(1, "a", 20.0)))
    assert [(r.offset, r.reason) for r in rejects] == [(0, "Expected `str`, got `int` - at `$.account`")]
    assert len(published.base) == 1


FEW = RULES.replace("hold_s = 3", "hold_s = 3\nmost_per_minute = 2").replace(
    "clear_hold_s = 2", "clear_hold_s = 2\nmost_per_minute = 2"
)


@pytest.mark.parametrize("rules", [RULES, FEW])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_cut_and_no_resume_changes_a_byte(seed, rules):
    chance = random.Random(seed)

    values = [
        row(t, name, chance.choice([20.0, 100.0, 170.0, 400.0, None]), chance.choice([0.0, 2_000.0]))
        for t in range(1, 200)
        for name in "abcd"
        if chance.random() < 0.6
    ]
    columns, whole = BY_NAME["alerts"].columns, log(*values)
    expected = records(watch(rules).read(whole)[0], columns)
    assert len(expected) > 30
    found, at, one = [], 0, watch(rules)
    while at < len(whole):
        step = chance.randint(1, 9)
        found += records(one.read(keep(whole, range(at, min(at + step, len(whole)))))[0], columns)
        at += step
        frozen, one = one.freeze(), watch(rules)
        assert one.thaw(frozen).base == []
    assert found == expected


def test_of_a_table_with_windows_only_the_base_window_is_judged():
    rules = load(
        RULES.split("[[rule]]", maxsplit=1)[0]
        + '[[rule]]\nname = "spread"\ntable = "features_book"\nmetric = "spread_bps"\ncomparison = "above"\n'
        + 'raise = { info = 10 }\nclear = 5\nsubject = ["venue", "symbol"]'
    )
    one = Watch(BY_NAME["features_book"], rules, 1_000)
    base = {"venue": "v", "symbol": "s", "spread_bps": 50.0, "closed_by": "event"}
    long = json.dumps({"id": "x|0", **base, "window_ms": 10_000, "window_start": 0}).encode()
    short = json.dumps({"id": "y|0", **base, "window_ms": 1_000, "window_start": 9_000}).encode()
    assert one.read(frames("features.book", 0, [long], [LATER_NS]))[0].base == []
    assert brief(told(one.read(frames("features.book", 0, [short], [LATER_NS]))[0])) == [
        ("spread", "v/s", "raise", "info", 10)
    ]


def test_windows_that_the_end_of_a_recording_closed_let_no_hold_run_out_beyond_it():
    """Of a recording of six minutes, closed with a window until 00:05, six of eleven alerts were raised, lowered or
    cleared after its last frame, at times of which it holds nothing.
    """
    one = Watch(BY_NAME["features_book"], load(BROKEN), 1_000)
    base = {"venue": "v", "symbol": "s", "book_ok": False, "stale_ms": 0, "closed_by": "end"}
    rows = [
        json.dumps({"id": f"x|{ms}", **base, "window_ms": ms, "window_start": 0}).encode() for ms in (1_000, 300_000)
    ]
    assert told(one.read(log(*rows))[0]) + told(one.end()) == [], "it would be raised 3 s later"


BROKEN = """
[[rule]]
name = "book_broken"
table = "features_book"
metric = "book_ok"
comparison = "below"
raise = { warning = 0.5 }
clear = 0.5
subject = ["venue", "symbol"]
hold_s = 3
evidence = ["stale_ms"]
"""


@pytest.mark.parametrize("seed", range(5))
def test_venues_whose_times_lie_years_apart_do_not_change_each_others_alerts(seed):
    chance = random.Random(seed)

    def book(venue, second):
        told = {
            "venue": venue,
            "symbol": "BTCUSDT",
            "window_ms": 1_000,
            "window_start": 1_000 * second,
            "closed_by": "event",
        }
        return json.dumps({"id": f"{venue}|{second}", **told, "book_ok": chance.random() < 0.3, "stale_ms": second})

    rows = {"deribit": [book("deribit", n) for n in range(40)]}
    rows["okx-swap"] = [book("okx-swap", 10**8 + n) for n in range(40)]

    def judged(interleaved):
        published, rejects = Watch(BY_NAME["features_book"], load(BROKEN), 1_000).read(
            log(*(value.encode() for value in interleaved))
        )
        assert rejects == []
        return sorted(value for _, value in records(published, BY_NAME["alerts"].columns))

    left = {venue: list(values) for venue, values in rows.items()}
    mixed = [left[v].pop(0) for v in chance.sample(["deribit"] * 40 + ["okx-swap"] * 40, 80)]
    one_after_the_other = judged(rows["deribit"] + rows["okx-swap"])
    assert one_after_the_other
    assert judged(mixed) == judged(rows["okx-swap"] + rows["deribit"]) == one_after_the_other


def test_what_a_rule_had_raised_is_cleared_with_the_reason_when_the_rule_is_changed_or_removed():
    one = watch()
    first = told(one.read(log(row(1, "a", 20.0, 5_000.0), row(2, "b", 900.0, 5_000.0), row(9, "c", 900.0)))[0])
    frozen = one.freeze()
    assert brief(first) == [
        ("near", "a/BTCUSDT", "raise", "critical", 1),
        ("large", "a", "raise", "info", 4),
        ("large", "b", "raise", "info", 5),
    ]
    changed = watch(RULES.replace("critical = 50", "critical = 40").split('[[rule]]\nname = "large"')[0])
    cleared = told(changed.thaw(frozen))
    assert brief(cleared) == [
        ("near", "a/BTCUSDT", "clear", "critical", 9),
        ("large", "a", "clear", "info", 9),
        ("large", "b", "clear", "info", 9),
    ]
    assert [r["reason"] for r in cleared] == ["the rule was changed", "the rule was removed", "the rule was removed"]
    assert {r["alert_id"] for r in cleared} == {r["alert_id"] for r in first}
    again = told(changed.read(log(row(10, "a", 20.0)))[0])
    assert brief(again) == [("near", "a/BTCUSDT", "raise", "critical", 10)], (
        "what still holds is raised by the new rule"
    )
    same = watch()
    assert same.thaw(frozen).base == []


@pytest.mark.parametrize("desk_first", [True, False])
def test_two_positions_whose_names_run_into_one_are_two_subjects(desk_first):
    """Account desk/x with BTCUSDT and account desk with x/BTCUSDT: the calm one cleared what the other had raised."""
    rows = [row(1, "desk/x", 20.0), row(1, "desk", 900.0, symbol="x/BTCUSDT"), row(1, "50%", 20.0)]
    alerts = told(watch().read(log(*(rows if desk_first else rows[::-1]), row(9, "z", 900.0)))[0])
    assert {(r["subject"], r["kind"]) for r in alerts} == {("/desk%2Fx/BTCUSDT", "raise"), ("50%/BTCUSDT", "raise")}


@pytest.mark.parametrize("parts", [2, 3])
def test_no_two_subjects_share_a_name(parts):
    names = ["".join(of) for n in range(3) for of in product("a/%2F", repeat=n)]
    subjects = list(product(names, repeat=parts)) if parts == 2 else list(product(names[:8], repeat=parts))
    assert len({subject_of(of) for of in subjects}) == len(subjects)


def test_what_a_release_that_joined_names_as_they_are_had_raised_is_cleared_and_raised_under_its_own_name():
    one = watch()
    first = told(one.read(log(row(1, "desk", 20.0, 5_000.0), row(9, "c", 900.0)))[0])
    assert [r["rule"] for r in first] == ["near", "large"]
    was = msgspec.msgpack.decode(one.freeze())
    assert was.pop("told_apart") is True
    same = watch()
    assert same.thaw(msgspec.msgpack.encode(was)).base == [], "of names without / nothing changes"
    names, *rest = msgspec.msgpack.decode(was["states"][""]["near"])
    renamed = [name.replace("desk/", "desk/x/") for name in names]
    was["states"][""]["near"] = msgspec.msgpack.encode([renamed, *rest])
    again = watch()
    cleared = told(again.thaw(msgspec.msgpack.encode(was)))
    assert brief(cleared) == [("near", "desk/x/BTCUSDT", "clear", "critical", 9)]
    assert cleared[0]["reason"] == "its subjects are named in another way"
    assert cleared[0]["alert_id"] == alert_id("near", "desk/x/BTCUSDT", 1_000_000_000)
    assert brief(told(again.read(log(row(10, "desk/x", 20.0)))[0])) == [
        ("near", "/desk%2Fx/BTCUSDT", "raise", "critical", 10)
    ]
    assert watch().thaw(again.freeze()).base == []


def test_a_row_that_somebody_wrote_years_ahead_is_refused_and_no_hold_runs_out_by_it():
    """It moved the time of its table for good: holds ran out at it, and no later row let one run out again."""
    foreign = row(10**9, "x", 900.0)
    rows = [row(1, "a", 900.0, 5_000.0), foreign, row(2, "b", 900.0), row(5, "b", 900.0)]
    published, rejects = watch().read(frames("risk.positions", 0, rows, [5_000_000_000] * 4))
    assert [(r.offset, r.reason) for r in rejects] == [(1, AHEAD)]
    assert brief(told(published)) == [("large", "a", "raise", "info", 4)]


def test_a_rule_frozen_by_a_release_that_knew_fewer_fields_is_the_same_rule():
    one = watch()
    one.read(log(row(1, "a", 20.0)))
    was = msgspec.msgpack.decode(one.freeze())
    for name, text in was["rules"].items():
        fields = msgspec.json.decode(text)
        was["rules"][name] = msgspec.json.encode({k: v for k, v in fields.items() if k not in ("flap_s", "forget_s")})
    del was["storms"], was["revisions"]
    again = watch()
    assert again.thaw(msgspec.msgpack.encode(was)).base == []
    assert brief(told(again.read(log(row(9, "a", 900.0), row(12, "a", 900.0)))[0])) == [
        ("near", "a/BTCUSDT", "clear", "critical", 11)
    ]


def test_a_storm_of_ten_thousand_accounts_is_a_hundred_alerts_and_a_summary():
    one = watch()
    crash = log(*(row(60, f"a{n:05}", 20.0 if n % 2 else 100.0) for n in range(10_000)))
    rows = told(one.read(crash)[0])
    assert len(rows) == 200 and {(r["kind"], r["severity"]) for r in rows} == {
        ("raise", "critical"),
        ("raise", "warning"),
    }
    after = told(one.read(log(row(61, "z", 900.0)))[0])
    assert brief(after) == [("near", "*/shard-0", "raise", "critical", 61)]
    assert after[0]["value"] == 9_800
    evidence = json.loads(after[0]["evidence"])
    assert (evidence["critical"], evidence["warning"], len(evidence["worst"])) == (4_900, 4_900, 10)
    minute = told(one.read(log(row(121, "z", 900.0)))[0])
    assert len(minute) == 201, "each minute the next ones, and how many are left"
    assert brief(minute[-1:]) == [("near", "*/shard-0", "lower", "critical", 121)]
    calm = log(*(row(130, f"a{n:05}", 900.0) for n in range(10_000)), row(140, "z", 900.0), row(141, "z", 900.0))
    over = told(one.read(calm)[0])
    assert len([r for r in over if r["kind"] == "clear"]) == len(over) == 401, (
        "what was told is cleared, and the summary"
    )
    assert {r["alert_id"] for r in over} == {r["alert_id"] for r in rows + after + minute}


def test_what_is_withheld_when_a_bounded_log_ends_is_told_in_a_summary():
    one = watch(FEW)
    rows = told(one.read(log(*(row(60, f"a{n}", 20.0) for n in range(5))))[0])
    assert len(rows) == 2
    assert brief(told(one.end())) == [("near", "*/shard-0", "raise", "critical", 60)]
    assert told(one.end()) == []


def test_two_records_of_an_alert_in_one_millisecond_differ_in_revision():
    rules = RULES.replace("raise = { info = 1000 }", "raise = { info = 1000, warning = 2000, critical = 3000 }")
    rows = [row(5, "a", 900.0, usd, symbol=s) for s, usd in (("A", 1_500.0), ("B", 2_500.0), ("C", 3_500.0))]
    published = told(watch(rules.replace("hold_s = 3", "hold_s = 0")).read(log(*rows))[0])
    assert [r["severity"] for r in published] == ["info", "warning", "critical"]
    assert [r["revision"] for r in published] == [20_001, 20_002, 20_003]


def test_a_whole_number_that_is_null_is_no_end_of_the_flow():
    of = BY_NAME["features_book"]
    table = msgspec.structs.replace(of, columns=(*of.columns, Column("n", "i8", "a count", null_when="unknown")))
    one = Watch(table, load(BROKEN.replace('evidence = ["stale_ms"]', 'evidence = ["n"]')), 1_000)
    base = {"venue": "v", "symbol": "s", "book_ok": False, "window_ms": 1_000, "closed_by": "event"}
    values = [json.dumps({"id": f"x|{n}", **base, "window_start": 1_000 * n, "n": None}).encode() for n in range(9)]
    rows = told(one.read(log(*values))[0])
    assert brief(rows) == [("book_broken", "v/s", "raise", "warning", 4)]
    assert json.loads(rows[0]["evidence"])["n"] is None
