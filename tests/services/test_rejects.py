"""Rejects: shown by reason, and handed in again where something can come of it; each record once, the rest named."""

import base64
import json
import secrets
import time

import msgspec
import pytest

from flows.clickhouse.client import connect
from flows.commands.rejects import replay, show
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.kafka.written_marks import KEY
from flows.settings.sources import load
from flows.tables import BY_NAME
from flows.topic_names import every_topic
from flows.upkeep.resubmission import ALREADY, GONE, PUBLISHED, STORED, Rejected, hand_in
from schemas.ddl import create_table
from tests.services.flow_processes import read

pytestmark = pytest.mark.services
ZERO = {"str": "x", "f8": 1.5, "i8": 1, "bool": False, "time": 1_700_000_000_000}
TRADE = b'{"e":"trade","E":%d,"T":%d,"s":"BTCUSDT","t":%d,"p":"1","q":"1","X":"MARKET","m":true}'


@pytest.fixture
def told(broker, store):
    if broker.name != "embedded" or store.name != "embedded":
        pytest.skip("one broker and one store are enough: what is asked of them is asked of all in other tests")
    name = f"rejects_{secrets.token_hex(4)}"
    sets = [f"kafka.brokers={broker.bootstrap}", f"kafka.prefix={name}.", "kafka.partitions=1"]
    sets += [f"clickhouse.url=http://{store.host}:{store.port}", f"clickhouse.database={name}", *store.sets]
    made = load(None, {}, [*sets, "clickhouse.retry_s=5"])
    connect(msgspec.structs.replace(made.clickhouse, database="default")).command(f"CREATE DATABASE {name}")
    for table in ("model_versions", "rejects"):
        connect(made.clickhouse).command(create_table(BY_NAME[table]))
    create_topics(made.kafka, every_topic(made), 1, forever=True)
    return made, tuple(sets)


def publish(told, topic, *records):
    publisher = Publisher(told.kafka)
    for at_ms, key, value in records:
        publisher.publish(told.kafka.prefix + topic, key, value, at_ms, partition=0)
    publisher.flush()


def row(table, **values):
    columns = {c.name: ZERO[c.dtype] for c in BY_NAME[table].columns}
    return msgspec.json.encode({"id": "x|1", **columns, **values})


def outcomes(told, rejects, **how):
    return {(o.reject.topic, o.reject.offset): o.what for o in hand_in(told, rejects, **how)}


def test_rows_that_the_store_takes_now_are_stored_once_and_the_others_named(told):
    told, _ = told
    publish(told, "model.versions", (1, b"k", row("model_versions", version="a")))
    publish(told, "model.versions", (2, b"k", row("model_versions", version="b", in_force_from="soon")))
    rejects = [Rejected("archive", "model.versions", 0, offset, "Cannot parse") for offset in (0, 1, 7)]
    rejects += [Rejected("archive", "rejects", 0, 0, "no id")]
    found = outcomes(told, rejects, dry=True)
    assert found[("model.versions", 0)] == STORED
    assert connect(told.clickhouse).rows("SELECT count() FROM model_versions") == [(0,)]

    found = outcomes(told, [*rejects, *rejects])
    assert found[("model.versions", 0)] == STORED
    assert found[("model.versions", 1)].startswith("the store does not take it now either: ")
    assert found[("model.versions", 7)] == GONE
    assert found[("rejects", 0)] == "no table is of rejects"
    assert outcomes(told, rejects)[("model.versions", 0)] == ALREADY
    assert connect(told.clickhouse).rows("SELECT version FROM model_versions") == [("a",)]


