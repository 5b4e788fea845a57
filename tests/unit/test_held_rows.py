"""What a step holds for a topic that is silent is bounded: the topics that are ahead then wait in Kafka."""

import pytest

from flows import risk
from flows.kafka.epochs import Epochs, Stopping
from flows.kafka.log import Log, chunk
from flows.kafka.reader import Kafka
from flows.kafka.source import KafkaShare, Pace, Shard
from flows.market import MarketShard, known_instruments
from flows.settings.sources import load
from schemas.frames import frames
from schemas.shard import Batch
from tests.laws.test_market import START_MS, USDM, snapshot, trade

SHARD = "shard-0000"
PACE = Pace(batch_frames=10, align_ms=2_000, held_rows=50)


class Fetched:
    """A reader whose logs hold already what they will hold."""

    def __init__(self):
        self.topic_ids = {}

    def pump(self):
        pass

    def busy(self):
        pass

    def committed(self, positions):
        pass


def log(topic, times_ms):
    made = Log(topic, 0, 0, 0)
    made.add(chunk([b"{}"] * len(times_ms), list(range(len(times_ms))), times_ms, {}))
    made.reached(len(times_ms))
    return made


def handed_over(held, turns=200, depth=None):
    """How many trades, one a second, are handed over while the depth log is silent after its first second."""
    trades, depth = log("trades", [1000 * n for n in range(1, 401)]), depth or log("depth", [1000])
    logs = {"trades": trades, "depth": depth}
    shard = Shard(SHARD, Fetched(), logs, PACE, None, {}, Epochs(SHARD, Stopping()), held=held)
    count = 0
    for _ in range(turns):
        for _, batch in shard.next_batch():
            count += sum(len(of) for of in batch.frames if of.topic == "trades")
        if held is not None:
            held[SHARD] = count
    return count


def test_a_topic_at_its_end_holds_nobody_up_while_little_waits_for_it():
    assert handed_over(None) == 400
    assert 0 < handed_over({}, turns=10) < PACE.held_rows


def test_once_the_step_holds_its_fill_what_is_ahead_waits_in_kafka_and_nothing_is_lost():
    held, silent = {}, log("depth", [1000])
    assert PACE.held_rows <= handed_over(held, depth=silent) < PACE.held_rows + PACE.batch_frames
    silent.mark(1, 400_000 * 1_000_000)
    assert handed_over({SHARD: 0}, depth=silent) == 400


def test_a_topic_of_which_nothing_is_known_holds_nobody_up_for_ever():
    nothing = Log("depth", 0, 0, 0)
    nothing.reached(0)
    assert handed_over({SHARD: 10**9}, depth=nothing) == 400


@pytest.mark.parametrize("trades", [3, 7])
def test_the_market_says_how_many_rows_wait_for_other_logs(trades):
    told, held = load(None, {}, ["kafka.partitions=1"]), {}
    market = MarketShard(told, known_instruments(told), 0, None, held)
    lines = [trade(START_MS + 10 * n, size=str(n + 1)) for n in range(trades)]
    numbered = [line._replace(data=line.data.replace(b'"t": 1,', b'"t": %d,' % n)) for n, line in enumerate(lines)]
    book = snapshot(START_MS, 1)
    read = [("trades", [x.data for x in numbered], [x.received_ns for x in numbered], {}),
            ("depth", [book.data], [book.received_ns], {0: book.header})]  # fmt: skip
    given = [frames(f"raw.{kind}.{USDM}", 0, data, at, 0, headers) for kind, data, at, headers in read]
    market.on_batch(Batch(tuple(given)))
    assert held == {SHARD: trades}


def test_risk_says_how_many_account_records_wait_for_features_and_is_bounded_by_fewer():
    """Of eight hours of accounts beside a market that compiled, all were read, and written down with each epoch."""
    told, held = load(None, {}, ["kafka.partitions=1", "kafka.brokers=nowhere:9"]), {}
    logs = {"accounts/0": ("accounts", 0), "features.tape/0": ("features.tape", 0)}
    share = risk.RiskShare(told, risk.terms(told), logs, None, held)
    records = [b'{"account":"a","as_of":%d,"balances":[],"positions":[]}' % (1_000 * n) for n in range(1, 8)]
    share.on_batch(Batch((frames("accounts", 0, records, [10**9 * n for n in range(1, 8)], 0, {}),)))
    assert held == {SHARD: 7}
    source = risk.build(told, "run", Stopping(), None).substeps[0].source._source
    assert source._pace.held_rows == risk.HELD_RECORDS < told.source.held_rows


def test_a_share_waits_by_what_its_step_says_too():
    class Opened(Fetched):
        def add_logs(self, wanted, resume):
            return {"accounts/0": log("accounts", [1000 * n for n in range(1, 401)]), "tape/0": log("tape", [1000])}

    held = {SHARD: PACE.held_rows}
    share = KafkaShare(Kafka("nowhere:9"), ("accounts",), ("tape",), 1, pace=PACE, held=held)
    share.reader = Opened()
    part = share.build_part("step", SHARD, None)
    given = [of for _ in range(200) for _, batch in part.next_batch() for of in batch.frames]
    # as far as the silent log stands, and what may run ahead of it
    assert sum(len(of) for of in given if of.topic == "accounts") == 3
    held[SHARD] = 0
    given += [of for _ in range(200) for _, batch in part.next_batch() for of in batch.frames]
    assert sum(len(of) for of in given if of.topic == "accounts") == 400
