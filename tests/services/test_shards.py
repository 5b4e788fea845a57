"""Shards of real logs: batch limits, alignment, ends, marks, guesses, names in headers, and what is refused."""

import time

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from flows.kafka.ends import announce
from flows.kafka.guesses import Guess, GuessLog
from flows.kafka.guessing import Foreign
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.reader import LAG, Kafka, Reader
from flows.kafka.source import KafkaShards, Pace, Shard
from flows.kafka.topic_making import create_topics, end_offsets
from flows.kafka.written_marks import Marks
from flows.refusal import Refused, Unreachable
from flows.session.free_ports import free_port
from flows.settings.services import Kafka as Brokers
from schemas.frames import Frames
from schemas.shard import Batch
from tests.services.broker_tansu import Tansu
from tests.services.flow_processes import brokers, named, wait_until

pytestmark = pytest.mark.services

T0 = 1_700_000_000_000
MS = 1_000_000


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


def write(address: str, topic: str, rows: list[tuple[int, bytes]], partition: int = 0) -> None:
    """(milliseconds after T0, value)."""
    publisher = Publisher(address)
    for ms, value in rows:
        publisher.publish(topic, b"k", value, T0 + ms, partition=partition)
    publisher.flush()


def open_shard(source: KafkaShards, resume=None, name: str = "shard-0000") -> Shard:
    return source.build_part("flow.read", name, resume)


def batches(shard: Shard, until, timeout_s: float = 20) -> list[Batch]:
    """What is handed over until `until(batches)`, or the shard finishes."""
    found: list[Batch] = []
    deadline = time.monotonic() + timeout_s
    while not until(found):
        assert time.monotonic() < deadline, f"after {len(found)} batches it goes on for ever"
        try:
            found += [batch for _, batch in shard.next_batch()]
        except StopIteration:
            break
    return found


def values(found: list[Batch], topic: str) -> list[bytes]:
    return [f.frame(i) for b in found for f in b.frames if f.topic == topic for i in range(len(f))]


def never(found: list[Batch]) -> bool:
    return False


@pytest.mark.parametrize("limit", [1, 7, 500, 10_000])
def test_batch_limits_change_the_cuts_and_nothing_else(address, tmp_path, limit):
    a, b = named("a", "b")
    create_topics(address, [a, b], 1, forever=True)
    rows = [(i, b"%d" % i) for i in range(1_200)]
    write(address, a, rows)
    write(address, b, rows[::5])
    for topic, end in ((a, 1_200), (b, 240)):
        announce(tmp_path, topic, [end])
    source = KafkaShards(Kafka(address), (a, b), 1, pace=Pace(batch_frames=limit), ends=tmp_path)
    found = batches(open_shard(source), never)
    source.reader.close()
    assert values(found, a) == [v for _, v in rows]
    assert values(found, b) == [v for _, v in rows[::5]]
    assert max(sum(map(len, x.frames)) for x in found) <= limit
    offsets = [int(o) for x in found for f in x.frames if f.topic == a for o in f.offsets]
    times = [int(t) for x in found for f in x.frames if f.topic == a for t in f.received_ns]
    assert offsets == list(range(1_200))
    assert times == [(T0 + i) * 1_000_000 for i in range(1_200)]
    assert set(found[-1].ended) == {a, b}
    assert all(
        topic not in x.ended for x in found[:-2] for topic in x.ended if values(found[found.index(x) + 1 :], topic)
    )


def test_bytes_bound_a_batch_and_an_epoch(address):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(i, b"x" * 100) for i in range(100)])
    source = KafkaShards(Kafka(address), (a,), 1, pace=Pace(batch_bytes=350, epoch_bytes=1_000))
    shard = open_shard(source)
    found = batches(shard, lambda x: len(values(x, a)) >= 12)
    assert {sum(len(f.data) for f in x.frames) for x in found} == {300}
    for _ in range(200):
        assert list(shard.next_batch()) == []
    shard.snapshot()
    assert len(values(batches(shard, len), a)) == 3
    source.reader.close()


