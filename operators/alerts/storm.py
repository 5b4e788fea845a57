"""A storm: when more is raised by one rule in a minute than anybody reads, the rest is told in one summary.

Of each severity `most_per_minute` raises and heightenings of a minute of event time are told one by one, in the order
of the log. What is beyond is withheld and counted in one alert of the rule with the subject `*`: it is raised when time
goes on, heightened when a graver severity is among them, told anew each minute in which their number or the gravest of
their severities changed, and at the end of a bounded log, and cleared when none is left. Each minute the gravest that
are still raised are told after all, as many as may be; what is withheld and clears meanwhile leaves the summary and
nothing else.
"""

from collections import Counter
from typing import Any

import msgspec

from operators.alerts.rules import SEVERITIES, Rule

Alert = dict[str, Any]
MINUTE_NS = 60_000_000_000
WORST = 10
"""Subjects that the summary names."""


class Storm(msgspec.Struct):
    """One rule's budget of the minute, what is withheld (by subject), and the summary as it was last told."""

    minute: int = -1
    told: dict[str, int] = {}
    withheld: dict[str, Alert] = {}
    raised_ns: int = 0
    severity: str = ""
    number: int = 0

    def admit(self, rule: Rule, alert: Alert) -> list[Alert]:
        """The alert, if it is to be told."""
        held = self.withheld.get(alert["subject"])
        if alert["kind"] in ("clear", "lower"):
            never_told = held is not None and held["kind"] == "raise"
            if never_told and alert["kind"] == "lower":
                self.withheld[alert["subject"]] = {**alert, "kind": "raise"}
            else:
                self.withheld.pop(alert["subject"], None)
            return [] if never_told else [alert]
        if held is not None:
            alert = {**alert, "kind": held["kind"]}
        if self._spend(rule, alert):
            self.withheld.pop(alert["subject"], None)
            return [alert]
        self.withheld[alert["subject"]] = alert
        return []

    def lags(self, now_ns: int) -> bool:
        """Whether `now_ns` is of a later minute than the one whose budget is spent."""
        return now_ns // MINUTE_NS > self.minute

    def turn(self, rule: Rule, summary: Alert, now_ns: int, ended: bool = False) -> list[Alert]:
        """What is due when time goes on to `now_ns`; `summary` is the frame of its alert. `ended`: nothing follows."""
        new_minute = self.lags(now_ns)
        if new_minute:
            self.minute, self.told = now_ns // MINUTE_NS, {}
        if not self.withheld and not self.severity:
            return []
        out = []
        if new_minute:
            for alert in self._gravest(len(self.withheld)):
                if self._spend(rule, alert):
                    del self.withheld[alert["subject"]]
                    out.append({**alert, "at": now_ns})
        if not self.withheld and not self.severity:
            return out  # all were told before anybody heard of a summary: there is none to raise
        return out + self._summary(summary, now_ns, new_minute or ended)

    def _spend(self, rule: Rule, alert: Alert) -> bool:
        spent = self.told.get(alert["severity"], 0)
        if spent >= rule.most_per_minute:
            return False
        self.told[alert["severity"]] = spent + 1
        return True

    def _gravest(self, most: int) -> list[Alert]:
        grade = SEVERITIES.index
        return sorted(self.withheld.values(), key=lambda alert: -grade(alert["severity"]))[:most]

    def _summary(self, frame: Alert, now_ns: int, due: bool) -> list[Alert]:
        by = Counter(alert["severity"] for alert in self.withheld.values())
        gravest = max(by, key=SEVERITIES.index) if by else ""
        grave, was = (SEVERITIES.index(s) if s else -1 for s in (gravest, self.severity))
        if not self.severity:
            kind, self.raised_ns = "raise", now_ns
        elif not gravest:
            kind = "clear"
        elif grave > was:
            kind = "higher"
        elif due and (grave < was or len(self.withheld) != self.number):
            kind = "higher" if grave == was and len(self.withheld) > self.number else "lower"
        else:
            return []
        told = {"withheld": len(self.withheld), **by, "worst": [a["subject"] for a in self._gravest(WORST)]}
        alert = {
            **frame,
            "kind": kind,
            "at": now_ns,
            "raised_at": self.raised_ns,
            "cleared_at": now_ns if kind == "clear" else 0,
            "severity": gravest or self.severity,
            "value": float(len(self.withheld)),
            "reason": "none is withheld any more" if kind == "clear" else "",
            "evidence": msgspec.json.encode(told, order="sorted").decode(),
        }
        self.severity, self.number = gravest, len(self.withheld)
        return [alert]
