"""Bybit, OKX and Deribit frames -> exact columns."""

import numpy as np
import pytest

from schemas.batches import PriceKind, Sequencing
from schemas.frames import frames
from schemas.instrument import Instrument, InstrumentTable
from schemas.venues.registry import VENUES
from tests.venues import samples
from tests.venues.cases import replayed, written

LINEAR, INVERSE, OKX, DERIBIT = (VENUES[n] for n in ("bybit-linear", "bybit-inverse", "okx-swap", "deribit"))
MS = 10**6


def log(values, symbols=None):
    return frames("raw", 0, values, [0] * len(values), 0, symbols)


def test_the_registry_holds_seven_venues_under_their_own_names():
    assert list(VENUES) == [
        *("binance-usdm", "binance-coinm", "binance-spot", "bybit-linear", "bybit-inverse", "okx-swap", "deribit")
    ]
    assert all(name == venue.name for name, venue in VENUES.items())
    assert [v.sequencing for v in VENUES.values()] == [
        Sequencing.BINANCE_FUTURES,
        Sequencing.BINANCE_FUTURES,
        Sequencing.BINANCE_SPOT,
        Sequencing.BYBIT,
        Sequencing.BYBIT,
        Sequencing.OKX,
        Sequencing.DERIBIT,
    ]


def test_a_bybit_book_counts_by_u_and_takes_the_engine_time_where_it_has_one():
    depth, rejects = LINEAR.depth(log(samples.BYBIT_DEPTH), InstrumentTable())
    assert rejects == []
    assert (depth.snapshot.tolist(), depth.frame.tolist()) == ([True, False], [0, 1])
    assert depth.event_ns.tolist() == [1709891678990 * MS, 1709891679500 * MS]
    assert (depth.first_id.tolist(), depth.last_id.tolist(), depth.previous_id.tolist()) == (
        [10, 11],
        [10, 11],
        [-1, -1],
    )
    assert depth.ticks.tolist() == [274500, 274495, 274510, 274500, 274510]
    assert depth.lots.tolist() == [50, 100, 75, 40, 0]


def test_bybit_trades_carry_the_side_of_the_taker():
    trades, forced, rejects = LINEAR.trades(log(samples.BYBIT_TRADES), InstrumentTable())
    assert (rejects, len(forced), trades.sign.tolist(), trades.frame.tolist()) == ([], 0, [1, -1], [0, 0])
    assert (trades.ticks.tolist(), trades.lots.tolist()) == ([274510, 274505], [1, 20])
    assert trades.event_ns.tolist() == [1709891679000 * MS, 1709891679001 * MS]


def test_bybit_block_trades_are_no_trades_of_the_book():
    value = samples.BYBIT_TRADES[0].replace(b'"BT":false', b'"BT":true', 1)
    assert LINEAR.trades(log([value]), InstrumentTable())[0].sign.tolist() == [-1]


def test_a_bybit_liquidation_names_the_side_of_the_position():
    """analytics 3.1, tardis: S Sell, v 2846, p .02456 => order side buy, a short, 69.90 USD."""
    forced, rejects = LINEAR.liquidations(log(samples.BYBIT_LIQUIDATIONS), InstrumentTable())
    assert (rejects, forced.order_side.tolist()) == ([], [1, -1])
    assert forced.throttled.tolist() == [False, True]
    assert forced.price_kind.tolist() == [PriceKind.BANKRUPTCY] * 2
    assert forced.lots[0] * forced.price[0] == pytest.approx(69.90, abs=0.005)
    assert forced.event_ns.tolist() == [1739502302929 * MS, 1673251091822 * MS]


def test_fields_absent_in_a_bybit_ticker_delta_are_undefined():
    found, rejects = LINEAR.derivatives(log(samples.BYBIT_TICKERS), InstrumentTable())
    assert rejects == []
    np.testing.assert_array_equal(found.mark, [17217.33, 17218.0])
    np.testing.assert_array_equal(found.index, [17227.36, np.nan])
    np.testing.assert_array_equal(found.funding_rate, [-0.000212, np.nan])
    np.testing.assert_array_equal(found.open_interest, [68744.761, np.nan])
    assert found.next_funding_ns.tolist() == [1673280000000 * MS, 0]


