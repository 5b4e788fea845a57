"""Where the frames of a demo come from: a simulated market, or the exchanges themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from flows.session.session import Session
from flows.settings.tree import Market, Settings, SettingsError
from flows.topic_names import input_topics
from models.simulator import Disturbances, brackets, numbered
from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from models.simulator.simulation import LISTED

BRACKETS = "brackets.json"
ROUGH = Disturbances(p_gap=0.02, gap_max_s=5.0, p_duplicate=0.001, p_delay=0.001, p_garbage=0.0002)
"""What goes wrong on the way, as it does with a real venue: now and then a book is not trusted and a frame rejected."""


class DemoMarket(Protocol):
    """What a demo needs to know of its market."""

    run: str
    """After which its topics and its database are named."""
    title: str

    def changed(self, market: Market) -> Market:
        """The settings of the market, with the venues and instruments that there are."""
        ...

    def prepared(self, told: Settings, folder: Path) -> Settings:
        """The settings of a session, with what the market tells of itself in its folder."""
        ...

    def start(self, session: Session) -> None:
        """Start what publishes, once topics and flows are there."""
        ...

    def said(self, session: Session) -> str:
        """What is to be said of it now, in one line."""
        ...


class SimulatedMarket:
    """A market of made-up traders, and a model that is trained on others of its kind."""

    run = "simulated"

    def __init__(self, instruments: int, seed: int, past: int) -> None:
        if instruments < 1:
            raise SettingsError("--instruments must be at least 1")
        if past < 0:
            raise SettingsError("--past must not be negative")
        names = tuple(LISTED)[:instruments]
        symbols = (*names, *numbered(max(0, instruments - len(names))))
        self._simulated = Simulated(seed=seed, symbols=symbols, disturbances=ROUGH)
        self._past = past
        self.title = f"SIMULATED market, seed {seed}"

    def changed(self, market: Market) -> Market:
        """One venue, with the instruments that are made up."""
        simulated = self._simulated
        return msgspec.structs.replace(market.only([simulated.venue]), instruments=tuple(listed(simulated)))

    def prepared(self, told: Settings, folder: Path) -> Settings:
        """With the maintenance tiers of the simulated venue."""
        file = folder / BRACKETS
        risk = msgspec.structs.replace(
            told.risk, brackets_json={**told.risk.brackets_json, self._simulated.venue: str(file)}
        )
        return msgspec.structs.replace(told, risk=risk)

    def start(self, session: Session) -> None:
        """The simulator, and what trains on simulated days."""
        (session.folder / BRACKETS).write_bytes(msgspec.json.encode(brackets(self._simulated)))
        file = session.folder / "simulated.json"
        file.write_bytes(msgspec.json.encode(self._simulated))
        told = ("--settings", str(session.file))
        topics = ("--topics", ",".join(input_topics(session.settings)))
        session.supervisor.start(
            "simulate", "flows.session.simulate", *told, "--market", str(file), *topics, "--past", str(self._past)
        )
        seed = str(self._simulated.seed + 1000)
        session.supervisor.start("model", "flows.learning.rehearse", *told, "--seed", seed, keep=False, vital=False)

    def said(self, session: Session) -> str:
        """How far the model is."""
        return session.supervisor.children["model"].last_line("model: starts")


class LiveMarket:
    """The exchanges' public streams, as `alphaplus live` receives them; no model, made-up days teach none."""

    run = "live"

    def __init__(self, pairs: Sequence[str]) -> None:
        from flows.live.receivers import wanted  # noqa: PLC0415 - the websocket library is imported by those who listen

        self._by_venue = wanted(pairs)
        self._pairs = [f"{venue}:{','.join(symbols)}" for venue, symbols in self._by_venue.items()]
        self.title = f"LIVE {' '.join(self._pairs)}"

    def changed(self, market: Market) -> Market:
        """The venues that are listened to."""
        return market.only(self._by_venue)

    def prepared(self, told: Settings, folder: Path) -> Settings:
        """As they are."""
        return told

    def start(self, session: Session) -> None:
        """The receiving process."""
        told = ("--settings", str(session.file), "--set", "metrics_port=0")
        session.supervisor.start("live", "flows", "live", *self._pairs, *told)

    def said(self, session: Session) -> str:
        """The last thing that the receiving process noted."""
        return session.supervisor.children["live"].last_line("live: starts")
