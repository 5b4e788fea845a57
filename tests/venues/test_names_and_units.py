"""What a name and a number mean: bases, quotes, contract sizes and units of time where they can be taken for others."""

import math

import msgspec
import pytest

from schemas.instrument import DOLLARS
from schemas.venues import okx_swap
from schemas.venues.registry import VENUES
from schemas.venues.symbols import COINS, QUOTES, coins
from tests.venues.cases import parsed, replayed
from tests.venues.test_kinds import (
    BYBIT,
    COINM,
    DERIBIT,
    OKX,
    SPOT,
    SYMBOLS,
    USDM,
    T,
    capture,
    depth,
    forced,
    trade,
)

INVERSE = "bybit-inverse"


def bybit_trade(symbol, size="1", price="60000", n=0, **more):
    row = {"T": T + n, "s": symbol, "S": "Buy", "v": size, "p": price, "i": f"t{n}", "BT": False, **more}
    return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": T, "data": [row]}


@pytest.mark.parametrize(
    ("symbol", "base"),
    [("BNBUSD_PERP", "BNB"), ("DOTUSD_PERP", "DOT"), ("BNBUSD_261225", "BNB"), ("BTCUSD_PERP", "BTC")],
)
def test_a_coin_m_contract_is_of_its_coin_also_where_its_name_ends_like_another_quote(symbol, base):
    """BNBUSD ends in BUSD, DOTUSD in TUSD: they would go to another shard than BNBUSDT, under another name."""
    assert VENUES[COINM].base(symbol) == base
    _, _, table = parsed(COINM, "liquidations", [forced(symbol)])
    assert (table.rows[0].base, table.rows[0].quote, table.rows[0].kind) == (base, "USD", "inverse")


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [("DOTUSD", "DOT", "USD"), ("BNBUSD", "BNB", "USD"), ("PAXGUSD", "PAXG", "USD"), ("USDTUSD", "USDT", "USD"),
     ("ADAEUR", "ADA", "EUR"), ("BNBIDR", "BNB", "IDR"), ("DOTTUSD", "DOT", "TUSD"), ("BNBBUSD", "BNB", "BUSD"),
     ("USDTTUSD", "USDT", "TUSD"), ("TUSDBUSD", "TUSD", "BUSD"), ("BTCAEUR", "BTC", "AEUR"), ("EURAEUR", "EUR", "AEUR")],
)  # fmt: skip
@pytest.mark.parametrize("venue", [SPOT, USDM, BYBIT])
def test_a_coin_whose_name_ends_as_a_longer_quote_begins_is_not_cut_short(venue, symbol, base, quote):
    """DOTUSD was DO in TUSD: on another shard than DOTUSDT, and no book of it met the other dollar books of DOT."""
    assert (VENUES[venue].base(symbol), coins(symbol)) == (base, (base, quote))
    assert all(name.endswith(tuple("ABGT")) for name in COINS), "others cannot be read in two ways"


def test_every_quote_that_counts_as_dollars_is_recognised_at_the_end_of_a_name():
    assert set(QUOTES) >= DOLLARS
    assert coins("XRPRLUSD") == ("XRP", "RLUSD")


@pytest.mark.parametrize(
    ("venue", "symbol", "base", "quote", "dollars"),
    [(USDM, "BTCU", "BTC", "U", True), (SPOT, "ETHU", "ETH", "U", True), (SPOT, "AVAXUSD", "AVAX", "USD", True),
     (SPOT, "USDTCZK", "USDT", "CZK", False), (SPOT, "USDTIDR", "USDT", "IDR", False),
     (SPOT, "BTCIDRT", "BTC", "IDRT", False), (SPOT, "BTCBIDR", "BTC", "BIDR", False),
     (SPOT, "USDTKGST", "USDT", "KGST", False), (OKX, "KITE-USDG", "KITE", "USDG", True)],
)  # fmt: skip
def test_a_market_of_a_newer_quote_is_of_its_own_coin(venue, symbol, base, quote, dollars, monkeypatch):
    """Binance's BTCU (quoteAsset and marginAsset U) was a coin of that name: another shard and key than BTCUSDT's."""
    monkeypatch.setitem(SYMBOLS, venue, symbol)
    *_, table = parsed(venue, "trades", [trade(venue, 1)])
    row = table.rows[0]
    assert (VENUES[venue].base(symbol), row.base, row.quote, row.in_dollars) == (base, base, quote, dollars)