def test_an_inferred_bybit_inverse_instrument_counts_dollars():
    INVERSE.depth(log([samples.BYBIT_DEPTH[0].replace(b"BTCUSDT", b"BTCUSDZ24")]), table := InstrumentTable())
    row = table.rows[0]
    assert (row.base, row.quote, row.kind, row.contract, row.tick, row.inferred) == (
        *("BTC", "USD", "inverse", 1.0, "0.1", True),
    )


def test_bybit_instruments_info_becomes_instruments():
    info = (
        b'{"retCode":0,"result":{"list":[{"symbol":"BTCUSD","baseCoin":"BTC","quoteCoin":"USD",'
        b'"priceFilter":{"tickSize":"0.5"},"lotSizeFilter":{"qtyStep":"1"}}]}}'
    )
    assert INVERSE.instruments(info) == [
        Instrument("bybit-inverse", "BTCUSD", "BTC", "USD", "inverse", "0.5", "1", 1.0)
    ]


@pytest.mark.parametrize(("venue", "category"), [(INVERSE, "linear"), (LINEAR, "inverse"), (LINEAR, "option")])
def test_a_list_of_bybits_other_category_is_refused_rather_than_counted_in_its_unit(venue, category):
    """instruments-info, `category`: 5,000 dollars of BTCUSD were 5,000 BTC."""
    row = '{"symbol":"BTCUSD","baseCoin":"BTC","quoteCoin":"USD","priceFilter":{"tickSize":"0.5"},"lotSizeFilter":{"qtyStep":"1"}}'
    info = f'{{"retCode":0,"result":{{"category":"{category}","list":[{row}]}}}}'
    with pytest.raises(ValueError, match=f"a list of the category {category}"):
        venue.instruments(info.encode())


def test_an_okx_book_passes_its_ids_through_and_marks_absent_ones():
    depth, rejects = OKX.depth(log(samples.OKX_DEPTH), table := InstrumentTable())
    assert rejects == []
    assert depth.snapshot.tolist() == [True, False]
    assert (depth.last_id.tolist(), depth.previous_id.tolist()) == ([10, -1], [-1, -1])
    assert depth.event_ns.tolist() == [1597026383085 * MS, 1652459225464 * MS]
    assert (depth.ticks.tolist(), depth.lots.tolist(), depth.bids.tolist()) == (
        [847697, 847698, 302494],
        [256, 415, 0],
        [1, 0],
    )
    assert [(r.kind, r.contract) for r in table.rows] == [("linear", None), ("inverse", None)]


def test_an_okx_rest_book_is_a_snapshot_of_the_symbol_of_its_record():
    value = b'{"code":"0","msg":"","data":[{"asks":[["2.5","1","0","1"]],"bids":[],"ts":"1597026383085","seqId":7}]}'
    assert value.startswith(OKX.nameless) and OKX.kind_of(value) == "depth"
    depth, rejects = OKX.depth(log([value, value], {0: "BTC-USDT-SWAP"}), InstrumentTable())
    assert (depth.snapshot.tolist(), depth.last_id.tolist(), [r.reason for r in rejects]) == (
        [True],
        [7],
        ["symbol_missing"],
    )


def test_okx_trades_count_contracts():
    trades, _, rejects = OKX.trades(log(samples.OKX_TRADES), InstrumentTable())
    assert (rejects, trades.ticks.tolist(), trades.lots.tolist(), trades.sign.tolist()) == ([], [422199], [12], [1])


def test_an_okx_liquidation_message_holds_several_orders_with_the_side_of_the_order():
    """analytics 3.1: side buy, posSide short, sz 39, bkPx .55205, XRP-USD-230929: contracts x ctVal in USD."""
    forced, rejects = OKX.liquidations(log(samples.OKX_LIQUIDATIONS), InstrumentTable())
    assert (rejects, forced.order_side.tolist(), forced.lots.tolist()) == ([], [1, -1], [39, 7])
    assert (forced.price.tolist(), forced.throttled.tolist()) == ([0.55205, 0.551], [True, True])
    assert forced.price_kind.tolist() == [PriceKind.BANKRUPTCY] * 2