def test_no_topic_runs_ahead_of_the_slowest_by_more_than_the_alignment(address, tmp_path):
    depth, trades = named("depth", "trades")
    create_topics(address, [depth, trades], 1, forever=True)
    write(address, trades, [(i * 50, b"t%d" % i) for i in range(2_000)])
    write(address, depth, [(i * 5, b"d%d" % i + b"x" * 300) for i in range(20_000)])
    for topic, end in ((depth, 20_000), (trades, 2_000)):
        announce(tmp_path, topic, [end])
    kafka = Kafka(address, buffer_bytes=1)
    source = KafkaShards(kafka, (depth, trades), 1, pace=Pace(batch_frames=300, align_ms=1_000), ends=tmp_path)
    shard = open_shard(source)
    found = batches(shard, never)
    source.reader.close()
    reached = {depth: 0, trades: 0}
    for batch in found:
        for frames in batch.frames:
            reached[frames.topic] = int(frames.received_ns[-1]) // 1_000_000 - T0
        if not batch.ended:
            assert abs(reached[depth] - reached[trades]) <= 1_000 + 50
    assert values(found, trades) == [b"t%d" % i for i in range(2_000)]
    assert [v[: v.index(b"x")] for v in values(found, depth)] == [b"d%d" % i for i in range(20_000)]


def test_an_empty_topic_and_one_at_its_end_hold_nobody_up_and_a_bounded_reader_waits_for_the_end(address, tmp_path):
    depth, trades = named("depth", "trades")
    create_topics(address, [depth, trades], 1, forever=True)
    write(address, depth, [(i * 10_000, b"%d" % i) for i in range(5)])
    source = KafkaShards(Kafka(address), (depth, trades), 1, ends=tmp_path)
    shard = open_shard(source)
    found = batches(shard, lambda x: len(values(x, depth)) == 5)
    assert all(x.ended == () for x in found)
    for _ in range(100):
        assert list(shard.next_batch()) == [], "without an announcement it waits"
    write(address, depth, [(60_000, b"late")])
    announce(tmp_path, depth, [6])
    more = batches(shard, lambda x: any(y.ended for y in x))
    assert values(more, depth) == [b"late"]
    assert more[-1].ended == (depth,)
    announce(tmp_path, trades, [0])
    assert [x.ended for x in batches(shard, never)] == [(depth, trades)]
    position = shard.snapshot()
    source.reader.close()

    again = KafkaShards(Kafka(address), (depth, trades), 1, ends=tmp_path)
    assert batches(open_shard(again, position), never) == [], "a finished shard stays finished and says nothing twice"
    again.reader.close()
    (tmp_path / f"{depth}.json").unlink()
    write(address, depth, [(70_000, b"more")])
    announce(tmp_path, depth, [7])
    third = KafkaShards(Kafka(address), (depth, trades), 1, ends=tmp_path)
    resumed = batches(open_shard(third, position), never)
    third.reader.close()
    assert values(resumed, depth) == [b"more"]
    assert set(resumed[-1].ended) == {depth, trades}


def test_records_beyond_an_announced_end_are_refused(address, tmp_path):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(0, b"0"), (1, b"1")])
    announce(tmp_path, a, [1])
    source = KafkaShards(Kafka(address), (a,), 1, ends=tmp_path)
    with pytest.raises(Refused, match=r"\[0\] goes on to 2 beyond its announced end 1"):
        batches(open_shard(source), never)
    source.reader.close()


def test_marks_come_between_the_frames_where_the_writer_put_them_and_are_no_frames(address):
    (a,) = named("a")
    create_topics(address, [a], 2, forever=True)
    publisher = Publisher(address)
    marks = Marks(publisher, [a], 2, 500)
    for ms in (0, 200, 500, 900):
        publisher.publish(a, b"k", b"%d" % ms, T0 + ms, partition=1)
        marks.come_to(T0 + ms)
    publisher.publish(a, b"k", None, T0 + 950, partition=1)
    publisher.flush()
    source = KafkaShards(Kafka(address), (a,), 2, pace=Pace(batch_frames=3))
    shard = open_shard(source, name="shard-0001")
    found = batches(shard, lambda x: sum(len(y.frames[0]) for y in x) == 5)
    position = shard.snapshot()
    assert values(found, a) == [b"0", b"200", b"500", b"900", b""], "another tombstone is a frame, which is refused"
    told = [(int(f.offsets[i - 1]), ns) for b in found for f in b.frames for i, ns in marks_of(f)]
    assert told == [(0, T0 * MS), (3, (T0 + 500) * MS)]
    empty = batches(open_shard(source), len)
    only = [(len(f), [ns for _, ns in marks_of(f)]) for b in empty for f in b.frames]
    assert only == [(0, [T0 * MS, (T0 + 500) * MS])], "the first of a log may be that of a clock that was set back"
    source.reader.close()
    assert position[1][0][2] == 7


def marks_of(found: Frames) -> list[tuple[int, int]]:
    return list(zip(found.marks.at.tolist(), found.marks.time_ns.tolist(), strict=True))


