"""Countries as platforms write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.countries import _BY_ALPHA_3, _CODES, country_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("GB", "GB"), ("gb", "GB"), ("GBR", "GB"), ("KOR", "KR"), ("DEU", "DE"), ("USA", "US"), ("ZAF", "ZA"),
        ("CHE", "CH"), ("AUT", "AT"), ("VNM", "VN"), ("SRB", "RS"), ("SVK", "SK"), ("SVN", "SI"), (" IND ", "IN"),
        ("South Korea", "KR"), ("Korea, Republic of", "KR"), ("Viet Nam", "VN"), ("Vietnam", "VN"), ("UK", "GB"),
        ("United Kingdom", "GB"), ("England", "GB"), ("united states", "US"), ("usa", "US"), ("U.S.A.", "US"),
        ("The Netherlands", "NL"), ("Côte d’Ivoire", "CI"), ("Ivory Coast", "CI"), ("Türkiye", "TR"), ("Turkey", "TR"),
        ("Hong Kong", "HK"), ("UAE", "AE"), ("Russian Federation", "RU"), ("Czech Republic", "CZ"),
        # Words of English, and of nobody.
        ("and", None), ("can", None), ("per", None), ("Can", None), ("XXX", None), ("XX", None), ("EUR", None),
        ("Europe", None), ("Worldwide", None), ("London", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_countries_are_known_by_name_and_code(text: str | None, code: str | None) -> None:
    assert country_code(text) == code


def test_every_country_has_one_code_of_each_length() -> None:
    assert len(_CODES) == len(_BY_ALPHA_3) == 249
    assert set(_BY_ALPHA_3.values()) == _CODES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in _BY_ALPHA_3)
    # Most begin alike; a shift by one in the table would show.
    assert sum(long[0] != short[0] for long, short in _BY_ALPHA_3.items()) < 12


@pytest.mark.parametrize("told", [{}, {"name": "GB"}, [], ["GB"], 44, 0.5, True, False, b"GB"], ids=repr)
def test_what_is_no_text_is_no_country(told: object) -> None:
    assert country_code(told) is None


@settings(derandomize=True, deadline=None, max_examples=300)
@given(text=st.text() | st.text("abcdefghijklmnopqrstuvwxyz .-&\u2019", max_size=12) | st.sampled_from(sorted(_CODES)))
def test_any_text_is_a_country_or_none(text: str) -> None:
    found = country_code(text)
    assert found is None or found in _CODES
    if found is not None:
        assert country_code(found) == found
