"""A watch over one log: what it raises and clears does not hang on how the log is cut, and it ends what is no more."""

import json
import random

import msgspec
import pytest

from flows.rows import records
from flows.tables import BY_NAME
from operators.alerts.rules import load
from operators.alerts.watch import Watch
from operators.once import keep
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


def row(second: int, account: str, distance: float | None, notional: float = 0.0, **more) -> bytes:
    told = {"account": account, "symbol": "BTCUSDT", "as_of": 1_000 * second, "distance_to_liquidation_bps": distance}
    told |= {"notional_usd": notional, "mark_price": 10.0, "marks_ok": True, "open": True}
    return json.dumps({"id": f"{account}|{second}"} | told | more).encode()


def watch() -> Watch:
    return Watch(BY_NAME["risk_positions"], load(RULES), 1_000)


def log(*values: bytes):
    return frames("risk.positions", 0, values, [0] * len(values))


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
    rows = told(watch().read(log(row(1, "a", 20.0), closed, row(3, "b", 900.0), row(9, "b", 900.0)))[0])
    assert brief(rows) == [
        ("near", "a/BTCUSDT", "raise", "critical", 1),
        ("near", "a/BTCUSDT", "clear", "critical", 4),
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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_cut_and_no_resume_changes_a_byte(seed):
    chance = random.Random(seed)
    values = [
        row(t, name, chance.choice([20.0, 100.0, 170.0, 400.0, None]), chance.choice([0.0, 2_000.0]))
        for t in range(1, 60)
        for name in "abcd"
        if chance.random() < 0.6
    ]
    columns, whole = BY_NAME["alerts"].columns, log(*values)
    expected = records(watch().read(whole)[0], columns)
    assert len(expected) > 30
    found, at, one = [], 0, watch()
    while at < len(whole):
        step = chance.randint(1, 9)
        found += records(one.read(keep(whole, range(at, min(at + step, len(whole)))))[0], columns)
        at += step
        frozen, one = one.freeze(), watch()
        one.thaw(frozen)
    assert found == expected


def test_of_a_table_with_windows_only_the_base_window_is_judged():
    rules = load(
        RULES.split("[[rule]]", maxsplit=1)[0]
        + '[[rule]]\nname = "spread"\ntable = "features_book"\nmetric = "spread_bps"\ncomparison = "above"\n'
        + 'raise = { info = 10 }\nclear = 5\nsubject = ["venue", "symbol"]'
    )
    one = Watch(BY_NAME["features_book"], rules, 1_000)
    base = {"venue": "v", "symbol": "s", "spread_bps": 50.0}
    long = json.dumps({"id": "x|0", **base, "window_ms": 10_000, "window_start": 0}).encode()
    short = json.dumps({"id": "y|0", **base, "window_ms": 1_000, "window_start": 9_000}).encode()
    assert one.read(frames("features.book", 0, [long], [0]))[0].base == []
    assert brief(told(one.read(frames("features.book", 0, [short], [0]))[0])) == [
        ("spread", "v/s", "raise", "info", 10)
    ]


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
        told = {"venue": venue, "symbol": "BTCUSDT", "window_ms": 1_000, "window_start": 1_000 * second}
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