def guessed(found: list[Batch], topic: str) -> list[tuple[int, int]]:
    """The guesses about a topic: after how many of its frames, and milliseconds after T0."""
    out, frames = [], 0
    for batch in found:
        for f in batch.frames:
            if f.topic == topic:
                out += [(frames + at, ns // MS - T0) for at, ns in marks_of(f) if f.marks.guessed.any()]
                frames += len(f)
    return out


def foreign(address: str, *topics: str) -> Foreign:
    return Foreign(topics, GuessLog(address, f"guesses.{topics[0]}"))


def test_of_a_log_without_marks_it_is_judged_from_the_logs_how_far_it_has_come(address):
    a, b = named("a", "b")
    create_topics(address, [a, b, f"guesses.{a}"], 1, forever=True)
    write(address, b, [(100, b"b0")])
    source = KafkaShards(Kafka(address), (a, b), 1, foreign=foreign(address, a, b))
    shard = open_shard(source)
    found = batches(shard, lambda x: guessed(x, a) and guessed(x, b))
    assert (guessed(found, a), guessed(found, b)) == ([(0, 100)], [(1, 100)])
    write(address, a, [(7_000, b"a0")])
    found += batches(shard, lambda x: guessed(x, a) and guessed(x, b))
    assert (guessed(found, a), guessed(found, b)) == ([(0, 100), (1, 7_000)], [(1, 100), (1, 7_000)])
    position = shard.snapshot()
    assert position[2] == ((0, 4),)
    source.reader.close()


def test_a_reader_that_was_away_concludes_nothing_from_it(address):
    """While it slept both logs grew; what it fetches of one first says nothing of the other before the broker does."""
    a, b = named("a", "b")
    create_topics(address, [a, b, f"guesses.{a}"], 1, forever=True)
    write(address, a, [(0, b"a")])
    write(address, b, [(0, b"b")])
    source = KafkaShards(Kafka(address), (a, b), 1, pace=Pace(align_ms=10**6), foreign=foreign(address, a, b))
    shard = open_shard(source)
    found = batches(shard, lambda x: guessed(x, a) and guessed(x, b))
    write(address, b, [(ms, b"b") for ms in range(0, 20_000, 100)])
    write(address, a, [(ms, b"a") for ms in range(0, 20_000, 100)])
    time.sleep(1.0)
    found += batches(shard, lambda x: all((200, 19_900) in guessed(x, t) for t in (a, b)))
    source.reader.close()
    for topic in (a, b):
        for frames, time_ms in guessed(found, topic):
            assert frames == 1 or time_ms <= (frames - 1) * 100, "it had come so far and no further"
            assert frames > 1 or time_ms == 0


def test_guesses_are_taken_again_where_they_were_made_before_new_ones_are(address, tmp_path):
    a, b = named("a", "b")
    create_topics(address, [a, b, f"guesses.{a}"], 1, forever=True)
    write(address, a, [(0, b"a0")])
    write(address, b, [(0, b"b0"), (3_000, b"b1")])
    first = KafkaShards(Kafka(address), (a, b), 1, foreign=foreign(address, a))
    shard = open_shard(first)
    position = shard.snapshot()
    found = batches(shard, lambda x: guessed(x, a))
    write(address, a, [(100, b"a1")])
    write(address, b, [(9_000, b"b2")])
    found += batches(shard, lambda x: guessed(x, a))
    first.reader.close()
    told = guessed(found, a)
    assert told == [(1, 3_000), (2, 9_000)]
    for resume in (None, position):
        for topic, end in ((a, 2), (b, 3)):
            announce(tmp_path, topic, [end])
        again = KafkaShards(Kafka(address), (a, b), 1, foreign=foreign(address, a), ends=tmp_path)
        assert guessed(batches(open_shard(again, resume), never), a) == told
        again.reader.close()


def test_guesses_are_found_again_by_a_replay_under_another_prefix(address):
    (a,) = named("guesses")
    create_topics(address, [a], 2, forever=True)
    GuessLog(address, a, prefix="live.").write([Guess("live.accounts", 1, 7, 5_000)])
    found, ends = GuessLog(address, a, prefix="verify.").read({0: 0, 1: 0})
    assert (found, ends) == ([Guess("verify.accounts", 1, 7, 5_000)], {0: 0, 1: 1})


def test_what_is_no_guess_is_passed_over_and_told_of(address, caplog):
    (a,) = named("guesses")
    create_topics(address, [a], 1, forever=True)
    log = GuessLog(address, a)
    log.write([Guess("accounts", 0, 7, 5_000)])
    good = b'{"topic":"accounts","partition":0,"offset":8,"time_ms":%d}'
    write(address, a, [(1, v) for v in (b"{", b"\xff", b"[1]", b"[" * 200_000, good % -1, good % 10**18, good % 6_000)])
    with caplog.at_level("WARNING", logger="alphaplus.flow"):
        found, ends = log.read({0: 0})
    assert (found, ends) == ([Guess("accounts", 0, 7, 5_000), Guess("accounts", 0, 8, 6_000)], {0: 8})
    assert [f"{a}[0] offset {n} is no guess" in caplog.text for n in range(8)] == [0 < n < 7 for n in range(8)]


def test_the_lag_grows_while_a_log_waits_for_room_and_nothing_of_it_is_fetched(address):
    (topic,) = named("lag")
    create_topics(address, [topic], 1, forever=True)
    write(address, topic, [(0, b"x" * 1_000)] * 3_000)
    reader = Reader(Kafka(address, buffer_bytes=1 << 20), (topic,), 1)
    log = reader.add(0, None)[topic]

    def lag() -> float:
        reader.pump()
        return LAG.labels(topic)._value.get()

    wait_until(lambda: lag() >= 2_000 and log.paused, 20)
    write(address, topic, [(0, b"x" * 1_000)] * 9_000)
    wait_until(lambda: lag() >= 11_000, 20)  # the embedded broker names the first of its last batch
    assert log.paused
    assert lag() <= 12_000
    reader.close()


def test_it_resumes_exactly_after_what_it_handed_over(address):
    (a,) = named("a")
    create_topics(address, [a], 2, forever=True)
    write(address, a, [(i, b"%d" % i) for i in range(100)], partition=1)
    source = KafkaShards(Kafka(address), (a,), 2, pace=Pace(batch_frames=30))
    shard = open_shard(source, name="shard-0001")
    head = batches(shard, lambda x: len(x) == 2)
    position = shard.snapshot()
    list(shard.next_batch())
    source.reader.close()
    again = KafkaShards(Kafka(address), (a,), 2)
    tail = batches(open_shard(again, position, "shard-0001"), lambda x: len(values(x, a)) == 40)
    again.reader.close()
    assert values(head + tail, a) == [b"%d" % i for i in range(100)]


def test_the_header_symbol_is_read_only_for_frames_that_do_not_name_themselves(address):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    publisher = Publisher(address)
    publisher.publish(a, b"BTC", b'{"lastUpdateId":1}', T0, symbol="BTCUSDT")
    publisher.publish(a, b"BTC", b'{"e":"depthUpdate"}', T0, symbol="not read")
    publisher.publish(a, b"BTC", b'{"lastUpdateId":2}', T0)
    publisher.flush()
    source = KafkaShards(Kafka(address, nameless={a: (b'{"lastUpdateId"',)}), (a,), 1)
    found = batches(open_shard(source), lambda x: len(values(x, a)) == 3)
    source.reader.close()
    assert [s for x in found for f in x.frames for s in f.symbols.items()] == [(0, "BTCUSDT")]


def test_a_topic_made_anew_is_refused(address):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(0, b"0")])
    source = KafkaShards(Kafka(address), (a,), 1)
    shard = open_shard(source)
    batches(shard, len)
    position = shard.snapshot()
    source.reader.close()
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.delete_topics([a]).values():
        future.result()
    time.sleep(0.5)
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(i, b"other") for i in range(5)])
    again = KafkaShards(Kafka(address), (a,), 1)
    with pytest.raises(Refused, match=rf"{a}\[0\] was made anew since offset 1 was read"):
        open_shard(again, position)
    again.reader.close()