@pytest.mark.parametrize(
    ("venue", "symbol", "base_known"),
    [(BYBIT, "BTCUSDT", True), (BYBIT, "BTCUSD", False), (BYBIT, "ETHUSDZ26", False), (BYBIT, "BTCPERP", True),
     (INVERSE, "BTCUSD", True), (INVERSE, "ETHUSDZ26", True), (INVERSE, "BTCUSDT", False)],
)  # fmt: skip
def test_a_contract_of_bybits_other_kind_has_no_sizes_rather_than_wrong_ones(venue, symbol, base_known, tmp_path):
    """10,000 of BTCUSD are dollars; as linear they were 10,000 BTC."""
    frames = [bybit_trade(symbol, n=n) for n in range(3)]
    got = replayed([(venue, capture(tmp_path / "kind.log", frames))])
    rows = [r for r in got.rows("features_tape") if r["trades"]]
    assert rows
    assert all(math.isfinite(r[c]) == base_known for r in rows for c in ("volume_base", "volume_usd"))


def test_okx_contracts_margined_in_dollars_are_linear_and_counted_in_dollars():
    """OKX, public/instruments: `ctType` says linear or inverse; `USD_UM` is the family quoted in USD, settled in USDC."""
    rows = [
        {"instId": i, "instType": "SWAP", "tickSz": "0.1", "lotSz": "1", "ctVal": v, "ctMult": "1", "settleCcy": s}
        | {"ctType": c}
        for i, v, s, c in (
            ("BTC-USD_UM-SWAP", "0.001", "USDC", "linear"),
            ("BTC-USD-SWAP", "100", "BTC", "inverse"),
            ("XYZ-USD-SWAP", "1", "USD", "linear"),
            ("ETH-USD_UM_XPERP-310404", "0.01", "USDC", "linear"),
        )
    ]
    found = okx_swap.instruments(msgspec.json.encode({"code": "0", "data": rows}))
    assert [(r.base, r.quote, r.kind, r.contract, r.in_dollars) for r in found] == [
        ("BTC", "USD", "linear", 0.001, True),
        ("BTC", "USD", "inverse", 100.0, True),
        ("XYZ", "USD", "linear", 1.0, True),
        ("ETH", "USD", "linear", 0.01, True),
    ]


@pytest.mark.parametrize(
    ("symbol", "base", "dollars"),
    [
        ("BTC_USDC-FS-27NOV26_PERP", True, False),
        ("BTC_USDC-PERPETUAL", True, True),
        ("BTC_USDC-27NOV26-90000-C", True, True),
        ("XRP_USDC-30JUN27-0d625-C", True, True),
        ("BTC-FS-27NOV26_PERP", False, False),
    ],
)
def test_a_spread_of_deribits_linear_futures_has_a_size_and_no_value(symbol, base, dollars, tmp_path, monkeypatch):
    """Its price is the difference of two futures: 0.5 BTC at 35.5 are not 17.75 dollars."""
    monkeypatch.setitem(SYMBOLS, DERIBIT, symbol)
    frames = [trade(DERIBIT, n, 100 * n, size="0.5", price="35.5") for n in range(3)]
    got = replayed([(DERIBIT, capture(tmp_path / "spread.log", frames))])
    rows = [r for r in got.rows("features_tape") if r["trades"]]
    assert rows and got.reasons == []
    assert all(math.isfinite(r["volume_base"]) == base and math.isfinite(r["volume_usd"]) == dollars for r in rows)


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
@pytest.mark.parametrize("kind", ["trades", "depth"])
def test_event_times_in_seconds_or_nanoseconds_are_refused_by_naming_the_unit(venue, kind):
    """In milliseconds 1790000000 is a day in January 1970, in which rows would be published."""
    text = msgspec.json.encode(trade(venue, 5) if kind == "trades" else depth(venue, 11, 11, 10))
    for at, unit in ((T // 1000, "seconds?"), (T * 10**6, "nanoseconds?")):
        *_, rejects, _ = parsed(venue, kind, [text.replace(str(T).encode(), str(at).encode())] * 2)
        assert len(rejects) == 2
        assert all(r.startswith("out_of_range ") and r.endswith(f", {unit}") for r in rejects), rejects


@pytest.mark.parametrize(
    ("venue", "symbol", "other"), [(USDM, "BTCUSDT", "BTCUSD_PERP"), (COINM, "BTCUSD_PERP", "BTCUSDT")]
)
def test_an_answer_of_open_interest_is_of_its_own_venue(venue, symbol, other):
    frames = [{"symbol": s, "openInterest": "5", "time": T} for s in (symbol, other)]
    found, rejects, table = parsed(venue, "derivatives", frames)
    assert (found.open_interest.tolist(), rejects, [r.symbol for r in table.rows]) == ([5.0], [], [symbol])


@pytest.mark.parametrize("symbol", ["BTCUSDT-5DEC26", "BTC-5DEC26", "BTCUSDT-25DEC26"])
def test_a_bybit_future_with_a_day_of_one_digit_has_no_funding_rate(symbol):
    row = {"symbol": symbol, "markPrice": "1", "fundingRate": "0", "nextFundingTime": "0"}
    found, rejects, _ = parsed(BYBIT, "derivatives", [{"topic": f"tickers.{symbol}", "ts": T, "data": row}])
    assert (rejects, math.isnan(found.funding_rate[0])) == ([], True)


def test_fields_that_say_nothing_cost_no_frame():
    none = trade(DERIBIT, 5)
    none["params"]["data"][0]["liquidation"] = "none"
    rows, forced_, rejects, _ = parsed(DERIBIT, "trades", [none])
    assert (len(rows), len(forced_), rejects) == (1, 0, [])
    rows, _, rejects, _ = parsed(BYBIT, "trades", [bybit_trade("BTCUSDT", BT=None), bybit_trade("BTCUSDT", n=1)])
    assert (len(rows), rejects) == (2, [])
    funding = {"instId": "BTC-USDT-SWAP", "fundingRate": "0.0001", "fundingTime": "0", "ts": str(T)}
    frame = {"arg": {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}, "data": [funding]}
    found, rejects, _ = parsed(OKX, "derivatives", [frame])
    assert (found.funding_rate.tolist(), found.next_funding_ns.tolist(), rejects) == ([0.0001], [0], [])


def deribit_ticker(symbol, **fields):
    told = {"timestamp": T, "instrument_name": symbol, "open_interest": 5.0, **fields}
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"ticker.{symbol}.100ms", "data": told}}


