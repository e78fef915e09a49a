"""US dollars: by rates that platforms tell, by those that the European Central Bank published, or not at all."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from currency_converter import CurrencyConverter

from outsourcing_spiders.parsing.rates import MAX_AGE, ExchangeRates, Rate, _central_bank, central_bank_rate, to_usd

TOLD = Decimal("1.25")
# The newest banking day of the shipped history.
NEWEST: date = _central_bank().bounds["USD"].last_date
FRIDAY = next(day for day in (NEWEST - timedelta(7 + back) for back in range(7)) if day.weekday() == 4)


def rate(currency: str = "EUR", day: date = NEWEST, usd: Decimal = TOLD, source: str = "freelancer") -> Rate:
    return Rate(currency, day, usd, source)


def test_a_dollar_is_a_dollar() -> None:
    rates = ExchangeRates()
    assert rates.usd_per_unit("USD", date(1970, 1, 1)) == 1
    assert rates.take_learned() == []


def test_the_bank_quotes_plausible_dollars() -> None:
    worth = {currency: central_bank_rate(currency, NEWEST) for currency in ("EUR", "GBP", "JPY", "INR")}
    assert Decimal("0.9") < worth["EUR"].usd_per_unit < Decimal("1.6")
    assert Decimal("0.9") < worth["GBP"].usd_per_unit < Decimal("1.9")
    assert Decimal("0.004") < worth["JPY"].usd_per_unit < Decimal("0.02")
    assert Decimal("0.005") < worth["INR"].usd_per_unit < Decimal("0.05")
    assert {(quote.day, quote.source) for quote in worth.values()} == {(NEWEST, "ecb")}


def test_the_newest_part_of_the_history_says_the_same_as_all_of_it() -> None:
    whole = CurrencyConverter(decimal=True)
    day = FRIDAY
    assert central_bank_rate("EUR", day).usd_per_unit == round(Decimal(whole.convert(1, "EUR", "USD", day)), 10)
    assert central_bank_rate("CHF", day).usd_per_unit == round(Decimal(whole.convert(1, "CHF", "USD", day)), 10)


@pytest.mark.parametrize("currency", ["EUR", "GBP"])
@pytest.mark.parametrize("days", [1, 2], ids=["saturday", "sunday"])
def test_a_weekend_has_the_rate_of_the_banking_day_before(currency: str, days: int) -> None:
    friday = central_bank_rate(currency, FRIDAY)
    assert friday.day <= FRIDAY
    assert central_bank_rate(currency, FRIDAY + timedelta(days)) == friday


@pytest.mark.parametrize("currency", ["XAF", "ZZZ", "USD", "", "eur"])
def test_what_the_bank_does_not_quote_has_no_rate(currency: str) -> None:
    assert central_bank_rate(currency, NEWEST) is None


@pytest.mark.parametrize(
    ("day", "known"),
    [
        pytest.param(NEWEST + MAX_AGE, True, id="just-fresh"),
        pytest.param(NEWEST + MAX_AGE + timedelta(1), False, id="stale"),
        pytest.param(date(1998, 1, 1), False, id="before-the-euro"),
        pytest.param(date.max, False, id="end-of-the-calendar"),
    ],
)
def test_an_old_quote_says_nothing(day: date, known: bool) -> None:
    assert (central_bank_rate("EUR", day) is not None) is known
    assert (ExchangeRates().usd_per_unit("EUR", day) is not None) is known


def test_a_learned_rate_wins_over_the_bank() -> None:
    rates = ExchangeRates()
    assert rates.usd_per_unit("EUR", NEWEST) != TOLD
    rates.learn("EUR", TOLD, NEWEST, "freelancer")
    assert rates.usd_per_unit("EUR", NEWEST) == TOLD
    assert rates.usd_per_unit("EUR", NEWEST + timedelta(5)) == TOLD


def test_the_bank_wins_over_an_older_stored_rate() -> None:
    rates = ExchangeRates([rate(day=NEWEST - timedelta(60))])
    assert rates.usd_per_unit("EUR", NEWEST) == central_bank_rate("EUR", NEWEST).usd_per_unit


def test_a_stored_rate_serves_where_the_bank_has_none() -> None:
    rates = ExchangeRates([rate("XAF", usd=Decimal("0.0016"))])
    assert rates.usd_per_unit("XAF", NEWEST + MAX_AGE) == Decimal("0.0016")
    assert rates.usd_per_unit("XAF", NEWEST + MAX_AGE + timedelta(1)) is None
    assert rates.usd_per_unit("XOF", NEWEST) is None


@pytest.mark.parametrize("order", [1, -1], ids=["oldest-first", "newest-first"])
def test_of_stored_rates_the_newest_stays(order: int) -> None:
    old, new = rate(day=NEWEST - timedelta(3), usd=Decimal(1)), rate(usd=Decimal(2))
    rates = ExchangeRates([old, new][::order])
    assert rates.usd_per_unit("EUR", NEWEST) == 2
    rates.add([old])
    assert rates.usd_per_unit("EUR", NEWEST) == 2


def test_learned_rates_are_taken_once() -> None:
    rates = ExchangeRates()
    rates.learn("XAF", TOLD, NEWEST, "freelancer")
    rates.learn("XAF", TOLD, NEWEST, "freelancer")
    rates.usd_per_unit("EUR", NEWEST)
    rates.usd_per_unit("EUR", NEWEST)
    assert rates.take_learned() == [rate("XAF"), central_bank_rate("EUR", NEWEST)]
    assert rates.take_learned() == []
    rates.learn("XAF", TOLD, NEWEST, "freelancer")
    assert rates.take_learned() == []
    rates.learn("XAF", TOLD * 2, NEWEST, "freelancer")
    assert rates.take_learned() == [rate("XAF", usd=TOLD * 2)]


def test_stored_rates_are_not_learned() -> None:
    rates = ExchangeRates([rate("XAF")])
    rates.usd_per_unit("XAF", NEWEST)
    assert rates.take_learned() == []


@pytest.mark.parametrize(
    ("amount", "usd_per_unit", "dollars"),
    [
        ("100", "1.25", "125.00"),
        ("10", "0.0118", "0.12"),
        ("1", "0.001", "0.00"),
        ("0", "1.25", "0.00"),
        ("33.33", "1.3398896618", "44.66"),
        ("999999999999", "99999", "99998999999900001.00"),
    ],
)
def test_dollars_are_rounded_to_cents(amount: str, usd_per_unit: str, dollars: str) -> None:
    assert str(to_usd(Decimal(amount), Decimal(usd_per_unit))) == dollars
