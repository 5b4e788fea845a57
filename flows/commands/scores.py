"""Scores as a table for people."""

from collections.abc import Mapping

from rich.table import Table

from models.evaluation import Score


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def grid(of: Mapping[tuple[str, int], Score]) -> Table:
    """Precision-recall beside prevalence, and Brier skill with its interval against each baseline; * marks a win."""
    table = Table(
        "side", "min", "cases", "days", "prevalence", "PR-AUC", "ROC", "Brier", "ECE", title="Held-out time", box=None
    )
    names = list(dict.fromkeys(s.baseline for score in of.values() for s in score.skills))
    for name in names:
        table.add_column(f"skill vs {name}")
    for (side, horizon), score in of.items():
        skills = {s.baseline: s for s in score.skills}
        table.add_row(
            side,
            str(horizon),
            f"{score.cases:,}",
            str(score.days),
            _number(score.prevalence),
            _number(score.pr_auc),
            _number(score.roc_auc),
            _number(score.brier),
            _number(score.calibration_error),
            *(
                f"{skills[n].skill:+.3f} [{_number(skills[n].low, '+.3f')}, {_number(skills[n].high, '+.3f')}]"
                + (" *" if skills[n].beaten else "")
                for n in names
            ),
        )
    return table


def verdict(of: Mapping[tuple[str, int], Score]) -> str:
    """One line: where every baseline is beaten, or that there is no skill.

    >>> verdict({})
    'no skill: no side and horizon beats every baseline (interval of the skill above 0 over days)'
    """
    won = [f"{side} {m} min" for (side, m), score in of.items() if score.skills and all(s.beaten for s in score.skills)]
    if not won:
        return "no skill: no side and horizon beats every baseline (interval of the skill above 0 over days)"
    return f"beats every baseline: {', '.join(won)} ({len(won)} of {len(of)})"
