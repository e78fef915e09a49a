"""Exchange rates to US dollars: those that platforms tell, else those of the European Central Bank."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from currency_converter import CurrencyConverter

MAX_AGE = timedelta(days=90)
"""A rate older than this, counted from the day it is asked for, says too little to convert with."""
_SHIPPED_DAYS = 260
_LONGEST_HOLIDAYS = 10
_ONE = Decimal(1)
_CENT = Decimal("0.01")


class Rate(NamedTuple):
    """What one unit of a currency was worth."""

    currency: str
    day: date
    usd_per_unit: Decimal
    source: str


class ExchangeRates:
    """Rates by currency, newest day first asked; collects those that it learns, to be stored.

    `known` are stored rates; learned ones (`learn`) win over those of the same day. Where the European
    Central Bank's reference rates, shipped with a package so that no request is made, hold a newer day,
    they are used. A currency without a rate has none: nothing is guessed.
    """

    def __init__(self, known: Iterable[Rate] = ()) -> None:
        self._latest: dict[str, Rate] = {}
        self._learned: dict[tuple[str, date, str], Rate] = {}
        self.add(known)

    def add(self, rates: Iterable[Rate]) -> None:
        """Take stored rates in; of each currency the newest stays."""
        for rate in rates:
            current = self._latest.get(rate.currency)
            if current is None or rate.day >= current.day:
                self._latest[rate.currency] = rate

    def learn(self, currency: str, usd_per_unit: Decimal, day: date, source: str) -> None:
        """Remember a rate that a platform told on `day`."""
        current = self._latest.get(currency)
        if current is not None and current.usd_per_unit == usd_per_unit and current.day == day:
            return
        rate = Rate(currency, day, usd_per_unit, source)
        self._learned[currency, day, source] = rate
        self.add([rate])

    def usd_per_unit(self, currency: str, day: date) -> Decimal | None:
        """Return what one unit of `currency` is worth in US dollars on `day`; ``None`` without a rate."""
        if currency == "USD":
            return _ONE
        rate = self._latest.get(currency)
        if rate is None or rate.day < day:
            quoted = central_bank_rate(currency, day)
            if quoted is not None and (rate is None or quoted.day > rate.day):
                rate = quoted
                self._learned[rate.currency, rate.day, rate.source] = rate
                self.add([rate])
        return None if rate is None or day - rate.day > MAX_AGE else rate.usd_per_unit

    def take_learned(self) -> list[Rate]:
        """Return the rates that are new since the last call, to be stored."""
        learned = list(self._learned.values())
        self._learned.clear()
        return learned


def to_usd(amount: Decimal, usd_per_unit: Decimal) -> Decimal:
    """Return `amount` in US dollars, rounded to cents."""
    return (amount * usd_per_unit).quantize(_CENT)


@cache
def _central_bank() -> CurrencyConverter:
    # Here, because few commands convert anything.
    from currency_converter import CurrencyConverter

    class RecentRates(CurrencyConverter):  # type: ignore[misc]
        """The newest year of the shipped history: reading all of it, since 1999, takes most of a second."""

        def load_lines(self, lines: Iterable[str]) -> None:
            """Read the header and the newest days, which come first in the file."""
            super().load_lines(islice(lines, 1 + _SHIPPED_DAYS))

    return RecentRates(decimal=True)


@lru_cache(maxsize=4096)
def central_bank_rate(currency: str, day: date) -> Rate | None:
    """Return the European Central Bank's rate of `currency`, of the last banking day up to `day`.

    ``None`` when the bank quotes no such currency, or its newest shipped quote is older than `MAX_AGE`.
    """
    from currency_converter import RateNotFoundError

    converter = _central_bank()
    if currency not in converter.currencies or currency == "USD":
        return None
    first, last = converter.bounds["USD"]
    if currency != "EUR":
        first, last = (
            max(first, converter.bounds[currency].first_date),
            min(last, converter.bounds[currency].last_date),
        )
    quoted = min(day, last)
    if quoted < first or day - quoted > MAX_AGE:
        return None
    for days in range(_LONGEST_HOLIDAYS):
        banking_day = quoted - timedelta(days)
        try:
            worth = Decimal(converter.convert(_ONE, currency, "USD", banking_day))
        except RateNotFoundError:
            continue
        return Rate(currency, banking_day, round(worth, 10), "ecb")
    return None