def test_an_offset_beyond_the_end_is_refused(address):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(0, b"0"), (1, b"1")])
    source = KafkaShards(Kafka(address), (a,), 1)
    open_shard(source)
    here = source.reader.topic_ids[a]
    source.reader.close()
    again = KafkaShards(Kafka(address), (a,), 1)
    with pytest.raises(Refused, match=rf"{a}\[0\] must resume at offset 9 but ends at 2"):
        open_shard(again, (2, ((a, here, 9, -1),), ()))
    again.reader.close()


def test_an_offset_that_retention_deleted_is_refused(address):
    (a,) = named("a")
    create_topics(address, [a], 1, forever=True)
    write(address, a, [(i, b"%d" % i) for i in range(10)])
    admin = AdminClient({"bootstrap.servers": address, "log_level": 2})
    try:
        for future in admin.delete_records([TopicPartition(a, 0, 6)]).values():
            future.result()
    except KafkaException as error:
        why = f"the embedded broker does not delete records ({error.args[0].name()})"
        pytest.skip(f"{why}; set ALPHAPLUS_TEST_KAFKA=HOST:PORT of an Apache Kafka")
    source = KafkaShards(Kafka(address), (a,), 1)
    assert values(batches(open_shard(source), len), a) == [b"6", b"7", b"8", b"9"], "a first start begins where it can"
    here = source.reader.topic_ids[a]
    source.reader.close()
    again = KafkaShards(Kafka(address), (a,), 1)
    with pytest.raises(Refused, match=rf"{a}\[0\] must resume at offset 4 but begins at 6: retention deleted"):
        open_shard(again, (2, ((a, here, 4, -1),), ()))
    again.reader.close()


