"""Accounts through market, risk and alerts as processes on a real broker: what is liquidated was seen coming."""

import json

import msgspec
import pytest

from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.session.session import Session
from flows.session.simulate import topic_of
from flows.settings.sources import load
from flows.topic_names import every_topic, input_topics
from models.simulator import Settings as Simulated
from models.simulator import Simulation, brackets, coarse, instruments
from operators.once import Once
from schemas.frames import frames
from tests.services.flow_processes import brokers, read

pytestmark = pytest.mark.services

FLOWS = ["market", "risk", "alerts"]
BAD = b'{"account":"bad","as_of":1767225601000,"balances":[]}'


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


class Run:
    """The simulated market, published once, and what each derived topic then holds without repeats."""

    def __init__(self, address: str, folder, processes: int, sets=()) -> None:
        self.simulated = coarse(Simulated(seed=1, symbols=("BTCUSDT", "ETHUSDT"), seconds=100, accounts=6, traders=300))
        (folder / "brackets.json").write_bytes(msgspec.json.encode(brackets(self.simulated)))
        files = json.dumps({"binance-usdm": str(folder / "brackets.json")})
        told = load(
            None,
            {},
            [
                f"data={folder}",
                f"kafka.brokers={address}",
                f"kafka.prefix={folder.name}.",
                "kafka.partitions=2",
                "clickhouse.url=http://127.0.0.1:1",
                f"risk.brackets_json={files}",
                "recovery.epoch_ms=200",
                *sets,
            ],
        )
        market = msgspec.structs.replace(told.market, instruments=tuple(instruments(self.simulated)))
        told = msgspec.structs.replace(told, market=market)
        with Session(told, "test") as session:
            create_topics(address, every_topic(told), 2, forever=True)
            for name in FLOWS:
                session.start_flow(name, processes, bounded=True)
            self.simulation = self.publish(told)
            session.announce(input_topics(told))
            session.announce([told.kafka.prefix + "forecasts.liquidation"])
            session.settle(FLOWS)
        self.topics = {
            topic: self.rows(address, told.kafka.prefix + topic)
            for topic in ("risk.accounts", "risk.positions", "alerts", "rejects")
        }

    def publish(self, told) -> Simulation:
        publisher = Publisher(told.kafka.brokers)
        simulation = Simulation(self.simulated)
        for frame in simulation:
            topic = topic_of(frame.kind, told, self.simulated)
            nameless = frame.kind == "depth" and frame.data.startswith(b'{"lastUpdateId"')
            key = frame.symbol if frame.kind == "accounts" else frame.symbol.removesuffix("USDT")
            ms = frame.received_ns // 1_000_000
            publisher.publish(topic, key.encode(), frame.data, ms, frame.symbol if nameless else None)
        publisher.publish(told.kafka.prefix + "accounts", b"bad", BAD, ms)
        publisher.flush()
        return simulation

    def rows(self, address: str, topic: str) -> list[list[bytes]]:
        """The records of each partition, in order."""
        out = []
        for partition, values in enumerate(read(address, topic)):
            new, rejects = Once().select(frames(topic, partition, values, [0] * len(values)))
            assert rejects == []
            out.append([new.frame(i) for i in range(len(new))])
        return out

    def decoded(self, topic: str) -> list[dict]:
        return [json.loads(value) for values in self.topics[topic] for value in values]


@pytest.fixture(scope="module")
def one(address, tmp_path_factory):
    return Run(address, tmp_path_factory.mktemp("one"), 1)


def test_a_liquidated_account_had_its_price_crossed_by_the_mark_and_an_alert_before_it(one):
    truth = one.simulation.liquidations
    owners = {traders: o.account for o in one.simulation.owners for traders in o.traders}
    positions, alerts = one.decoded("risk.positions"), one.decoded("alerts")
    seen = 0
    for row in truth.tolist():
        event = dict(zip(truth.dtype.names, row, strict=True))
        account = owners.get((event["instrument"], event["trader"]))
        symbol = one.simulated.symbols[event["instrument"]]
        own = [r for r in positions if (r["account"], r["symbol"]) == (account, symbol)]
        before = [r for r in own if r["as_of"] <= event["event_ms"] and r["open"]]
        if account is None or not before:
            continue
        seen += 1
        side = 1 if before[-1]["qty_base"] > 0 else -1
        told_price = before[-1]["liquidation_price"]
        crossed = side * (event["mark"] - told_price) <= 1e-6 * told_price
        assert crossed, (account, told_price, event)
        subject = f"{account}/binance-usdm/{symbol}/both"
        raised = [a for a in alerts if a["subject"] == subject and a["kind"] == "raise"]
        assert [a for a in raised if a["rule"] == "distance_to_liquidation" and a["at"] <= event["event_ms"]]
    assert seen >= 2


def test_an_alert_is_raised_and_cleared_under_one_id_with_its_evidence(one):
    records: dict[str, list[dict]] = {}
    for row in one.decoded("alerts"):
        records.setdefault(row["alert_id"], []).append(row)
    over = [rows for rows in records.values() if rows[-1]["kind"] == "clear"]
    assert over
    for rows in over:
        assert rows[0]["kind"] == "raise"
        assert rows[-1]["cleared_at"] > rows[0]["raised_at"] == rows[-1]["raised_at"]
        assert set(json.loads(rows[0]["evidence"])) >= {"raise", "clear"}


def test_a_bad_record_is_rejected_with_its_reason(one):
    rejects = [r for r in one.decoded("rejects") if r["reader"] == "risk"]
    assert [r["reason"] for r in rejects] == ["Object missing required field `positions`"]


@pytest.mark.campaign
def test_two_processes_and_small_batches_write_the_same_bytes_in_the_same_order(one, address, tmp_path_factory):
    two = Run(address, tmp_path_factory.mktemp("two"), 2, ["source.batch_frames=61"])
    for topic in ("risk.accounts", "risk.positions", "alerts"):
        assert two.topics[topic] == one.topics[topic]
