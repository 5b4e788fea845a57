"""The ledger on a simulated market: what it publishes, and that no cut, order of topics or resume changes it."""

import random

import msgspec
import pytest

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from models.simulator import Settings, Simulation, brackets, coarse, instruments
from operators.cut import Cut
from operators.once import keep
from operators.portfolio.ledger import Ledger, Terms
from operators.venue_market import VenueMarket
from schemas.brackets import binance
from schemas.frames import frames
from schemas.venues.registry import VENUES

BASE_NS = 1_000_000_000


class Simulated:
    """A market of seconds as logs: account records of two partitions, and the feature rows of two."""

    def __init__(self, seconds: int, seed: int) -> None:
        told = Settings(seed=seed, symbols=("BTCUSDT", "ETHUSDT"), seconds=seconds, accounts=6, traders=300)
        told = coarse(told)
        self.simulation = Simulation(told)
        self.tiers = {("binance-usdm", s): t for s, t in binance(msgspec.json.encode(brackets(told))).items()}
        cut = Cut(BASE_NS, (BASE_NS, 10 * BASE_NS), BASE_NS // 2, 5 * BASE_NS, 60 * BASE_NS)
        known = {row.symbol: row for row in instruments(told)}
        markets = [VenueMarket(VENUES["binance-usdm"], known, cut) for _ in range(2)]
        rows: dict[str, list[tuple[int, bytes]]] = {f"{kind}/{p}": [] for kind in ("tape", "book") for p in (0, 1)}
        accounts: dict[str, list[tuple[int, bytes]]] = {"accounts/0": [], "accounts/1": []}
        raw: dict[tuple[int, str], list[tuple[int, bytes]]] = {}
        for frame in self.simulation:
            if frame.kind == "accounts":
                accounts[f"accounts/{int(frame.symbol[-1]) % 2}"].append((frame.received_ns, frame.data))
            else:
                place = told.symbols.index(frame.symbol)
                raw.setdefault((place, frame.kind), []).append((frame.received_ns, frame.data))
        for (place, kind), got in raw.items():
            symbols = {i: told.symbols[place] for i, (_, d) in enumerate(got) if d.startswith(b'{"lastUpdateId"')}
            log = frames(f"raw.{kind}", place, [d for _, d in got], [t for t, _ in got], symbols=symbols)
            assert markets[place].read(kind, log) == []
        for place, market in enumerate(markets):
            for kind in market.lanes:
                market.mark(kind, ended=True)
            for published in market.advance():
                if published.table in ("features_book", "features_tape"):
                    name = f"{published.table.removeprefix('features_')}/{place}"
                    table = BY_NAME[published.table]
                    values = [value for _, value in records(published, table.columns)]
                    rows[name] += [(at * 1_000_000, v) for at, v in zip(published.at_ms, values, strict=True)]
        self.logs = {
            name: frames(name.split("/")[0], int(name[-1]), [v for _, v in got], [t for t, _ in got])
            for name, got in {**accounts, **rows}.items()
        }

    def ledger(self, partitions=(0, 1)) -> Ledger:
        names = list(self.logs)
        own = [f"accounts/{p}" for p in partitions]
        return Ledger(Terms(self.tiers), own, [n for n in names if not n.startswith("accounts")])


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return Simulated(95, seed=1)


def run(simulated: Simulated, chance: random.Random, most: int, thaw: bool = False, partitions=(0, 1)):
    """The logs through a ledger in random pieces; records by (table, partition), in order."""
    ledger = simulated.ledger(partitions)
    logs = {n: f for n, f in simulated.logs.items() if not n.startswith("accounts") or int(n[-1]) in partitions}
    at = dict.fromkeys(logs, 0)
    out: dict[tuple[str, int], list[bytes]] = {}
    ended: set[str] = set()
    while len(ended) < len(logs):
        name = chance.choice([n for n in logs if n not in ended])
        count = chance.randint(1, most)
        piece = keep(logs[name], range(at[name], min(at[name] + count, len(logs[name]))))
        assert ledger.read(name.split("/")[0], name, piece) == []
        at[name] += len(piece)
        if at[name] == len(logs[name]):
            ended.add(name)
        ledger.mark(ended)
        for partition, published in ledger.advance():
            rows = records(published, BY_NAME[published.table].columns)
            out.setdefault((published.table, partition), []).extend(v for _, v in rows)
        if thaw:
            frozen = ledger.freeze()
            ledger = simulated.ledger(partitions)
            ledger.thaw(frozen)
    return out


@pytest.fixture(scope="module")
def whole(simulated):
    return run(simulated, random.Random(0), 10_000)


def decoded(out, table: str) -> list[dict]:
    rows = [msgspec.json.decode(v) for (t, _), values in out.items() if t == table for v in values]
    return sorted(rows, key=lambda r: (r["as_of"], r["id"]))


@pytest.mark.parametrize("seed", [1, 2])
def test_no_cut_and_no_interleaving_of_logs_changes_a_byte(simulated, whole, seed):
    assert run(simulated, random.Random(seed), 40) == whole


def test_a_ledger_that_is_frozen_and_thawed_after_every_piece_goes_on_the_same(simulated, whole):
    assert run(simulated, random.Random(3), 300, thaw=True) == whole


def test_two_processes_write_what_one_does(simulated, whole):
    parts = [run(simulated, random.Random(p), 200, partitions=(p,)) for p in (0, 1)]
    assert parts[0] | parts[1] == whole


def test_every_row_obeys_its_declaration(whole):
    for name in ("risk_accounts", "risk_positions"):
        rows = decoded(whole, name)
        assert len(rows) > 200
        for row in rows:
            for column in BY_NAME[name].columns:
                if column.dtype != "time":
                    assert column.holds(row[column.name]), (column.name, row[column.name])


def test_ids_are_the_natural_key_and_an_order_that_grows(whole):
    for (_, _), values in whole.items():
        last: dict[str, int] = {}
        for value in values:
            row = msgspec.json.decode(value)
            key, _, order = row["id"].rpartition("|")
            assert int(order) == row["as_of"] > last.get(key, -1)
            last[key] = int(order)


def test_the_mark_crosses_the_published_liquidation_price_of_a_position_that_is_liquidated(simulated, whole):
    truth = simulated.simulation.liquidations
    rows = decoded(whole, "risk_positions")
    liquidated = 0
    for owner in simulated.simulation.owners:
        for i, j in owner.traders:
            symbol = ("BTCUSDT", "ETHUSDT")[i]
            own = [r for r in rows if r["account"] == owner.account and r["symbol"] == symbol]
            for event in truth[(truth["instrument"] == i) & (truth["trader"] == j)]:
                before = [r for r in own if r["as_of"] <= event["event_ms"] and r["open"]]
                if not before:
                    continue
                liquidated += 1
                closest = before[-1]
                assert closest["liquidation_price"] is not None
                assert closest["distance_to_liquidation_bps"] < 50
                after = [r for r in own if r["as_of"] > event["event_ms"]]
                assert after and (not after[0]["open"] or after[0]["distance_to_liquidation_bps"] <= 0)
    assert liquidated >= 1


def test_tail_numbers_say_why_they_are_null_while_history_is_short(whole):
    last = decoded(whole, "risk_accounts")[-1]
    assert last["var_99_1h"] is None
    assert last["tail_reason"] == "not enough history"
    assert last["tail_returns"] == 0


def spoilt(good: bytes, chance: random.Random) -> bytes:
    """An account record with one thing wrong, or a few bytes of it changed."""
    record = msgspec.json.decode(good)
    position = chance.choice(record["positions"]) if record["positions"] else None
    spoil = chance.randrange(8)
    if spoil >= 5 or position is None:
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)
    if spoil == 0:
        position["venue"] = "mtgox"
    elif spoil == 1:
        record["positions"].append(position)
    elif spoil == 2:
        position["qty_base"] = -position["qty_base"]
    elif spoil == 3:
        position["entry_price"] = -position["entry_price"]
    else:
        record["balances"] = [{"asset": "USDT", "wallet": -1e6}]
    return msgspec.json.encode(record)


