"""A block is one insert; rows that do not parse are found by halving and set aside in the order of the log."""

import json
import threading

import pytest

from flows.clickhouse import blocks_sink
from flows.clickhouse.blocks_sink import AHEAD, BlocksPart, Fresh, Lane
from flows.refusal import Refused
from schemas.frames import Reject, frames


class Bad(Exception):
    """The block has rows that do not parse."""


class Table:
    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes, str]] = []
        self.rejected: list[dict] = []

    def insert(self, table: str, rows: bytes, token: str, count: int) -> None:
        self.calls.append((table, rows, token))
        if b"bad" in rows:
            raise Bad("cannot parse input")

    def publish(self, topic: str, key: bytes, value: bytes, partition: int) -> None:
        self.rejected.append({"key": key.decode(), "to": (topic, partition), **json.loads(value)})

    def poll(self) -> None:
        pass

    def flush(self) -> None:
        pass


def write(fresh: Fresh) -> Table:
    table = Table()
    part = BlocksPart([Lane(table.insert)], Bad, table, "rejects")
    part.write_batch([fresh])
    part.snapshot()
    return table


def test_a_good_block_is_one_insert_of_lines_under_its_token():
    log = frames("features.book", 3, [b'{"a":1}', b'{"a":2}'], [0, 0])
    assert write(Fresh("run-features.book-3-0-2", (log,))).calls == [
        ("features_book", b'{"a":1}\n{"a":2}', "run-features.book-3-0-2")
    ]


def test_bad_rows_are_halved_out_under_tokens_that_say_which_half():
    log = frames("alerts", 3, [b"1", b"2", b"bad", b"4"], [0] * 4, first_offset=10)
    table = write(Fresh("t", (log,), (Reject("alerts", 3, 20, "no id", b"x"), Reject("alerts", 3, 5, "no id", b"y"))))
    assert [(rows, token) for _, rows, token in table.calls] == [
        (b"1\n2\nbad\n4", "t"),
        (b"1\n2", "t.0"),
        (b"bad\n4", "t.1"),
        (b"bad", "t.1.0"),
        (b"4", "t.1.1"),
    ]
    assert [(r["id"], r["reason"], r["key"], r["to"]) for r in table.rejected] == [
        ("archive|alerts|3|327680", "no id", "alerts", ("rejects", 3)),
        ("archive|alerts|3|786432", "cannot parse input", "alerts", ("rejects", 3)),
        ("archive|alerts|3|1310720", "no id", "alerts", ("rejects", 3)),
    ]
    assert table.rejected[1]["bytes"] == "YmFk"


def test_a_block_of_rejects_only_inserts_nothing():
    log = frames("alerts", 0, [], [])
    assert write(Fresh("t", (log,), (Reject("alerts", 0, 5, "no id", b"y"),))).calls == []


def test_a_table_of_rejects_that_takes_none_stops_the_archive_instead_of_feeding_it():
    log = frames("rejects", 0, [b'{"id":"archive|alerts|0|5","bad":1}'], [0])
    with pytest.raises(Refused, match="the table rejects does not take what it is made for: cannot parse input"):
        write(Fresh("t", (log,)))


def test_what_another_wrote_badly_to_rejects_is_set_aside_like_anything_else():
    log = frames("rejects", 0, [b'{"id":"market|raw.depth.okx-swap|0|5","bad":1}'], [0])
    assert [r["id"] for r in write(Fresh("t", (log,))).rejected] == ["archive|rejects|0|0"]


def test_records_of_several_logs_are_one_insert_and_a_bad_one_is_set_aside_where_it_came_from():
    logs = [frames("alerts", p, values, [0] * len(values)) for p, values in ((1, [b"1", b"2", b"3"]), (4, [b"bad"]))]
    table = write(Fresh("t", tuple(logs), (Reject("alerts", 1, 9, "no id", b"x"),)))
    assert [(rows, token) for _, rows, token in table.calls] == [
        (b"1\n2\n3\nbad", "t"),
        (b"1\n2", "t.0"),
        (b"3\nbad", "t.1"),
        (b"3", "t.1.0"),
        (b"bad", "t.1.1"),
    ]
    assert [(r["id"], r["to"]) for r in table.rejected] == [
        (f"archive|alerts|1|{9 << 16}", ("rejects", 1)),
        ("archive|alerts|4|0", ("rejects", 4)),
    ]


def test_blocks_of_different_logs_are_stored_side_by_side_and_those_of_one_log_in_their_order():
    table, may_go = Table(), threading.Event()

    def slowly(name: str, rows: bytes, token: str, count: int) -> None:
        may_go.wait()
        table.insert(name, rows, token, count)

    def at_once(name: str, rows: bytes, token: str, count: int) -> None:
        table.insert(name, rows, token, count)
        if len(table.calls) == 1:
            may_go.set()

    part = BlocksPart([Lane(slowly), Lane(at_once)], Bad, table, "rejects")
    one, other = frames("alerts", 0, [b"1"], [0]), frames("alerts", 1, [b"1"], [0])
    part.write_batch([Fresh("a", (one,)), Fresh("b", (other,)), Fresh("c", (one,))])
    part.snapshot()
    order = [token for _, _, token in table.calls]
    assert order[0] == "b", "beside the other lane"
    assert order.index("a") < order.index("c")


def test_blocks_of_a_log_are_stored_one_after_another_beside_the_flow_and_an_epoch_waits_for_all_of_them():
    table, may_go = Table(), threading.Event()

    def insert(name: str, rows: bytes, token: str, count: int) -> None:
        may_go.wait()
        table.insert(name, rows, token, count)

    part = BlocksPart([Lane(insert)], Bad, table, "rejects")
    part.write_batch([Fresh(f"{i}", (frames("alerts", 0, [b"%d" % i], [0]),)) for i in range(AHEAD)])
    assert table.calls == []
    may_go.set()
    part.snapshot()
    assert [token for _, _, token in table.calls] == [f"{i}" for i in range(AHEAD)]


def test_a_block_that_cannot_be_stored_fails_the_epoch():
    def insert(name: str, rows: bytes, token: str, count: int) -> None:
        raise Refused("away")

    part = BlocksPart([Lane(insert)], Bad, Table(), "rejects")
    with pytest.raises(Refused, match="away"):
        part.write_batch([Fresh("t", (frames("alerts", 0, [b"1"], [0]),))])
        part.snapshot()


def test_a_database_that_hangs_is_spoken_of_while_it_is_waited_for(monkeypatch, capsys):
    """Suspended, nothing named it for three minutes: the client tries again by itself after each minute."""
    monkeypatch.setattr(blocks_sink, "SAID_S", 0.05)
    goes_on = threading.Event()
    part = BlocksPart([Lane(lambda *_: goes_on.wait(60))], Bad, Table(), "rejects")
    part.write_batch([Fresh("t", (frames("features.book", 3, [b"1"], [0]),))])
    threading.Timer(0.5, goes_on.set).start()
    part.snapshot()
    assert capsys.readouterr().err.endswith("ClickHouse has not answered for 0 s to an insert into features_book\n")
    part.write_batch([Fresh("t", (frames("features.book", 3, [b"1"], [0]),))])
    part.snapshot()
    assert capsys.readouterr().err == ""
