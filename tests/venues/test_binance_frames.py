"""Binance frames -> exact columns."""

import numpy as np
import pytest

from schemas.batches import PriceKind, PrintFeed
from schemas.frames import frames
from schemas.instrument import Instrument, InstrumentTable
from schemas.venues import binance_coinm, binance_spot, binance_usdm
from tests.venues import samples

BTCUSDT = Instrument("binance-usdm", "BTCUSDT", "BTC", "USDT", "linear", "0.10", "0.001")
USDM, COINM, SPOT = binance_usdm.VENUE, binance_coinm.VENUE, binance_spot.VENUE


def log(values, symbols=None):
    return frames("raw", 3, values, [0] * len(values), 100, symbols)


def test_the_wire_sample_of_barter_rs_becomes_one_message_with_its_three_ids():
    depth, rejects = USDM.depth(log(samples.USDM_DEPTH[1:2]), table := InstrumentTable())
    assert rejects == []
    assert (table.rows[0].tick, table.rows[0].lot, table.rows[0].inferred) == ("0.0001", "1", True)
    assert depth.event_ns.tolist() == [1571889248276 * 10**6]
    assert (depth.first_id.tolist(), depth.last_id.tolist(), depth.previous_id.tolist()) == ([157 + 4], [165], [160])
    assert (depth.starts.tolist(), depth.bids.tolist()) == ([0, 2], [1])
    assert (depth.ticks.tolist(), depth.lots.tolist()) == ([24, 26], [10, 100])


