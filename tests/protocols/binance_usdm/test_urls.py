"""Where streams are found (facts sections 1.1 to 1.3)."""

from __future__ import annotations

import pytest

from protocols.binance_usdm import urls


def test_depth_and_best_prices_come_from_public() -> None:
    assert (
        urls.public_url(urls.PRODUCTION, urls.public_streams(["ETHUSDC"]))
        == "wss://fstream.binance.com/public/stream?streams=ethusdc@depth@100ms/ethusdc@bookTicker"
    )


def test_trades_and_marks_come_from_market() -> None:
    assert (
        urls.market_url(urls.DEMO, urls.market_streams(["ETHUSDC"]))
        == "wss://demo-fstream.binance.com/market/stream?streams=ethusdc@aggTrade/ethusdc@markPrice@1s"
    )


def test_the_private_stream_names_every_event_it_wants() -> None:
    url = urls.private_url(urls.loopback_urls(8_080), "KEY")
    assert url == (
        "ws://127.0.0.1:8080/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/TRADE_LITE/"
        "ACCOUNT_CONFIG_UPDATE/MARGIN_CALL/ALGO_UPDATE/listenKeyExpired"
    )


def test_a_connection_carries_a_bounded_number_of_streams() -> None:
    with pytest.raises(ValueError, match="0 streams"):
        urls.public_url(urls.DEMO, [])
    with pytest.raises(ValueError, match="1025 streams"):
        urls.public_url(urls.DEMO, ["x@depth"] * 1_025)
