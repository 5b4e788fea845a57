"""Order flow of a window: the flows of `operators/book/ofi` summed, in base units and relative to depth.

    ofi           = sum_n e_n at the touch;   mlofi_m = the same at the m-th best level        base units
    ofi_per_depth = sum_n e_n / Q,   Q = mean size of a queue over the messages, both sides, the levels that exist

e > 0: net buying. Flows across a gap are not known and are left out, and a window without a known flow is null, as is a
level at which nothing stood after a message and that nothing left. Inverse contracts: lots are dollars, divided by the
window's mid. Feeds that conflate (100 ms) understate the flow.

Cont, Kukanov & Stoikov (2014), J. Financial Econometrics 12(1); normalisation: Cont, Cucuringu & Zhang (2023),
Quantitative Finance 23(10).

>>> panes = ORDER_FLOW.empty(1) | {"ofi_lots_1": np.array([4]), "ofi_depth_lots_1": np.array([24])}
>>> panes |= {"ofi_messages": np.array([1])}
>>> one = {"lot_mantissa": [1.0], "lot_scale": [1.0], "contract": [1.0], "inverse": [False], "mid": [100.0]}
>>> row = ORDER_FLOW.compute(panes | {k: np.array(v) for k, v in one.items()})
>>> float(row["ofi"][0]), round(float(row["ofi_per_depth"][0]), 6), float(row["mlofi_2"][0])
(4.0, 0.333333, nan)
"""

import numpy as np

from operators import units
from operators.book import ofi
from operators.book.ofi import LEVELS, Flags
from operators.contract import I8, Columns, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

_FLOW = tuple(f"ofi_lots_{m}" for m in range(1, LEVELS + 1))
_DEPTH = tuple(f"ofi_depth_lots_{m}" for m in range(1, LEVELS + 1))


@kernel
def _sum(flows: I8, depths: I8, messages: I8, slot: I8, flow: I8, known: Flags, bid_lots: I8, ask_lots: I8) -> None:
    for i in range(len(slot)):
        if known[i]:
            messages[slot[i]] += 1
            for m in range(flow.shape[1]):
                flows[m, slot[i]] += flow[i, m]
                depths[m, slot[i]] += bid_lots[i, m] + ask_lots[i, m]


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    flow, known = ofi.flows(state, events)
    sums, depths = np.zeros((2, LEVELS, len(panes["ofi_messages"])), np.int64)
    _sum(sums, depths, panes["ofi_messages"], slot, flow, known, events["bid_lots"], events["ask_lots"])
    for m in range(LEVELS):
        panes[_FLOW[m]][:] += sums[m]
        panes[_DEPTH[m]][:] += depths[m]


def _order_flow(windows: Columns) -> Columns:
    flows = np.stack([windows[n] for n in _FLOW])
    depths = np.stack([windows[n] for n in _DEPTH])
    messages = windows["ofi_messages"]
    levels = np.count_nonzero(depths, axis=0)
    base = units.base(flows, windows["mid"], windows)
    # What left a level that nothing stood at afterwards is a flow too.
    base = np.where((messages > 0) & ((depths > 0) | (flows != 0)), base, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = flows[0] * (2.0 * messages * levels) / depths.sum(axis=0)
    columns = {"ofi": base[0], "ofi_per_depth": np.where(levels > 0, relative, np.nan)}
    return columns | {f"mlofi_{m}": base[m - 1] for m in range(2, LEVELS + 1)}


_SIGN = "net buying: positive"
_E = (
    "e_n: [b_n >= b_(n-1)] q_n - [b_n <= b_(n-1)] q_(n-1) - [a_n <= a_(n-1)] r_n + [a_n >= a_(n-1)] r_(n-1), a missing"
    " level infinitely far with nothing in it; inverse: USD over the mid at the window's end"
)
_NULL = (
    "no known flow in the window, nothing stood at the level after a message nor left it, or contract unknown; inverse:"
    " mid null"
)

ORDER_FLOW = Operator(
    "order_flow",
    "depth",
    ofi.READS,
    table="features_book",
    state=ofi.STATE,
    statistics=(
        *(Statistic(n, "i8", "sum", lots=1) for n in (*_FLOW, *_DEPTH)),
        Statistic("ofi_messages", "i8", "sum"),
    ),
    fold=_fold,
    uses=("mid", "lot_mantissa", "lot_scale", "contract", "inverse"),
    compute=_order_flow,
    columns=(
        Column(
            "ofi",
            "f8",
            "order-flow imbalance at the touch",
            "base",
            f"sum e_n; {_E}",
            "Cont, Kukanov & Stoikov (2014)",
            _SIGN,
            _NULL,
        ),
        Column(
            "ofi_per_depth",
            "f8",
            "order-flow imbalance at the touch in units of the mean queue of the best five levels",
            "1",
            "sum e_n / Q, Q: mean size over the messages of known flow, both sides and those of the five levels that"
            " any held",
            "Cont, Cucuringu & Zhang (2023)",
            _SIGN,
            "no known flow in the window, or nothing stood after its messages",
        ),
        *(
            Column(
                f"mlofi_{m}",
                "f8",
                f"order-flow imbalance at level {m}",
                "base",
                f"sum e_n of the level {m} queues, as of ofi",
                "Xu, Gould & Howison (2018)",
                _SIGN,
                _NULL,
            )
            for m in range(2, LEVELS + 1)
        ),
    ),
)