def test_an_account_is_published_again_once_unless_a_later_record_replaced_it(told):
    told, _ = told
    account = b'{"account":"%b","as_of":1760000000000,"balances":[],"positions":[]}'
    a, b, b_later = account % b"a", account % b"b", account.replace(b"176", b"177") % b"b"
    frame = b'{"account":"c","venue":"x","frame":{}}'
    publish(told, "accounts", *((i, v[12:13], v) for i, v in enumerate([a, b, b_later, b"{}", frame])))
    publish(told, "accounts", (9, KEY, None))
    rejects = [Rejected("risk", "accounts", 0, offset, "unknown field") for offset in (0, 1, 3, 4)]
    found = outcomes(told, rejects)
    assert found[("accounts", 0)] == PUBLISHED
    assert found[("accounts", 1)] == "a later record of the account replaced it"
    assert found[("accounts", 3)].startswith("it cannot be read now either: ")
    assert found[("accounts", 4)].startswith("a venue's frame changes the account as it was then")
    assert outcomes(told, rejects)[("accounts", 0)] == ALREADY
    assert read(told.kafka.brokers, told.kafka.prefix + "accounts") == [[a, b, b_later, b"{}", frame, a]]


def test_frames_are_published_again_only_while_their_second_is_open_and_repeats_are_remembered(told):
    told, _ = told
    now = int(time.time() * 1e3)
    times = (now - 30_000, now - 2_000, now, now, now)
    trades = [TRADE % (at, at, i) for i, at in enumerate(times)]
    trades[3] = b'{"e":"trade"'
    publish(told, "features.tape", (now - 1_000, KEY, None))
    publish(told, "raw.trades.binance-usdm", *zip(times, [b"BTC"] * 5, trades, strict=True))
    topic = "raw.trades.binance-usdm"
    rejects = [Rejected("market", topic, 0, offset, "misplaced") for offset in (0, 1, 2, 3)]
    rejects += [Rejected("market", "raw.depth.binance-usdm", 0, 0, "?")]
    rejects += [
        Rejected("market", "raw.derivatives.binance-usdm", 0, 0, "?"),
        Rejected("risk", "features.tape", 0, 0, "?"),
    ]
    found = outcomes(told, rejects)
    assert found[(topic, 0)].startswith("it would come late, or rows of it twice: make it anew")
    assert found[(topic, 1)] == found[(topic, 0)]
    assert found[(topic, 2)] == PUBLISHED
    assert found[(topic, 3)].startswith("it cannot be read now either: ")
    assert found[("raw.depth.binance-usdm", 0)].startswith("the book went on, its update ids have passed this one")
    assert found[("raw.derivatives.binance-usdm", 0)].startswith("the next of its kind is in force")
    assert found[("features.tape", 0)].startswith("risk has read on, and made rows without it")
    assert outcomes(told, rejects)[(topic, 2)] == ALREADY
    assert read(told.kafka.brokers, told.kafka.prefix + topic) == [[*trades, trades[2]]]


def test_the_command_shows_reasons_and_says_what_became_of_each_reject(told, capsys, tmp_path):
    told, sets = told
    on = {"set": sets, "data": tmp_path}
    assert show(**on) == 0
    assert capsys.readouterr().out == "nothing was rejected\n"
    publish(told, "model.versions", (1, b"k", row("model_versions", version="c")))
    of = {"id": "archive|model.versions|0|0", "reader": "archive", "topic": "model.versions", "partition": 0, "nth": 0}
    of |= {"reason": "Cannot parse 7", "size": 2, "bytes": base64.b64encode(b"{}").decode()}
    lines = [json.dumps(of | {"offset": n}).encode() for n in (0, 5)]
    connect(told.clickhouse).insert_block("rejects", b"\n".join(lines), "t", count=2)
    assert show(**on) == 0
    assert "2  archive  Cannot parse 7  model.versions[0] offset 0" in capsys.readouterr().out
    assert replay(most=1, why="parse", dry=True, **on) == 1
    said = capsys.readouterr()
    assert "1 rejects: would be stored 1, would be published 0" in said.out
    assert said.err == "more than 1 are chosen: the rest was not looked at (--most)\n"
    assert replay(reader="archive", **on) == 1
    assert GONE in (said := capsys.readouterr().out)
    assert "2 rejects: stored 1, published 0" in said
    assert replay(reader="market", **on) == 0
