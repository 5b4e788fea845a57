"""Storms: what a reader of few alerts knows, worked out from the alerts that rules without a limit tell."""

import json
import random
from collections import Counter

import pytest

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from operators.alerts.rules import SEVERITIES, load
from operators.alerts.watch import Watch
from schemas.frames import frames

RULE = """
[[rule]]
name = "use"
table = "risk_accounts"
metric = "margin_utilisation"
comparison = "above"
raise = {{ info = 0.6, warning = 0.8, critical = 0.95 }}
clear = 0.55
subject = ["account"]
hold_s = {hold}
clear_hold_s = {clear_hold}
cooldown_s = {cooldown}
flap_s = {flap}
forget_s = {forget}
most_per_minute = {most}
trust = "marks_ok"
exists = "open"
"""
QUIET = {"hold": 0, "clear_hold": 0, "cooldown": 0, "flap": 0, "forget": 0}
MINUTE = 60 * 28_333_333
"""Where a minute begins."""
LATER_NS = 2**61


def row(second: int, account: str, use: float | None, ok: bool = True, there: bool = True) -> bytes:
    told = {"account": account, "as_of": 1_000 * (MINUTE + second), "margin_utilisation": use}
    return json.dumps({"id": f"{account}|{second}", **told, "marks_ok": ok, "open": there}).encode()


def play(log: list[bytes], most: int, cut: int = 7, **times: int) -> list[dict]:
    """The alerts of a log that is read `cut` rows at a time, the end of the log among them."""
    watch = Watch(BY_NAME["risk_accounts"], load(RULE.format(most=most, **{**QUIET, **times})), 1_000)
    parts = [log[i : i + cut] for i in range(0, len(log), cut)]
    told = [watch.read(frames("risk.accounts", 0, part, [LATER_NS] * len(part)))[0] for part in parts]
    told.append(watch.end())
    lines = [(p is told[-1], json.loads(v)) for p in told for _, v in records(p, BY_NAME["alerts"].columns)]
    return [alert | {"at the end": ended} for ended, alert in lines]


def is_summary(alert: dict) -> bool:
    return alert["subject"].startswith("*")


def standing(alerts: list[dict]) -> dict[str, dict]:
    """Alerts that are raised after these, as they were told last."""
    open_: dict[str, dict] = {}
    for alert in alerts:
        open_.pop(alert["alert_id"], None)
        if alert["kind"] != "clear":
            open_[alert["alert_id"]] = alert
    return open_