def test_okx_liquidations_that_tardis_asked_for_are_of_the_instrument_that_their_channel_names():
    """tardis-node src/mappers/okex.ts: channel `liquidations`, symbol `arg.instId`, price `bkPx`, amount `sz`."""
    detail = b'{"bkPx":"0.55205","posSide":"short","side":"buy","sz":"39","ts":"1690000000000"}'
    frame = b'{"arg":{"channel":"liquidations","instId":"XRP-USDT-SWAP"},"generated":true,"data":[%b]}' % detail
    assert (OKX.kind_of(frame), OKX.symbol_of(frame)) == ("liquidations", "XRP-USDT-SWAP")
    forced, rejects = OKX.liquidations(log([frame]), table := InstrumentTable())
    assert (rejects, [r.symbol for r in table.rows]) == ([], ["XRP-USDT-SWAP"])
    assert (forced.order_side.tolist(), forced.price.tolist(), forced.lots.tolist()) == ([1], [0.55205], [39])


def test_an_okx_funding_rate_that_has_no_time_yet_holds_from_where_its_log_is(tmp_path):
    """`ts` of funding-rate came in November 2023; recordings from before have none."""
    mark = '{"arg":{"channel":"mark-price"},"data":[{"instId":"A-USDT-SWAP","markPx":"9","ts":"%d"}]}'
    rate = '{"arg":{"channel":"funding-rate","instId":"A-USDT-SWAP"},"data":[{"fundingRate":"%s","fundingTime":"%d",'
    rate += '"instId":"A-USDT-SWAP","instType":"SWAP","nextFundingRate":"","nextFundingTime":"1690012800000"}]}'
    ms = 1_690_000_000_000
    lines = [(at, mark % at) for at in (ms, ms + 1_000, ms + 2_000, ms + 3_000)]
    lines[1:1] = [(ms + 100, rate % ("0.0001", ms + 9_000))]
    lines[3:3] = [(ms + 1_100, rate % ("0.0003", ms + 9_000))]
    told = replayed([("okx-swap", written(tmp_path / "a.log", [(at * MS, f.encode()) for at, f in lines]))])
    assert told.rejects == []
    rows = told.rows("features_tape", window_ms=1_000)
    assert [r["funding_rate"] for r in rows] == [0.0001, 0.0003]
    assert {r["next_funding_time"] for r in rows} == {(ms + 9_000) * MS}


def test_okx_quotes_fill_one_column_each_and_an_index_belongs_to_the_swap():
    found, rejects = OKX.derivatives(log(samples.OKX_QUOTES), table := InstrumentTable())
    assert (rejects, [r.symbol for r in table.rows]) == ([], ["BTC-USDT-SWAP"])
    np.testing.assert_array_equal(found.mark, [42310.6, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found.index, [np.nan, 42300.1, np.nan, np.nan])
    np.testing.assert_array_equal(found.funding_rate, [np.nan, np.nan, 0.0001, np.nan])
    np.testing.assert_array_equal(found.open_interest, [np.nan, np.nan, np.nan, 5000.0])
    assert found.next_funding_ns.tolist() == [0, 0, 1744590349506 * MS, 0]
    assert OKX.symbol_of(samples.OKX_QUOTES[1]) == "BTC-USDT-SWAP"


def test_okx_instruments_multiply_value_and_multiplier_and_leave_out_what_is_not_listed_yet():
    info = (
        b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instType":"SWAP","tickSz":"0.1","lotSz":"1","ctVal":"0.01",'
        b'"ctMult":"1"},{"instId":"NEW-USDT-SWAP","instType":"SWAP","tickSz":"","lotSz":""}]}'
    )
    assert OKX.instruments(info) == [Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01)]


@pytest.mark.parametrize("kind", ["SPOT", "MARGIN"])
def test_what_okx_counts_in_coins_has_no_contract_size_and_needs_none(kind):
    row = b'{"instId":"BTC-USDT","instType":"%b","tickSz":"0.1","lotSz":"0.00000001","ctVal":"","ctMult":""}'
    found = OKX.instruments(b'{"code":"0","data":[%b]}' % (row % kind.encode()))
    assert [(r.kind, r.contract) for r in found] == [("spot", 1.0)]


