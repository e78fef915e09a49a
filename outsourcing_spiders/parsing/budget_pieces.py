"""See what stands where among the pieces of a budget: numbers and words, each word with its meaning."""

from __future__ import annotations

import re
from functools import lru_cache

from outsourcing_spiders.parsing.budget_words import LOWER_CASE_CODES, VOCABULARY, Role, Word
from outsourcing_spiders.parsing.money import currency_code

Pieces = list[tuple[str, Word | None]]
"""As written, each with its meaning; ``None`` for numbers and unknown words."""

# "$15-25" is a range; "$500 - 2" may be two statements. Plain characters have no other dash than the hyphen.
JOINING_DASH = "\N{EN DASH}"
_JOINING = re.compile(r"(?<=[0-9])-(?=[0-9])")
_DASH = Word(Role.RANGE)
_DIGITS = frozenset("0123456789")
_SPANS = (Role.UNIT, Role.SPAN)


def pieces_of(text: str) -> Pieces:
    """Return the pieces of a text in plain characters (`words.plain`), a hyphen between digits as `JOINING_DASH`."""
    read = VOCABULARY.read(_JOINING.sub(JOINING_DASH, text))
    return [(piece, word or (_DASH if piece == JOINING_DASH else _code(piece))) for piece, word in read]


def word_at(pieces: Pieces, index: int) -> Word | None:
    """Return the word at `index`; ``None`` for another piece, and outside of the text."""
    return pieces[index][1] if 0 <= index < len(pieces) else None


def has_role(pieces: Pieces, index: int, role: Role) -> bool:
    """Tell whether the piece at `index` is a word with this role."""
    word = word_at(pieces, index)
    return word is not None and word.role is role


def is_number(pieces: Pieces, index: int) -> bool:
    """Tell whether the piece at `index` is a number."""
    return index < len(pieces) and pieces[index][0][0] in _DIGITS


def is_span(pieces: Pieces, index: int) -> bool:
    """Tell whether the piece at `index` is a span of time."""
    word = word_at(pieces, index)
    return word is not None and word.role in _SPANS


def is_currency(pieces: Pieces, index: int) -> bool:
    """Tell whether the piece at `index` is a currency."""
    return has_role(pieces, index, Role.CURRENCY)


def number_follows(pieces: Pieces, index: int) -> bool:
    """Tell whether the next thing said is a number, currencies and punctuation apart."""
    while (word := word_at(pieces, index)) is not None and word.role in (Role.CURRENCY, Role.NEUTRAL, Role.COLON):
        index += 1
    return is_number(pieces, index)


@lru_cache(maxsize=1024)
def _code(piece: str) -> Word | None:
    """Return the currency that an ISO code names, also as "USD$"; in lower case only where it spells no word."""
    code = piece[:3] if len(piece) == 4 and piece[3] in "$¥£" else piece
    if len(code) != 3 or not (code.isupper() or code in LOWER_CASE_CODES):
        return None
    known = currency_code(code)
    return None if known is None else Word(Role.CURRENCY, frozenset({known}))
