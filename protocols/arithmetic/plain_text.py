"""Exact decimals as people and JSON want them: no exponent, no trailing zeros."""

from __future__ import annotations

from decimal import Decimal


def plain_text(amount: Decimal | None) -> str:
    """`amount` as plain digits; empty for None."""
    if amount is None:
        return ""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
