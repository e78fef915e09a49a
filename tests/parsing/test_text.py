"""What of a text can be stored, and how lines and paragraphs are cleaned."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.text import (
    clean_json,
    clean_line,
    clean_paragraphs,
    drop_unstorable,
    is_json,
    is_storable,
    printable,
)

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)

FAMILY = "👨\u200d👩\u200d👧"
# Lone surrogates and controls are in it, and more often than in texts drawn evenly from Unicode.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\0\b\t\n\v\f\r\x1b\x1f\x7f\x85\xa0\u2028\u2029\ud83d\ude00 \\u0a"), st.characters(codec=None)
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | HOSTILE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HOSTILE, inner, max_size=4),
    max_leaves=10,
)


def line(text: str) -> str:
    return clean_line(drop_unstorable(text))


def paragraphs(text: str) -> str:
    return clean_paragraphs(drop_unstorable(text))


def postgresql_refuses(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def texts(value: object) -> list[str]:
    """All texts in a JSON value, keys too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts(inner)]
    return [text for inner in value for text in texts(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("a\0b", "ab", id="NUL"),
        pytest.param("a\x01\x08\x0e\x1b\x1fb", "ab", id="other-controls"),
        pytest.param("a\ud83db\udfff", "ab", id="lone-surrogates"),
        pytest.param("a\r\nb\rc\nd", "a\nb\nc\nd", id="carriage-returns"),
        pytest.param("a\x85b\u2028c\vd\fe", "a\nb\nc\nd\ne", id="rare-line-breaks"),
        pytest.param("a\u2029b", "a\n\nb", id="paragraph-separator"),
        pytest.param("a\tb\xa0c\x7f", "a\tb\xa0c\x7f", id="tab-nbsp-delete-stay"),
        pytest.param(f"é я 中 {FAMILY}", f"é я 中 {FAMILY}", id="letters-and-joined-emoji-stay"),
    ],
)
def test_what_cannot_be_stored_is_dropped(text: str, kept: str) -> None:
    assert drop_unstorable(text) == kept


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("  Build \t a\nsite ", "Build a site", id="white-space-is-one-blank"),
        pytest.param("a\xa0\u3000b", "a b", id="wide-and-hard-blanks"),
        pytest.param("a\x85b\u2028c\u2029d\fe", "a b c d e", id="rare-line-breaks"),
        pytest.param("a\bb", "ab", id="backspace"),
        pytest.param(FAMILY, FAMILY, id="joined-emoji"),
        pytest.param(" \n\t", "", id="blank"),
    ],
)
def test_a_line_is_one_line(text: str, expected: str) -> None:
    assert clean_line(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\r\nb\rc", "a\nb\nc", id="carriage-returns"),
        pytest.param("a\x85b\u2028c\u2029d", "a\nb\nc\n\nd", id="rare-line-breaks"),
        pytest.param("a\fb\bc", "a\nbc", id="form-feed-and-backspace"),
        pytest.param("a \t\nb  \n c", "a\nb\n c", id="blanks-at-line-ends-go-indents-stay"),
        pytest.param("a\n \n\t\n\n\nb", "a\n\nb", id="one-empty-line-at-most"),
        pytest.param("\n\n a \n\n", "a", id="empty-lines-around"),
        pytest.param("", "", id="empty"),
    ],
)
def test_paragraphs_keep_their_lines(text: str, expected: str) -> None:
    assert clean_paragraphs(text) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 프리모아\tשלום\n→ 👍", "Größe 프리모아\tשלום\n→ 👍"),
        ("\x1b[2J\x1b]0;x\x07\r", r"\x1b[2J\x1b]0;x\x07\r"),
        ("\0\x7f\x9b", r"\x00\x7f\x9b"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
    ],
    ids=ascii,
)
def test_a_terminal_is_not_commanded(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_a_long_run_of_blanks_takes_no_time() -> None:
    started = time.process_time()
    assert clean_paragraphs("a \n" + " " * 200_000 + "b") == "a\n" + " " * 200_000 + "b"
    assert time.process_time() - started < 2


@pytest.mark.parametrize("clean", [drop_unstorable, line, paragraphs])
@REPEATABLE
@given(text=HOSTILE)
def test_cleaning_is_storable_and_final(clean: Callable[[str], str], text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not postgresql_refuses(cleaned)
    cleaned.encode()


@REPEATABLE
@given(text=HOSTILE)
def test_lines_and_paragraphs_hold_no_control_but_their_line_breaks(text: str) -> None:
    assert not {character for character in line(text) if character < " "}
    assert not {character for character in paragraphs(text) if character < " "} - {"\t", "\n"}


@REPEATABLE
@given(value=JSON)
def test_storable_is_what_postgresql_takes(value: object) -> None:
    held = texts(value)
    if is_storable(value):
        assert not any(map(postgresql_refuses, held))
    elif not any("\\" in text for text in held):
        assert any(drop_unstorable(text) != text for text in held)


@pytest.mark.parametrize("text", ["\x7f", "\x85", "\t\n\r", "\u2028", "\b\f", "é", FAMILY, "C:\\new"])
def test_storable_as_it_is(text: str) -> None:
    assert is_storable(text)


@pytest.mark.parametrize("text", ["\0", "\x1f", "\v", "\x1b[0m", "\ud800"])
def test_not_storable(text: str) -> None:
    assert not is_storable(text)
    assert not is_storable({"key": [text]})
    assert not is_storable({text: 1})


def test_an_escape_that_is_spelled_out_is_a_false_alarm_without_harm() -> None:
    text = "write \\u0000 for NUL"
    assert not is_storable(text)
    assert drop_unstorable(text) == text
    assert clean_json({"how": text}) == {"how": text}


def endless() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(object(), id="object"),
        pytest.param({None: 1}, id="key"),
        pytest.param(endless(), id="endless"),
        pytest.param(10**5000, id="huge"),
    ],
)
def test_what_is_no_json_is_not_storable(value: object) -> None:
    assert not is_json(value)
    assert not is_storable(value)


@REPEATABLE
@given(value=JSON)
def test_cleaned_json_is_storable_and_final(value: object) -> None:
    cleaned = clean_json(value)
    held = texts(msgspec.json.decode(msgspec.json.encode(cleaned)))
    assert not any(map(postgresql_refuses, held))
    assert repr(clean_json(cleaned)) == repr(cleaned)


def test_json_keys_become_texts_and_sequences_lists() -> None:
    assert clean_json({1: ("a\0", {"b"}), None: True}) == {"1": ["a", ["b"]], "None": True}
