"""Clean texts: what a database can hold, what a line is, what a paragraph is."""

from __future__ import annotations

import re

# C0 controls other than tab and line feed, DEL, and lone surrogates: PostgreSQL refuses NUL and
# surrogates outright, and none of the others survives a CSV, an XML feed or a terminal unharmed.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TRAILING_BLANKS = re.compile(r"[ \t]+\n")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")
_NEWLINES = ("\r", "\v", "\f", "\u2028", "\u2029")


def clean_line(text: str) -> str:
    """Return `text` as one line: unstorable characters dropped, runs of white space made one blank."""
    if text.isprintable():
        if text[:1] != " " and text[-1:] != " " and "  " not in text:
            return text  # ordinary text, most of what comes: nothing to do
    else:
        text = _UNSTORABLE.sub("", text.translate(_LINE_BREAKS))
    return " ".join(text.split())


def clean_paragraphs(text: str) -> str:
    """Return `text` with its lines kept: unstorable characters dropped, at most one empty line in a row."""
    if "\r" in text or not text.isascii():
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    if _UNSTORABLE.search(text):
        text = _UNSTORABLE.sub("", text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING_BLANKS.sub("\n", text)
    if "\n\n\n" in text:
        text = _MANY_BLANK_LINES.sub("\n\n", text)
    return text.strip()


def clean_json(value: object) -> object:
    """Return a JSON value whose texts and keys hold only what PostgreSQL can store."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {clean_json(str(key)): clean_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean_json(inner) for inner in value]
    return value


_LINE_BREAKS = {ord(character): " " for character in _NEWLINES}
