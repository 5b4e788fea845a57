"""What panels of the dashboards say of rows of which the truth is known, asked of a store."""

import uuid
from collections.abc import Iterator

import msgspec
import pytest

from flows.clickhouse.client import ClickHouse, Settings, connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.settings.secret import Secret
from tests.services.backend import Store
from tests.services.test_walk import BOARDS, PANELS, filled, made_up, shown

PLANTED = {"venue": ["planted"], "symbol": ["first", "second"], "window": "60000"}
START_MS = 1_700_000_100_000


@pytest.fixture(scope="module")
def clickhouse(store: Store) -> Iterator[ClickHouse]:
    address, password = f"http://{store.host}:{store.port}", Secret(store.password)
    name = f"dashboards_{uuid.uuid4().hex[:8]}"
    root = connect(Settings(url=address, password=password))
    root.command(f"CREATE DATABASE {name}")
    opened = connect(Settings(url=address, password=password, database=name))
    apply_migrations(opened, FOLDER)
    yield opened
    opened.close()
    root.command(f"DROP DATABASE {name}")
    root.close()


def plant(clickhouse: ClickHouse, table: str, *rows: dict[str, object]) -> None:
    """Rows of the first instrument, a minute long, where nothing else is given; times in ms since the start."""
    named = {"venue": ["planted"], "symbol": ["first"], "asset": ["planted"], "account": ["planted"]}
    for given in rows:
        row = msgspec.json.decode(made_up(table, named, START_MS))
        row |= {"window_ms": 60_000} if "window_ms" in row else {}
        row |= {name: START_MS + v if name == "window_start" else v for name, v in given.items()}
        clickhouse.insert_block(table, msgspec.json.encode(row), uuid.uuid4().hex)


def answered(
    clickhouse: ClickHouse, title: str, first_ms: int = 0, last_ms: int = 10**10, **chosen: list[str] | str
) -> list[tuple]:
    """What the first question of a panel is answered, of a time in ms since the start."""
    sql = next(t["rawSql"] for of, t in PANELS if of == title)
    return clickhouse.rows(shown(filled(sql, chosen), START_MS + first_ms, START_MS + last_ms))


def test_a_curve_of_markouts_weighs_each_side_by_its_own_volume_and_mixes_no_coins(clickhouse):
    """99 of 100 sold in the first minute, 99 of 100 bought in the second, and another coin in plenty."""
    sold = {"buy_markout_1s_bps": 10.0, "sell_markout_1s_bps": 4.0, "measured_buy_volume_base": 1.0}
    sold |= {"window_start": 0, "measured_sell_volume_base": 99.0, "measured_volume_base": 100.0}
    bought = {"buy_markout_1s_bps": -1.0, "sell_markout_1s_bps": 0.5, "measured_buy_volume_base": 99.0}
    bought |= {"window_start": 60_000, "measured_sell_volume_base": 1.0, "measured_volume_base": 100.0}
    plant(clickhouse, "features_costs", sold, bought, {**sold, "symbol": "second", "measured_buy_volume_base": 1e9})
    found = answered(clickhouse, "microstructure.json: markouts of aggressors by horizon", **PLANTED)
    assert found[0] == ("1s", pytest.approx((10 - 99) / 100), pytest.approx((4 * 99 + 0.5) / 100))
    assert [label for label, *_ in found] == ["1s", "5s", "60s"]


def test_a_curve_of_impacts_counts_each_for_as_long_as_it_was_in_force(clickhouse):
    """Five seconds at 100 bps, each a row, and then 55 seconds at 1 bp, which are two rows."""
    rows = [
        {"window_ms": 1_000, "window_start": 1_000 * s, "buy_impact_10k_bps": 100.0 if s < 5 else 1.0}
        for s in (0, 1, 2, 3, 4, 5, 59)
    ]
    plant(clickhouse, "features_liquidity", *rows)
    panel = "book.json: impact of a market order by its size in USD"
    found = answered(clickhouse, panel, **PLANTED | {"window": "1000"})
    assert found[0] == ("10k", pytest.approx((5 * 100 + 55) / 60), 0.5)


