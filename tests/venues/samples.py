"""Small frames in the form that each venue sends, for tests and for mutation."""

USDM_DEPTH = [
    b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT",'
    b'"U":157,"u":160,"pu":149,"b":[["61496.50","0.010"],["61510.90","0.000"]],"a":[["61800.30","2.510"]]}}',
    b'{"e":"depthUpdate","E":1571889248277,"T":1571889248276,"s":"BTCUSDT","U":161,"u":165,"pu":160,'
    b'"b":[["0.0024","10"]],"a":[["0.0026","100"]]}',
    b'{"stream":"ethusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256352,"T":1723161256352,"s":"ETHUSDT",'
    b'"ps":"ETHUSDT","st":1,"U":5,"u":9,"pu":4,"b":[],"a":[["2613.07","1.5"],["2613.10","0"]]}}',
    b'{"stream":"btcusdt@depth20@100ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT",'
    b'"U":157,"u":160,"pu":149,"b":[["61496.50","0.010"]],"a":[]}}',
    b'{"lastUpdateId":160,"E":1723161256501,"T":1723161256493,"bids":[["61800.20","2.909"]],"asks":[["61800.30","1"]]}',
    b'{"result":null,"id":1}',
]
COINM_DEPTH = [
    b'{"stream":"btcusd_perp@depth@0ms","data":{"e":"depthUpdate","E":1723161257440,"T":1723161257432,'
    b'"s":"BTCUSD_PERP","ps":"BTCUSD","U":260,"u":565,"pu":198,"b":[["61773.6","1001"],["61790.3","0"]],'
    b'"a":[["61801.4","0"]]}}',
    b'{"lastUpdateId":565,"E":1723161257835,"T":1723161257823,"symbol":"BTCUSD_PERP","pair":"BTCUSD",'
    b'"bids":[["61804.7","35"]],"asks":[["61804.8","9"]]}',
]
SPOT_DEPTH = [
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,'
    b'"u":50093239202,"b":[["61737.63000000","0.00000000"]],"a":[["61837.64000000","1.54698000"]]}}',
    b'{"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"asks":[["61837.64000000","1.60520000"]]}',
]
USDM_TRADES = [
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,'
    b'"p":"61800.30","q":"0.006","X":"MARKET","m":false}}',
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1723161256322,"a":16599292,"s":"BTCUSDT","p":"61800.30",'
    b'"q":"0.006","f":1,"l":2,"T":1723161256321,"m":false}}',
    b'{"e":"trade","E":1704282915916,"T":1704282915915,"s":"OPUSDT","t":460859189,"p":"3.7041208","q":"3.5",'
    b'"X":"INSURANCE_FUND","m":true}',
    b'{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1723161256322,"a":16599292,"s":"ETHUSDT","p":"2613.07",'
    b'"q":"1.5","f":1,"l":2,"T":1723161256321,"m":true}}',
]
SPOT_TRADES = [
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,'
    b'"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}',
]
FORCE_ORDERS = [
    b'{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910",'
    b'"ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893}}',
    b'{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"BUY","o":"LIMIT",'
    b'"f":"IOC","q":"0.014","p":"4793.91","ap":"4706.04","X":"FILLED","l":"0.015","z":"0.014","T":1568014460893}}}',
]
MARKS = [
    b'{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",'
    b'"P":"11784.25641265","r":"0.00038167","T":1562306400000}',
    b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}',
]
BYBIT_DEPTH = [
    b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1709891679000,"data":{"s":"BTCUSDT",'
    b'"b":[["27450.00","0.500"],["27449.50","1.000"]],"a":[["27451.00","0.750"]],"u":10,"seq":98},"cts":1709891678990}',
    b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1709891679500,"data":{"s":"BTCUSDT","b":[["27450.00","0.4"]],'
    b'"a":[["27451.00","0"]],"u":11,"seq":99}}',
    b'{"success":true,"ret_msg":"","conn_id":"x","req_id":"","op":"subscribe"}',
]
BYBIT_TRADES = [
    b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,"s":"BTCUSDT",'
    b'"S":"Buy","v":"0.010","p":"27451.00","i":"9dc7","BT":false},{"T":1709891679001,"s":"BTCUSDT","S":"Sell",'
    b'"v":"0.2","p":"27450.5","i":"9dc8","BT":false}]}',
]
BYBIT_LIQUIDATIONS = [
    b'{"topic":"allLiquidation.ROSEUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
    b'"s":"ROSEUSDT","S":"Sell","v":"2846","p":"0.02456"}]}',
    b'{"data":{"price":"0.03803","side":"Buy","size":"1637","symbol":"GALAUSDT","updatedTime":1673251091822},'
    b'"topic":"liquidation.GALAUSDT","ts":1673251091822,"type":"snapshot"}',
]
BYBIT_TICKERS = [
    b'{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"17217.33",'
    b'"indexPrice":"17227.36","openInterest":"68744.761","nextFundingTime":"1673280000000","fundingRate":"-0.000212"},'
    b'"cs":24987956059,"ts":1673272861686}',
    b'{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","markPrice":"17218"},"ts":1673272861786}',
]
OKX_DEPTH = [
    b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["8476.98","415","0",'
    b'"13"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":-855196043,"prevSeqId":-1,'
    b'"seqId":10}]}',
    b'{"arg":{"channel":"books","instId":"BTC-USD-220527"},"action":"update","data":[{"asks":[["30249.4","0","0","0"]],'
    b'"bids":[],"ts":"1652459225464","checksum":-914047754}]}',
    b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"}}',
    b"pong",
]
OKX_TRADES = [
    b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474",'
    b'"px":"42219.9","sz":"12","side":"buy","ts":"1630048897897","count":"3"}]}',
]
OKX_LIQUIDATIONS = [
    b'{"arg":{"channel":"liquidation-orders","instType":"FUTURES"},"data":[{"details":[{"bkLoss":"0","bkPx":"0.55205",'
    b'"ccy":"","posSide":"short","side":"buy","sz":"39","ts":"1692266434010"},{"bkLoss":"0","bkPx":"0.551","ccy":"",'
    b'"posSide":"long","side":"sell","sz":"7","ts":"1692266434011"}],"instFamily":"XRP-USD",'
    b'"instId":"XRP-USD-230929","instType":"FUTURES","uly":"XRP-USD"}]}',
]
OKX_QUOTES = [
    b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP",'
    b'"markPx":"42310.6","ts":"1630049139746"}]}',
    b'{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","idxPx":"42300.1",'
    b'"ts":"1630049139747"}]}',
    b'{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP",'
    b'"fundingRate":"0.0001","fundingTime":"1744590349506","nextFundingTime":"1744619149506","ts":"1744590349000"}]}',
    b'{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP",'
    b'"oi":"5000","oiCcy":"555.55","ts":"1743041250440"}]}',
]
DERIBIT_DEPTH = [
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{'
    b'"type":"snapshot","instrument_name":"BTC-PERPETUAL","timestamp":1699999999000,"change_id":10,'
    b'"prev_change_id":null,"bids":[["new",42500.0,1000.0],["new",42499.5,500.0]],"asks":[["new",42501.0,800.0]]}}}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"change",'
    b'"instrument_name":"BTC-PERPETUAL","timestamp":1699999999500,"change_id":12,"prev_change_id":10,'
    b'"bids":[["change",42500.0,950.0]],"asks":[["delete",42501.0,0.0]]}}}',
    b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
]
DERIBIT_TRADES = [
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":[{'
    b'"timestamp":1765531356452,"price":92294.5,"amount":10.0,"direction":"sell","instrument_name":"BTC-PERPETUAL",'
    b'"trade_seq":271252854,"trade_id":"403691824"},{"timestamp":1765531356453,"price":92288.5,"amount":750.0,'
    b'"direction":"buy","instrument_name":"BTC-PERPETUAL","liquidation":"M","trade_id":"403691825"}]}}',
]
DERIBIT_TICKERS = [
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.BTC-PERPETUAL.100ms","data":{'
    b'"timestamp":1765541474086,"state":"open","stats":{"high":93612.0},"index_price":92263.55,'
    b'"instrument_name":"BTC-PERPETUAL","open_interest":1132329370.0,"mark_price":92281.78,"current_funding":0.00001,'
    b'"funding_8h":0.00001742}}}',
]
SAMPLES = {
    ("binance-usdm", "depth"): USDM_DEPTH,
    ("binance-usdm", "trades"): USDM_TRADES,
    ("binance-usdm", "liquidations"): FORCE_ORDERS,
    ("binance-usdm", "derivatives"): MARKS,
    ("binance-coinm", "depth"): COINM_DEPTH,
    ("binance-coinm", "trades"): USDM_TRADES,
    ("binance-spot", "depth"): SPOT_DEPTH,
    ("binance-spot", "trades"): SPOT_TRADES,
    ("bybit-linear", "depth"): BYBIT_DEPTH,
    ("bybit-linear", "trades"): BYBIT_TRADES,
    ("bybit-linear", "liquidations"): BYBIT_LIQUIDATIONS,
    ("bybit-linear", "derivatives"): BYBIT_TICKERS,
    ("okx-swap", "depth"): OKX_DEPTH,
    ("okx-swap", "trades"): OKX_TRADES,
    ("okx-swap", "liquidations"): OKX_LIQUIDATIONS,
    ("okx-swap", "derivatives"): OKX_QUOTES,
    ("deribit", "depth"): DERIBIT_DEPTH,
    ("deribit", "trades"): DERIBIT_TRADES,
    ("deribit", "liquidations"): DERIBIT_TRADES,
    ("deribit", "derivatives"): DERIBIT_TICKERS,
}
