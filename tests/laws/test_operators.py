"""Laws that every operator in the catalog obeys, whatever it computes. A new operator is found here by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from operators.catalog import FEATURES, FOLDS, PANE_STEPS, STEPS
from operators.pack import pack, unpack

EVENTS = 24
INSTRUMENTS = 3
BASE_NS = 10
DTYPES = {"i8": np.int64, "f8": np.float64, "bool": np.bool_, "time": np.int64}
STATISTICS = {s.name: s for group in (*(f.statistics for f in FOLDS), *(s for _, s in PANE_STEPS)) for s in group}
LADDER = ("bid_starts", "bid_ticks", "bid_lots", "ask_starts", "ask_ticks", "ask_lots")


def ints(low, high, dtype=np.int64, width=()):
    return lambda n: arrays(dtype, (n, *width), elements=st.integers(low, high))


def floats(*values):
    return lambda n: arrays(np.float64, n, elements=st.sampled_from(values))


COLUMNS = {
    "instrument": ints(0, INSTRUMENTS - 1, np.int32),
    "live": ints(0, 1, np.bool_),
    "fresh": ints(0, 1, np.bool_),
    "bid_ticks": ints(0, 4, width=(5,)),
    "ask_ticks": ints(0, 4, width=(5,)),
    "bid_lots": ints(0, 9, width=(5,)),
    "ask_lots": ints(0, 9, width=(5,)),
    "ofi_lots": ints(-9, 9, width=(5,)),
    "ofi_known": ints(0, 1, np.bool_),
    "event_ns": ints(1, 3 * BASE_NS),
    "ticks": ints(1, 2**30),
    "lots": ints(0, 10**9),
    "buy_lots": ints(0, 10**9),
    "sign": lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 1])),
    "order_side": lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 1])),
    "price": floats(0.1, 61773.6, 1e-8),
    "price_kind": ints(0, 3, np.int8),
    "qty_base": floats(0.1, 0.2, 3e5, np.nan),
    "notional_usd": floats(0.1, 0.2, 3e5, np.nan),
    "throttled": ints(0, 1, np.bool_),
    "offset": ints(0, 10**12),
    "pane": ints(0, 10**9),
    "base_ms": lambda n: st.just(np.full(n, 1000)),
    "qty_per_price": floats(0.1, 0.3, 7.7),
    "per_price": floats(0.1, 0.3, 7.7),
    "buy_per_price": floats(0.1, 0.3, 7.7),
    "close_ticks": ints(0, 3),
    "mid": floats(61773.65, 1e-8, np.nan),
    "window_end_ns": ints(1, 2**61),
    "tick_mantissa": floats(1.0, 5.0),
    "tick_scale": floats(1.0, 10.0, 1e8),
    "lot_mantissa": floats(1.0, 25.0),
    "lot_scale": floats(1.0, 1e3),
    "contract": floats(1.0, 0.01, 100.0, np.nan),
    "inverse": ints(0, 1, np.bool_),
    "cvd_lots": ints(-(10**9), 10**9),
    "cvd_per_price": floats(-3.0, 0.1),
    "cvd_day": ints(0, 2**61 // (86_400 * 10**9)),
    "squared_return": floats(0.0, 1e-4),
    "bipower": floats(0.0, 1e-4),
    "return_known": ints(0, 1),
}


def read_only(columns):
    for array in columns.values():
        array.setflags(write=False)
    return columns


def take(columns, rows):
    return read_only({name: array[rows] for name, array in columns.items()})


@st.composite
def batches(draw, reads, n=None):
    """Events, or closed pane rows in pane order with at most one an instrument and pane."""
    n = draw(st.sampled_from([0, 1, 2, EVENTS // 2, EVENTS])) if n is None else n
    if "pane" in reads:
        keys = draw(
            st.sets(st.tuples(st.integers(86_390, 86_410), st.integers(0, INSTRUMENTS - 1)), min_size=n, max_size=n)
        )
    columns = {name: draw(COLUMNS[name](n)) for name in reads}
    if "pane" in reads:
        key = np.array(sorted(keys), np.int64).reshape(-1, 2)
        columns |= {"pane": key[:, 0].copy(), "instrument": key[:, 1].astype(np.int32)}
    return read_only(columns)


@st.composite
def books(draw, m):
    """Ladders around one price, best first, also one-sided, crossed, thin, and known less far than they go."""
    columns = {}
    for side, away in (("bid", -1), ("ask", 1)):
        rows = [draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), max_size=26)) for _ in range(m)]
        best = 10_000 + away * draw(st.integers(-3, 5))
        columns[f"{side}_starts"] = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
        ticks = [best + away * np.cumsum([gap for gap, _ in r]) for r in rows]
        columns[f"{side}_ticks"] = np.concatenate([np.zeros(0), *ticks]).astype(np.int64)
        columns[f"{side}_lots"] = np.array([lots for r in rows for _, lots in r], np.int64)
    columns["reach_low_ticks"] = draw(arrays(np.int64, m, elements=st.sampled_from([-(2**63), 0, 9_890, 9_960, 9_999])))
    columns["reach_high_ticks"] = draw(arrays(np.int64, m, elements=st.sampled_from([2**63 - 1, 10_110, 10_020, 1])))
    return columns


def filled(fold, events, slot, panes):
    rows = fold.empty(panes)
    fold.add(rows, events, slot)
    return rows


@st.composite
def windows(draw, feature, m=None):
    """What a closed window holds: ladders, statistics as their own fold makes them, and the rest column by column."""
    m = draw(st.integers(0, 4)) if m is None else m
    columns = draw(books(m)) if "bid_starts" in feature.reads else {}
    for fold in FOLDS:
        if any(s.name in feature.reads for s in fold.statistics):
            events = draw(batches(fold.reads, 0 if m == 0 else None))
            n = len(events[fold.reads[0]])
            columns |= filled(fold, events, draw(arrays(np.int64, n, elements=st.integers(0, max(m - 1, 0)))), m)
    for name in feature.reads:
        if name not in columns:
            columns[name] = draw(COLUMNS[name](m))
    return read_only({name: columns[name] for name in feature.reads})


def one_row(columns, i):
    if "bid_starts" not in columns:
        return take(columns, slice(i, i + 1))
    row = {name: array[i : i + 1] for name, array in columns.items() if name not in LADDER}
    for side in ("bid", "ask"):
        start, end = columns[f"{side}_starts"][i : i + 2]
        row[f"{side}_starts"] = np.array([0, end - start])
        row |= {f"{side}_{what}": columns[f"{side}_{what}"][start:end] for what in ("ticks", "lots")}
    return read_only(row)


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def slots(events, data, panes):
    """The pane of each event: by event time where there is one, as the watermark would have it, else any."""
    if "event_ns" in events:
        return (events["event_ns"] - 1) // BASE_NS
    n = len(next(iter(events.values())))
    return data.draw(arrays(np.int64, n, elements=st.integers(0, panes - 1)))


def merged(statistic, panes):
    """One number from those of adjoining panes, by the rules of the contract."""
    if statistic.merge in ("sum", "min", "max"):
        return {"sum": np.sum, "min": np.min, "max": np.max}[statistic.merge](panes)
    full = panes[panes != statistic.empty]
    if not len(full):
        return np.array(statistic.empty, statistic.dtype)[()]
    return full[0] if statistic.merge == "first" else full[-1]


steps = pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
folds = pytest.mark.parametrize("fold", FOLDS, ids=lambda f: f.name)
features = pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
few = settings(max_examples=25, deadline=None)


@steps
@few
@given(data=st.data())
def test_where_a_batch_is_cut_and_frozen_does_not_change_what_a_step_says(step, data):
    batch = data.draw(batches(step.reads))
    at = data.draw(st.integers(0, len(batch[step.reads[0]])))
    whole = step.step(step.init(), batch)
    state = step.init()
    head = step.step(state, take(batch, slice(None, at)))
    tail = step.step(step.thaw(step.freeze(state)), take(batch, slice(at, None)))
    same(whole, {name: np.concatenate([head[name], tail[name]]) for name in head})


@steps
@few
@given(data=st.data())
def test_a_step_writes_what_it_declares_one_row_for_each_it_reads(step, data):
    batch = data.draw(batches(step.reads))
    out = step.step(step.init(), batch)
    assert tuple(out) == step.writes
    assert {len(array) for array in out.values()} == {len(batch[step.reads[0]])}


@pytest.mark.parametrize("step", [s for s in STEPS if "instrument" in s.reads], ids=lambda s: s.name)
@few
@given(data=st.data())
def test_how_instruments_are_numbered_does_not_matter_to_a_step(step, data):
    batch = data.draw(batches(step.reads))
    number = np.array(data.draw(st.permutations(range(INSTRUMENTS))), np.int32)
    renumbered = read_only({**batch, "instrument": number[batch["instrument"]]})
    same(step.step(step.init(), batch), step.step(step.init(), renumbered))


@steps
@few
@given(data=st.data())
def test_a_state_does_not_grow_with_what_it_has_already_seen(step, data):
    batch = data.draw(batches(step.reads))
    state = step.init()
    step.step(state, batch)
    once = len(step.freeze(state))
    for _ in range(5):
        step.step(state, batch)
    assert len(step.freeze(state)) <= once


@steps
@few
@given(data=st.data())
def test_freezing_a_thawed_state_gives_the_same_bytes(step, data):
    state = step.init()
    step.step(state, data.draw(batches(step.reads)))
    frozen = step.freeze(state)
    assert step.freeze(step.thaw(frozen)) == frozen


@folds
@few
@given(data=st.data())
def test_where_a_batch_is_cut_and_frozen_does_not_change_a_pane(fold, data):
    events = data.draw(batches(fold.reads))
    slot = slots(events, data, 3)
    at = data.draw(st.integers(0, len(slot)))
    panes = filled(fold, take(events, slice(None, at)), slot[:at], 3)
    panes = unpack(pack(panes))
    fold.add(panes, take(events, slice(at, None)), slot[at:])
    same(filled(fold, events, slot, 3), panes)


@folds
@few
@given(data=st.data())
def test_panes_merge_to_what_their_events_say_together(fold, data):
    events = data.draw(batches(fold.reads))
    slot = slots(events, data, 3)
    panes, whole = filled(fold, events, slot, 3), filled(fold, events, np.zeros_like(slot), 1)
    for statistic in fold.statistics:
        together, apart = whole[statistic.name][0], merged(statistic, panes[statistic.name])
        if statistic.dtype == "i8":
            assert together == apart, statistic.name
        else:
            assert together == pytest.approx(apart, rel=1e-12, nan_ok=True), statistic.name


@folds
@few
@given(data=st.data())
def test_which_row_a_pane_has_does_not_matter(fold, data):
    events = data.draw(batches(fold.reads))
    slot, row = slots(events, data, 3), np.array(data.draw(st.permutations(range(3))))
    moved = filled(fold, events, row[slot], 3)
    same(filled(fold, events, slot, 3), {name: array[row] for name, array in moved.items()})


@folds
def test_panes_without_events_merge_to_an_empty_pane(fold):
    panes = fold.empty(2)
    for statistic in fold.statistics:
        assert panes[statistic.name].dtype == DTYPES[statistic.dtype]
        assert merged(statistic, panes[statistic.name]) == panes[statistic.name][0]


@features
@few
@given(data=st.data())
def test_a_feature_gives_every_declared_column_in_its_dtype_and_within_its_bounds(feature, data):
    columns = data.draw(windows(feature))
    rows = len(columns["bid_starts"]) - 1 if "bid_starts" in columns else len(columns[feature.reads[0]])
    out = feature.compute(columns)
    assert set(out) == {c.name for c in feature.writes}
    for column in feature.writes:
        values = out[column.name]
        assert values.shape == (rows,)
        assert values.dtype.kind == "U" if column.dtype == "str" else values.dtype == DTYPES[column.dtype]
        null = np.isnan(values) if column.dtype == "f8" else np.zeros(rows, np.bool_)
        for value, missing in zip(values.tolist(), null, strict=True):
            assert column.holds(None if missing else value), (column.name, value)


@features
@few
@given(data=st.data())
def test_a_row_of_a_feature_depends_on_that_row_alone(feature, data):
    columns = data.draw(windows(feature, data.draw(st.integers(1, 4))))
    out = feature.compute(columns)
    for i in range(len(out[feature.writes[0].name])):
        same(take(out, slice(i, i + 1)), feature.compute(one_row(columns, i)))


@features
def test_a_column_states_a_meaning_and_a_unit(feature):
    for column in feature.writes:
        assert column.meaning
        assert column.unit or column.dtype in ("str", "bool"), column.name


def test_no_name_is_taken_twice():
    names = [o.name for o in (*STEPS, *FOLDS, *FEATURES)]
    assert len(set(names)) == len(names)
    published = [c.name for f in FEATURES for c in f.writes if f.name not in ("liquidation", "liquidated")]
    assert len(set(published)) == len(published)


def test_no_statistic_is_declared_twice():
    declared = [s.name for f in FOLDS for s in f.statistics] + [s.name for _, group in PANE_STEPS for s in group]
    assert len(set(declared)) == len(declared) == len(STATISTICS)


@pytest.mark.parametrize(("step", "statistics"), PANE_STEPS, ids=lambda x: getattr(x, "name", ""))
def test_a_step_over_panes_writes_the_statistics_it_adds(step, statistics):
    assert step.writes == tuple(s.name for s in statistics)
