"""Decimal text of the wire to and from whole ticks and lots, exactly, and the instruments as the wire names them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from protocols.values import Instrument, InstrumentId

CACHED_TEXTS_MAX = 16_384
"""Texts that one scale remembers; when full it starts anew, so memory does not grow with the length of the run."""

_TEXT_CHARACTERS_MAX = 40
_UNITS_MAX = 2**62
_EXPONENT_MAX = 30


class Scale(dict[str, int]):
    """Text to whole units (ticks or lots): `scale["2610.50"]` parses once and remembers.

    Subscription refuses what is negative, not a number or not a multiple of the unit, and zero when `positive`. With `floor` it
    rounds down what is not a multiple: the venue's public quantities may hold orders older than a change of its filters.

    Raises (from subscription and the methods):
        ValueError: the text is none of these.
    """

    __slots__ = ("_decimals", "_floor", "_mantissa", "_positive", "_unit")

    def __init__(self, unit: Decimal, *, positive: bool = False, floor: bool = False) -> None:
        super().__init__()
        if not unit.is_finite() or unit <= 0:
            raise ValueError(f"unit {unit} is not a positive number")
        exponent = unit.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        self._unit = unit
        self._decimals = max(0, -exponent)
        self._mantissa = int(unit.scaleb(self._decimals))
        self._positive = positive
        self._floor = floor

    def __missing__(self, text: str) -> int:
        units = self.floor_units(text) if self._floor else self.units(text)
        if self._positive and units == 0:
            raise ValueError(f"{text!r} is not positive")
        if len(self) >= CACHED_TEXTS_MAX:
            self.clear()
        self[text] = units
        return units

    def units(self, text: str) -> int:
        """Whole units of a text that is not negative; zero is allowed."""
        units, rest = self._divided(text)
        if rest:
            raise ValueError(f"{text!r} is not a multiple of {self._unit}")
        return units

    def floor_units(self, text: str) -> int:
        """Whole units of a text that is not negative, rounded down."""
        return self._divided(text)[0]

    def _divided(self, text: str) -> tuple[int, int]:
        """Whole units, and something other than 0 where the text is not a multiple of the unit."""
        whole, point, fraction = text.partition(".")
        if (
            len(text) > _TEXT_CHARACTERS_MAX
            or not text.isascii()
            or not whole.isdigit()
            or (point and not fraction.isdigit())
        ):
            raise ValueError(f"{text[:_TEXT_CHARACTERS_MAX]!r} is not a number that is zero or more")
        decimals = self._decimals
        units, rest = divmod(int(whole + fraction[:decimals].ljust(decimals, "0")), self._mantissa)
        if units > _UNITS_MAX:
            raise ValueError(f"{text!r} is beyond every bound")
        return units, rest or int(fraction[decimals:] or "0")

    def signed_units(self, text: str) -> int:
        """Whole units of a text that may be negative (a position)."""
        return -self.units(text[1:]) if text.startswith("-") else self.units(text)

    def text(self, units: int) -> str:
        """The decimal text of whole units that are not negative, with the decimals of the unit."""
        decimals = self._decimals
        digits = str(units * self._mantissa)
        if decimals == 0:
            return digits
        if len(digits) <= decimals:
            digits = digits.zfill(decimals + 1)
        return f"{digits[:-decimals]}.{digits[-decimals:]}"


class WireInstrument:
    """An instrument with the scales of its prices, of our own quantities and of the public's."""

    __slots__ = ("instrument", "instrument_id", "prices", "public_quantities", "quantities", "symbol")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.instrument_id = instrument.instrument_id
        self.symbol = instrument.symbol
        self.prices = Scale(instrument.tick_size, positive=True)
        self.quantities = Scale(instrument.lot_size)
        self.public_quantities = Scale(instrument.lot_size, floor=True)


class WireInstruments:
    """The instruments that a decoder or builder knows, by the venue's symbol and by id. Made once for all of them."""

    __slots__ = ("by_id", "by_symbol")

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        wires = [WireInstrument(instrument) for instrument in instruments]
        self.by_symbol: dict[str, WireInstrument] = {wire.symbol: wire for wire in wires}
        self.by_id: dict[InstrumentId, WireInstrument] = {wire.instrument_id: wire for wire in wires}


def exact_decimal(text: str) -> Decimal:
    """A finite decimal of sensible size.

    Raises:
        ValueError: not a number, not finite, or of an absurd exponent.
    """
    shown = text[:_TEXT_CHARACTERS_MAX]
    if len(text) > _TEXT_CHARACTERS_MAX or not text.isascii() or "_" in text or text != text.strip():
        raise ValueError(f"{shown!r} is not a number")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{shown!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{shown!r} is not finite")
    if abs(value.adjusted()) > _EXPONENT_MAX:
        raise ValueError(f"{shown!r} is beyond every bound")
    return value
