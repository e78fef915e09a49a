"""Read amounts and currencies; no currency is ever guessed from a sign."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache

# What has more digits, or an exponent beyond these, is no amount, and neither arithmetic nor a database bears it.
_LONGEST, _EXPONENT = 64, 30
_NUMBERS = frozenset((int, float, str, Decimal))


def decimal_or_none(value: object) -> Decimal | None:
    """Return the exact `Decimal` of a JSON number or numeric text; ``None`` for anything else.

    A float gives the digits that it was written with (0.1 is 0.1, not 0.1000000000000000055). Thousands
    separators are refused, since they mean other things elsewhere; so is what no amount comes near.
    """
    kind = type(value)
    if kind is Decimal:
        # One that is no number may have no hash.
        value = str(value)
    return _decimal(value) if kind in _NUMBERS else None


def int_or_none(value: object) -> int | None:
    """Return a whole number given as a JSON number or digits; ``None`` for anything else."""
    if type(value) is int:
        return value if abs(value) < 2**31 else None
    number = decimal_or_none(value)
    if number is None or abs(number) >= 2**31 or number != number.to_integral_value():
        return None
    return int(number)


# The same round amounts come again and again. A float is another key than the whole number that equals it.
@lru_cache(maxsize=8192, typed=True)
def _decimal(value: int | float | str) -> Decimal | None:
    if type(value) is int:
        number = Decimal(value)
    else:
        text = str(value).strip()
        if len(text) > _LONGEST or "_" in text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            return None
    return number if number.is_finite() and -_EXPONENT < number.adjusted() < _EXPONENT else None


def currency_code(text: object) -> str | None:
    """Return the ISO 4217 code that `text` is, in upper case; ``None`` when it is no such code, or no text."""
    return _code(text) if isinstance(text, str) else None


@lru_cache(maxsize=1024)
def _code(text: str) -> str | None:
    code = text.strip().upper()
    return code if code in _codes() else None


@cache
def _codes() -> frozenset[str]:
    # It reads an XML file when it is imported: longer than a command takes that needs no currency.
    from iso4217 import Currency

    # ISO's codes for tests and for "no currency" name none.
    return frozenset(currency.code for currency in Currency) - {"XTS", "XXX"}