def test_deribit_floats_are_read_from_their_digits_and_delete_means_no_lots():
    depth, rejects = DERIBIT.depth(log(samples.DERIBIT_DEPTH), table := InstrumentTable())
    assert rejects == []
    assert (table.rows[0].tick, table.rows[0].lot, table.rows[0].kind, table.rows[0].contract) == (
        "0.1",
        "1",
        "inverse",
        1,
    )
    assert depth.ticks.tolist() == [425000, 424995, 425010, 425000, 425010]
    assert depth.lots.tolist() == [1000, 500, 800, 950, 0]
    assert (depth.last_id.tolist(), depth.previous_id.tolist(), depth.snapshot.tolist()) == (
        [10, 12],
        [-1, 10],
        [True, False],
    )


def test_deribit_books_of_a_group_or_of_few_levels_are_left_out():
    value = (
        b'{"method":"subscription","params":{"channel":"book.BTC-PERPETUAL.none.10.100ms","data":{"timestamp":1,'
        b'"instrument_name":"BTC-PERPETUAL","change_id":5,"bids":[[161.5,20.0]],"asks":[]}}}'
    )
    depth, rejects = DERIBIT.depth(log([value]), InstrumentTable())
    assert (rejects, len(depth), DERIBIT.kind_of(value)) == ([], 0, None)


@pytest.mark.parametrize(
    ("liquidation", "direction", "order_side"),
    [("T", "buy", [1]), ("M", "buy", [-1]), ("MT", "sell", [-1, 1]), ("T", "sell", [-1])],
)
def test_a_deribit_trade_of_a_liquidation_is_both(liquidation, direction, order_side):
    """T => side = direction, M => opposite, MT => both; buy + "M" => order side sell, long. Deribit, trades channel."""
    value = samples.DERIBIT_TRADES[0].replace(b'"M"', f'"{liquidation}"'.encode())
    value = value.replace(b'"direction":"buy"', f'"direction":"{direction}"'.encode())
    trades, forced, rejects = DERIBIT.trades(log([value]), InstrumentTable())
    assert (rejects, len(trades), forced.order_side.tolist()) == ([], 2, order_side)
    assert (set(forced.price.tolist()), set(forced.lots.tolist())) == ({92288.5}, {750})
    assert (set(forced.price_kind.tolist()), set(forced.throttled.tolist())) == ({PriceKind.TRADE}, {False})


@pytest.mark.parametrize(
    "off_book",
    ['"block_trade_id":"61"', '"block_rfq_id":50510', '"combo_id":"BTC-FS-27NOV26_PERP","combo_trade_id":"9"'],
)
def test_deribit_blocks_and_legs_of_combinations_are_no_trades_of_the_book_but_a_liquidation_is_one(off_book):
    """Deribit Insights, "introducing combos": a combination has its own order book, its trades are told of its legs too."""
    value = samples.DERIBIT_TRADES[0].replace(b'"instrument_name"', off_book.encode() + b',"instrument_name"')
    trades, forced, rejects = DERIBIT.trades(log([value]), InstrumentTable())
    assert (rejects, len(trades), forced.order_side.tolist()) == ([], 0, [-1])
    own = samples.DERIBIT_TRADES[0].replace(b"BTC-PERPETUAL", b"BTC-FS-27NOV26_PERP")
    assert len(DERIBIT.trades(log([own]), InstrumentTable())[0]) == 2


def test_a_deribit_ticker_has_no_next_funding():
    found, rejects = DERIBIT.derivatives(log(samples.DERIBIT_TICKERS), InstrumentTable())
    assert rejects == []
    assert (found.mark.tolist(), found.index.tolist()) == ([92281.78], [92263.55])
    assert (found.funding_rate.tolist(), found.open_interest.tolist()) == ([0.00001], [1132329370.0])
    assert found.next_funding_ns.tolist() == [0]


