"""One sound payload of each kind, for tests that damage them (facts sections 2, 5, 6 and 7)."""

from __future__ import annotations

MARKET_FRAMES = (
    b'{"stream":"ethusdc@depth@100ms","data":{"e":"depthUpdate","E":1790770782214,"T":1790770782210,"s":"ETHUSDC","U":101,'
    b'"u":106,"pu":90,"b":[["2610.58","21.101"],["2610.40","0.000"]],"a":[["2610.59","5.964"]]}}',
    b'{"e":"bookTicker","u":106,"s":"ETHUSDC","b":"2610.58","B":"21.101","a":"2610.59","A":"5.964","T":1790770782210}',
    b'{"e":"aggTrade","E":1,"s":"ETHUSDC","a":5933014,"p":"2610.58","q":"0.100","f":100,"l":105,"T":17,"m":true}',
    b'{"stream":"ethusdc@trade","data":{"e":"trade","E":1,"T":1,"s":"ETHUSDC","t":7,"p":"2610.58","q":"0.1","X":"MARKET",'
    b'"m":false}}',
    b'{"e":"markPriceUpdate","E":1,"s":"ETHUSDC","p":"2610.66465506","i":"2612.13009450","r":"0.00000268","T":17}',
    b'{"result":null,"id":1}',
)
USER_FRAMES = (
    b'{"e":"ORDER_TRADE_UPDATE","T":5,"E":6,"o":{"s":"ETHUSDC","c":"mm-1","S":"BUY","q":"0.010","p":"2610.50","x":"TRADE",'
    b'"X":"FILLED","i":8886774,"l":"0.010","z":"0.010","L":"2610.50","n":"0","N":"USDC","T":5,"t":770001,"m":true,"R":false,'
    b'"rp":"0","er":"0"}}',
    b'{"stream":"K","data":{"e":"ACCOUNT_UPDATE","T":5,"E":6,"a":{"B":[{"a":"USDC","wb":"1000.0","bc":"0"}],"P":[{"s":'
    b'"ETHUSDC","pa":"-0.010","ep":"2610.5","ps":"BOTH"}],"m":"ORDER"}}}',
    b'{"e":"MARGIN_CALL","E":5,"cw":"3.16","p":[{"s":"ETHUSDC","pa":"1.327","mm":"1.61","up":"-1.16"}]}',
    b'{"e":"ACCOUNT_CONFIG_UPDATE","E":6,"T":5,"ac":{"s":"ETHUSDC","l":20}}',
)
WS_FRAMES = (
    b'{"id":1,"status":200,"result":{"orderId":8886774,"symbol":"ETHUSDC","status":"NEW","clientOrderId":"mm-1","price":'
    b'"2610.50","origQty":"0.010","executedQty":"0.000","side":"BUY","reduceOnly":false,"updateTime":5},"rateLimits":'
    b'[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1}]}',
    b'{"id":1,"status":400,"error":{"code":-5022,"msg":"Post Only"}}',
)
EXCHANGE_INFO = (
    b'{"rateLimits":[{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200}],"symbols":[{"symbol":'
    b'"ETHUSDC","status":"TRADING","baseAsset":"ETH","quoteAsset":"USDC","marginAsset":"USDC","filters":[{"filterType":'
    b'"PRICE_FILTER","minPrice":"0.01","maxPrice":"100000","tickSize":"0.01"},{"filterType":"LOT_SIZE","minQty":"0.001",'
    b'"maxQty":"8000","stepSize":"0.001"},{"filterType":"PERCENT_PRICE","multiplierUp":"1.05","multiplierDown":"0.95"}]}]}'
)
REST_BODIES = (
    b'{"orderId":8886774,"symbol":"ETHUSDC","status":"NEW","clientOrderId":"mm-1","price":"2610.50","origQty":"0.010",'
    b'"executedQty":"0.000","side":"BUY","reduceOnly":false,"updateTime":5}',
    b'[{"symbol":"ETHUSDC","id":7,"orderId":8,"side":"BUY","price":"2610.50","qty":"0.010","realizedPnl":"0","commission":'
    b'"0","commissionAsset":"USDC","time":5,"maker":true}]',
    b'[{"symbol":"ETHUSDC","positionSide":"BOTH","positionAmt":"0.010","entryPrice":"2609.66","markPrice":"2610.6",'
    b'"updateTime":5}]',
    b'[{"asset":"USDC","balance":"1000.0"}]',
    b'[{"symbol":"ETHUSDC","incomeType":"FUNDING_FEE","income":"-0.002","asset":"USDC","time":5,"tranId":9,"tradeId":""}]',
    b'{"lastUpdateId":9,"E":6,"T":5,"bids":[["2610.58","21.101"]],"asks":[["2610.59","5.964"]]}',
    b'{"serverTime":5}',
    b'{"listenKey":"KEY"}',
    b'{"code":-1003,"msg":"Way too many requests; IP() banned until 1771748578656."}',
)