def brief(alerts: list[dict]) -> list[tuple]:
    return [(a["subject"], a["kind"], a["severity"], a["at"] // 1_000 - MINUTE) for a in alerts]


def test_what_was_all_told_before_a_summary_was_leaves_none_that_is_never_cleared():
    log = [row(58, "a", 0.99), row(58, "b", 0.99), row(60, "z", 0.1), row(200, "z", 0.1)]
    assert brief(play(log, 1)) == [("a", "raise", "critical", 58), ("b", "raise", "critical", 60)]


def test_no_clear_lies_before_the_raise_that_was_told_late():
    log = [row(50, "a", 0.99), row(50, "b", 0.99), row(51, "b", 0.1), row(90, "z", 0.1)]
    told = play(log, 1, clear_hold=5)
    assert [a for a in told if a["subject"] == "b"] == [], "it was over, at 56 s, when it might have been told, at 60"


def test_a_summary_of_as_many_that_are_milder_now_says_so_within_a_minute():
    log = [row(50, "a", 0.99), row(50, "b", 0.99), row(51, "z", 0.1), row(55, "b", 0.7)]
    told = play([*log, row(56, "e", 0.7), row(57, "f", 0.7), row(59, "z", 0.1), row(60, "z", 0.1)], 1)
    summary = [a for a in told if is_summary(a)]
    assert brief(summary) == [("*/shard-0", "raise", "critical", 51), ("*/shard-0", "lower", "info", 60)]
    assert [a["value"] for a in summary] == [1, 1], "b until it was told, then f"


def test_what_more_was_withheld_before_a_bounded_log_ended_is_in_the_summary():
    log = [row(50, "a", 0.99), row(50, "b", 0.99), row(51, "z", 0.1), row(53, "c", 0.99)]
    summary = [a for a in play(log, 1) if is_summary(a)]
    assert [(a["kind"], a["value"]) for a in summary] == [("raise", 1), ("higher", 2)]
    assert brief(summary)[-1] == ("*/shard-0", "higher", "critical", 53)


@pytest.mark.parametrize("seed", range(40))
def test_a_reader_of_few_alerts_and_of_the_summary_knows_what_all_would_say(seed):
    some = random.Random(seed)
    times = {"hold": (0, 2, 30), "clear_hold": (0, 2, 20), "cooldown": (0, 30, 100), "flap": (0, 60), "forget": (0, 90)}
    chosen = {name: some.choice(of) for name, of in times.items()}
    most, accounts, second, log = some.choice((1, 2, 3)), some.choice((3, 8, 20)), 0, []
    for _ in range(some.choice((30, 100))):
        second += some.choice((1, 1, 1, 5, 20, 61))
        uses = (None, 0.5, 0.58, 0.65, 0.85, 0.99) if some.random() < 0.5 else (0.99, 0.99, 0.85, 0.5)
        for n in some.sample(range(accounts), some.randint(1, accounts)):
            log.append(row(second, f"a{n}", some.choice(uses), some.random() < 0.8, some.random() < 0.95))
    every, few = play(log, 1_000_000, 11, **chosen), play(log, most, 7, **chosen)
    assert not any(map(is_summary, every))
    assert few == play(log, most, 3, **chosen), "where a log is cut does not matter"
    spent: Counter[tuple] = Counter()
    latest: dict[str, dict] = {}
    raises = {a["alert_id"]: a["raised_at"] for a in every}
    for n, alert in enumerate(few):
        before = latest.get(alert["alert_id"])
        assert (before is None) == (alert["kind"] == "raise"), "raised once, and then it is"
        assert before is None or (before["kind"] != "clear" and before["at"] <= alert["at"]), "time goes on"
        assert before is None or before["revision"] < alert["revision"]
        assert alert["raised_at"] <= alert["at"] and alert["severity"] in SEVERITIES
        latest[alert["alert_id"]] = alert
        if not is_summary(alert):
            assert raises[alert["alert_id"]] == alert["raised_at"]
            spent[alert["at"] // 60_000, alert["severity"]] += alert["kind"] in ("raise", "higher")
            continue
        true = standing([a for a in every if a["at"] < alert["at"] + alert["at the end"]])
        heard = {name: a["severity"] for name, a in standing(few[:n]).items()}
        untold = Counter(a["severity"] for name, a in true.items() if heard.get(name) != a["severity"])
        evidence = json.loads(alert["evidence"])
        assert alert["value"] == evidence["withheld"] == sum(untold.values())
        assert {s: evidence[s] for s in SEVERITIES if s in evidence} == untold
        if alert["kind"] != "clear":
            assert alert["severity"] == max(untold, key=SEVERITIES.index)
        assert (alert["kind"] == "clear") == (not untold)
    assert max(spent.values(), default=0) <= most
    end, heard = standing(every), {name: a for name, a in standing(few).items() if not is_summary(a)}
    assert set(heard) <= set(end)
    assert any(map(is_summary, standing(few).values())) == any(
        name not in heard or heard[name]["severity"] != a["severity"] for name, a in end.items()
    ), "a summary stands while something is withheld, and no longer"
    untold = sum(name not in heard or heard[name]["severity"] != a["severity"] for name, a in end.items())
    last = [a["value"] for a in standing(few).values() if is_summary(a)]
    assert last == [untold] * len(last), "the number of what is withheld at the end"
