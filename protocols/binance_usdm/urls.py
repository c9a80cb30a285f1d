"""Hosts and stream paths (facts sections 1.1 to 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

import msgspec

STREAMS_PER_CONNECTION_MAX = 1_024

USER_EVENTS = (
    "ORDER_TRADE_UPDATE",
    "ACCOUNT_UPDATE",
    "TRADE_LITE",
    "ACCOUNT_CONFIG_UPDATE",
    "MARGIN_CALL",
    "ALGO_UPDATE",
    "listenKeyExpired",
)
"""Asked for by name: the form without `events` has been seen to connect and then deliver nothing."""


class VenueUrls(msgspec.Struct, frozen=True, kw_only=True):
    """Bases without a trailing slash. `streams` carries /public, /market and /private."""

    rest: str
    streams: str
    ws_api: str


PRODUCTION = VenueUrls(
    rest="https://fapi.binance.com",
    streams="wss://fstream.binance.com",
    ws_api="wss://ws-fapi.binance.com/ws-fapi/v1",
)
DEMO = VenueUrls(
    rest="https://demo-fapi.binance.com",
    streams="wss://demo-fstream.binance.com",
    ws_api="wss://testnet.binancefuture.com/ws-fapi/v1",
)


def loopback_urls(port: int) -> VenueUrls:
    """The simulated venue on this machine: everything on one port."""
    return VenueUrls(
        rest=f"http://127.0.0.1:{port}",
        streams=f"ws://127.0.0.1:{port}",
        ws_api=f"ws://127.0.0.1:{port}/ws-fapi/v1",
    )


def public_url(urls: VenueUrls, streams: Sequence[str]) -> str:
    """Combined connection for depth and bookTicker."""
    return _combined(urls, "public", streams)


def market_url(urls: VenueUrls, streams: Sequence[str]) -> str:
    """Combined connection for trades and mark prices."""
    return _combined(urls, "market", streams)


def private_url(urls: VenueUrls, listen_key: str) -> str:
    """Private connection with every event that we handle, by name. The URL is a secret, as the key is."""
    return f"{urls.streams}/private/ws?listenKey={quote(listen_key, safe='')}&events={'/'.join(USER_EVENTS)}"


def public_streams(symbols: Iterable[str], depth: str = "depth@100ms") -> list[str]:
    """Names under /public for these symbols: depth diffs and the best bid and ask."""
    return [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in (depth, "bookTicker")]


def market_streams(symbols: Iterable[str]) -> list[str]:
    """Names under /market for these symbols: aggregated trades and the mark price each second."""
    return [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in ("aggTrade", "markPrice@1s")]


def _combined(urls: VenueUrls, path: str, streams: Sequence[str]) -> str:
    if not 0 < len(streams) <= STREAMS_PER_CONNECTION_MAX:
        raise ValueError(
            f"{len(streams)} streams asked of one connection; 1 to {STREAMS_PER_CONNECTION_MAX} are allowed"
        )
    return f"{urls.streams}/{path}/stream?streams={'/'.join(quote(stream, safe='@!') for stream in streams)}"
