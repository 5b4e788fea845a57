"""Laws that every operator in the catalog obeys, whatever it computes. A new operator is found here by itself."""

import importlib
import pkgutil
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import operators
from flows.tables import TABLES
from operators import catalog
from operators.catalog import OPERATORS
from operators.contract import EventTable, Field, Operator, Statistic
from operators.evolving import Changed
from operators.lanes import depth
from operators.operator_states import Running, frozen, take_up
from operators.pack import pack, unpack
from operators.panes import layout
from operators.stages import STAGES, NotOffered, check
from operators.tape.bars import BARS
from operators.tape.footprint import FOOTPRINT
from operators.waiting import GIVEN
from schemas.column import Column

EVENTS = 24
INSTRUMENTS = 3
BASE_NS = 10
DTYPES = {"i8": np.int64, "f8": np.float64, "bool": np.bool_, "time": np.int64}
PLACES = ("pane", "pane_start_ns", "pane_end_ns")
LADDER = ("bid_starts", "bid_ticks", "bid_lots", "ask_starts", "ask_ticks", "ask_lots")


def ints(low, high, dtype=np.int64, width=()):
    return lambda n: arrays(dtype, (n, *width), elements=st.integers(low, high))


def floats(*values):
    return lambda n: arrays(np.float64, n, elements=st.sampled_from(values))


BOOKS = 3


def beside(*values, dtype=np.float64):
    """A column of the stage `asset`: a row a pane, and a value a book."""
    return lambda n: arrays(dtype, (n, BOOKS), elements=st.sampled_from(values))


