"""Feature vectors: worked numbers, nulls, cuts, and a check for leaks that catches a planted one."""

import numpy as np
import pytest

from models.bursts import VECTORS
from models.vector import MINUTE_NS, VECTOR, matrix
from models.vector_items import FEATURE_VERSION, ITEMS, NAMES, READS, STANDING, seen_by

START = 28_000_000


def minutes(n: int, instruments: int = 2, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = n * instruments
    rows = {name: rng.lognormal(0, 0.3, size) for name in (*READS, *STANDING)}
    rows["mid"] = 100 * np.exp(rng.normal(0, 0.01, size))
    rows["realised_variance"] = rng.uniform(1e-6, 1e-5, size)
    rows["buy_volume_usd"] = rows["volume_usd"] * rng.random(size)
    for side in ("long", "short"):
        rows[f"{side}_liquidations"] = rng.poisson(0.3, size).astype(np.float64)
    rows["instrument"] = np.tile(np.arange(instruments), n)
    rows["leader"] = np.zeros(size, np.int64)
    rows["at_ns"] = np.repeat(START + np.arange(n), instruments) * MINUTE_NS
    rows["next_funding_ns"] = rows["at_ns"] + 30.0 * MINUTE_NS
    return rows


def take(rows: dict[str, np.ndarray], which) -> dict[str, np.ndarray]:
    return {name: column[which] for name, column in rows.items()}


def vectors(rows: dict[str, np.ndarray]) -> np.ndarray:
    return matrix(VECTOR.step(VECTOR.init(), rows))


def leaks(of, rows: dict[str, np.ndarray], seed: int = 3) -> bool:
    """Whether any row changes when everything after it is replaced: the shift-future test, at random cuts."""
    rng = np.random.default_rng(seed)
    whole = of(rows)
    n = len(rows["at_ns"])
    for cut in rng.integers(1, n, 15):
        at = rows["at_ns"][cut]
        first = int(np.searchsorted(rows["at_ns"], at))
        changed = {k: v.copy() for k, v in rows.items()}
        for name in (*READS, *STANDING):
            changed[name][first:] = rng.lognormal(0, 1, n - first)
        if not np.array_equal(of(changed)[:first], whole[:first], equal_nan=True):
            return True
    return False


def test_there_are_at_least_twenty_features_with_a_name_and_a_definition_each():
    assert len(NAMES) == len(set(NAMES)) >= 20
    assert all(item.definition and item.family for item in ITEMS)


def test_every_feature_is_published_with_its_own_unit():
    """A mass within 50 bps is USD over USD and had been published as bps."""
    told = {c.name: c.unit for c in VECTORS if c.name in NAMES}
    assert {told[f"{side}_mass_{d}bps"] for side in ("long", "short") for d in (50, 150)} == {"1"}
    assert {name for name, unit in told.items() if unit == "bps"} == {name for name in NAMES if name.endswith("_bps")}
    assert {name for name, unit in told.items() if unit == "s"} == {name for name in NAMES if name.endswith("_age_s")}
    assert told["minutes_to_funding"] == "minutes" and told["short_liquidations_5m"] == "count"
    assert told["imbalance_10bps"] == told["long_liquidated_share_5m"] == "1"


def test_the_fingerprint_is_known_so_that_a_change_of_definition_is_a_decision():
    assert FEATURE_VERSION == "c8e41ac55e461480"


def test_worked_numbers_of_a_full_hour():
    rows = take(minutes(90, 1), slice(None))
    x = dict(zip(NAMES, vectors(rows)[-1], strict=True))
    r = {name: column[-60:] for name, column in rows.items()}
    last = {name: column[-1] for name, column in r.items()}
    sigma = np.sqrt(r["realised_variance"].sum() / 60)
    bought, traded = r["buy_volume_usd"][-5:].sum(), r["volume_usd"][-5:].sum()
    depth = r["bid_depth_10bps_usd"] + r["ask_depth_10bps_usd"]
    since = int(np.argmax(rows["long_liquidations"][::-1] > 0))
    week = (START + 89) % 10_080 / 10_080
    expected = {
        "spread_bps": last["spread_bps"],
        "spread_log_vs_hour": np.log(last["spread_bps"] / r["spread_bps"].mean()),
        "depth_log_ratio": np.log(last["bid_depth_10bps_usd"] / last["ask_depth_10bps_usd"]),
        "depth_log_vs_hour": np.log(depth[-1] / depth.mean()),
        "volatility_1m_bps": 1e4 * np.sqrt(last["realised_variance"]),
        "variance_ratio_1m_5m": 5 * last["realised_variance"] / r["realised_variance"][-5:].sum(),
        "variance_ratio_5m_60m": 12 * r["realised_variance"][-5:].sum() / r["realised_variance"].sum(),
        "return_1m_over_sigma": np.log(r["mid"][-1] / r["mid"][-2]) / sigma,
        "return_15m_over_sigma": np.log(r["mid"][-1] / r["mid"][-16]) / (sigma * np.sqrt(15)),
        "taker_imbalance_5m": (2 * bought - traded) / traded,
        "volume_vs_hour": last["volume_usd"] / r["volume_usd"].mean(),
        "long_liquidations_30m": r["long_liquidations"][-30:].sum(),
        "short_liquidations_1m": last["short_liquidations"],
        "short_liquidated_share_5m": r["short_liquidated_usd"][-5:].sum() / traded,
        "minutes_since_long_liquidation": since,
        "basis_bps": 1e4 * (last["mark_price"] / last["index_price"] - 1),
        "funding_rate_bps": 1e4 * last["funding_rate"],
        "minutes_to_funding": 30,
        "open_interest_change_5m": np.log(r["open_interest"][-1] / r["open_interest"][-6]),
        "volatility_60m_bps": 1e4 * np.sqrt(r["realised_variance"].sum()),
        "return_60m_over_sigma": np.log(rows["mid"][-1] / rows["mid"][-61]) / np.sqrt(r["realised_variance"].sum()),
        "long_liquidated_share_60m": r["long_liquidated_usd"].sum() / r["volume_usd"].sum(),
        "long_liquidated_over_threshold_5m": last["long_liquidated_5m_usd"] / last["long_threshold_5m_usd"],
        "short_liquidated_over_threshold_60m": last["short_liquidated_60m_usd"] / last["short_threshold_60m_usd"],
        "short_threshold_log_vs_volume_15m": np.log(last["short_threshold_15m_usd"] * 4 / r["volume_usd"].sum()),
        "hour_of_week_sin": np.sin(2 * np.pi * week),
        "hour_of_week_cos": np.cos(2 * np.pi * week),
        "tape_age_s": last["tape_age_s"],
    }
    for name, value in expected.items():
        assert x[name] == pytest.approx(value, rel=1e-9), name
    assert np.isnan(x["leader_volatility_1m_bps"])


def test_the_mass_of_what_was_opened_is_what_a_move_would_liquidate_until_a_price_has_reached_it():
    """[HAND] All is opened at 100, 30 minutes ago: at 100x, longs are liquidated at 99 / .995, shorts at 101 / 1.005."""
    rows = minutes(70, 1)
    for name in ("volume_usd", "buy_volume_usd"):
        rows[name][:] = 0.0
    rows["mid"][:] = 100.0
    rows["volume_usd"][39], rows["buy_volume_usd"][39] = 80.0, 60.0
    held = 0.5 ** (30 / 45) / 5 / 80

    def masses():
        x = dict(zip(NAMES, vectors(rows)[-1], strict=True))
        return [x[f"{side}_mass_{d}bps"] for side in ("long", "short") for d in (50, 150)]

    # at 100x longs are 50.3 bps away and shorts 49.8; at 50x longs 150.8 and shorts 149.3
    assert masses() == pytest.approx([0, 60 * held, 20 * held, 40 * held])
    rows["mid"][50] = 99.4
    assert masses() == pytest.approx([0, 0, 20 * held, 40 * held])
    rows["mid"][69] = 101.0
    assert masses() == pytest.approx([0, 0, 20 * held, 20 * held])


def test_the_leader_is_seen_one_minute_late_and_not_after_five():
    rows = minutes(10, 2)
    gone = (rows["instrument"] == 0) & (rows["at_ns"] > (START + 2) * MINUTE_NS)
    rows = take(rows, ~gone)
    x = vectors(rows)
    of = {(i, m - START): v for i, m, v in zip(rows["instrument"], rows["at_ns"] // MINUTE_NS, x, strict=True)}
    own, led = NAMES.index("volatility_1m_bps"), NAMES.index("leader_volatility_1m_bps")
    assert np.isnan(of[1, 0][led])
    assert [of[1, m][led] for m in range(1, 8)] == [of[0, m][own] for m in (0, 1, 2, 2, 2, 2, 2)]
    assert np.isnan(of[1, 8][led])


def test_the_order_of_rows_within_a_minute_does_not_matter():
    rows = minutes(70, 3)
    turned = np.concatenate([np.arange(3)[::-1] + 3 * i for i in range(70)])
    np.testing.assert_array_equal(vectors(take(rows, turned)), vectors(rows)[turned])


def test_a_missing_minute_makes_the_windows_over_it_null_and_no_other():
    rows = take(minutes(90, 1), np.arange(90) != 80)
    x = dict(zip(NAMES, vectors(rows)[-1], strict=True))
    for name in ("taker_imbalance_15m", "long_liquidations_30m", "return_1m_over_sigma", "spread_log_vs_hour"):
        assert np.isnan(x[name]), name
    for name in ("taker_imbalance_5m", "long_liquidations_5m", "variance_ratio_1m_5m", "open_interest_change_5m"):
        assert np.isfinite(x[name]), name


def test_unknown_inputs_are_null_and_nothing_is_infinite():
    rows = minutes(90, 1)
    for name in (*READS, *STANDING):
        rows[name][-10:] = np.nan if name != "volume_usd" else 0.0
    x = vectors(rows)
    assert not np.isinf(x).any()
    known = {n for n, value in zip(NAMES, x[-1], strict=True) if np.isfinite(value)}
    assert known == {
        "volume_vs_hour",
        "minutes_since_long_liquidation",
        "minutes_since_short_liquidation",
        "hour_of_week_sin",
        "hour_of_week_cos",
    }


def test_a_second_row_of_a_minute_and_a_late_one_are_dropped():
    rows = take(minutes(5, 1), np.array([0, 1, 1, 0, 2]))
    assert VECTOR.step(VECTOR.init(), rows)["row"].tolist() == [0, 1, 4]


@pytest.mark.parametrize("seed", range(4))
def test_training_in_one_batch_and_live_minute_by_minute_give_the_same_bytes(seed):
    rows = minutes(100, 3, seed)
    state, got = VECTOR.init(), []
    for part in np.array_split(np.arange(300), np.sort(np.random.default_rng(seed).integers(0, 300, 20))):
        got.append(matrix(VECTOR.step(state, take(rows, part))))
        state = VECTOR.thaw(VECTOR.freeze(state))
    assert np.concatenate(got).tobytes() == vectors(rows).tobytes()


def test_no_feature_knows_the_future():
    assert not leaks(vectors, minutes(90, 2))


def test_a_planted_leak_is_caught():
    """The volume of the next minute, and a mean over the whole file: both are found out."""

    def next_minute(rows):
        return np.column_stack((vectors(rows), np.append(rows["long_liquidated_usd"][2:], [0, 0])))

    def scaled_over_all(rows):
        return vectors(rows) - np.nanmean(vectors(rows), axis=0)

    assert leaks(next_minute, minutes(90, 2))
    assert leaks(scaled_over_all, minutes(90, 2))


def test_what_shorts_see_is_the_market_upside_down():
    """A market whose prices, flows and sides are turned over gives longs what shorts saw in the first."""
    rows = minutes(90, 2)
    turned = {name: column.copy() for name, column in rows.items()}
    for name in (*READS, *STANDING):
        if name.startswith("long_"):
            other = name.replace("long_", "short_")
            turned[name], turned[other] = rows[other], rows[name]
    for name in ("imbalance_1", "imbalance_5", "imbalance_10bps", "imbalance_50bps", "ofi_per_depth", "funding_rate"):
        turned[name] = -rows[name]
    turned["bid_depth_10bps_usd"], turned["ask_depth_10bps_usd"] = (
        rows["ask_depth_10bps_usd"],
        rows["bid_depth_10bps_usd"],
    )
    turned["buy_volume_usd"] = rows["volume_usd"] - rows["buy_volume_usd"]
    turned["mid"] = 1e4 / rows["mid"]
    plain, seen = vectors(turned), seen_by("short", vectors(rows))
    same = [i for i, name in enumerate(NAMES) if "mass" not in name and name != "basis_bps"]
    np.testing.assert_allclose(plain[:, same], seen[:, same], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(seen_by("short", seen_by("short", plain)), plain)
    assert seen_by("long", plain) is plain


def test_the_state_does_not_grow_with_time():
    state = VECTOR.init()
    rows = minutes(300, 2)
    VECTOR.step(state, take(rows, slice(0, 200)))
    shape, size = state.rows.shape, len(VECTOR.freeze(state))
    VECTOR.step(state, take(rows, slice(200, 600)))
    assert state.rows.shape == shape
    # the same numbers of numbers, packed: only how well they pack differs
    assert len(VECTOR.freeze(state)) < 1.1 * size
