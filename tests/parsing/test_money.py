"""Amounts are exact or none at all; currencies are codes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.money import currency_code, decimal_or_none, int_or_none

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)

NUMERIC = st.from_regex(r"\A[+-]?\d{0,20}[.,_']?\d{0,20}([eE][+-]?\d{1,12})?\Z")
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**60), 10**60)
    | st.floats()
    | st.decimals()
    | st.text()
    | NUMERIC
    | st.lists(st.integers())
    | st.sampled_from([10**5000, "9" * 5000, "1e999999", Decimal("1e-999999"), b"1", 1j])
)


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        pytest.param(250, "250", id="int"),
        pytest.param(0, "0", id="zero"),
        pytest.param(-3, "-3", id="negative"),
        pytest.param(0.1, "0.1", id="float-as-written"),
        pytest.param(17.545454545454547, "17.545454545454547", id="float-keeps-its-digits"),
        pytest.param(1e16, "1E+16", id="large-float"),
        pytest.param("12.50", "12.50", id="text-keeps-its-zeros"),
        pytest.param(" 7 ", "7", id="blanks"),
        pytest.param("1e3", "1E+3", id="exponent"),
        pytest.param(Decimal("0.30"), "0.30", id="decimal"),
    ],
)
def test_numbers_are_exact(value: object, digits: str) -> None:
    assert str(decimal_or_none(value)) == digits


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(value, id=name)
        for name, value in {
            "nothing": None,
            "true": True,
            "empty": "",
            "blank": " ",
            "thousands": "1,000",
            "decimal-comma": "1,5",
            "underscore": "1_000",
            "currency": "$5",
            "range": "10-20",
            "word": "ten",
            "nan": float("nan"),
            "nan-text": "NaN",
            "signalling-nan": "sNaN",
            "infinity": float("inf"),
            "infinity-text": "-Infinity",
            "nan-decimal": Decimal("NaN"),
            "huge-exponent": "1e999999",
            "tiny-exponent": "1e-999999",
            "zero-with-a-huge-exponent": "0e999999",
            "huge-decimal": Decimal("1e999999"),
            "huge-int": 10**5000,
            "many-digits": "9" * 5000,
            "bytes": b"5",
            "list": [5],
        }.items()
    ],
)
def test_what_is_no_amount_is_none(value: object) -> None:
    assert decimal_or_none(value) is None
    assert int_or_none(value) is None


def test_a_negative_zero_is_a_zero() -> None:
    assert decimal_or_none(-0.0) == 0
    assert int_or_none("-0") == 0


@REPEATABLE
@given(value=ANYTHING)
def test_a_decimal_is_the_number_itself_and_bears_arithmetic(value: object) -> None:
    number = decimal_or_none(value)
    if number is not None:
        assert number == Decimal(str(value).strip())
        assert type(value) is not bool
        assert 0 <= abs(number) < Decimal(10) ** 31
        assert number * 2 >= number or number < 0
        assert len(f"{number:f}") < 100


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(5, 5, id="int"),
        pytest.param(-5, -5, id="negative"),
        pytest.param(5.0, 5, id="whole-float"),
        pytest.param("5", 5, id="digits"),
        pytest.param(" 5 ", 5, id="blanks"),
        pytest.param(2**31 - 1, 2**31 - 1, id="largest"),
        pytest.param(2**31, None, id="too-large"),
        pytest.param("99999999999", None, id="too-large-digits"),
        pytest.param(5.5, None, id="fraction"),
        pytest.param("5.5", None, id="fraction-text"),
        pytest.param("1e-20", None, id="small-fraction"),
    ],
)
def test_whole_numbers(value: object, number: int | None) -> None:
    assert int_or_none(value) == number


@REPEATABLE
@given(value=ANYTHING)
def test_a_whole_number_is_the_number_itself_and_fits_its_column(value: object) -> None:
    number = int_or_none(value)
    if number is not None:
        assert type(number) is int
        assert abs(number) < 2**31
        assert number == Decimal(str(value).strip())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("EUR", "EUR", id="code"),
        pytest.param("usd", "USD", id="lower-case"),
        pytest.param(" inr\n", "INR", id="blanks"),
        pytest.param("XOF", "XOF", id="code-of-several-countries"),
        pytest.param("ZZZ", None, id="unknown"),
        pytest.param("XXX", None, id="iso-no-currency"),
        pytest.param("XTS", None, id="iso-test"),
        pytest.param("$", None, id="sign"),
        pytest.param("€", None, id="unambiguous-sign"),
        pytest.param("US$", None, id="sign-with-letters"),
        pytest.param("DEM", None, id="no-longer-a-currency"),
        pytest.param("BTC", None, id="not-in-iso"),
        pytest.param("", None, id="empty"),
        pytest.param("E\0UR", None, id="control"),
    ],
)
def test_currencies_are_codes(text: str, code: str | None) -> None:
    assert currency_code(text) == code


@REPEATABLE
@given(text=st.text() | st.text("abcdefghijklmnopqrstuvwxyz€$ ", max_size=4))
def test_a_currency_is_never_guessed(text: str) -> None:
    assert currency_code(text) in (None, text.strip().upper())


@pytest.mark.parametrize("told", [None, {}, {"code": "EUR"}, [], ["EUR"], 978, 0.5, True, False, b"EUR"], ids=repr)
def test_what_is_no_text_is_no_currency(told: object) -> None:
    assert currency_code(told) is None