def test_no_broker_and_no_topic_are_one_line_after_a_bounded_wait(address):
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=rf"no Kafka broker answers at {nowhere} \(waited 1 s\)"):
        Reader(Kafka(nowhere, start_s=1), ("a",), 1).pump()
    with pytest.raises(Unreachable, match=r"no topic not.there at .* \(waited 1 s\)"):
        Reader(Kafka(address, start_s=1), ("not.there",), 1).pump()


def test_another_number_of_partitions_is_refused(address):
    (a,) = named("a")
    create_topics(address, [a], 2, forever=True)
    with pytest.raises(Refused, match=f"{a} has 2 partitions, not 3"):
        Reader(Kafka(address), (a,), 3).pump()
    with pytest.raises(Refused, match=f"{a} has 2 partitions, not 3"):
        create_topics(address, [a], 3)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}, "stamps records with the broker's time"),
        ({"retention.ms": "604800000"}, "has retention.ms=604800000 and would lose replayed records"),
        ({"retention.ms": "-1", "cleanup.policy": "compact"}, "has cleanup.policy=compact and would lose"),
    ],
)
def test_topics_that_would_lose_or_restamp_what_is_replayed_are_refused(address, config, said):
    (a,) = named("a")
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic(a, 1, 1, config=config)]).values():
        future.result()
    time.sleep(0.3)
    with pytest.raises(Refused, match=said):
        create_topics(address, [a], 1, forever=True)


def test_a_topic_that_would_lose_all_but_the_last_frame_of_an_asset_is_refused_also_where_records_may_expire(address):
    a, accounts, made = named("a", "accounts", "made")
    admin = AdminClient({"bootstrap.servers": address})
    config = {"cleanup.policy": "compact,delete"}
    for future in admin.create_topics([NewTopic(t, 1, 1, config=config) for t in (a, accounts)]).values():
        future.result()
    time.sleep(0.3)
    with pytest.raises(Refused, match=f"{a} has cleanup.policy=compact,delete and would lose records"):
        create_topics(address, [a], 1)
    create_topics(address, [accounts], 1, keyed=True)
    create_topics(address, [made], 1)
    create_topics(address, [made], 1)


def test_a_broker_that_stays_away_is_told_after_the_allowed_time():
    with Tansu() as tansu:
        create_topics(tansu.address, ["a"], 1, forever=True)
        write(tansu.address, "a", [(0, b"0")])
        source = KafkaShards(Kafka(tansu.address, retry_s=2), ("a",), 1)
        shard = open_shard(source)
        assert values(batches(shard, len), "a") == [b"0"]
        tansu.stop()
        with pytest.raises(Unreachable, match=f"no Kafka broker at {tansu.address} for 2 s"):
            batches(shard, never)
        source.reader.close()


def test_a_record_that_nobody_acknowledges_is_raised():
    with Tansu() as tansu:
        create_topics(tansu.address, ["a"], 1, forever=True)
        patient, publisher = Publisher(tansu.address), Publisher(tansu.address, retry_s=1)
        patient.publish("a", b"k", b"0")
        patient.flush()
        assert end_offsets(tansu.address, "a") == [1]
        tansu.stop()
        publisher.publish("a", b"k", b"1")
        with pytest.raises(Unreachable, match=r"acknowledged nothing \(waited 1 s, 1 records wait\)"):
            publisher.flush()


def test_a_record_that_the_client_does_not_take_is_raised(address):
    (a,) = named("a")
    create_topics(address, [a], 1)
    with pytest.raises(Unreachable, match="a record of 2000000 bytes was not taken"):
        Publisher(Brokers(brokers=address, message_max_bytes=1_000_000)).publish(a, b"k", b"x" * 2_000_000)
