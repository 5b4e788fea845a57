"""A log hands over what it fetched: by count, bytes, time and planned offset, whatever the chunks were."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.kafka.log import NS, Log, chunk
from operators.watermark import Clock, assign, pass_marks
from schemas.frames import Frames


def log_of(chunks: list[list[tuple[int, int, bytes]]]) -> Log:
    """From (offset, milliseconds, value)."""
    log = Log("t", 0, chunks[0][0][0] if chunks else 0, 0)
    for rows in chunks:
        log.add(chunk([v for _, _, v in rows], [o for o, _, _ in rows], [ms for _, ms, _ in rows], {}))
    return log


def test_frames_of_several_chunks_are_joined_with_their_offsets_and_times():
    log = log_of([[(3, 10, b"ab"), (4, 11, b"")], [(7, 12, b"c")]])
    frames = log.take(None, 10, 100)
    assert frames is not None
    assert [frames.frame(i) for i in range(3)] == [b"ab", b"", b"c"]
    assert frames.offsets.tolist() == [3, 4, 7]
    assert frames.received_ns.tolist() == [10_000_000, 11_000_000, 12_000_000]
    assert (log.position, log.bytes, log.last_ns) == (8, 0, 12_000_000)


def test_a_frame_larger_than_the_limit_is_handed_over_alone():
    log = log_of([[(0, 1, b"x" * 50), (1, 1, b"y")]])
    assert log.take(None, 10, 10).offsets.tolist() == [0]
    assert log.take(None, 10, 10).offsets.tolist() == [1]


def test_nothing_later_than_the_limit_is_handed_over_and_order_is_kept_around_it():
    log = log_of([[(0, 1, b"a"), (1, 9, b"b"), (2, 2, b"c")]])
    assert log.take(5_000_000, 10, 100).offsets.tolist() == [0]
    assert log.take(5_000_000, 10, 100) is None
    assert log.take(9_000_000, 10, 100).offsets.tolist() == [1, 2]


def test_header_symbols_follow_their_frames():
    log = Log("t", 0, 0, 0)
    log.add(chunk([b"a", b"b", b"c"], [0, 1, 2], [1, 1, 1], {2: "BTCUSDT"}))
    assert log.take(None, 1, 100).symbols == {}
    assert log.take(None, 5, 100).symbols == {1: "BTCUSDT"}


def test_offsets_that_go_back_are_an_error():
    log = log_of([[(3, 1, b"a")]])
    with pytest.raises(RuntimeError, match=r"t\[0\]: the client gave offset 3 after 3"):
        log.add(chunk([b"a"], [3], [1], {}))


def test_the_end_is_known_only_once_all_before_it_is_handed_over():
    log = log_of([[(0, 1, b"a")]])
    log.reached(3)
    assert not log.at_end
    log.take(None, 1, 9)
    assert log.at_end
    assert log.position == 3, "two offsets without a message belong to what was read"


def test_an_end_told_before_newer_messages_is_forgotten():
    log = log_of([[(0, 1, b"a")]])
    log.add(chunk([b"b"], [1], [1], {}))
    log.reached(1)
    log.take(None, 2, 9)
    assert not log.at_end


rows = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50), st.binary(max_size=9)), max_size=30)


def chunked(data: st.DataObject, steps: list[tuple[int, int, bytes]]) -> list[list[tuple[int, int, bytes]]]:
    offset, chunks = -1, []
    for gap, ms, value in steps:
        offset += gap
        if not chunks or data.draw(st.booleans()):
            chunks.append([])
        chunks[-1].append((offset, ms, value))
    return chunks


@given(data=st.data(), steps=rows)
def test_whatever_the_limits_every_message_is_handed_over_once_and_in_order(data, steps):
    chunks = chunked(data, steps)
    log = log_of(chunks)
    seen = []
    while True:
        frames, size = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 20))
        taken = log.take(None, frames, size)
        if taken is None:
            break
        assert len(taken) <= frames
        assert len(taken.data) <= size or len(taken) == 1
        seen += [(int(o), taken.frame(i)) for i, o in enumerate(taken.offsets)]
    assert seen == [(o, v) for rows in chunks for o, _, v in rows]
    assert log.bytes == 0


@given(data=st.data(), steps=rows.filter(len), count=st.integers(1, 7), size=st.integers(1, 20))
def test_planned_blocks_are_the_same_however_the_messages_come_the_second_time(data, steps, count, size):
    first, again = log_of(one := chunked(data, steps)), log_of(chunked(data, steps))
    cuts = first.cuts(first.position, count, size)
    assert cuts == again.cuts(again.position, count, size)
    blocks = [again.take(None, b - a, 1 << 62, before=b) for a, b in pairwise(cuts)]
    assert all(len(b) <= count and (len(b.data) <= size or len(b) == 1) for b in blocks)
    assert [int(o) for b in blocks for o in b.offsets] == [o for rows in one for o, _, _ in rows]
    middle = cuts[len(cuts) // 2]
    assert cuts[len(cuts) // 2] == first.cuts(middle, count, size)[0]
    assert first.cuts(cuts[-1], count, size) == [cuts[-1]], "nothing is fetched beyond the plan"


def told(frames) -> list[tuple[int, int, bool]]:
    marks = frames.marks
    return list(zip(marks.at.tolist(), marks.time_ns.tolist(), marks.guessed.tolist(), strict=True))


def test_marks_go_with_the_frames_before_them_and_of_marks_in_a_row_the_last_is_enough():
    log = log_of([[(0, 1, b"a"), (2, 3, b"b"), (5, 6, b"c")]])
    for offset, time_ms in ((1, 2), (3, 4), (4, 5), (6, 7), (7, 8)):
        log.mark(offset, time_ms * 10**6)
    first = log.take(None, 2, 100)
    assert (first.offsets.tolist(), told(first)) == (
        [0, 2],
        [(1, 2 * 10**6, False), (2, 4 * 10**6, False), (2, 5 * 10**6, False)],
    )
    last = log.take(None, 2, 100)
    assert (last.offsets.tolist(), told(last), log.position) == ([5], [(1, 8 * 10**6, False)], 8)


def test_a_log_of_marks_only_is_not_at_its_end_before_they_are_handed_over():
    log = Log("t", 0, 0, 0)
    log.mark(0, 5)
    log.mark(1, 9)
    log.mark(2, 12)
    log.reached(3)
    assert not log.at_end
    only = log.take(None, 10, 100)
    assert (len(only), told(only), log.at_end) == (0, [(0, 5, False), (0, 12, False)], True), "nothing before the first"
    assert log.take(None, 10, 100) is None


def test_a_recorded_guess_waits_for_its_offset_and_counts_before_the_record_there():
    log = Log("t", 0, 0, 0)
    for offset, time_ns in ((1, 2), (2, 4), (3, 9)):
        log.mark(offset, time_ns, guessed=True)
    assert not log.marked
    log.add(chunk([b"a", b"b"], [0, 1], [1, 1], {}))
    log.mark(2, 5)
    got = log.take(None, 10, 100)
    assert told(got) == [(1, 2, True), (2, 4, True), (2, 5, False), (2, 9, True)]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.booleans()), max_size=30))
def test_what_a_clock_makes_of_frames_and_marks_does_not_depend_on_how_many_it_gets_at_a_time(items):
    """Of marks in a row few are kept, and a writer whose clock was set back must be known by those."""
    clocks = []
    for at_once in (True, False):
        log, clock = Log("t", 0, 0, 0), Clock(base_ns=NS, lateness_ns=0, ahead_ns=10 * NS, idle_ns=5 * NS)
        for offset, (framed, ms, wait) in enumerate(items):
            if framed:
                log.add(chunk([b"x"], [offset], [ms], {}))
            else:
                log.mark(offset, ms * NS)
            if not (at_once and wait) and (taken := log.take(None, 100, 100)) is not None:
                follow(clock, taken)
        if (taken := log.take(None, 100, 100)) is not None:
            follow(clock, taken)
        clocks.append(clock)
    assert clocks[0] == clocks[1]


def follow(clock: Clock, taken: Frames) -> None:
    assign(clock, taken.received_ns - NS, taken.received_ns, np.arange(len(taken), dtype=np.int32), taken.marks)
    pass_marks(clock, taken.marks)


@given(st.lists(st.tuples(st.sampled_from("mgft"), st.integers(0, 6)), max_size=60))
def test_marks_and_guesses_come_out_by_offset_each_once_whatever_waits(steps):
    log, end, handed, given_ = Log("t", 0, 0, 0), 0, [], []
    for kind, number in steps:
        if kind == "f":
            log.add(chunk([b"x"] * (1 + number), list(range(end, end + 1 + number)), [1] * (1 + number), {}))
            end += 1 + number
        elif kind == "m":
            log.mark(end, 10**6 * (end + 1))
            given_.append((end, False))
            end += 1
        elif kind == "g":
            log.mark(end + number, 10**6 * (end + number), guessed=True)
            given_.append((end + number, True))
        elif (taken := log.take(None, number, 10**6)) is not None:
            handed += taken.marks.guessed.tolist()
        waiting = list(log._marks)
        assert waiting == sorted(waiting, key=lambda mark: (mark[0], not mark[2]))
        assert log.guessed == any(guessed for *_, guessed in waiting)
    for guessed in (True, False):
        assert handed.count(guessed) + [g for *_, g in log._marks].count(guessed) <= [g for _, g in given_].count(
            guessed
        )


def test_a_reader_that_needs_no_marks_comes_past_them():
    log = log_of([[(0, 1, b"a")]])
    log.mark(1, 5)
    log.skip_marks()
    assert (log.position, log.take(None, 10, 100).marks.at.tolist(), log.position) == (0, [1], 2)
    log.mark(2, 6)
    log.skip_marks()
    assert log.position == 3


def test_what_is_no_time_of_receipt_is_none_and_overflows_nothing():
    """-1 of clients that know no time, nanoseconds and microseconds of those that mistake the unit."""
    ms = 1_700_000_000_000
    log = log_of([[(0, ms, b"a"), (1, -1, b"b"), (2, 0, b"c"), (3, ms * 10**6, b"d"), (4, ms * 10**3, b"e")]])
    assert log.take(None, 10, 100).received_ns.tolist() == [ms * 10**6, 0, 0, 0, 0]