COLUMNS = {
    "book_venue": beside("binance-usdm", "okx-swap", "", dtype="U12"),
    "book_symbol": beside("BTCUSDT", "BTC-USDT-SWAP", "", dtype="U13"),
    "book_number": lambda n: st.just(np.tile(np.arange(BOOKS), (n, 1))),
    "book_sequenced": beside(0, 1, dtype=np.int64),
    "inferred": ints(0, 1, np.bool_),
    "last_event_ns_before": floats(0.0, 1e18, np.nan),
    "book_mid": beside(100.0, 100.5, 101.0, np.nan),
    "book_live": beside(0, 1, dtype=np.int64),
    "book_gap_ns": beside(0, 1, 2 * 10**9, dtype=np.int64),
    "book_last_event_ns": beside(0, 86_395 * BASE_NS, 86_405 * BASE_NS - 5 * 10**9, dtype=np.int64),
    "book_best_bid": beside(100.0, 100.5, 101.0, np.nan),
    "book_best_ask": beside(100.0, 100.5, 101.0, np.nan),
    **{f"book_{side}_depth_{x}bps_usd": beside(0.0, 1e6, np.nan) for side in ("bid", "ask") for x in (10, 50)},
    "book_best_bid_qty_base": beside(0.5, 2.0, np.nan),
    "book_best_ask_qty_base": beside(0.5, 2.0, np.nan),
    "feed": ints(0, 2, np.int8),
    "open_from": ints(0, 2),
    "id": ints(-1, 9),
    "instrument": ints(0, INSTRUMENTS - 1, np.int32),
    "live": ints(0, 1, np.bool_),
    "fresh": ints(0, 1, np.bool_),
    "bid_ticks": ints(0, 4, width=(5,)),
    "ask_ticks": ints(0, 4, width=(5,)),
    "bid_lots": ints(0, 9, width=(5,)),
    "ask_lots": ints(0, 9, width=(5,)),
    "gap": ints(0, 1, np.bool_),
    "dropped": ints(0, 1, np.bool_),
    "untrusted_ns": ints(0, 9),
    "received_ns": ints(1, 3 * BASE_NS),
    "micro_table": lambda n: arrays(np.float64, (n, 45), elements=st.sampled_from([1.0, 0.5, -3.0, 0.0, np.nan])),
    "mark": floats(61773.6, 0.5, np.nan),
    "index": floats(61770.0, 0.25, np.nan),
    "funding_rate": floats(1e-4, -1e-4, np.nan),
    "next_funding_ns": ints(0, 2**61),
    "open_interest": floats(0.0, 5e5, np.nan),
    "qty_base": floats(0.1, 0.2, 3e5, np.nan),
    "spread_bps": floats(-1.0, 0.5, 8.0, 40.0, np.nan),
    "bid_depth_10bps_usd": floats(0.0, 1e4, 5e6, np.nan),
    "ask_depth_10bps_usd": floats(0.0, 1e4, 5e6, np.nan),
    **{f"{side}_impact_100k_bps": floats(0.0, 0.4, 30.0, np.nan) for side in ("buy", "sell")},
    **{f"{side}_depth_half_life_s": floats(0.4, 120.0, np.nan) for side in ("bid", "ask")},
    **{f"{name}_ticks": ints(1, 3) for name in ("open", "high", "low")},
    **{f"turnover_{part}": ints(0, 10**9) for part in ("hi", "lo")},
    "ewma_variance_last": floats(0.0, 1e-8, 1e-6, np.nan),
    "ewma_end_ns": ints(0, 2**61),
    "trailing_p": floats(0.0, 0.05, 1.0, np.nan),
    **{f"trailing_vr_{q}": floats(0.5, 1.0, 1.5, np.nan) for q in (2, 4, 8, 16)},
    "vpin_last": floats(0.0, 0.3, 1.0, np.nan),
    "sign_autocorrelation_last": floats(-1.0, 0.2, np.nan),
    "kyle_n": floats(0.0, 29.0, 40.0),
    **{f"kyle_{sum_of}": floats(0.0, -3.0, 7.0) for sum_of in ("x", "y", "xy")},
    "kyle_xx": floats(0.0, 90.0),
    **{f"best_{side}_{at}": floats(61773.6, 0.5, np.nan) for side in ("bid", "ask") for at in ("before", "after")},
    **{f"best_{s}_qty_base_{at}": floats(5.0, 0.25, np.nan) for s in ("bid", "ask") for at in ("before", "after")},
    **{f"buy_turnover_{part}": ints(0, 10**9) for part in ("hi", "lo")},
    "mid_before": floats(61773.65, 61773.7, np.nan),
    "mark_contract": floats(1.0, 0.01, 100.0, np.nan),
    "mark_inverse": ints(0, 1, np.bool_),
    "gross_usd": floats(0.0, 650.0, np.nan),
    "net_usd": floats(-350.0, 350.0, np.nan),
    "leverage_weight_usd": floats(0.0, 2950.0, np.nan),
    "leverage_max": floats(1.0, 125.0, np.nan),
    "pool_utilisation": floats(0.0, 3.0, np.nan),
    "pool_maintenance_ratio": floats(0.0, 3.0, np.nan),
    "pools_gone": ints(0, 3),
    "positions": ints(0, 3),
    "equity_usd": floats(-5.0, 0.0, 200.0, np.nan),
    "event_ns": ints(1, 3 * BASE_NS),
    "last_ns": ints(1, 3 * BASE_NS),
    "last_event_ns_after": floats(0.0, 1e18, np.nan),
    "ticks": ints(1, 2**30),
    "lots": ints(0, 10**9),
    "buy_lots": ints(0, 10**9),
    "sign": lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 1])),
    "order_side": lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 1])),
    "price": floats(0.1, 61773.6, 1e-8),
    "price_kind": ints(0, 3, np.int8),
    "notional_usd": floats(0.1, 0.2, 3e5, np.nan),
    "throttled": ints(0, 1, np.bool_),
    "offset": ints(0, 10**12),
    "base_ms": lambda n: st.just(np.full(n, 1000)),
    "qty_per_price": floats(0.1, 0.3, 7.7),
    "per_price": floats(0.1, 0.3, 7.7),
    "buy_per_price": floats(0.1, 0.3, 7.7),
    "close_ticks": ints(0, 3),
    "mid": floats(61773.65, 1e-8, np.nan),
    "window_start_ns": ints(0, 2**61),
    "window_end_ns": ints(1, 2**61),
    "tick_mantissa": floats(1.0, 5.0),
    "tick_scale": floats(1.0, 10.0, 1e8),
    "lot_mantissa": floats(1.0, 25.0),
    "lot_scale": floats(1.0, 1e3),
    "contract": floats(1.0, 0.01, 100.0, np.nan),
    "inverse": ints(0, 1, np.bool_),
}


