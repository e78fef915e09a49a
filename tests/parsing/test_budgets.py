"""Budgets as platforms write them: what is said, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.items import Budget
from outsourcing_spiders.parsing.budgets import budget_of, parse_budget
from outsourcing_spiders.parsing.money import currency_code

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=400)
# Minimum, maximum, currency, period.
NOTHING = (None, None, None, None)

# Texts of the platforms, read without knowing more than the text.
SEEN = {
    "guru-range": ("$1k-$2.5k", "1000", "2500", None, None),
    "guru-upper": ("Under $250", None, "250", None, None),
    "guru-line-fixed": ("Fixed Price | $1k-$2.5k", "1000", "2500", None, "total"),
    "guru-line-upper": ("Fixed Price | Under $250 | United States", None, "250", None, "total"),
    "guru-line-hourly": ("Hourly | $10-$20/hr | 30 hrs/wk | 1-3 months", "10", "20", None, "hour"),
    "upwork-hourly": ("$15.00 - $40.00", "15", "40", None, None),
    "upwork-hourly-label": ("Hourly: $15.00 - $40.00", "15", "40", None, "hour"),
    "upwork-fixed": ("Est. budget: $1,250.00", "1250", "1250", None, None),
    "upwork-fixed-nothing": ("Fixed price", None, None, None, "total"),
    "upwork-feed": ("$20.00-$40.00", "20", "40", None, None),
    "freelancer-card": ("$7 - $18", "7", "18", None, None),
    "freelancer-card-hour": ("$10 / hr", "10", "10", None, "hour"),
    "freelancer-card-rupees": ("₹600 - ₹1500", "600", "1500", "INR", None),
    "freelancer-page": ("₹12500-37500 INR", "12500", "37500", "INR", None),
    "freelancer-page-hour": ("₹750-1250 INR / hour", "750", "1250", "INR", "hour"),
    "workana-range": ("USD 500 - 1,000", "500", "1000", "USD", None),
    "workana-over": ("Over USD 3,000", "3000", None, "USD", None),
    "workana-less": ("Less than USD 50", None, "50", "USD", None),
    "workana-hour": ("USD 15 - 45 / hour", "15", "45", "USD", "hour"),
    "wishket-month": ("월 금액 7,000,000원 /월", "7000000", "7000000", "KRW", "month"),
    "wishket-total": ("예상 금액 20,000,000원", "20000000", "20000000", "KRW", "total"),
    "wishket-myriads": ("2,000만원 (부가세 별도)", "20000000", "20000000", "KRW", None),
    "wishket-open": ("협의 후 결정", *NOTHING),
    "freemoa-detail": ("2,500,000원 ~ 5,000,000원", "2500000", "5000000", "KRW", None),
    "freemoa-cost": ("예상비용 250만원 ~ 500만원", "2500000", "5000000", "KRW", "total"),
    "freemoa-wage": ("월 임금 250만원 ~ 500만원", "2500000", "5000000", "KRW", "month"),
    "elancer": ("월 단가 : 550~600만원", "5500000", "6000000", "KRW", "month"),
    "lancers-fixed": ("20,000 円 ~ 50,000 円 / 固定", "20000", "50000", "JPY", "total"),
    "lancers-lines": ("20,000\n円\n~\n50,000 円 / 固定", "20000", "50000", "JPY", "total"),
    "lancers-hour": ("1,500 円 ~ 2,000 円 / 時間", "1500", "2000", "JPY", "hour"),
    "lancers-month": ("500,000 円 ~ 700,000 円 / 月 週3日", "500000", "700000", "JPY", "month"),
    "coconala-range": ("5千円〜1万円", "5000", "10000", "JPY", None),
    "coconala-joined": ("5千〜1万円", "5000", "10000", "JPY", None),
    "coconala-one": ("33,000円", "33000", "33000", "JPY", None),
    "coconala-open": ("見積り希望", *NOTHING),
    "kwork": ("25000.00", "25000", "25000", None, None),
    "fl": ("15 000 ₽", "15000", "15000", "RUB", None),
    "fl-title": ("Сайт-визитка для студии (Бюджет: 600 000  ₽)", "600000", "600000", "RUB", None),
    "fl-title-all": ("(Бюджет: 10 000  ₽, для всех)", "10000", "10000", "RUB", None),
    "fl-order": ("100 000 руб/заказ", "100000", "100000", None, "total"),
    "fl-open": ("по договоренности", *NOTHING),
    "freelancehunt": ("1000 UAH", "1000", "1000", "UAH", None),
    "codeur-upper": ("Moins de 500 €", None, "500", "EUR", None),
    "codeur-range": ("500 € à 1 000 €", "500", "1000", "EUR", None),
    "codeur-blanks": ("1\u202f000\u00a0€ à 10\u202f000\u00a0€", "1000", "10000", "EUR", None),
    "codeur-over": ("10 000 € et plus", "10000", None, "EUR", None),
    "peopleperhour-shown": ("$403", "403", "403", None, None),
}

WRITTEN = {
    "european": ("1.250,50 €", "1250.50", "1250.50", "EUR", None),
    "blank-groups": ("1 250,00 €", "1250", "1250", "EUR", None),
    "swiss": ("CHF 1'250.50", "1250.50", "1250.50", "CHF", None),
    "swiss-typographic": ("CHF 1’250’000.–", "1250000", "1250000", "CHF", None),
    "even-amount": ("500,- €", "500", "500", "EUR", None),
    "indian-groups": ("12,50,000", "1250000", "1250000", None, None),
    "lakh": ("₹5 lakh", "500000", "500000", "INR", None),
    "crore": ("₹1.5 crore", "15000000", "15000000", "INR", None),
    "thousand": ("5K", "5000", "5000", None, None),
    "million": ("€1.5m", "1500000", "1500000", "EUR", None),
    "mio": ("2 Mio. €", "2000000", "2000000", "EUR", None),
    "tys": ("15 тыс. ₽", "15000", "15000", "RUB", None),
    "plus": ("10,000+", "10000", None, None, None),
    "full-width": ("１０，０００円", "10000", "10000", "JPY", None),
    "full-width-sign": ("￥５，０００", "5000", "5000", None, None),
    "full-width-won": ("￦５，０００", "5000", "5000", "KRW", None),
    "arabic-digits": ("١٬٢٥٠ USD", "1250", "1250", "USD", None),
    "yen-and-sign": ("¥5,000円", "5000", "5000", "JPY", None),
    "compound-japanese": ("1万5千円", "15000", "15000", "JPY", None),
    "compound-rest": ("1万5000円", "15000", "15000", "JPY", None),
    "compound-korean": ("1억 2천만원", "120000000", "120000000", "KRW", None),
    "hundred-myriads": ("2백만원", "2000000", "2000000", "KRW", None),
    "upper-korean": ("500만원 이하", None, "5000000", "KRW", None),
    "lower-korean": ("최소 500만원", "5000000", None, "KRW", None),
    "bounds-japanese": ("500円以上1000円以下", "500", "1000", "JPY", None),
    "tilde-before": ("~500만원", None, "5000000", "KRW", None),
    "tilde-after": ("10,000円〜", "10000", None, "JPY", None),
    "tilde-about": ("~$500", "500", "500", None, None),
    "shared-multiplier": ("1-2k USD", "1000", "2000", "USD", None),
    "own-multiplier": ("500 - 1k USD", "500", "1000", "USD", None),
    "unsure-multiplier": ("$5-$10k", None, "10000", None, None),
    "from-to": ("from 500 to 1000 USD", "500", "1000", "USD", None),
    "between": ("between €500 and €700", "500", "700", "EUR", None),
    "min-max": ("min 500 max 1000 EUR", "500", "1000", "EUR", None),
    "max-after": ("500 EUR max.", None, "500", "EUR", None),
    "at-least-in-parentheses": ("500 EUR (minimum)", "500", None, "EUR", None),
    "russian-range": ("от 500 до 1000 грн", "500", "1000", "UAH", None),
    "russian-upper": ("до 15 000 ₽", None, "15000", "RUB", None),
    "german": ("ab 50 € / Stunde", "50", None, "EUR", "hour"),
    "spanish": ("hasta 300 EUR por hora", None, "300", "EUR", "hour"),
    "french-day": ("TJM : 400 - 500 €", "400", "500", "EUR", "day"),
    "reversed": ("$500 - $250", "500", "250", None, None),
    "reversed-multiplier": ("$1k - $500", "1000", "500", None, None),
    "multiplier-of-the-smaller": ("$2k - 2500", "2000", "2500", None, None),
    "letter-with-blanks": ("500 € e 700 €", "500", "700", "EUR", None),
    "range-by-the-hour": ("$15 - 25 / hr", "15", "25", None, "hour"),
    "joined-by-the-hour": ("$15-25 hr", "15", "25", None, "hour"),
    "joined-by-the-hour-dash": ("$15\u201325 hours", "15", "25", None, "hour"),
    "joined-by-the-hour-code": ("USD 15-25 hour", "15", "25", "USD", "hour"),
    "joined-by-the-month": ("$2000-3000 month", "2000", "3000", None, "month"),
    "joined-by-the-month-multiplied": ("€2-3k month", "2000", "3000", "EUR", "month"),
    "signs-by-the-hour": ("$15 - $25 hr", "15", "25", None, "hour"),
    "amount-then-months": ("$500, 2 months", "500", "500", None, None),
    "zero-lower": ("0 - 500 USD", None, "500", "USD", None),
    "zero": ("$0", *NOTHING),
    "currency-in-the-label": ("Budget (USD): 500", "500", "500", "USD", None),
    "remark-in-another-currency": ("₹1000 (US$12)", "1000", "1000", "INR", None),
    "after-a-span": ("3개월, 7,000,000원", "7000000", "7000000", "KRW", None),
    "in-a-month": ("20 € a month", "20", "20", "EUR", "month"),
}

# What cannot be read for certain is left unknown.
DOUBTFUL = {
    "unknown-word-before": ("kevesebb mint 500 Ft", None, None, "HUF", None),
    "unknown-word-after": ("5 apples", *NOTHING),
    "unknown-multiplier": ("R$ 5 mil", None, None, "BRL", None),
    "unknown-letter": ("$5B", *NOTHING),
    "multiplier-in-the-label": ("금액(만원): 500", None, None, "KRW", None),
    "multiplier-before-a-colon": ("금액 만원: 500", None, None, "KRW", None),
    "superscript": ("$5²", *NOTHING),
    "fraction": ("$5½", *NOTHING),
    "negative": ("-500 USD", None, None, "USD", None),
    "negative-after-the-sign": ("$-500", *NOTHING),
    "percent": ("10% of $500", *NOTHING),
    "cut-off": ("$500 -", *NOTHING),
    "amount-and-months": ("$500 - 2 months", *NOTHING),
    "amount-and-months-korean": ("5,000,000원 - 2개월", None, None, "KRW", None),
    "amount-and-months-tilde": ("10,000,000원 ~ 3개월", None, None, "KRW", None),
    "amount-and-days": ("€400 - 5 days", None, None, "EUR", None),
    "amount-and-months-from-to": ("$500 - 2-3 months", *NOTHING),
    "amount-and-months-and-more": ("$500 - 6+ months", *NOTHING),
    "range-or-time": ("$15 - 25 hr", *NOTHING),
    "amount-and-hours": ("$20 - 24 hours", *NOTHING),
    "amount-and-months-joined": ("$500-2 months", *NOTHING),
    "amount-and-months-from-to-joined": ("$1-2-3 months", *NOTHING),
    "amount-and-months-and-more-joined": ("$5-6+ months", *NOTHING),
    "amount-and-minutes": ("$20-30 minutes", *NOTHING),
    "joined-by-the-week": ("$500-600 week", *NOTHING),
    "amount-and-months-beside-a-range": ("$20 - 30 hours | 1-3 months", *NOTHING),
    "exponent": ("$1e3", *NOTHING),
    "letter-between-digits": ("500a700 EUR", None, None, "EUR", None),
    "multiplier-for-both-or-one": ("300만원 ~ 500", None, None, "KRW", None),
    "multiplier-for-both-or-one-before": ("1k - 500 USD", None, None, "USD", None),
    "two-amounts": ("$500 $700", *NOTHING),
    "three-amounts": ("$500 - $700 - $900", *NOTHING),
    "two-currencies": ("$500 - €700", *NOTHING),
    "two-statements": ("$500 | $700", *NOTHING),
    "turned-bounds": ("under $500 over $300", "300", "500", None, None),
    "contrary-bounds": ("over $500 under", *NOTHING),
    "odd-groups": ("1,2345 USD", None, None, "USD", None),
    "odd-marks": ("1.2.3 USD", None, None, "USD", None),
    "thousandths": ("KWD 1.250", None, None, "KWD", None),
    "thousandths-of-thousands": ("1.250k USD", None, None, "USD", None),
    "weekly": ("$1,000 per week", *NOTHING),
    "yearly": ("$100,000 / year", *NOTHING),
    "id": ("1234567890123456789012345", *NOTHING),
    "months-and-more": ("Hourly | $10-$20/hr | 6+ months", "10", "20", None, "hour"),
    "months-in-words": ("$500 | 6 or more months", "500", "500", None, None),
    "only-months-and-more": ("6+ months", *NOTHING),
    "a-month-and-more": ("$5,000+ per month", "5000", None, None, "month"),
    "only-spans": ("30 hrs/wk | 1-3 months", *NOTHING),
    "no-digits": ("数万円", None, None, "JPY", None),
    "words": ("lorem ipsum", *NOTHING),
}


def shown(text: Any, **declared: Any) -> tuple[Decimal | None, Decimal | None, str | None, str | None] | None:
    budget = parse_budget(text, **declared)
    if budget is None:
        return None
    assert budget.text == text
    return budget.minimum, budget.maximum, budget.currency, budget.period


def expected(minimum: str | None, maximum: str | None, currency: str | None, period: str | None) -> Any:
    return minimum and Decimal(minimum), maximum and Decimal(maximum), currency, period


CASES = SEEN | WRITTEN


@pytest.mark.parametrize(("text", "minimum", "maximum", "currency", "period"), CASES.values(), ids=CASES)
def test_a_budget_is_what_is_written(
    text: str, minimum: str | None, maximum: str | None, currency: str | None, period: str | None
) -> None:
    assert shown(text) == expected(minimum, maximum, currency, period)


@pytest.mark.parametrize(("text", "minimum", "maximum", "currency", "period"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_doubtful_is_unknown(
    text: str, minimum: str | None, maximum: str | None, currency: str | None, period: str | None
) -> None:
    found = shown(text)
    assert found is not None
    assert found[:2] == expected(minimum, maximum, None, None)[:2]
    # The sign of what was not read may be told or not, but never another one; and no time is a period.
    assert found[2] in (currency, None)
    assert found[3] == period


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=name)
        for name, text in {
            "nothing": None,
            "empty": "",
            "blank": " \n\u00a0",
            "number": 5,
            "average": "$47 (Avg Bid)",
            "average-before": "Average bid: $47",
            "average-japanese": "平均 5,000円",
            "description": "$500 " * 100,
            "endless-digits": "9" * 100_000,
        }.items()
    ],
)
def test_what_is_no_budget_is_none(text: Any) -> None:
    assert parse_budget(text) is None


@pytest.mark.parametrize(
    ("text", "declared", "currency"),
    [
        pytest.param("$403", "USD", "USD", id="shared-sign"),
        pytest.param("$403", "AUD", "AUD", id="shared-sign-of-another"),
        pytest.param("$403", "GBP", None, id="shown-in-another-currency"),
        pytest.param("$403", None, None, id="sign-alone"),
        pytest.param("£403", None, None, id="pound-alone"),
        pytest.param("£403", "GBP", "GBP", id="pound"),
        pytest.param("403 kr", "SEK", "SEK", id="crowns"),
        pytest.param("403 kr", None, None, id="crowns-alone"),
        pytest.param("¥403", "CNY", "CNY", id="yuan"),
        pytest.param("¥403", None, None, id="yen-or-yuan"),
        pytest.param("403元", None, None, id="yuan-or-dollars"),
        pytest.param("403 руб.", "RUB", "RUB", id="roubles"),
        pytest.param("403", "RUB", "RUB", id="no-sign"),
        pytest.param("403", "rub", "RUB", id="lower-case"),
        pytest.param("403", "ZZZ", None, id="no-currency"),
        pytest.param("403", None, None, id="number-alone"),
        pytest.param("€403", "USD", "EUR", id="the-text-wins"),
        pytest.param("USD 403", "INR", "USD", id="the-code-wins"),
        pytest.param("$403 EUR", None, None, id="contradiction"),
        pytest.param("협의 후 결정", "KRW", "KRW", id="declared-without-an-amount"),
        pytest.param("usd 403", None, "USD", id="lower-case-code"),
        pytest.param("all 403", None, None, id="word-that-spells-a-code"),
    ],
)
def test_a_sign_that_currencies_share_decides_nothing(text: str, declared: str | None, currency: str | None) -> None:
    budget = parse_budget(text, currency=declared)
    assert budget is not None
    assert budget.currency == currency


@pytest.mark.parametrize(
    ("sign", "currency"),
    {
        "US$": "USD", "A$": "AUD", "AU$": "AUD", "CA$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "NT$": "TWD",
        "MX$": "MXN", "R$": "BRL", "USD$": "USD", "€": "EUR", "₹": "INR", "₽": "RUB", "₩": "KRW", "원": "KRW",
        "円": "JPY", "₺": "TRY", "₴": "UAH", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "₫": "VND", "฿": "THB",
        "₱": "PHP", "₦": "NGN", "₪": "ILS", "₸": "KZT", "Rp": "IDR", "RM": "MYR", "TRY": "TRY", "BHD": "BHD",
    }.items(),
)  # fmt: skip
def test_these_signs_are_of_one_currency(sign: str, currency: str) -> None:
    for text in (f"{sign}500", f"{sign} 500 - 700", f"500 {sign}"):
        budget = parse_budget(text)
        assert budget is not None
        assert (budget.minimum, budget.currency) == (500, currency), text


@pytest.mark.parametrize(
    ("text", "declared", "period"),
    [
        pytest.param("USD 15 / hour", "total", "hour", id="the-text-wins"),
        pytest.param("USD 15", "month", "month", id="declared"),
        pytest.param("예상 금액 500만원", "month", "month", id="an-estimate-is-total-unless-declared"),
        pytest.param("15 USD/h", None, "hour", id="letter"),
        pytest.param("15 USD (per hour)", None, "hour", id="in-parentheses"),
        pytest.param("시급 15,000원", None, "hour", id="korean-hour"),
        pytest.param("일 300,000원", None, "day", id="korean-day"),
        pytest.param("日給 15,000円", None, "day", id="japanese-day"),
        pytest.param("3000 ₽ в час", None, "hour", id="russian-hour"),
        pytest.param("fixed 15 USD / hour", "hour", None, id="contradiction"),
        pytest.param("15 USD / week", "hour", None, id="no-period-of-ours"),
    ],
)
def test_periods(text: str, declared: Any, period: str | None) -> None:
    budget = parse_budget(text, period=declared)
    assert budget is not None
    assert budget.period == period


@pytest.mark.parametrize(
    ("text", "mark", "amount"),
    [
        ("1.250", None, "1250"),
        ("1.250", ",", "1250"),
        ("1.250", ".", "1.250"),
        ("1,250", None, "1250"),
        ("1,250", ".", "1250"),
        ("1,250", ",", "1.250"),
        ("1250.500", None, "1250.500"),
        ("0.500", None, "0.500"),
        ("1,25", None, "1.25"),
        ("1,25", ".", None),
        ("1.250,5", ".", None),
        ("1.250.000", None, "1250000"),
        ("1.250.000", ".", None),
        ("1.250k", ".", "1250"),
    ],
)
def test_the_decimal_mark_settles_three_digits(text: str, mark: Any, amount: str | None) -> None:
    budget = parse_budget(text, decimal_mark=mark)
    assert budget is not None
    assert (str(budget.minimum) if budget.minimum else None) == amount


@pytest.mark.parametrize(
    ("minimum", "maximum", "unit", "bounds"),
    [
        pytest.param(None, None, 1, (None, None), id="crowdworks-open"),
        pytest.param(0.0, 5000.0, 1, (None, Decimal("5000.0")), id="crowdworks-upper"),
        pytest.param(0, 0, 1, (None, None), id="zeros"),
        pytest.param("25000.00", 50000, 1, (Decimal("25000.00"), Decimal(50000)), id="kwork"),
        pytest.param("250", "500", 10_000, (Decimal(2_500_000), Decimal(5_000_000)), id="freemoa-myriads"),
        pytest.param("", "0", 10_000, (None, None), id="freemoa-open"),
        pytest.param("350.00", None, 1, (Decimal("350.00"), None), id="braintrust"),
        pytest.param("1,200", "12,000.50", 10_000, (Decimal(12_000_000), Decimal("120005000.00")), id="grouped"),
        pytest.param("1,20", "1,2000", 1, (None, None), id="not-grouped"),
        pytest.param("much", True, 1, (None, None), id="no-numbers"),
    ],
)
def test_numbers_in_fields(minimum: object, maximum: object, unit: int, bounds: tuple[Any, Any]) -> None:
    budget = budget_of(minimum, maximum, unit=unit, currency="KRW", period="total", text="as sent")
    assert (budget.minimum, budget.maximum) == bounds
    assert (budget.currency, budget.period, budget.text) == ("KRW", "total", "as sent")


def test_fields_without_a_currency_have_none() -> None:
    assert budget_of(1, 2, currency=None).currency is None
    assert budget_of(1, 2, currency="$").currency is None


@pytest.mark.parametrize("told", [{}, {"code": "EUR"}, [], ["EUR"], 978, True], ids=repr)
def test_a_currency_that_is_no_text_costs_itself_alone(told: object) -> None:
    assert budget_of(1, 2, currency=told) == Budget(minimum=Decimal(1), maximum=Decimal(2))
    assert parse_budget("$1 - $2", currency=told) == Budget(minimum=Decimal(1), maximum=Decimal(2), text="$1 - $2")


VOCABULARY = (
    "$ € ¥ £ 円 원 만 千 kr USD EUR INR CHF 0 1 15 500 1,250 1.250 1'000 12,50,000 0.00 k m - ~ – to от до under over "
    "+ / hour 월 月 | ( ) : . , max min avg fixed week a des 週 3 日 협의 ² ½ −"
)
PIECES = st.lists(st.sampled_from(VOCABULARY.split()), max_size=12).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words)])
)
TEXTS = st.text(max_size=60) | PIECES
DECLARED = st.sampled_from([None, "USD", "EUR", "KWD", "ZZZ"])


@REPEATABLE
@given(text=TEXTS, currency=DECLARED, period=st.sampled_from([None, "hour", "total"]))
def test_no_text_makes_up_a_budget(text: str, currency: str | None, period: Any) -> None:
    budget = parse_budget(text, currency=currency, period=period)
    if budget is None:
        return
    assert budget.text == text
    for bound in (budget.minimum, budget.maximum):
        assert bound is None or (type(bound) is Decimal and bound.is_finite() and bound > 0)
    if not any(character.isdigit() for character in text):
        assert budget.minimum is budget.maximum is None
    if currency is None and not any(character.isalpha() or character in "€₹₽₩₺₴₫฿₱₦₪₸₼₾₡₲₵৳₮￦" for character in text):
        assert budget.currency is None
    assert budget.currency is None or currency_code(budget.currency) == budget.currency


@REPEATABLE
@given(
    amount=st.integers(1, 10**9),
    other=st.integers(1, 10**9),
    sign=st.sampled_from(["$", "kr ", "¥", "£", "元"]),
)
def test_amounts_come_back_as_they_are_and_shared_signs_stay_unknown(amount: int, other: int, sign: str) -> None:
    assert shown(f"{sign}{amount:,} - {sign}{other:,}") == (amount, other, None, None)
    assert shown(f"{amount} - {other}") == (amount, other, None, None)
    assert shown(f"{amount:,}円".replace(",", "，")) == (amount, amount, "JPY", None)


@pytest.mark.parametrize("unit", ["1,", "1 ", "1.", "$", "(", "9", "a ", "원", "1만", "under ", "- ", "\u00a0", "1-2 "])
def test_long_texts_take_no_long_time(unit: str) -> None:
    for length in (299, 100_000):
        began = process_time()
        parse_budget((unit * length)[:length])
        assert process_time() - began < 0.1