def test_a_wrapped_usdm_diff_counts_in_the_steps_of_the_settings():
    depth, rejects = USDM.depth(log(samples.USDM_DEPTH[:1]), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert rejects == []
    assert depth.ticks.tolist() == [614965, 615109, 618003]
    assert depth.lots.tolist() == [10, 0, 2510]
    assert depth.snapshot.tolist() == [False]


def test_a_snapshot_takes_its_symbol_from_the_record_and_is_rejected_without():
    values = samples.USDM_DEPTH[4:5] * 2
    depth, rejects = USDM.depth(log(values, {1: "BTCUSDT"}), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert [(r.offset, r.reason, r.data) for r in rejects] == [(100, "symbol_missing", values[0])]
    assert depth.frame.tolist() == [1]
    assert (depth.snapshot.tolist(), depth.last_id.tolist()) == ([True], [160])
    assert depth.event_ns.tolist() == [1723161256493 * 10**6]


def test_a_spot_snapshot_has_no_event_time_and_a_spot_diff_that_of_its_sending():
    depth, rejects = SPOT.depth(log(samples.SPOT_DEPTH, {1: "BTCUSDT"}), InstrumentTable())
    assert rejects == []
    assert depth.event_ns.tolist() == [1723161255208 * 10**6, 0]
    assert depth.previous_id.tolist() == [-1, -1]
    assert (depth.first_id.tolist(), depth.last_id.tolist()) == (
        [50093239189, 50093239218],
        [50093239202, 50093239218],
    )


def test_a_coinm_snapshot_names_itself_and_its_contract_is_a_hundred_dollars():
    depth, rejects = COINM.depth(log(samples.COINM_DEPTH), table := InstrumentTable())
    assert (len(depth), rejects, table.rows[0].contract, table.rows[0].kind) == (2, [], 100.0, "inverse")
    assert depth.ticks.tolist() == [617736, 617903, 618014, 618047, 618048]
    assert COINM.depth(log([samples.COINM_DEPTH[0].replace(b"BTCUSD", b"ETHUSD")]), table)[1] == []
    assert table.rows[1].contract == 10.0


def test_partial_books_and_acknowledgements_are_passed_over():
    depth, rejects = USDM.depth(log([samples.USDM_DEPTH[3], samples.USDM_DEPTH[5]]), InstrumentTable())
    assert (len(depth), rejects) == (0, [])


def test_an_error_reply_is_not_passed_over():
    _, rejects = USDM.depth(log([b'{"error":{"code":2,"msg":"x"},"id":1}']), InstrumentTable())
    assert [r.reason for r in rejects] == ["venue_error"]


def test_a_buyer_who_is_maker_means_an_aggressive_sell():
    values = [samples.USDM_TRADES[0], samples.USDM_TRADES[0].replace(b"false", b"true")]
    trades, forced, rejects = USDM.trades(log(values), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert (trades.sign.tolist(), len(forced), rejects) == ([1, -1], 0, [])
    assert (trades.ticks.tolist(), trades.lots.tolist()) == ([618003, 618003], [6, 6])
    assert trades.event_ns.tolist() == [1723161256321 * 10**6] * 2


def test_a_trade_of_a_kind_that_nobody_knows_is_a_reject_and_does_not_vanish():
    values = [samples.USDM_TRADES[0].replace(b'"MARKET"', b'"%b"' % word) for word in (b"NA", b"ADL", b"NEW_KIND")]
    trades, _, rejects = USDM.trades(log(values), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert (len(trades), [(r.offset, r.reason) for r in rejects]) == (0, [(102, "wrong_type X")])


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
@pytest.mark.parametrize("scanned", [True, False])
def test_what_met_an_order_of_retail_price_improvement_is_a_trade_as_it_is_in_agg_trade(venue, scanned):
    """USD-M `@trade` since 2026: `X` RPI. "Retail Price Improvement(RPI) orders are aggregated and without special tags"."""
    symbol = b"BTCUSD_PERP" if venue is COINM else b"BTCUSDT"
    head = b'{"stream":"x@trade","data":{"e":"trade","E":1790371723022,"T":1790371723021,"s":"' + symbol
    body = b'","t":2804511605,"p":"0.0044478","q":"10403","X":"RPI","m":false'
    value = head + body + (b"}}" if scanned else b',"new":[1]}}')
    trades, forced, rejects = venue.trades(log([value]), InstrumentTable())
    assert (trades.sign.tolist(), trades.ticks.tolist(), trades.lots.tolist()) == ([1], [44478], [10403])
    assert (trades.first_id.tolist(), len(forced), rejects) == ([2804511605], 0, [])


def test_what_the_insurance_fund_takes_over_is_no_trade_although_its_price_is_off_the_tick():
    known = {"OPUSDT": Instrument("binance-usdm", "OPUSDT", "OP", "USDT", "linear", "0.0001", "0.1")}
    trades, _, rejects = USDM.trades(log(samples.USDM_TRADES[2:3]), InstrumentTable(known))
    assert (len(trades), rejects) == (0, [])


def test_both_feeds_of_the_same_trades_tell_the_fills_that_each_trade_is_of():
    trades, _, rejects = USDM.trades(log(samples.USDM_TRADES[:2]), InstrumentTable())
    assert (rejects, trades.feed.tolist()) == ([], [PrintFeed.SINGLE, PrintFeed.AGGREGATE])
    assert trades.id.tolist() == [5266583935, 16599292]
    assert list(zip(trades.first_id.tolist(), trades.last_id.tolist(), strict=True)) == [(5266583935,) * 2, (1, 2)]


def test_a_force_order_of_the_binance_document_liquidates_a_long_at_its_average():
    """analytics 3.1: S SELL, q .014, ap 9910, z .014, T 1568014460893 => long, 138.74 USD."""
    forced, rejects = USDM.liquidations(log(samples.FORCE_ORDERS[:1]), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert (rejects, forced.order_side.tolist(), forced.throttled.tolist()) == ([], [-1], [True])
    assert (forced.price.tolist(), forced.price_kind.tolist()) == ([9910.0], [PriceKind.FILL_AVERAGE])
    assert forced.event_ns.tolist() == [1568014460893 * 10**6]
    assert forced.lots[0] * 0.001 * forced.price[0] == pytest.approx(138.74)


def test_the_force_order_of_tardis_liquidates_a_short_for_the_filled_quantity_at_the_average():
    """analytics 3.1, tardis mappers.test.ts: S BUY, p 4793.91, ap 4706.04, l .015, z .014 => short, 65.88 USD."""
    forced, rejects = USDM.liquidations(log(samples.FORCE_ORDERS[1:]), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert (rejects, forced.order_side.tolist(), forced.lots.tolist()) == ([], [1], [14])
    assert forced.lots[0] * 0.001 * forced.price[0] == pytest.approx(65.88, abs=0.005)


def test_a_force_order_without_an_average_counts_what_it_filled_at_the_limit():
    value = samples.FORCE_ORDERS[1].replace(b'"ap":"4706.04","X":"FILLED"', b'"ap":"0","X":"PARTIALLY_FILLED"')
    forced, _ = USDM.liquidations(log([value]), InstrumentTable({"BTCUSDT": BTCUSDT}))
    assert (forced.lots.tolist(), forced.price.tolist(), forced.price_kind.tolist()) == (
        [14],
        [4793.91],
        [PriceKind.LIMIT],
    )


def test_marks_and_open_interest_leave_what_they_do_not_carry_undefined():
    found, rejects = USDM.derivatives(log(samples.MARKS), InstrumentTable())
    assert rejects == []
    np.testing.assert_array_equal(found.mark, [11794.15, np.nan])
    np.testing.assert_array_equal(found.index, [11784.62659091, np.nan])
    np.testing.assert_array_equal(found.funding_rate, [0.00038167, np.nan])
    np.testing.assert_array_equal(found.open_interest, [np.nan, 10659.509])
    assert found.next_funding_ns.tolist() == [1562306400000 * 10**6, 0]
    assert found.event_ns.tolist() == [1562305380000 * 10**6, 1589437530011 * 10**6]


def test_all_marks_in_one_array_are_one_row_each():
    value = b'{"stream":"!markPrice@arr","data":[%b,%b]}' % (
        samples.MARKS[0],
        samples.MARKS[0].replace(b"BTCUSDT", b"ETHUSDT"),
    )
    found, rejects = USDM.derivatives(log([value]), table := InstrumentTable())
    assert (found.frame.tolist(), found.instrument.tolist(), rejects) == ([0, 0], [0, 1], [])
    assert [row.symbol for row in table.rows] == ["BTCUSDT", "ETHUSDT"]


def test_recorded_frames_are_sorted_by_kind_and_name_their_symbol():
    every = [*samples.USDM_DEPTH, *samples.USDM_TRADES[:2], *samples.FORCE_ORDERS, *samples.MARKS]
    assert [USDM.kind_of(f) for f in every] == [
        *("depth", "depth", "depth", None, "depth", None),
        *("trades", "trades", "liquidations", "liquidations", "derivatives", "derivatives"),
    ]
    names = [USDM.symbol_of(f) for f in every]
    assert names[:6] == ["BTCUSDT", "BTCUSDT", "ETHUSDT", "BTCUSDT", None, None]
    assert names[6:] == ["BTCUSDT"] * 6
    assert samples.USDM_DEPTH[4].startswith(USDM.nameless)
    assert (USDM.kind_of(b"{"), USDM.symbol_of(b"\xff")) == (None, None)


def test_exchange_info_becomes_instruments_and_says_what_is_missing():
    row = b'{"symbol":"BTCUSD_PERP","baseAsset":"BTC","quoteAsset":"USD","contractSize":100,"filters":[%b]}'
    tick, lot = b'{"filterType":"PRICE_FILTER","tickSize":"0.1"}', b'{"filterType":"LOT_SIZE","stepSize":"1"}'
    info = b'{"symbols":[%b]}' % (row % (tick + b"," + lot))
    assert COINM.instruments(info) == [
        Instrument("binance-coinm", "BTCUSD_PERP", "BTC", "USD", "inverse", "0.1", "1", 100.0)
    ]
    with pytest.raises(ValueError, match="BTCUSD_PERP: filter LOT_SIZE is missing"):
        COINM.instruments(b'{"symbols":[%b]}' % (row % tick))


@pytest.mark.parametrize(("venue", "symbol"), [(USDM, "BTCUSD_PERP"), (COINM, "BTCUSDT")])
def test_instruments_of_the_other_host_are_refused_rather_than_counted_in_its_unit(venue, symbol):
    """Five contracts of 100 USD were five BTC."""
    filters = b'{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1"}'
    row = b'{"symbol":"%b","baseAsset":"BTC","quoteAsset":"USD","filters":[%b]}' % (symbol.encode(), filters)
    with pytest.raises(ValueError, match=f"{symbol} is no instrument of {venue.name}"):
        venue.instruments(b'{"symbols":[%b]}' % row)


@pytest.mark.parametrize(("tick", "lot"), [("0.00000000", "0.001"), ("0.01", "0.00000000"), ("0", "0")])
def test_a_step_of_0_says_that_there_is_no_rule(tick, lot):
    """Binance, filters: `tickSize` "is disabled on tickSize == 0"; the first frame of such a symbol ended the market flow."""
    filters = b'{"filterType":"PRICE_FILTER","tickSize":"%b"},{"filterType":"LOT_SIZE","stepSize":"%b"}'
    steps = filters % (tick.encode(), lot.encode())
    info = b'{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT","filters":[%b]}]}' % steps
    assert USDM.instruments(info) == []