def values_of(name):
    """What a column may hold: as is said above, or as the operator says that keeps or gives it."""
    if name in COLUMNS:
        return COLUMNS[name]
    every = {p.name: p for o in OPERATORS for p in (*o.statistics, *o.columns)}
    said = next(every[n] for n in (name, name.removeprefix("book_"), name.removesuffix("_before")) if n in every)
    low, high = (getattr(said, n, None) for n in ("low", "high"))
    if said.dtype != "f8":
        return ints(int(low or 0), 1 if said.dtype == "bool" else 10**6, DTYPES[said.dtype])
    return (beside if name == f"book_{said.name}" else floats)(
        0.0 if low is None else low, 1e3 if high is None else high, np.nan
    )


def read_only(columns):
    for array in columns.values():
        array.setflags(write=False)
    return columns


def take(columns, rows):
    """Some rows, also of ladders."""
    if "bid_starts" not in columns:
        return read_only({name: array[rows] for name, array in columns.items()})
    m = len(columns["bid_starts"]) - 1
    return joined([one_row(columns, i) for i in range(m)[rows]]) if m else columns


def joined(parts):
    """Rows of ladders one after the other."""
    out = {n: np.concatenate([p[n] for p in parts]) for n in parts[0] if not n.endswith("_starts")}
    for side in ("bid", "ask"):
        out[f"{side}_starts"] = np.cumsum([0, *(p[f"{side}_starts"][1] for p in parts)])
    return read_only(out)


def rows_of(columns):
    return len(columns["bid_starts"]) - 1 if "bid_starts" in columns else len(next(iter(columns.values())))


