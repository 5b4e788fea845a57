"""Price discovery: shares by hand, a planted leader, and the regression from scratch."""

import numpy as np
import pytest

from operators.book.price_discovery import BOOKS, LEAST, PRICE_DISCOVERY, SECOND_NS, fitted, shares
from operators.operator_states import Running

VENUES = ("a", "b", "c")


def rows(mids, numbers=None, cut=None, gap_ns=None, heard_s=None, pane_s=1):
    """Of log mids f8[panes, books], a pane a second; batches are cut there; `gap_ns`: what panes show of gaps.

    `heard_s`: the second of each book's last message by then.
    """
    n, k = mids.shape
    price = np.exp(mids)
    given = {
        "instrument": np.zeros(n, np.int64),
        "pane_start_ns": pane_s * SECOND_NS * np.arange(n),
        "pane_end_ns": pane_s * SECOND_NS * np.arange(1, n + 1),
        "book_number": np.tile(np.arange(k) if numbers is None else np.array(numbers), (n, 1)),
        "book_venue": np.tile(np.array(VENUES[:k]), (n, 1)),
        "book_symbol": np.tile(np.array(["X"] * k), (n, 1)),
        "book_live": np.isfinite(mids).astype(np.int64),
        "book_gap_ns": np.zeros(mids.shape, np.int64) if gap_ns is None else gap_ns,
        "book_last_event_ns": pane_s
        * SECOND_NS
        * (np.tile(np.arange(1, n + 1)[:, None], k) if heard_s is None else heard_s),
        "book_best_bid": price * 0.9999,
        "book_best_ask": price * 1.0001,
        "book_mid": price,
    }
    running, out = Running((PRICE_DISCOVERY,)), []
    running.grow(1)
    for part in (slice(None, cut), slice(cut, None)) if cut else (slice(None),):
        found = running.rows({name: c[part] for name, c in given.items()})["price_discovery"]
        out += [{name: c[i].item() for name, c in found.items()} for i in range(len(found["row"]))]
    return out


def led(seed, n=310, follow=0.3):
    """One book walks at random, the other goes after it by a share of the distance each second."""
    rng = np.random.default_rng(seed)
    leader = np.cumsum(rng.normal(0, 1e-4, n))
    follower = np.zeros(n)
    for t in range(1, n):
        follower[t] = follower[t - 1] + follow * (leader[t - 1] - follower[t - 1]) + rng.normal(0, 2e-5)
    return 5 + np.column_stack([leader, follower])


def test_component_share_by_hand():
    # analytics 2.6 [HAND]: gamma = (-.1, .05): (1/3, 2/3)
    assert shares(np.array([[-0.1, 0.05]]), np.eye(2)[None])[0][0] == pytest.approx(1 / 3)


def test_information_share_and_its_bounds_by_hand():
    # analytics 2.6 [HAND]: psi = (.6, .4), Omega = [[1, .3], [.3, 1]]: [.4933735, .7807229], middle .6370482
    component, low, high = (f[0] for f in shares(np.array([[-0.4, 0.6]]), np.array([[[1, 0.3], [0.3, 1]]])))
    assert (component, low, high) == (pytest.approx(0.6), pytest.approx(0.4933735), pytest.approx(0.7807229))
    assert (low + high) / 2 == pytest.approx(0.6370482, abs=5e-8)


@pytest.mark.parametrize("turned", [False, True])
def test_a_planted_leader_has_nearly_all_of_both_shares(turned):
    # one window has a standard error of about a third in the component share: the median of twenty
    mids = led(1, n=20 * 300 + 2, follow=0.2)
    found = rows(mids[:, ::-1] if turned else mids)
    assert len(found) == 20
    share = {
        n: np.median([1 - r[n] if turned else r[n] for r in found]) for n in ("component_share", "information_share")
    }
    assert share["component_share"] == pytest.approx(1.0, abs=0.2)
    assert share["information_share"] > 0.9
    assert all(r["information_share_low"] <= r["information_share"] <= r["information_share_high"] for r in found)
    assert {(r["venue"], r["other_venue"]) for r in found} == {("a", "b")}


