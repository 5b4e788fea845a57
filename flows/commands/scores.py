"""Scores as a table for people."""

from collections.abc import Mapping

from rich.table import Table

from models.evaluation import LEAST_DAYS, Score, Skill

WIDTH = 180
"""Columns that the table needs; a narrower terminal breaks its lines, but no number."""


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def _skill(of: Skill | None) -> str:
    if of is None:
        return "-"
    return f"{of.skill:+.3f} [{_number(of.low, '+.3f')}, {_number(of.high, '+.3f')}]" + (" *" if of.beaten else "")


def _verdict(score: Score) -> str:
    if not score.bursts:
        return "no bursts"
    return "beats all" if won(score) else "not shown" if score.days < LEAST_DAYS else "no"


def won(score: Score) -> bool:
    """Whether every baseline is beaten."""
    return bool(score.skills) and all(s.beaten for s in score.skills)


def grid(of: Mapping[tuple[str, int], Score]) -> Table:
    """Precision-recall beside prevalence, and Brier skill with its interval against each baseline; * marks a win."""
    table = Table("side", "min", "cases", "days", "bursts", title="Held-out time", box=None)
    for name in ("prevalence", "PR-AUC", "ROC", "Brier", "ECE"):
        table.add_column(name)
    names = list(dict.fromkeys(s.baseline for score in of.values() for s in score.skills))
    for name in names:
        table.add_column(f"skill vs {name}")
    table.add_column("verdict")
    for (side, horizon), score in of.items():
        skills = {s.baseline: s for s in score.skills}
        table.add_row(
            side,
            str(horizon),
            f"{score.cases:,}",
            str(score.days),
            f"{score.bursts:,}",
            _number(score.prevalence),
            _number(score.pr_auc),
            _number(score.roc_auc),
            _number(score.brier),
            _number(score.calibration_error),
            *(_skill(skills.get(n)) for n in names),
            _verdict(score),
        )
    return table


def verdict(of: Mapping[tuple[str, int], Score]) -> str:
    """One line: where every baseline is beaten, or that there is no skill.

    >>> verdict({})
    'no skill: no side and horizon beats every baseline (interval of the skill above 0 over days)'
    """
    if of and not any(score.bursts for score in of.values()):
        return "nothing shown: there was no burst in the time of the test"
    if of and all(score.days < LEAST_DAYS for score in of.values()):
        return f"nothing shown: an interval of the skill needs {LEAST_DAYS} days"
    wins = [f"{side} {m} min" for (side, m), score in of.items() if won(score)]
    if not wins:
        return "no skill: no side and horizon beats every baseline (interval of the skill above 0 over days)"
    return f"beats every baseline: {', '.join(wins)} ({len(wins)} of {len(of)})"
