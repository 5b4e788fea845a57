"""Marks, index, funding and open interest in force: analytics by hand, and against going message by message."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.marks_in_force import MARKS
from tests.operators import folded

NAN = math.nan
FIELDS = ("mark", "index", "funding_rate", "open_interest")


def in_force(messages, contract=1.0, inverse=False, end_ns=60):
    """At the end of the one window of messages (event ns, mark, index, funding, open interest, next funding ns)."""
    columns = list(zip(*messages, strict=True)) if messages else [()] * 6
    events = {"event_ns": np.array(columns[0], np.int64), "next_funding_ns": np.array(columns[5], np.int64)}
    events |= {n: np.array(v, np.float64) for n, v in zip(FIELDS, columns[1:5], strict=True)}
    events["instrument"] = np.zeros(len(messages), np.int64)
    scales = {"mark_contract": contract, "mark_inverse": inverse, "window_end_ns": end_ns}
    found = MARKS.compute(folded(MARKS, events) | {n: np.array([v]) for n, v in scales.items()})
    return {name: array[0].item() for name, array in found.items()}


def test_an_inverse_contract_counts_dollars_and_a_linear_one_its_base():
    linear = in_force([(30, 101.0, 100.0, 1e-4, 5.0, 90)], contract=0.1)
    assert (linear["open_interest_base"], linear["open_interest_usd"]) == (0.5, pytest.approx(50.5))
    inverse = in_force([(30, 50.0, 50.0, 1e-4, 5.0, 90)], contract=100.0, inverse=True)
    assert (inverse["open_interest_base"], inverse["open_interest_usd"]) == (10.0, 500.0)


values = st.sampled_from([NAN, 99.0, 100.0, 101.5])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), values, values, values, values, st.sampled_from([0, 70, 90])), max_size=6)
)
def test_each_field_is_what_the_latest_message_that_carried_it_said_in_whatever_order_they_came(messages):
    held = dict.fromkeys(FIELDS, NAN) | {"next": 0, "at": 0}
    for at, *fields, following in sorted(messages, key=lambda message: message[0]):
        held |= {n: v for n, v in zip(FIELDS, fields, strict=True) if not math.isnan(v)}
        held["next"] = following or held["next"]
        held["at"] = held["at"] if math.isnan(fields[0]) else at
    found = in_force(messages)
    wanted = {
        "mark_price": held["mark"],
        "index_price": held["index"],
        "basis_bps": 1e4 * (held["mark"] - held["index"]) / held["index"],
        "funding_rate": held["funding_rate"],
        "next_funding_time": held["next"],
        "open_interest_base": held["open_interest"],
        "open_interest_usd": held["open_interest"] * held["mark"],
        "mark_age_ms": (60 - held["at"]) / 1e6 if held["at"] else NAN,
    }
    assert found == pytest.approx(wanted, nan_ok=True)