@pytest.mark.parametrize(
    ("symbol", "kind", "quote"),
    [
        ("BTC-PERPETUAL", "inverse", "USD"),
        ("SOL_USDC-PERPETUAL", "linear", "USDC"),
        ("ETH-30JUL21-2800-C", "linear", "ETH"),
        ("BTC_USDC", "spot", "USDC"),
    ],
)
def test_deribit_symbols_tell_how_amounts_count(symbol, kind, quote):
    value = samples.DERIBIT_DEPTH[0].replace(
        b'"instrument_name":"BTC-PERPETUAL"', f'"instrument_name":"{symbol}"'.encode()
    )
    DERIBIT.depth(log([value]), table := InstrumentTable())
    assert (table.rows[0].kind, table.rows[0].quote, table.rows[0].contract) == (kind, quote, 1.0)


def test_deribit_instruments_step_by_their_least_amount():
    info = (
        b'{"result":[{"instrument_name":"BTC-PERPETUAL","tick_size":0.5,"min_trade_amount":10,"contract_size":10.0},'
        b'{"instrument_name":"BTC-24SEP21-40000-P","tick_size":0.0005,"min_trade_amount":0.1,"contract_size":1.0}]}'
    )
    assert [(i.symbol, i.tick, i.lot, i.kind, i.inferred) for i in DERIBIT.instruments(info)] == [
        ("BTC-PERPETUAL", "0.5", "10.0", "inverse", False),
        ("BTC-24SEP21-40000-P", "0.0005", "0.1", "linear", False),
    ]


@pytest.mark.parametrize(("venue", "kind"), list(samples.SAMPLES))
def test_frames_of_another_kind_are_passed_over(venue, kind):
    """A frame of one kind in the topic of another is known, and no reject."""
    for other in {"depth", "trades", "liquidations", "derivatives"} - {kind}:
        if (venue, kind, other) in {("deribit", "trades", "liquidations"), ("deribit", "liquidations", "trades")}:
            continue
        names = dict.fromkeys(range(9), "BTCUSDT")
        *rows, rejects = getattr(VENUES[venue], other)(log(samples.SAMPLES[venue, kind], names), InstrumentTable())
        assert rejects == [] and all(len(r) == 0 for r in rows)


@pytest.mark.parametrize("price", ["-12.5", "0.0", "0", "-0.0001", "-1e-05"])
@pytest.mark.parametrize("symbol", ["BTC-FS-27NOV26_PERP", "ETH-CS-25DEC26-3000_3200"])
def test_a_combination_at_zero_or_below_is_refused_by_naming_that_and_harms_no_other(symbol, price):
    """Deribit: a future spread is the price of one leg less that of the other, and trades on both sides of 0."""
    told = (
        '{"method":"subscription","params":{"channel":"trades.%s.100ms","data":[%s]}}',
        '{"trade_id":"%d","timestamp":1790000000000,"price":%s,"instrument_name":"%s","direction":"buy","amount":10.0}',
    )
    rows = told[1] % (1, price, symbol), told[1] % (2, "60000.5", "BTC-PERPETUAL"), told[1] % (3, "1.5", symbol)
    trades, _, rejects = DERIBIT.trades(
        log([(told[0] % (symbol, ",".join(rows))).encode()]), table := InstrumentTable()
    )
    assert [r.reason for r in rejects] == ["price_not_positive of a combination in element 1"]
    assert [table.rows[i].symbol for i in trades.instrument.tolist()] == ["BTC-PERPETUAL", symbol]
    book = (
        '{"method":"subscription","params":{"channel":"book.%s.raw","data":{"timestamp":1790000000000,"type":"snapshot",'
        '"change_id":1,"instrument_name":"%s","bids":[["new",%s,10.0]],"asks":[["new",3.5,10.0]]}}}'
    )
    for bid, reasons in ((price, ["price_not_positive of a combination"]), ("1.5", [])):
        depth, rejects = DERIBIT.depth(log([(book % (symbol, symbol, bid)).encode()]), InstrumentTable())
        assert ([r.reason for r in rejects], len(depth)) == (reasons, 0 if reasons else 1)
