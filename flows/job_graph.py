"""The whole system on one screen: every flow, what it reads, what it writes."""

from typing import NamedTuple

from operators import market_tables

RAW = ("raw.depth", "raw.trades", "raw.liquidations", "raw.derivatives")
"""One topic per venue below each."""
FEATURES = tuple(table.topic for table in market_tables.TABLES)
"""As the operators declare them."""
FORECASTS = ("forecast.vectors", "forecasts.liquidation")
MODELS = ("model.versions", "forecast.scores")
"""Written by `train` and `models`, not by a flow."""
RISK = ("risk.accounts", "risk.positions")


class Flow(NamedTuple):
    """One flow: a process of its own."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


FLOWS = (
    Flow("market", RAW, (*FEATURES, "rejects")),
    Flow("risk", ("accounts", "features.book", "features.tape"), (*RISK, "rejects")),
    Flow("forecast", ("features.book", "features.tape", "model.versions"), (*FORECASTS, "rejects")),
    Flow(
        "alerts",
        ("features.book", "features.tape", "quality", *RISK, "forecasts.liquidation"),
        ("alerts", "rejects"),
    ),
    Flow("archive", (*FEATURES, *RISK, *FORECASTS, *MODELS, "alerts", "rejects"), ("clickhouse",)),
)


def derived_topics() -> tuple[str, ...]:
    """Every topic that some flow writes.

    >>> "features.book" in derived_topics(), "accounts" in derived_topics()
    (True, False)
    """
    return tuple(dict.fromkeys(t for f in FLOWS for t in f.writes if t != "clickhouse"))


def raw_topic(kind: str, venue: str) -> str:
    """The topic of a venue's frames of a kind.

    >>> raw_topic("depth", "okx-swap")
    'raw.depth.okx-swap'
    """
    return f"raw.{kind}.{venue}"


GUESSING = ("market", "risk", "forecast")
"""Flows that read topics which others may fill."""


def guesses_topic(flow: str) -> str:
    """Where a flow writes down what it judged of logs without marks.

    >>> guesses_topic("risk")
    'guesses.risk'
    """
    return f"guesses.{flow}"


def mermaid() -> str:
    """The picture in the README, where `python -m flows.published` puts it.

    >>> print(mermaid().splitlines()[3])
      accounts[(accounts)] & features.book & features.tape --> risk.flow{{risk}}
    """
    drawn: set[str] = set()

    def ends(names: tuple[str, ...]) -> str:
        said = " & ".join(name if name in drawn else f"{name}[({name})]" for name in names)
        drawn.update(names)
        return said

    lines = ["graph LR"]
    for f in FLOWS:
        lines += [f"  {ends(f.reads)} --> {f.name}.flow{{{{{f.name}}}}}", f"  {f.name}.flow --> {ends(f.writes)}"]
    return "\n".join(lines)
