"""Yesterday: what every flow had frozen in the middle of a small market, written by the release of then.

At the commit of a release, from the root of the repository, for those that come after it:

    python -m tests.laws.yesterday tests/laws/frozen_at_COMMIT.xz
"""

import json
import lzma
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from flows import alerts, archive, forecast, market, risk
from flows.archive import Block, Fresher
from flows.engine.wiring import Shard
from flows.job_graph import FLOWS, raw_topic
from flows.settings.tree import Kafka, Market, Settings, Windows
from operators.alerts.rules import load
from operators.evolving import Part
from schemas.frames import Frames, frames, marks
from schemas.shard import Batch, Rows
from schemas.venues.registry import VENUES
from tests.laws import written

MODULES: dict[str, ModuleType] = {m.__name__.rpartition(".")[2]: m for m in (market, risk, forecast, alerts, archive)}
SETTINGS = Settings(
    kafka=Kafka(partitions=1),
    market=Market(venues=("binance-usdm", "okx-swap")),
    windows=Windows(base_ms=5_000, spans_ms=(60_000,), keyframe_ms=5_000),
)
"""A row for each window, so that none depends on whether a column moved that began anew."""
RULES = """
[[rule]]
name = "margin_utilisation"
table = "risk_accounts"
metric = "margin_utilisation"
comparison = "above"
raise = { info = 0.65, warning = 0.75, critical = 0.9 }
clear = 0.6
subject = ["account"]

[[rule]]
name = "wide"
table = "features_book"
metric = "spread_bps"
comparison = "above"
raise = { info = 50, warning = 150 }
clear = 40
hold_s = 5
clear_hold_s = 20
cooldown_s = 10
subject = ["symbol"]
evidence = ["mid"]
trust = "book_ok"
"""
SOME = {"alerts": ("features.book", "risk.accounts"), "archive": ("alerts", "quality", "liquidations")}
"""Of what these flows read, that much."""
FAR_NS = 4_000_000_000_000_000_000
LEGS = [("BTCUSDT", "long", 5.0, 99.0), ("BTCUSDT", "short", -1.0, 101.0)]


class Piece(msgspec.Struct, array_like=True):
    """Consecutive records of one log."""

    topic: str
    first: int
    values: list[bytes]
    received_ns: list[int]
    symbols: dict[int, str]

    def frames(self) -> Frames:
        """As they are read; no promotion is still to come."""
        told = marks([(len(self.values), FAR_NS, False)]) if self.topic == "model.versions" else marks()
        # kept of a derived record is the start of its window, which is before the time at which it was written
        raw = self.topic.startswith("raw.") or self.topic == risk.ACCOUNTS
        received_ns = self.received_ns if raw else [FAR_NS] * len(self.values)
        return frames(self.topic, 0, self.values, received_ns, self.first, self.symbols, told)


class Kept(msgspec.Struct):
    """A flow in the middle of its logs: what was read until then, what is still to come, and what it froze."""

    depends_on: dict[str, Any]
    states: dict[str, str]
    read: list[Piece]
    frozen: bytes
    to_come: list[Piece]


def depends_on(name: str) -> dict[str, Any]:
    """What the recovery directory of a flow is bound to."""
    return {n: v for n, v in MODULES[name].identity(SETTINGS).items() if n != "bootstrap"}


def parts(name: str) -> list[Part]:
    """The declared pieces of state of a flow."""
    declared = getattr(MODULES[name], "parts", None)
    return [] if declared is None else declared(SETTINGS)


def opened(name: str, frozen: bytes | None) -> Shard:
    """The one shard of a flow."""
    if name == "market":
        return market.MarketShard(SETTINGS, market.known_instruments(SETTINGS), 0, frozen)
    if name == "risk":
        logs = {f"{topic}/0": (topic, 0) for topic in (risk.ACCOUNTS, *risk.SHARED)}
        return risk.RiskShare(SETTINGS, risk.terms(SETTINGS), logs, frozen)
    if name == "forecast":
        return forecast.ForecastShard(SETTINGS, forecast.loader(SETTINGS), False, 0, frozen)
    if name == "alerts":
        return alerts.AlertShard(SETTINGS, load(RULES), 0, frozen)
    return Fresher("shard-0000", frozen)


def on(name: str, shard: Shard, pieces: Iterable[Piece], ended: bool = False) -> list[Any]:
    """What comes out; `ended`: at the end of all logs."""
    read = tuple(piece.frames() for piece in pieces)
    if name == "archive":
        return [out for f in read for out in shard.on_batch(Block("", (f,)))]
    topics = [f"{f.topic}/0" if name == "risk" else f.topic for f in read] if ended else []
    return list(shard.on_batch(Batch(read, tuple(topics))))