@pytest.mark.parametrize(
    ("symbol", "mark", "marked", "indexed"),
    [("BTC-27NOV26-90000-C", 0.03, True, False), ("BTC_USDC-27NOV26-90000-P", 700.5, True, False),
     ("BTC-FS-27NOV26_PERP", -35.0, False, False), ("BTC-PERPETUAL", 92300.0, True, True),
     ("BTC-27NOV26", 92300.0, True, True)],
)  # fmt: skip
def test_what_deribit_prices_otherwise_than_its_index_has_no_basis(symbol, mark, marked, indexed, tmp_path):
    """A premium of .03 BTC against an index of 92,000 dollars was a basis of -9999 bps; a spread's mark may be negative."""
    frame = deribit_ticker(symbol, mark_price=mark, index_price=92_000.0, underlying_price=92_000.0)
    found, rejects, _ = parsed(DERIBIT, "derivatives", [frame])
    assert (rejects, found.open_interest.tolist()) == ([], [5.0])
    assert (math.isfinite(found.mark[0]), math.isfinite(found.index[0])) == (marked, indexed)
    frames = [deribit_ticker(symbol, mark_price=mark, index_price=92_000.0), trade(DERIBIT, 1)]
    rows = replayed([(DERIBIT, capture(tmp_path / "basis.log", frames))]).rows("features_tape", symbol=symbol)
    assert all(math.isfinite(r["basis_bps"]) == indexed for r in rows)


def dated(venue, symbol):
    if venue == DERIBIT:
        return deribit_ticker(symbol, mark_price=1.0, current_funding=0.0)
    if venue == OKX:
        row = {"instId": symbol, "fundingRate": "0.0001", "fundingTime": str(T + 1000), "ts": str(T)}
        return {"arg": {"channel": "funding-rate", "instId": symbol}, "data": [row]}
    if venue in (BYBIT, INVERSE):
        row = {"symbol": symbol, "markPrice": "1", "fundingRate": "0", "nextFundingTime": str(T + 1000)}
        return {"topic": f"tickers.{symbol}", "ts": T, "data": row}
    return {"e": "markPriceUpdate", "E": T, "s": symbol, "p": "1", "i": "1", "P": "1", "r": "0.0", "T": T + 1000}


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [(USDM, "BTCUSDT_261225"), (COINM, "BTCUSD_261225"), (BYBIT, "BTCUSDT-25DEC26"), (INVERSE, "BTCUSDZ26"),
     (OKX, "BTC-USDT-261225"), (OKX, "BTC-USD-261225"), (DERIBIT, "BTC-27NOV26")],
)  # fmt: skip
def test_what_expires_has_no_funding_whatever_a_venue_sends_in_its_place(venue, symbol):
    found, rejects, _ = parsed(venue, "derivatives", [dated(venue, symbol)])
    assert (rejects, math.isnan(found.funding_rate[0]), found.next_funding_ns.tolist()) == ([], True, [0])


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [(USDM, "BTCUSDT"), (COINM, "BTCUSD_PERP"), (BYBIT, "BTCUSDT"), (INVERSE, "BTCUSD"), (OKX, "BTC-USDT-SWAP"),
     (OKX, "BTC-USD_UM_XPERP-310404"), (DERIBIT, "BTC-PERPETUAL")],
)  # fmt: skip
def test_a_funding_rate_of_0_of_what_does_not_expire_is_0(venue, symbol):
    found, rejects, _ = parsed(venue, "derivatives", [dated(venue, symbol)])
    assert (rejects, found.funding_rate.tolist()) == ([], [0.0001 if venue == OKX else 0.0])