def test_seen_from_the_other_book_the_shares_are_the_rest():
    mids = led(4)
    (one,), (other,) = rows(mids), rows(mids[:, ::-1])
    assert one["component_share"] == pytest.approx(1 - other["component_share"], abs=1e-6)
    assert one["information_share_low"] == pytest.approx(1 - other["information_share_high"], abs=1e-6)
    assert one["information_share_high"] == pytest.approx(1 - other["information_share_low"], abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_regression_is_that_of_least_squares_from_scratch_wherever_the_log_was_cut(seed):
    mids = led(seed, follow=0.1 + 0.1 * seed)
    (row,) = rows(mids, cut=50 * (seed + 1))
    a, b = mids[:300].T
    da, db = np.diff(a), np.diff(b)
    x = np.column_stack([np.ones(297), (a - b)[2:-1], da[1:-1], db[1:-1], da[:-2], db[:-2]])
    y = np.column_stack([da[2:], db[2:]])
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ beta
    component, low, high = shares(beta[1][None], (left.T @ left / len(y))[None])
    assert row["seconds"] == 297
    assert row["component_share"] == pytest.approx(component[0], rel=1e-4)
    assert row["information_share_low"] == pytest.approx(low[0], rel=1e-4)
    assert row["information_share_high"] == pytest.approx(high[0], rel=1e-4)


@pytest.mark.parametrize("stands_s", [0, 20])
def test_a_book_that_stood_still_because_its_messages_were_missing_does_not_follow(stands_s):
    mids, gap_ns = led(7, n=600), np.zeros((600, 2), np.int64)
    at = 60 + stands_s
    mids[60:at, 0] = mids[59, 0]
    gap_ns[at, 0] = max(1, stands_s * SECOND_NS)
    found = rows(mids, gap_ns=gap_ns)[0]
    from_then, before = rows(mids, gap_ns=gap_ns * 0)[0]["seconds"] - found["seconds"], 3 if stands_s == 0 else at
    assert from_then == before, "the step over the gap and the two it is a lag of, or all that was gathered"


def test_a_book_whose_feed_is_away_at_the_end_of_the_five_minutes_does_not_make_the_price():
    mids, heard_s = led(8), np.tile(np.arange(1, 311)[:, None], 2)
    mids[120:, 1], heard_s[120:, 1] = mids[119, 1], 120  # the follower's last message is that of second 120
    (row,) = rows(mids, heard_s=heard_s)
    assert (row["seconds"], row["component_share"]) == (121, pytest.approx(np.nan, nan_ok=True))
    quiet = np.maximum(heard_s, np.arange(1, 311)[:, None] - 4)
    assert rows(mids, heard_s=quiet)[0]["seconds"] == 297, "a message every five seconds is heard"


def test_mids_between_the_ends_of_panes_are_not_taken_for_those_of_before():
    assert rows(led(9, n=1_000), pane_s=2) == [], "there were shares, of seconds of which every other moved nothing"


def test_too_few_seconds_and_books_that_do_not_move_are_null_and_three_books_are_three_pairs():
    mids = led(5)
    short = mids.copy()
    short[: 300 - LEAST, 1] = np.nan
    assert np.isnan(rows(short)[0]["component_share"])
    assert np.isnan(rows(np.full((310, 2), 5.0))[0]["information_share"])
    three = rows(np.column_stack([mids, mids[:, 0]]), numbers=(7, 3, 5))
    assert [(r["venue"], r["other_venue"]) for r in three] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert BOOKS == 4


def test_a_scale_of_prices_changes_nothing():
    mids = led(6)
    (one,), (other,) = rows(mids), rows(mids + np.log(1_000))
    assert one["component_share"] == pytest.approx(other["component_share"], rel=1e-4)


def test_sums_of_products_give_gamma_and_omega():
    rng = np.random.default_rng(1)
    v = rng.normal(size=(50, 8))
    v[:, 0] = 1.0
    gamma, omega = fitted((v.T @ v)[None], np.array([50]))
    beta, *_ = np.linalg.lstsq(v[:, :6], v[:, 6:], rcond=None)
    left = v[:, 6:] - v[:, :6] @ beta
    np.testing.assert_allclose(gamma[0], beta[1], rtol=1e-9)
    np.testing.assert_allclose(omega[0], left.T @ left / 50, rtol=1e-9)