def records(out: Iterable[Rows]) -> dict[str, list[dict[str, Any]]]:
    """The records of rows, by topic."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rows in out:
        found.setdefault(rows.topic, []).extend(json.loads(v) for _, v in rows.records if v is not None)
    return found


def halves(logs: Iterable[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Logs cut in their middle."""
    read, to_come = [], []
    for log in logs:
        half = len(log.values) // 2
        read.append(Piece(log.topic, 0, log.values[:half], log.received_ns[:half], _below(log.symbols, 0, half)))
        rest = _below(log.symbols, half, len(log.values))
        to_come.append(Piece(log.topic, half, log.values[half:], log.received_ns[half:], rest))
    return read, to_come


def _below(symbols: dict[int, str], first: int, last: int) -> dict[int, str]:
    return {i - first: s for i, s in symbols.items() if first <= i < last}


def raw() -> list[Piece]:
    """The frames of all venues."""
    out = []
    for seed, venue in enumerate(SETTINGS.market.venues):
        lines = written.market(venue, VENUES[venue].kinds, 20 + seed, frames=300)
        for kind in VENUES[venue].kinds:
            of = [line for line in lines if line.kind == kind]
            headers = {i: line.header for i, line in enumerate(of) if line.header is not None}
            out.append(
                Piece(raw_topic(kind, venue), 0, [line.data for line in of], [line.received_ns for line in of], headers)
            )
    return out


def accounts() -> Piece:
    """One in both directions, so short of margin that alerts are raised, and one in the venue's own frames."""
    legs = [
        {"venue": "binance-usdm", "symbol": s, "position_side": side, "qty_base": qty, "entry_price": price,
         "leverage": 20, "margin_mode": "cross"} for s, side, qty, price in LEGS
    ]  # fmt: skip
    held = {"symbol": "BTCUSDT", "positionAmt": "1", "entryPrice": "98", "leverage": "20", "isolated": False,
            "isolatedWallet": "0", "positionSide": "BOTH"}  # fmt: skip
    whole = {"multiAssetsMargin": False, "assets": [{"asset": "USDT", "walletBalance": "500"}], "positions": [held]}
    told: list[dict[str, Any]] = []
    for i in range(12):
        ms = written.START_MS + 10_000 * i
        told.append(
            {"account": "main", "as_of": ms, "balances": [{"asset": "USDT", "wallet": 30 + i}], "positions": legs}
        )
        change = {"m": "ORDER", "B": [{"a": "USDT", "wb": f"{500 - i}"}], "P": []}
        frame = {"e": "ACCOUNT_UPDATE", "E": ms, "T": ms, "a": change} if i else whole
        told.append({"account": "streamed", "venue": "binance-usdm", "frame": frame})
    received_ns = [(written.START_MS + 10_000 * (i // 2)) * 1_000_000 for i in range(len(told))]
    return Piece(risk.ACCOUNTS, 0, [json.dumps(record).encode() for record in told], received_ns, {})


def kept() -> dict[str, Kept]:
    """Every flow, each reading what those before it wrote."""
    logs = {piece.topic: piece for piece in (*raw(), accounts(), Piece("model.versions", 0, [], [], {}))}
    out = {}
    for flow in FLOWS:
        reads = [t for t in logs if any(t == r or t.startswith(f"{r}.") for r in flow.reads)]
        if flow.name in SOME:
            reads = [t for t in reads if t in SOME[flow.name]]
        read, to_come = halves(logs[t] for t in reads)
        shard = opened(flow.name, None)
        found = on(flow.name, shard, read)
        frozen = shard.freeze()
        states = {part.name: part.fingerprint for part in parts(flow.name)}
        out[flow.name] = Kept(depends_on(flow.name), states, read, frozen, to_come)
        if flow.name != "archive":
            for rows in (*found, *on(flow.name, shard, to_come, ended=True)):
                values = [v for _, v in rows.records if v is not None]
                log = logs.setdefault(rows.topic, Piece(rows.topic, 0, [], [], {}))
                log.values += values
                log.received_ns += [json.loads(v).get("window_start", 0) * 1_000_000 for v in values]
    return out


def written_to(path: Path) -> None:
    """Keep it."""
    path.write_bytes(lzma.compress(msgspec.msgpack.encode(kept())))


def read_from(path: Path) -> dict[str, Kept]:
    """What was kept, by flow."""
    return msgspec.msgpack.decode(lzma.decompress(path.read_bytes()), type=dict[str, Kept])


if __name__ == "__main__":
    written_to(Path(sys.argv[1]))
