"""A limit as people write it: in quote currency, in base units, or as a share of equity."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

AMOUNT_MAX = Decimal(10) ** 12

_WRITTEN = re.compile(r"^\s*([-+]?[0-9.eE+-]+|nan|inf(?:inity)?)\s*(%|%\s+of\s+equity|quote|base)?\s*$", re.IGNORECASE)


class Limit(BaseModel):
    """`2%` of equity, `0.5 base` units of the symbol, `500 quote` or plain `500` of quote currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal
    unit: Literal["quote", "base", "equity"]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, written: Any) -> Any:
        if isinstance(written, dict | Limit):
            return written
        if isinstance(written, bool) or not isinstance(written, int | float | str | Decimal):
            raise ValueError("must be an amount such as 500, 2% (of equity) or 0.5 base")
        found = _WRITTEN.match(str(written))
        if found is None:
            raise ValueError(f"{written!r} is no limit: write 500, 2% (of equity) or 0.5 base")
        try:
            amount = Decimal(found.group(1))
        except InvalidOperation:
            raise ValueError(f"{written!r} is no number") from None
        if not amount.is_finite():
            raise ValueError(f"must be a finite number (it is {written!r})")
        word = (found.group(2) or "quote").lower()
        if word.startswith("%"):
            return {"amount": amount / 100, "unit": "equity"}
        return {"amount": amount, "unit": word}

    @model_validator(mode="after")
    def _is_possible(self) -> Limit:
        if not 0 < self.amount <= AMOUNT_MAX:
            raise ValueError(f"must be above 0 and at most {AMOUNT_MAX:f} (it is {self.amount})")
        if self.unit == "equity" and self.amount > 100:
            raise ValueError(f"{self.amount * 100:f}% of equity is absurd")
        return self

    @model_serializer
    def _written(self) -> str:
        return str(self)

    def __str__(self) -> str:
        if self.unit == "equity":
            return f"{(self.amount * 100).normalize():f}%"
        return f"{self.amount:f}" if self.unit == "quote" else f"{self.amount:f} base"

    def in_quote(self, equity: Decimal | None, price: Decimal | None = None) -> Decimal | None:
        """The limit in quote currency; None while what it depends on is not known. A negative equity counts as nothing."""
        match self.unit:
            case "quote":
                return self.amount
            case "base":
                return None if price is None else self.amount * price
            case "equity":
                return None if equity is None else self.amount * max(equity, Decimal(0))


def quote(amount: Decimal | int) -> Limit:
    """A limit of so much quote currency."""
    return Limit(amount=Decimal(amount), unit="quote")
