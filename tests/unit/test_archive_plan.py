"""The archive's plan: what is little is stored together and at once, and cut the same however often a process dies."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.archive import Block, BlockSize, Fresher, Plan, PlannedBlocks, PlannedShare
from flows.clickhouse.inserts import Cuts, Piece, Place, blocks, inserts, told
from flows.kafka.epochs import Epochs, Stopping
from flows.kafka.log import Log, chunk
from flows.kafka.reader import Kafka
from flows.recovery.sealing import BEGIN_ANEW
from flows.refusal import Refused
from operators.progress import AHEAD
from schemas.frames import frames

SIZE = BlockSize(rows=5, bytes=60)


class Reader:
    """Knows its topics; what is fetched the test says."""

    topic_ids = {"a": "id-a", "b": "id-b", "c": "id-c"}  # noqa: RUF012

    def pump(self) -> None: ...
    def busy(self) -> None: ...
    def committed(self, positions: dict[Place, int]) -> None: ...


def record(offset: int) -> bytes:
    return b'{"id":"k|%d"}' % offset


class Archive:
    """One process from the last committed plan on; `stored` is the database, by token."""

    def __init__(
        self,
        places: list[Place],
        stored: dict[str, tuple[Piece, ...]],
        plan: dict[Place, Cuts],
        size: BlockSize = SIZE,
    ) -> None:
        self.logs = {place: Log(*place, *(plan.get(place, (0,))[:1] * 2)) for place in places}
        series = {place: "s" if place[1] < 4 else "z" for place in places}
        epochs = Epochs("share", Stopping())
        self.share = PlannedShare("share", Reader(), self.logs, plan, series, size, None, (), epochs)  # type: ignore[arg-type]
        self.stored = stored

    def fetch(self, place: Place, to: int) -> None:
        log = self.logs[place]
        if to > log.fetched:
            offsets = list(range(log.fetched, to))
            log.add(chunk([record(o) for o in offsets], offsets, [0] * len(offsets), {}))

    def turn(self) -> list[str]:
        """One batch, stored as ClickHouse would."""
        tokens = []
        for _, (token, logs) in self.share.next_batch():
            pieces = tuple(Piece(f.topic, f.partition, int(f.offsets[0]), int(f.offsets[-1]) + 1) for f in logs)
            assert self.stored.setdefault(token, pieces) == pieces, "a token that came with other rows"
            tokens.append(token)
        return tokens

    def snapshot(self) -> dict[Place, Cuts]:
        plan: Plan = self.share.snapshot()
        return {(topic, partition): cuts for topic, partition, _, cuts in plan[1]}


def test_what_is_little_of_a_dozen_logs_is_one_insert_a_topic_and_all_of_it_is_handed_over_at_once():
    places = [(topic, partition) for topic in "abc" for partition in range(4)]
    archive = Archive(places, {}, {}, BlockSize())
    for place in places:
        archive.fetch(place, 1)
    assert archive.turn() == []
    archive.snapshot()
    assert archive.turn() == [f"s-{topic}-0:0-1,1:0-1,2:0-1,3:0-1" for topic in "abc"]
    assert [log.position for log in archive.logs.values()] == [1] * 12


def test_a_log_with_a_lot_stands_alone_under_the_tokens_that_blocks_have_always_had():
    archive = Archive([("a", 0), ("a", 1), ("a", 2)], {}, {})
    for partition, rows in enumerate((7, 1, 1)):
        archive.fetch(("a", partition), rows)
    assert archive.snapshot()["a", 0] == (0, 5, 7)
    assert archive.turn() == ["s-a-1:0-1,2:0-1", "s-a-0-0-5"]


def test_a_partition_without_records_costs_no_insert_and_no_state():
    archive = Archive([("a", p) for p in range(4)], {}, {})
    for at in range(20):
        archive.logs["a", 3].mark(at, at)
    assert archive.snapshot() == {("a", 0): (0,), ("a", 1): (0,), ("a", 2): (0,), ("a", 3): (20,)}
    assert archive.turn() == []
    fresher = Fresher("share", None)
    archive.fetch(("a", 1), 2)
    archive.snapshot()
    for _, block in archive.share.next_batch():
        fresher.on_batch(block)
    once = fresher.freeze()
    again = Fresher("share", once)
    assert (again.freeze(), again._seen) == (once, {}), "not even thawed before there is something"


@pytest.mark.parametrize(("topic", "per_ms"), [("features.tape", 1), ("walls", 1_000_000), ("risk.accounts", 1)])
def test_a_record_that_somebody_wrote_years_ahead_is_refused_and_hides_nothing(topic, per_ms):
    """It was stored, and all later rows of its key were taken for repeats and not."""
    at_ms = 1_800_000_000_000
    orders = [at_ms * per_ms, (at_ms + 10**12) * per_ms, (at_ms + 1_000) * per_ms]
    log = frames(topic, 0, [f'{{"id":"k|{order}"}}'.encode() for order in orders], [at_ms * 1_000_000] * 3)
    (fresh,) = Fresher("share", None).on_batch(Block("token", (log,)))
    assert fresh.frames[0].offsets.tolist() == [0, 2]
    assert [(r.offset, r.reason) for r in fresh.rejects] == [(1, AHEAD)]


def test_orders_that_count_are_no_times():
    log = frames("alerts", 0, [b'{"id":"k|9000000000000000000"}'], [1_000_000])
    (fresh,) = Fresher("share", None).on_batch(Block("token", (log,)))
    assert (len(fresh.frames[0]), fresh.rejects) == (1, ())


cuts_of_a_log = st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=4)


@given(start=st.integers(0, 9), steps=cuts_of_a_log)
def test_cuts_say_their_blocks(start, steps):
    ends, at = [], start
    for length, gathered in steps:
        at += length
        ends.append((at, gathered))
    said = blocks(told(start, ends))
    assert [(last, gathered) for _, last, gathered in said] == ends
    assert [first for first, _, _ in said] == [start, *(end for end, _ in ends)][: len(ends)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_fetched_handed_over_and_lost_every_record_is_stored_once(data):
    places = [("a", 0), ("a", 1), ("a", 4), ("a", 5), ("b", 0), ("b", 1)]
    ends = {place: data.draw(st.integers(0, 14)) for place in places}
    stored: dict[str, tuple[Piece, ...]] = {}
    committed: dict[Place, Cuts] = {}
    archive = Archive(places, stored, committed)
    for _ in range(data.draw(st.integers(0, 12))):
        for place in data.draw(st.lists(st.sampled_from(places), max_size=6)):
            archive.fetch(place, min(ends[place], archive.logs[place].fetched + data.draw(st.integers(1, 6))))
        for _ in range(data.draw(st.integers(1, 2))):
            archive.turn()
        if data.draw(st.booleans()):
            archive = Archive(places, stored, committed)
        else:
            plan = archive.snapshot()
            if data.draw(st.booleans()):
                committed = plan
            else:
                archive = Archive(places, stored, committed)
    while any(log.position < ends[place] for place, log in archive.logs.items()):
        for place in places:
            archive.fetch(place, ends[place])
        archive.turn()
        committed = archive.snapshot()
    found: dict[Place, list[int]] = {place: [] for place in places}
    for pieces in stored.values():
        for topic, partition, first, last in pieces:
            found[topic, partition] += range(first, last)
    assert {place: sorted(offsets) for place, offsets in found.items()} == {p: list(range(e)) for p, e in ends.items()}


@given(plan=st.dictionaries(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), st.tuples(st.integers(0, 5), cuts_of_a_log), max_size=8))  # fmt: skip
def test_an_insert_is_of_one_topic_and_one_series_and_the_blocks_of_a_log_are_in_order(plan):
    cuts = {}
    for place, (start, steps) in plan.items():
        ends = [
            (start + sum(n for n, _ in steps[: i + 1]), gathered and i == 0) for i, (_, gathered) in enumerate(steps)
        ]
        cuts[place] = told(start, ends)
    series = {place: "sz"[place[1] % 2] for place in cuts}
    planned = inserts(cuts, series)
    assert len({i.token for i in planned}) == len(planned)
    for insert in planned:
        assert len({(p.topic, series[p.topic, p.partition]) for p in insert.pieces}) == 1
        assert len({p.partition for p in insert.pieces}) == len(insert.pieces)
    for place, of in cuts.items():
        pieces = [p for i in planned for p in i.pieces if p[:2] == place]
        assert [(p.first, p.last) for p in pieces] == [(a, b) for a, b in pairwise(of) if b > a]


def test_a_plan_of_an_earlier_version_is_refused_in_one_line_that_says_what_to_do():
    source = PlannedBlocks(Kafka("nowhere:9"), ("a",), 1, "run")
    earlier = 1, (("a", "id-a", (0, 7)),)
    with pytest.raises(
        Refused, match=r"^00: the plan was saved in format 1, not 2, by an earlier version: "
    ) as refusal:
        source.build_part("blocks", "00", earlier)  # type: ignore[arg-type]
    assert BEGIN_ANEW in str(refusal.value) and "\n" not in str(refusal.value)