@st.composite
def batches(draw, operator, n=None):
    """Events; closed books; or closed pane rows in pane order with at most one an instrument and pane."""
    n = draw(st.sampled_from([0, 1, 2, EVENTS // 2, EVENTS])) if n is None else n
    at_panes = operator.stage in ("pane", "close", "asset")
    columns = draw(books(n)) if "bid_starts" in operator.reads else {}
    if "mid_after" in operator.reads:
        mids = st.sampled_from([61770.05, 61773.65, np.nan])
        columns["mid_after"] = draw(arrays(np.float64, (n, len(operator.horizons_ns)), elements=mids))
    for name in operator.reads:
        if name not in columns and name not in PLACES:
            columns[name] = draw(values_of(name)(n))
    if at_panes:
        places = st.tuples(st.integers(86_390, 86_410), st.integers(0, INSTRUMENTS - 1))
        key = np.array(sorted(draw(st.sets(places, min_size=n, max_size=n))), np.int64).reshape(-1, 2)
        columns |= {"pane": key[:, 0].copy(), "instrument": key[:, 1].astype(np.int32)}
        columns |= {"pane_start_ns": columns["pane"] * BASE_NS, "pane_end_ns": (columns["pane"] + 1) * BASE_NS}
        if "book_last_event_ns" in columns:  # no event in force at a pane's end comes after it
            columns["book_last_event_ns"] = np.minimum(columns["book_last_event_ns"], columns["pane_end_ns"][:, None])
    elif set(PLACES) & set(operator.reads):
        pane = (columns["event_ns"] - 1) // BASE_NS
        columns |= {"pane": pane, "pane_start_ns": pane * BASE_NS, "pane_end_ns": (pane + 1) * BASE_NS}
        if "open_from" in columns:  # nothing late is given, so no pane closes before its last event
            columns["open_from"] = np.minimum.accumulate(pane[::-1])[::-1].copy()
    columns = {name: columns[name] for name in dict.fromkeys((*operator.reads, *(("instrument",) if at_panes else ())))}
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


def room(operator):
    """The operator by itself, with room for all instruments."""
    running = Running((operator,))
    running.grow(INSTRUMENTS)
    return running


def thawed(running):
    again = Running(running.operators)
    take_up((again,), frozen((running,)))
    again.grow(INSTRUMENTS)
    return again


def said(running, columns):
    """What a step says of rows, `row` counted from the first of them."""
    operator = running.operators[0]
    if isinstance(operator.table, EventTable):
        return running.rows(columns)[operator.name]
    return running.step(columns)


def filled(operator, events, slot, panes):
    rows = operator.empty(panes)
    room(operator).fold(events, rows, slot)
    return rows


@st.composite
def windows(draw, operator, m=None):
    """What a closed window holds: its statistics as the operator itself makes them, and the rest column by column."""
    m = draw(st.integers(0, 4)) if m is None else m
    of_events = isinstance(operator.table, EventTable)
    if of_events or operator.stage in ("close", "asset", "window", "account"):
        return draw(batches(operator, m))
    if operator.fold is not None:
        events = draw(batches(operator, 0 if m == 0 else None))
        columns = filled(
            operator, events, draw(arrays(np.int64, rows_of(events), elements=st.integers(0, max(m - 1, 0)))), m
        )
    else:
        columns = room(operator).step(draw(batches(operator, m)))
    for name in operator.uses:
        columns[name] = draw(values_of(name)(m))
    return read_only(columns)


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
    empty = np.isnan(panes) if np.isnan(statistic.empty) else panes == statistic.empty
    full = panes[~empty]
    if not len(full):
        return np.array(statistic.empty, statistic.dtype)[()]
    return full[0] if statistic.merge == "first" else full[-1]


def having(what):
    return pytest.mark.parametrize("operator", [o for o in OPERATORS if what(o)], ids=lambda o: o.name)


steps = having(lambda o: o.step is not None)
folds = having(lambda o: o.fold is not None)
computes = having(lambda o: o.compute is not None)
few = settings(max_examples=25, deadline=None)


def found():
    """Every operator that some module under `operators` defines."""
    out = {}
    for module in pkgutil.walk_packages(operators.__path__, "operators."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Operator):
                out[value.name] = value
    return out


def missing(listed):
    """Operators that are defined and not listed."""
    return sorted(found().keys() - {o.name for o in listed})


def finer(columns, tick, lot):
    """The same rows, counted in ticks and lots that are so many times finer."""
    factors = {"ticks": tick, "tick_scale": tick, "lots": lot, "lot_scale": lot, "hi": tick * lot, "lo": tick * lot}
    out = {}
    for name, values in columns.items():
        factor = factors.get(name, factors.get(name.rpartition("_")[2], 1) if name not in PLACES else 1)
        far = np.abs(values) > 2**50 if factor > 1 else False  # where a side is known without end
        out[name] = np.where(far, values, values * factor) if factor > 1 else values
    return read_only(out)


# Of large trades the sizes go on being counted on the scale that they began with.
@having(lambda o: o.state and o.stage not in ("asset", "account") and o.name != "large_trades")
@few
@given(data=st.data())
def test_a_state_that_counts_in_steps_is_refined_to_what_it_were_in_the_finer_ones(operator, data):
    batch, tick, lot = data.draw(batches(operator)), *data.draw(st.sampled_from([(10, 1), (1, 100), (50, 10)]))
    refined, known = room(operator), room(operator)
    for running, columns in ((refined, batch), (known, finer(batch, tick, lot))):
        if operator.fold is not None:
            slot = np.zeros(rows_of(columns), np.int64)
            running.fold(columns, operator.empty(1), slot)
        else:
            said(running, columns)
    for k in range(INSTRUMENTS):
        refined.rescale(k, tick, lot)
    for name, values in known.states[operator.name].items():
        np.testing.assert_allclose(refined.states[operator.name][name], values, rtol=1e-9, err_msg=name)


def test_every_operator_that_a_module_defines_is_in_the_catalog():
    assert missing(OPERATORS) == []


@pytest.mark.parametrize("gone", OPERATORS, ids=lambda o: o.name)
def test_a_line_taken_out_of_the_catalog_is_missed(gone):
    assert missing([o for o in OPERATORS if o is not gone]) == [gone.name]


def test_what_no_stage_offers_stops_the_import_in_one_line():
    with pytest.raises(NotOffered, match=r"^operator x reads mood, which the stage trade does not offer$"):
        check([Operator("x", "trade", ("ticks", "mood"))])
    with pytest.raises(NotOffered, match=r"^operator x uses mid, which no window of features_tape holds$"):
        check([Operator("x", "trade", ("ticks",), uses=("mid",), table="features_tape")])
    with pytest.raises(NotOffered, match=r"^operator x stands at 'noon'; the stages are depth, "):
        check([Operator("x", "noon", ())])


@settings(max_examples=1, deadline=None)
@given(data=st.data())
def test_whatever_a_stage_offers_and_a_window_holds_the_laws_can_make_up(data):
    kept = {s.name for o in OPERATORS for s in o.statistics} | {c.name for o in OPERATORS for c in o.columns}
    there = [c.name for o in catalog.at("close") if isinstance(o.table, str) for c in o.columns]
    seen = {stage.columns_as.format(name) for stage in STAGES.values() if stage.columns_of for name in there}
    offered = {name for stage in STAGES.values() for name in stage.offers}
    apart = {*PLACES, *LADDER, "instrument", "mid_after", "reach_low_ticks", "reach_high_ticks"}
    words = {c.name for o in OPERATORS for c in o.columns if c.dtype == "str"}
    for name in sorted((kept | seen | offered) - apart - words):
        assert len(data.draw(values_of(name)(2))) == 2, name


def declared(stage="trade", table="features_tape", **said):
    """An operator that counts trades, but for what is said otherwise."""
    made = {"reads": ("instrument",), "statistics": (Statistic("counted", "i8", "sum"),), "fold": BARS.fold,
            "compute": BARS.compute, "columns": (count("counted_twice"),)} | said  # fmt: skip
    return Operator("x", stage, table=table, **made)


def count(name, dtype="f8"):
    return Column(name, dtype, "how many", "count")


def rows_of_its_own(stage="trade", columns=("event_time", "size"), **table):
    of = EventTable("x", "x", 90, **table)
    return declared(
        stage, of, statistics=(), fold=None, step=BARS.fold, compute=None, columns=tuple(map(count, columns))
    )


MISFITS = {
    "is there twice: x is another's name too": (declared(), declared(statistics=())),
    "fills 'feature_tape'; the tables of windows are features_book, ": (declared(table="feature_tape"),),
    "has columns and no table": (declared(table=""),),
    "stands at trade, and the windows of features_book are made of depth, close": (declared(table="features_book"),),
    "has a table of its own, for which the stage depth gives no rows; trade, ": (rows_of_its_own("depth"),),
    "has a step, which the stage trade does not call": (declared(step=BARS.fold),),
    "has a fold, which the stage pane does not call": (declared("pane"),),
    "keeps counted, which nothing fills": (declared(fold=None),),
    "has counted_twice, which nothing gives": (declared(compute=None),),
    "has no fold, step or compute: nothing of it": (declared(fold=None, compute=None, columns=(), statistics=()),),
    "asks -1 ns after an event, which is not after it": (declared("meeting", "features_costs", horizons_ns=(-1,)),),
    "has horizons_ns, which the stage trade does not look at; ": (declared(horizons_ns=(1,)),),
    "reads mid_after and does not say in horizons_ns": (declared("meeting", "features_costs", reads=("mid_after",)),),
    "names sise in its table, which is not among its columns": (rows_of_its_own(sums=("sise",)),),
    "has a table with a key, which the stage trade does not look at": (rows_of_its_own(key=("size",)),),
    "adds up rows, which the stage asset does not": (rows_of_its_own("asset", sums=("size",)),),
    "has a column pane, under which the room keeps ": (rows_of_its_own(columns=("event_time", "pane")),),
    "has counted twice in its state": (declared(state=(Field("counted", "i8"), Field("counted", "f8"))),),
    "keeps lots, as bars does": (declared(statistics=(Statistic("lots", "i8", "sum"),)), BARS),
    "has a column lots, under which bars keeps something else": (BARS, declared(columns=(count("lots"),))),
    "has a column contract, under which the room keeps something else": (declared(columns=(count("contract"),)),),
    "keeps mid, which the stage pane offers": (
        declared("pane", fold=None, step=BARS.fold, statistics=(Statistic("mid", "f8", "asof"),)),
    ),
    "keeps counted, a sum that begins with nan and not with 0": (
        declared(statistics=(Statistic("counted", "f8", "sum", np.nan),)),
    ),
    "has a column depth of i8; ": (
        declared("close", "features_book", statistics=(), fold=None, columns=(count("depth", "i8"),)),
    ),
    "reads vwap, which the stage window does not offer": (
        declared("window", reads=("vwap",), statistics=(), fold=None), BARS,
    ),
    "says 'f4' of counted; there are i8, f8": (declared(statistics=(Statistic("counted", "f4", "sum"),)),),
    "says 'mean' of counted; there are sum, min, ": (declared(statistics=(Statistic("counted", "f8", "mean"),)),),
    "says 'u8' of seen; there are i8, f8, bool": (declared(state=(Field("seen", "u8"),)),),
    "says 'list' of counted_twice; there are i8, f8, bool, str, time": (
        declared(columns=(count("counted_twice", "list"),)),
    ),
    "uses vwap, which no window of features_tape holds": (declared(uses=("vwap",)), BARS),
    "reads vwap, which the stage pane does not offer": (BARS, declared("pane", reads=("vwap",))),
}  # fmt: skip


@pytest.mark.parametrize("why", MISFITS)
def test_what_the_room_would_not_call_fill_or_tell_apart_stops_the_import(why):
    with pytest.raises(NotOffered, match=f"^operator x {re.escape(why)}"):
        check(MISFITS[why])


@pytest.mark.parametrize("name", ["messages", "live"])
def test_a_statistic_that_is_called_as_the_stamp_of_its_log_stops_the_import(name):
    with pytest.raises(ValueError, match=f"^the statistic {name} is kept twice$"):
        layout((*depth.statistics(), Statistic(name, "i8", "sum")))


@steps
@few
@given(data=st.data())
def test_where_a_batch_is_cut_and_frozen_does_not_change_what_a_step_says(operator, data):
    batch = data.draw(batches(operator))
    n = rows_of(batch)
    at = data.draw(st.integers(0, n))
    whole, running = said(room(operator), batch), room(operator)
    head = said(running, take(batch, slice(None, at))) if at else None
    tail = said(thawed(running), take(batch, slice(at, None))) if at < n else None
    if tail is not None and "row" in tail:
        tail = {**tail, "row": tail["row"] + at}
    parts = [p for p in (head, tail) if p is not None] or [whole]
    same(whole, {name: np.concatenate([p[name] for p in parts]) for name in whole})


@steps
@few
@given(data=st.data())
def test_a_step_gives_what_it_declares_in_its_dtype_and_within_its_bounds(operator, data):
    batch = data.draw(batches(operator))
    out = dict(said(room(operator), batch))
    own = isinstance(operator.table, EventTable)
    row = out.pop("row") if own else np.arange(rows_of(batch))
    assert ((row >= 0) & (row < max(rows_of(batch), 1))).all()
    said_there = own or operator.stage in ("close", "window")
    columns = [c for c in operator.columns if said_there and c.name not in GIVEN]
    assert set(out) == {*operator.writes, *(s.name for s in operator.statistics), *(c.name for c in columns)}
    assert {len(array) for array in out.values()} == {len(row)}
    for statistic in operator.statistics:
        assert out[statistic.name].dtype == DTYPES[statistic.dtype]
    holds(columns, out)


def before_their_events(operator, batch):
    """Of the rows of its own table, how many are of a time before the pane of what they are made of."""
    made, end = said(room(operator), batch), batch["event_ns"] if "event_ns" in batch else batch["pane_end_ns"]
    return int(((made["event_time"] - 1) // BASE_NS < (end[made["row"]] - 1) // BASE_NS).sum())


@having(lambda o: isinstance(o.table, EventTable) and o.stage != "asset")
@few
@given(data=st.data())
def test_no_row_is_of_a_time_before_its_event_whose_rows_were_released_and_numbered_already(operator, data):
    assert before_their_events(operator, data.draw(batches(operator))) == 0


def test_a_row_that_stands_at_the_beginning_of_its_minute_is_one():
    floored = replace(FOOTPRINT, compute=lambda trades: {**FOOTPRINT.compute(trades), "event_time": np.zeros(2, int)})
    batch = {n: np.array(v) for n, v in {"ticks": [5, 6], "lots": [1, 1], "sign": [1, 1], "event_ns": [8, 25]}.items()}
    scales = dict.fromkeys(("tick_mantissa", "tick_scale", "lot_mantissa", "lot_scale", "contract"), np.ones(2))
    assert before_their_events(floored, batch | scales | {"inverse": np.zeros(2, np.bool_)}) == 2


def holds(columns, out):
    for column in columns:
        values = out[column.name]
        assert values.dtype.kind == "U" if column.dtype == "str" else values.dtype == DTYPES[column.dtype]
        null = np.isnan(values) if column.dtype == "f8" else np.zeros(len(values), np.bool_)
        for value, absent in zip(values.tolist(), null, strict=True):
            assert column.dtype == "time" or column.holds(None if absent else value), (column.name, value)


@having(lambda o: o.step is not None and "instrument" in o.reads)
@few
@given(data=st.data())
def test_how_instruments_are_numbered_does_not_matter_to_a_step(operator, data):
    batch = data.draw(batches(operator))
    number = np.array(data.draw(st.permutations(range(INSTRUMENTS))), np.int32)
    renumbered = read_only({**batch, "instrument": number[batch["instrument"]]})
    same(said(room(operator), batch), said(room(operator), renumbered))


@having(lambda o: o.state)
@few
@given(data=st.data())
def test_a_state_does_not_grow_with_what_it_has_already_seen(operator, data):
    batch = data.draw(batches(operator))
    running, panes = room(operator), operator.empty(1)

    def see():
        if operator.fold is not None:
            running.fold(batch, panes, np.zeros(rows_of(batch), np.int64))
        else:
            said(running, batch)
        return sum(array.nbytes for array in running.states[operator.name].values())

    once = see()
    assert max(see() for _ in range(5)) <= once


@having(lambda o: o.state)
@few
@given(data=st.data())
def test_freezing_a_thawed_state_gives_the_same_bytes_and_another_declaration_refuses_it(operator, data):
    running, batch = room(operator), data.draw(batches(operator))
    if operator.fold is not None:
        running.fold(batch, operator.empty(1), np.zeros(rows_of(batch), np.int64))
    else:
        said(running, batch)
    data = frozen((running,))
    assert frozen((thawed(running),)) == data
    changed = Running((replace(operator, revision=operator.revision + 1),))
    if not operator.anew:
        with pytest.raises(Changed, match=f"^{operator.name} is "):
            take_up((changed,), data)
    anew = Running((replace(operator, revision=operator.revision + 1, anew=True),))
    take_up((anew,), data)
    assert all(len(values) == 0 for values in anew.states[operator.name].values())


@folds
@few
@given(data=st.data())
def test_where_a_batch_is_cut_and_frozen_does_not_change_a_pane(operator, data):
    events = data.draw(batches(operator))
    slot = slots(events, data, 3)
    at = data.draw(st.integers(0, len(slot)))
    running, panes = room(operator), operator.empty(3)
    running.fold(take(events, slice(None, at)), panes, slot[:at])
    panes = unpack(pack(panes))
    thawed(running).fold(take(events, slice(at, None)), panes, slot[at:])
    same(filled(operator, events, slot, 3), panes)


@having(lambda o: o.fold is not None and not o.state)
@few
@given(data=st.data())
def test_panes_merge_to_what_their_events_say_together(operator, data):
    events = data.draw(batches(operator))
    slot = slots(events, data, 3)
    panes, whole = filled(operator, events, slot, 3), filled(operator, events, np.zeros_like(slot), 1)
    alone = filled(operator, events, np.arange(len(slot)), len(slot))
    for statistic in operator.statistics:
        if statistic.merge == "held":
            continue  # within a pane the log's order says which is last, between panes theirs
        # Terms that cancel leave what their own size was rounded to.
        rounding = 1e-15 * len(slot) * np.nansum(np.abs(alone[statistic.name])) if statistic.merge == "sum" else 0.0
        together, apart = whole[statistic.name][0], merged(statistic, panes[statistic.name])
        if statistic.dtype == "i8":
            assert together == apart, statistic.name
        else:
            assert together == pytest.approx(apart, rel=1e-12, abs=rounding or None, nan_ok=True), statistic.name


@folds
@few
@given(data=st.data())
def test_which_row_a_pane_has_does_not_matter(operator, data):
    events = data.draw(batches(operator))
    slot, row = slots(events, data, 3), np.array(data.draw(st.permutations(range(3))))
    moved = filled(operator, events, row[slot], 3)
    same(filled(operator, events, slot, 3), {name: array[row] for name, array in moved.items()})


@folds
def test_panes_without_events_merge_to_an_empty_pane(operator):
    panes = operator.empty(2)
    for statistic in operator.statistics:
        assert panes[statistic.name].dtype == DTYPES[statistic.dtype]
        np.testing.assert_equal(merged(statistic, panes[statistic.name]), panes[statistic.name][0])


@computes
@few
@given(data=st.data())
def test_every_declared_column_is_given_in_its_dtype_and_within_its_bounds(operator, data):
    columns = data.draw(windows(operator))
    out = operator.compute(columns)
    made = [c for c in operator.columns if not isinstance(operator.table, EventTable) or c.name not in GIVEN]
    assert set(out) == {c.name for c in made}
    assert {values.shape for values in out.values()} == {(rows_of(columns),)}
    holds(made, out)


@computes
@few
@given(data=st.data())
def test_a_row_of_computed_columns_depends_on_that_row_alone(operator, data):
    columns = data.draw(windows(operator, data.draw(st.integers(1, 4))))
    out = operator.compute(columns)
    for i in range(len(out[operator.columns[0].name])):
        same(take(out, slice(i, i + 1)), operator.compute(one_row(columns, i)))


@having(lambda o: o.columns)
def test_a_column_states_a_meaning_and_a_unit(operator):
    for column in operator.columns:
        assert column.meaning
        assert column.unit or column.dtype in ("str", "bool", "time") or column.name in GIVEN, column.name


STATED = (
    "as the venue states it",
    "the venue's own documentation",
    "as the record states it",
    "as the rule's column states it",
)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_number_says_where_its_definition_is_from_and_its_formula_unless_it_is_stated_as_it_is(table):
    numbers = [c for c in table.columns if c.dtype == "f8"]
    assert [c.name for c in numbers if not c.source] == []
    assert [c.name for c in numbers if not c.formula and c.source not in STATED] == []


def test_no_name_is_taken_twice():
    names = [o.name for o in OPERATORS]
    assert len(set(names)) == len(names)
    for table in {o.table for o in OPERATORS if isinstance(o.table, str)}:
        published = [c.name for o in catalog.of(table) for c in o.columns]
        assert len(set(published)) == len(published)


def test_no_statistic_is_declared_twice():
    declared = [s.name for o in OPERATORS for s in o.statistics]
    assert len(set(declared)) == len(declared)