def test_ten_thousand_spoilt_records_are_rejects_or_rows_as_if_the_rejects_had_never_been(simulated):
    chance = random.Random(5)
    log = simulated.logs["accounts/0"]
    picks = sorted(chance.randrange(len(log)) for _ in range(10_000))
    values = [spoilt(log.frame(i), chance) if chance.random() < 0.9 else log.frame(i) for i in picks]
    spoilt_log = frames("accounts", 0, values, [int(log.received_ns[i]) for i in picks])

    def valued(accounts):
        ledger = simulated.ledger((0,))
        refused = ledger.read("accounts", "accounts/0", accounts)
        for name, other in simulated.logs.items():
            if not name.startswith("accounts"):
                assert ledger.read(name.split("/")[0], name, other) == []
        ledger.mark(set(simulated.logs))
        out: dict[tuple[str, int], list[bytes]] = {}
        for partition, published in ledger.advance():
            rows = records(published, BY_NAME[published.table].columns)
            out.setdefault((published.table, partition), []).extend(v for _, v in rows)
        return refused, out

    refused, rows = valued(spoilt_log)
    bad = {r.offset for r in refused}
    assert 3_000 < len(bad) < 9_900
    assert all(r.reason and "\n" not in r.reason for r in refused)
    again, clean = valued(keep(spoilt_log, [i for i in range(len(values)) if i not in bad]))
    assert again == []
    assert rows == clean
    accounts = [row for row in decoded(rows, "risk_accounts") if row["equity_usd"] is not None]
    assert any(row["insolvent"] for row in accounts)
    assert all(
        row["insolvent"] for row in accounts if row["equity_usd"] < 0 or (row["equity_usd"] == 0 and row["positions"])
    )
    assert not any(row["insolvent"] for row in accounts if row["equity_usd"] == 0 and not row["positions"])
    test_every_row_obeys_its_declaration(rows)
