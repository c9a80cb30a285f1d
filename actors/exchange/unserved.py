"""What Binance serves and this venue does not, by the beginning of its path: so that whoever asks is told what is missing."""

from __future__ import annotations

from actors.exchange.errors import VenueRefusal, unsupported

_ALGO = "conditional (algo) orders; place a limit or market order when your condition holds"
_DOWNLOADS = "downloads; the ledger has everything"
_PATHS = {
    "/fapi/v1/algo": _ALGO,
    "/fapi/v1/openAlgoOrders": _ALGO,
    "/fapi/v1/allAlgoOrders": _ALGO,
    "/fapi/v1/positionMargin": "isolated margin; positions are cross",
    "/fapi/v1/convert/": "convert",
    "/fapi/v1/rpiDepth": "RPI orders",
    "/fapi/v1/income/asyn": _DOWNLOADS,
    "/fapi/v1/order/asyn": _DOWNLOADS,
    "/fapi/v1/trade/asyn": _DOWNLOADS,
    "/futures/data/": "the statistics under /futures/data",
    "/sapi/": "calls of spot and wallet but /sapi/v1/account/apiRestrictions",
    "/dapi/": "COIN-margined contracts",
    "/papi/": "portfolio margin",
}
_METHODS = {"algoOrder.": _ALGO}


def unknown_path(method: str, path: str) -> VenueRefusal:
    """-1020 with what is missing where Binance has such a call, else -5000; both with status 404."""
    for beginning, what in _PATHS.items():
        if path.startswith(beginning):
            return VenueRefusal(-1020, unsupported(what).msg, 404)
    return VenueRefusal(-5000, f"Path {path}, Method {method} is invalid", 404)


def unknown_method(method: str) -> VenueRefusal:
    """The same of the WebSocket API."""
    for beginning, what in _METHODS.items():
        if method.startswith(beginning):
            return VenueRefusal(-1020, unsupported(what).msg, 404)
    return VenueRefusal(-5000, f"Method {method} is invalid", 404)
