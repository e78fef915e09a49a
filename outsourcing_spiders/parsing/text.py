"""Clean texts: what a database can hold, what a line is, what a paragraph is."""

from __future__ import annotations

import re

import msgspec

# C0 controls other than tab and line feed, and lone surrogates: PostgreSQL refuses NUL and surrogates
# outright, and none of the others survives a CSV, an XML feed or a terminal unharmed.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\ud800-\udfff]")
_LINE_BREAKS = re.compile("\r\n?|\v|\f|\x85|\u2028")
# What a terminal obeys instead of showing it (C0 and C1 controls), or is led by to show other letters in another order.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NO_WORD = re.compile("[^a-z0-9]+")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")

_encode = msgspec.json.Encoder().encode


def is_storable(value: object) -> bool:
    """Tell whether a text, or all texts in a JSON value, hold only what PostgreSQL can store.

    Control characters show as escapes in the JSON form, which is made and searched in a fraction of the
    time that a regular expression takes; nearly every text needs no more than this. A text that spells such
    an escape out is taken for unstorable; cleaning it changes nothing. Backspace and form feed, which have
    escapes of their own, pass: PostgreSQL stores them, and `clean_line` and `clean_paragraphs` see to them.
    """
    try:
        encoded = _encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    # One character is found much faster than five are.
    return b"\\" not in encoded or b"\\u00" not in encoded


def is_json(value: object) -> bool:
    """Tell whether a value can be written as JSON at all."""
    try:
        _encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def drop_unstorable(text: str) -> str:
    """Return `text` without the characters that PostgreSQL cannot store; other line breaks become ``\\n``."""
    return _UNSTORABLE.sub("", _LINE_BREAKS.sub("\n", text).replace("\u2029", "\n\n"))


def clean_line(text: str) -> str:
    """Return a storable `text` as one line: runs of white space made one blank."""
    if "\b" in text:
        text = text.replace("\b", "")
    return " ".join(text.split())


def clean_paragraphs(text: str) -> str:
    """Return a storable `text` with its lines kept: no blanks at their ends, at most one empty line in a row."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\b" in text or "\f" in text or (not text.isascii() and _holds_rare_breaks(text)):
        text = drop_unstorable(text)
    if "\n" in text:
        # One character is found much faster than two are.
        if " \n" in text or ("\t" in text and "\t\n" in text):
            text = "\n".join([line.rstrip() for line in text.split("\n")])
        if "\n\n\n" in text:
            text = _MANY_BLANK_LINES.sub("\n\n", text)
    return text.strip()


def printable(text: str) -> str:
    """Return `text` as a terminal may get it: what it would obey is spelt out, tabs and ends of lines are kept."""
    return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def slug(text: str) -> str:
    """Return what the addresses of most platforms make of a name: ASCII words in lower case, hyphens between them."""
    return _NO_WORD.sub("-", text.lower()).strip("-")


def _holds_rare_breaks(text: str) -> bool:
    return "\x85" in text or "\u2028" in text or "\u2029" in text


def clean_json(value: object) -> object:
    """Return a JSON value whose texts and keys hold only what PostgreSQL can store."""
    if isinstance(value, str):
        return drop_unstorable(value)
    if isinstance(value, dict):
        return {clean_json(str(key)): clean_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean_json(inner) for inner in value]
    return value
