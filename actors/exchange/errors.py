"""Refusals of the venue: Binance's codes and texts (facts section 8)."""

from __future__ import annotations


class ExchangeError(Exception):
    """Base of what this room raises."""


class SourceError(ExchangeError):
    """A market source cannot be used; the text names the file and what to do."""


class VenueRefusal(ExchangeError):
    """An answer of the venue that is not a success: `code` and `msg` as on the wire, and the HTTP status."""

    def __init__(self, code: int, msg: str, http_status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code}: {msg}")
        self.code = code
        self.msg = msg
        self.http_status = http_status
        self.retry_after_s = retry_after_s


def mandatory(name: str) -> VenueRefusal:
    """-1102: a parameter is missing."""
    return VenueRefusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid_parameter(name: str) -> VenueRefusal:
    """-1130: a parameter has a value that it may not have."""
    return VenueRefusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def invalid_symbol() -> VenueRefusal:
    """-1121: no such symbol."""
    return VenueRefusal(-1121, "Invalid symbol.")


def precision_over() -> VenueRefusal:
    """-1111: more decimals than the contract has."""
    return VenueRefusal(-1111, "Precision is over the maximum defined for this asset.")


def no_such_order() -> VenueRefusal:
    """-2013: a query found nothing."""
    return VenueRefusal(-2013, "Order does not exist.")


def unknown_order() -> VenueRefusal:
    """-2011: a cancel found no live order."""
    return VenueRefusal(-2011, "Unknown order sent.")


def post_only_would_take() -> VenueRefusal:
    """-5022: a post-only order would have matched at arrival."""
    return VenueRefusal(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    )


def fill_or_kill_unfillable() -> VenueRefusal:
    """-5021: a fill-or-kill order could not be filled at once."""
    return VenueRefusal(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    )


def reduce_only_rejected() -> VenueRefusal:
    """-2022: the order would not reduce the position."""
    return VenueRefusal(-2022, "ReduceOnly Order is rejected.")


def margin_insufficient() -> VenueRefusal:
    """-2019: not enough margin."""
    return VenueRefusal(-2019, "Margin is insufficient.")


def banned_text(address: str, until_ms: int) -> str:
    """-1003 of a ban."""
    return (
        f"Way too many requests; IP({address}) banned until {until_ms}. "
        "Please use the websocket for live updates to avoid bans."
    )


def unsupported(what: str) -> VenueRefusal:
    """-1020: something that this venue does not model."""
    return VenueRefusal(-1020, f"This operation is not supported by this venue: {what}.")
