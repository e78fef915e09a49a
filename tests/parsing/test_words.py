"""Pieces of texts in any script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.words import Vocabulary, plain

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)

TERMS = {"more": 1, "more than": 2, "전": 3, "시간": 4, "시": 5, "+": 6, "jusqu'à": 7, "us$": 8}
WORDS = Vocabulary(TERMS, numbers="[0-9]+(?:,[0-9]+)*", signs=r"[A-Z]{2}\$")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("More than 1,000", [("More", 2), ("1,000", None)], id="longest-phrase"),
        pytest.param("more, than", [("more", 1), (",", None), ("than", None)], id="broken-phrase"),
        pytest.param("3시간전", [("3", None), ("시간", 4), ("전", 3)], id="unspaced"),
        pytest.param("시반전", [("시", 5), ("반전", None)], id="unspaced-unknown"),
        pytest.param("MORE+", [("MORE", 1), ("+", 6)], id="case-and-mark"),
        pytest.param("Jusqu'à 5", [("Jusqu", 7), ("5", None)], id="apostrophe"),
        pytest.param("US$5", [("US$", 8), ("5", None)], id="sign"),
        pytest.param("more전", [("more", 1), ("전", 3)], id="two-scripts"),
        pytest.param(" \n", [], id="blank"),
    ],
)
def test_pieces_have_their_meanings(text: str, pieces: list[tuple[str, int | None]]) -> None:
    assert WORDS.read(text) == pieces


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("１，０００円〜", "1,000円~"),
        ("￥５－６", "¥5-6"),
        ("1\u202f000\u00a0€", "1 000 €"),
        ("5–6 — 7 −8", "5-6 - 7 -8"),
        ("1’000", "1'000"),
        ("५०", "50"),
        ("3\u200b4", "34"),
        ("5²½", "5²½"),
        ("전".encode().decode(), "전"),
        ("\u110c\u1165\u11ab", "전"),
    ],
)
def test_what_means_the_same_is_written_the_same(text: str, same: str) -> None:
    assert plain(text) == same
    assert plain(same) == same


@REPEATABLE
@given(text=st.text())
def test_no_letter_or_digit_is_lost(text: str) -> None:
    read = "".join(piece for piece, meaning in WORDS.read(text) if meaning is None)
    assert set(read) <= set(text)
    known = "".join(piece for piece, _ in WORDS.read(text))
    assert [c for c in known if c.isalnum()] == [c for c in text if c.isalnum()] or "more" in text.casefold()
