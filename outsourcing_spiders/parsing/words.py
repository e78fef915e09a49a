"""Split a short text into numbers and known words, in any script; tables say what a word means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")

# Scripts that are written without blanks between words, or with endings that stick to them.
_UNSPACED = "\u1100-\u11ff\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_FIRST_UNSPACED = _UNSPACED[0]
_PIECES = rf"[{_UNSPACED}]+|[^\W\d_{_UNSPACED}]+|\S"
_is_unspaced = re.compile(rf"[{_UNSPACED}]").match

_SAME_AS: dict[str, str] = {
    " ": "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "": "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "~": "\u223c\u301c",
    "'": "\u2018\u2019\u02bc\u00b4`",
    ",": "\u066c\u3001",
    ".": "\u3002",
    "£": "\uffe1",
    "¥": "\uffe5",
    "₩": "\uffe6",
}
_PLAIN: dict[int, str] = {ord(other): same for same, others in _SAME_AS.items() for other in others}
_PLAIN |= {0xFF01 + offset: chr(0x21 + offset) for offset in range(94)}
# The zeros of the Arabic, Persian, Devanagari, Bengali and Thai digits.
_PLAIN |= {zero + digit: str(digit) for zero in (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50) for digit in range(10)}


def plain(text: str) -> str:
    """Return `text` with full-width forms, other digits, blanks, dashes and apostrophes written as in ASCII.

    Only what means the same is replaced: compatibility normalization would make "5²" read 52.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_PLAIN)


class Vocabulary(Generic[Meaning]):
    """Known words and phrases with their meanings; letter case does not count, and the longest term wins.

    `numbers` is a regular expression, without groups, of what begins with a digit and is read first; `signs` is one of
    terms that are neither words nor single characters.
    """

    def __init__(self, terms: Mapping[str, Meaning], *, numbers: str, signs: str = "(?!)") -> None:
        self._pattern = re.compile(rf"(?:{numbers})|(?:{signs})|{_PIECES}")
        self._terms = {term.casefold(): meaning for term, meaning in terms.items()}
        self._longest = max(map(len, self._terms), default=0)
        self._phrases: dict[str, list[tuple[list[str], Meaning]]] = {}
        for term in sorted(self._terms, key=len, reverse=True):
            words = self._pattern.findall(term)
            if len(words) > 1:
                self._phrases.setdefault(words[0], []).append((words[1:], self._terms[term]))

    def read(self, text: str) -> list[tuple[str, Meaning | None]]:
        """Return the pieces of `text` as written, each with its meaning; ``None`` for numbers and unknown words."""
        pieces: list[tuple[str, Meaning | None]] = []
        found: list[str] = self._pattern.findall(text)
        index = 0
        while index < len(found):
            piece = found[index]
            index += 1
            if "0" <= piece[0] <= "9":
                pieces.append((piece, None))
            elif piece[0] >= _FIRST_UNSPACED and _is_unspaced(piece):
                self._read_unspaced(piece, pieces)
            else:
                key = piece.casefold()
                meaning = self._terms.get(key)
                if key in self._phrases:
                    for rest, of_phrase in self._phrases[key]:
                        if [word.casefold() for word in found[index : index + len(rest)]] == rest:
                            meaning = of_phrase
                            index += len(rest)
                            break
                pieces.append((piece, meaning))
        return pieces

    def _read_unspaced(self, run: str, pieces: list[tuple[str, Meaning | None]]) -> None:
        start = 0
        while start < len(run):
            for end in range(min(len(run), start + self._longest), start, -1):
                if (meaning := self._terms.get(run[start:end])) is not None:
                    pieces.append((run[start:end], meaning))
                    start = end
                    break
            else:
                pieces.append((run[start:], None))
                return
