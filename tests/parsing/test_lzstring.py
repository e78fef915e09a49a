"""Compressed texts as LZString writes them; the first three values are from addresses of Wishket."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.lzstring import compress_to_base64, decompress_from_base64

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
# The two halves of a character are that character, here as in a browser.
TEXT = st.text(st.sampled_from("abab=&,위시켓😀\0\xff\u0100") | st.characters())


def refusal(packed: str) -> str:
    """Return why a text is refused; "" when it is read. Any other exception is a failure."""
    try:
        decompress_from_base64(packed)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        pytest.param("srt=new", "M4JwLgvAdgpg7kA=", id="newest"),
        pytest.param("pt=task_based&ecd=True", "A4FwvCCGDODWD6AjGBTAJgMhQYzWAKgE4CuKQA==", id="task-based"),
        pytest.param(
            "c=development&ff=web,pc,android,ios",
            "MYXgJgpgbhA2D2AHAthAdgFwGQDMcgHcIAjAGkWFIEM0wAneASzFMfgGcg==",
            id="categories",
        ),
        pytest.param("위시켓 프로젝트", "iDjh2hzI8wBIIKuDodi4E4DqWg==", id="korean"),
        pytest.param("", "Q===", id="empty"),
    ],
)
def test_the_same_as_the_original(text: str, packed: str) -> None:
    assert compress_to_base64(text) == packed
    assert decompress_from_base64(packed) == text
    assert decompress_from_base64(packed.rstrip("=")) == text


def test_a_plus_sign_that_was_decoded_as_a_blank_is_still_one() -> None:
    text = "q=모바일"
    packed = compress_to_base64(text)
    assert "+" in packed
    assert decompress_from_base64(packed.replace("+", " ")) == text


@REPEATABLE
@given(text=TEXT)
def test_round_trip(text: str) -> None:
    assert decompress_from_base64(compress_to_base64(text)) == text


def test_half_characters_survive() -> None:
    assert decompress_from_base64(compress_to_base64("a\ud800b")) == "a\ud800b"


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        pytest.param("", "without its end", id="empty"),
        pytest.param("A", "without its end", id="short"),
        pytest.param("M4JwLg", "without its end", id="cut"),
        pytest.param("한", "not in the alphabet", id="other-characters"),
        pytest.param("//////", "does not have", id="unknown-phrase"),
    ],
)
def test_damaged_texts_are_refused(packed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decompress_from_base64(packed)


@REPEATABLE
@given(packed=st.text("ABMQgw/+=") | st.text())
def test_any_text_is_read_or_refused(packed: str) -> None:
    assert len(refusal(packed)) < 200


def test_what_stands_for_too_much_is_refused() -> None:
    bomb = compress_to_base64("a" * 900_000)
    assert len(bomb) < 3_000
    assert len(decompress_from_base64(bomb)) == 900_000
    with pytest.raises(ValueError, match="more than 1000"):
        decompress_from_base64(bomb, longest=1000)
    started = time.process_time()
    with pytest.raises(ValueError, match="too long"):
        decompress_from_base64("A" * 8_000_000)
    assert time.process_time() - started < 5
