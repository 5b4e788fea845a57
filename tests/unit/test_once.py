"""Once passes each record of a key the first time, whatever a crash repeats and wherever it is cut."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from operators.once import Once
from operators.progress import AHEAD
from operators.record_ids import PREFIX, PROBLEMS, record_ids
from schemas.frames import frames


def record(key: str, order: int) -> bytes:
    return f'{{"id":"{key}|{order}","x":1}}'.encode()


def identity(value: bytes) -> tuple[bytes, int] | str:
    """The key and order of a record, or why it has none, with Python's own means."""
    if not value.startswith(PREFIX):
        return PROBLEMS[1]
    string = re.match(rb'((?:[^"\\\n]|\\[^\n])*)"', value[len(PREFIX) :])
    if string is None:
        return PROBLEMS[2]
    whole = string[1]
    bare = re.sub(rb"\\.", b"__", whole, flags=re.DOTALL)
    key, order = whole[: bare.rfind(b"|")] if b"|" in bare else b"", whole[bare.rfind(b"|") + 1 :]
    if not key or not order.isdigit() or len(order) > 19 or int(order) > 2**63:
        return PROBLEMS[3]
    return key, int(order)


def identities(values: list[bytes]) -> list[tuple[bytes, int] | str]:
    log = frames("alerts", 0, values, [0] * len(values))
    ids = record_ids(log)
    return [
        PROBLEMS[problem] if problem else (log.data[begin:end], order)
        for begin, end, order, problem in zip(*(c.tolist() for c in ids), strict=True)
    ]


def test_orders_are_integers_from_0_to_2_to_the_63():
    assert identities([record("a|b", 0), record("a", 2**63)]) == [(b"a|b", 0), (b"a", 2**63)]
    assert identities([record("a", 2**63 + 1), record("a", -1), record("a", 10**19)]) == [PROBLEMS[3]] * 3


@given(st.lists(st.one_of(
    st.binary(max_size=12),
    st.lists(st.sampled_from([PREFIX, b"|", b'"', b"\\", b"\n", b"7", b"0", b"9" * 18, b"k", "\u0663".encode()])).map(b"".join),
    st.binary(max_size=30).map(lambda tail: PREFIX + tail),
)))  # fmt: skip
def test_ids_of_a_log_are_those_that_python_finds_one_by_one(values):
    assert identities(values) == [identity(value) for value in values]


def test_what_has_no_proper_id_is_rejected_with_its_place_and_bytes():
    values = [b'{"mid":1}', b'{"id":"a|1', b'{"id":"a"}', b'{"id":"a|x"}', b'{"id":"|3"}', b'{"id":"a\\"|3', b""]
    new, rejects = Once().select(frames("alerts", 4, values, [0] * len(values), first_offset=20))
    assert len(new) == 0
    assert [(r.topic, r.partition, r.offset, r.data) for r in rejects] == [
        ("alerts", 4, 20 + i, value) for i, value in enumerate(values)
    ]
    assert [r.reason for r in rejects] == [
        'does not begin with {"id":"',
        "the id is not a string of one line",
        "the id does not end in |<order>, an integer from 0 to 2**63",
        "the id does not end in |<order>, an integer from 0 to 2**63",
        "the id does not end in |<order>, an integer from 0 to 2**63",
        "the id is not a string of one line",
        'does not begin with {"id":"',
    ]


def test_a_name_with_a_quotation_mark_a_backslash_or_a_bar_is_a_name_like_any_other():
    """All rows of an account called `desk "b"` were refused by the flow of alerts and by the archive."""
    names = ['desk "b"', "DOM\\b", 'desk "', "a|b", "\n", "币安人生"]
    values = [
        json.dumps({"id": f"{name}|{order}", "x": 1}, separators=(",", ":")).encode()
        for name in names
        for order in (1, 2, 1)
    ]
    once = Once()
    new, rejects = once.select(frames("risk.accounts", 0, values, [0] * len(values)))
    assert rejects == []
    assert new.offsets.tolist() == [o for o in range(len(values)) if o % 3 < 2]
    thawed = Once.thaw(once.freeze())
    assert len(thawed.select(frames("risk.accounts", 0, values, [0] * len(values)))[0]) == 0


def test_a_record_that_somebody_wrote_years_ahead_does_not_make_what_its_key_has_to_say_old():
    """All later rows of its market were taken for repeats and dropped without a word."""
    once, log = Once(), frames("t", 0, [record("k", n) for n in (1_000, 10**12, 7_001, 2_000)], [2_000_000_000] * 4)
    new, rejects = once.select(log, 5_000)
    assert new.offsets.tolist() == [0, 3] and [(r.offset, r.reason) for r in rejects] == [(1, AHEAD), (2, AHEAD)]


def test_topics_and_keys_are_apart():
    once = Once()
    once.select(frames("a", 0, [record("k", 5)], [0]))
    assert len(once.select(frames("b", 0, [record("k", 5)], [0]))[0]) == 1
    assert len(once.select(frames("a", 0, [record("l", 5)], [0]))[0]) == 1
    assert len(once.select(frames("a", 0, [record("k", 5)], [0]))[0]) == 0


def test_a_log_of_new_records_is_passed_as_it_is_with_its_symbols():
    log = frames("a", 0, [record("k", 1), record("k", 2)], [0, 0], symbols={1: "S"})
    assert Once().select(log)[0] is log
    once = Once.thaw(Once({"a": {b"k": 1}}).freeze())
    kept, _ = once.select(log)
    assert (kept.offsets.tolist(), kept.data, kept.symbols) == ([1], record("k", 2), {0: "S"})


def test_ten_thousand_keys_freeze_to_less_than_a_quarter_of_a_megabyte():
    keys = {f"binance-usdm|SYM{i}USDT|1000".encode(): 1_700_000_000_000 + i for i in range(10_000)}
    frozen = Once({"features.book": keys}).freeze()
    assert len(frozen) < 250_000
    assert Once.thaw(frozen).last == {"features.book": keys}


@given(
    runs=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), min_size=1, max_size=20),
    data=st.data(),
)
def test_repeats_of_a_tail_are_dropped_wherever_the_state_is_frozen(runs, data):
    """A producer that crashes writes a tail again; the oracle is the log without crashes."""
    orders = {"a": 0, "b": 0}
    clean, log = [], []
    for key, back in runs:
        orders[key] += data.draw(st.integers(1, 5))
        clean.append(record(key, orders[key]))
        log.append(clean[-1])
        log += clean[len(clean) - min(back, len(clean)) :]
    once, seen = Once(), []
    while log:
        cut = data.draw(st.integers(1, len(log)))
        new, rejects = once.select(frames("t", 0, log[:cut], [0] * cut))
        assert rejects == []
        seen += [new.frame(i) for i in range(len(new))]
        once, log = Once.thaw(once.freeze()), log[cut:]
    assert seen == clean