def test_all_positions_are_shown_also_those_at_venues_of_which_no_market_is_read(clickhouse):
    plant(clickhouse, "features_tape", {"window_start": 0})
    plant(clickhouse, "risk_positions", {"venue": "elsewhere", "symbol": "only'held", "as_of": START_MS})
    chosen: dict[str, list[str] | str] = {"side": ["both", "long", "short"]}
    plant(clickhouse, "risk_accounts", {"as_of": START_MS})
    for variable in BOARDS["portfolio.json"]["templating"]["list"]:
        if variable["type"] == "query":
            chosen[variable["name"]] = [r[0] for r in clickhouse.rows(filled(variable["query"], chosen))]
    held = answered(clickhouse, "portfolio.json: positions", **chosen)
    assert [row[2:4] for row in held] == [("elsewhere", "only'held")]


def test_an_alert_is_shown_for_as_long_as_it_is_raised_and_not_when_it_began_alone(clickhouse):
    """A dashboard that shows a minute: raised an hour before and still so, cleared within it, over, yet to come."""
    for subject, raised_ms, cleared_ms in (
        ("since an hour", 0, None),
        ("cleared meanwhile", 10, 3_630_000),
        ("raised meanwhile", 3_600_001, 3_700_000),
        ("over before", 20, 3_500_000),
        ("to come", 3_700_000, None),
    ):
        cleared = None if cleared_ms is None else START_MS + cleared_ms
        told = {"alert_id": subject, "subject": subject, "raised_at": START_MS + raised_ms, "cleared_at": cleared}
        plant(clickhouse, "alerts", told)
    found = answered(clickhouse, "risk.json: alerts", 3_600_000, 3_660_000)
    assert [row[2] for row in found] == ["since an hour", "raised meanwhile", "cleared meanwhile"]


def test_a_curve_counts_a_window_also_where_it_was_like_the_one_before(clickhouse):
    """Three seconds in a row with the same trades, of which the first is a row, then one with as much at 10 bps."""
    traded = {"window_ms": 1_000, "measured_volume_base": 1.0}
    rows = [{**traded, "window_start": 0, "realised_spread_1s_bps": 2.0}]
    rows += [{**traded, "window_start": 3_000, "realised_spread_1s_bps": 10.0}]
    plant(clickhouse, "features_costs", *({**row, "symbol": "quiet"} for row in rows))
    panel = "microstructure.json: what makers kept, and how far the mid went, by horizon"
    found = answered(clickhouse, panel, **PLANTED | {"symbol": ["quiet"], "window": "1000"})
    assert found[0][:2] == ("1s", (3 * 2.0 + 10.0) / 4)


def test_the_lines_of_a_chart_are_told_apart_by_text_for_by_numbers_grafana_does_not(clickhouse):
    """Forecasts of one minute for two horizons: by a number alone, the line of one held now this and now that one."""
    of = {"as_of": START_MS, "position_side": "long"}
    plant(clickhouse, "forecasts_liquidation", *({**of, "horizon_min": m, "p_burst": m / 100} for m in (5, 60)))
    found = answered(clickhouse, "forecasts.json: probability of a burst", **PLANTED | {"side": ["long"]})
    lines = {tuple(v for v in row if isinstance(v, str)): row[-2] for row in found}
    assert lines == {("planted", "first", "5", "long"): 0.05, ("planted", "first", "60", "long"): 0.6}


def test_the_prices_of_the_heatmap_are_in_order_as_text_by_which_grafana_sorts_its_rows(clickhouse):
    """Around 100,000: as they were, 100,000.5 came before 99,999.5."""
    strip = {"event_time": START_MS, "price_low": 99_936.0, "step": 1.0, "depth": "$" * 128}
    plant(clickhouse, "depth_grid", strip)
    labels = sorted(row[1] for row in answered(clickhouse, "book.json: depth by price and time", **PLANTED))
    assert [float(label) for label in labels] == [99_936.5 + i for i in range(128)]
