"""Read a budget as a platform writes it, or as it sends it in fields; nothing that is not said is filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from outsourcing_spiders.items import Budget, Period
from outsourcing_spiders.parsing.amounts import DecimalMark, number_or_none
from outsourcing_spiders.parsing.budget_pieces import (
    JOINING_DASH,
    Pieces,
    has_role,
    is_currency,
    is_number,
    is_span,
    number_follows,
    pieces_of,
    word_at,
)
from outsourcing_spiders.parsing.budget_words import THREE_DECIMALS, Role, Word
from outsourcing_spiders.parsing.money import currency_code, decimal_or_none
from outsourcing_spiders.parsing.words import plain

_Bounds = tuple[Decimal | None, Decimal | None]
# Longer texts are descriptions.
_LONGEST_TEXT = 300
_NOTHING: _Bounds = (None, None)
_ZERO, _ONE, _MYRIAD = Decimal(0), Decimal(1), Decimal(10_000)
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ONE_GROUP = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
# A letter of a script that puts blanks between words.
_LETTER_IN_NUMBER = re.compile(r"[0-9][^\W\d_\u1100-\U0010ffff][0-9]")
_EAST_ASIAN = frozenset({"JPY", "KRW", "CNY"})
_BEFORE = {Role.LOWER_BEFORE: Role.LOWER, Role.UPPER_BEFORE: Role.UPPER}
_AFTER = {Role.LOWER_AFTER: Role.LOWER, Role.UPPER_AFTER: Role.UPPER}

# price-parser is made for prices: of a range it reads one number, "Under $250" is 250 to it, "$1k" is 1, "2,000만원"
# 2,000, and an average bid is as good as a budget; it reads a third of what the platforms write.


def parse_budget(
    text: str | None,
    *,
    currency: object = None,
    period: Period | None = None,
    decimal_mark: DecimalMark | None = None,
) -> Budget | None:
    """Read the budget in a short `text`; ``None`` when there is none in it: blank, too long, or an average of bids.

    `currency` and `period` are what the platform declares elsewhere; a code, an unambiguous sign or a period in
    the text wins over them. A sign that several currencies share ("$", "kr", "¥", "£") is the declared one of
    these, else none. One amount is both bounds; a bound of zero is no bound. What cannot be read for certain
    leaves the bounds unknown and keeps the text: unknown words beside an amount, amounts that form no range or
    are in two currencies, pay by the week or the year. `decimal_mark` settles "1.250" and "1,250"; without it,
    three digits after a mark are thousands.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not text or text.isspace():
        return None
    found = _read(text, currency_code(currency), period, decimal_mark)
    if found is None:
        return None
    (minimum, maximum), code, per = found
    return Budget(minimum=minimum, maximum=maximum, currency=code, period=per, text=text)


def budget_of(
    minimum: object,
    maximum: object,
    *,
    currency: object,
    period: Period | None = None,
    unit: int = 1,
    text: str | None = None,
) -> Budget:
    """Return the budget of two numbers, as JSON numbers or numeric texts, in `unit` of `currency` (만원 is 10,000).

    Commas part thousands. What is no number, and zero, which platforms send for "not given", are no bound.
    """
    lower, upper = _sent(minimum), _sent(maximum)
    return Budget(
        minimum=lower * unit if lower else None,
        maximum=upper * unit if upper else None,
        currency=currency_code(currency),
        period=period,
        text=text,
    )


def _sent(value: object) -> Decimal | None:
    if isinstance(value, str) and "," in value and _GROUPED.fullmatch(value.strip()):
        value = value.replace(",", "")
    return decimal_or_none(value)


# Few texts are written many times over: of "Under $250" there are thousands.
@lru_cache(maxsize=4096)
def _read(
    text: str, currency: str | None, period: Period | None, decimal_mark: DecimalMark | None
) -> tuple[_Bounds, str | None, Period | None] | None:
    written = plain(text)
    pieces = pieces_of(written)
    parts = _parts(pieces)
    if parts is None:
        return None
    segments, asides = ([_segment(part, decimal_mark) for part in group if part] for group in parts)
    bounds, codes, chosen = _NOTHING, None, _the_one(segments) or _the_one(asides)
    remarks = [segment for segment in (*segments, *asides) if not segment.amounts]
    if chosen is not None:
        for remark in remarks:
            chosen.take(remark)
        bounds, codes = chosen.bounds(), chosen.currencies
    code = _currency(codes, currency)
    if code in THREE_DECIMALS and chosen is not None and chosen.thousands_unsure and decimal_mark is None:
        bounds = _NOTHING
    if _LETTER_IN_NUMBER.search(written):
        # "$1e3": between digits a letter is no word, such as the "e" of "500 e 700".
        bounds = _NOTHING
    periods = chosen.periods if chosen else set()
    periods = periods or {per for remark in remarks if remark.readable for per in remark.periods}
    if None in periods:
        # By the week or the year, which no period of an item is.
        return _NOTHING, code, None
    if periods:
        period = next(iter(periods)) if len(periods) == 1 else None
    elif period is None and any(segment.likely_total for segment in (*segments, *asides)):
        period = "total"
    return bounds, code, period


def _currency(codes: frozenset[str] | None, declared: str | None) -> str | None:
    """Return the currency of which the text says that it is one of `codes`."""
    if codes is None or declared in codes:
        return declared
    return next(iter(codes)) if len(codes) == 1 else None


@dataclass(slots=True)
class _Amount:
    value: Decimal
    written: Decimal
    """The number without its multiplier."""
    factor: Decimal
    bound: Role | None
    signed: bool
    """Whether a currency stands before it."""
    marked: bool
    """Whether it is told to be money, by a currency of its own or of the other end of its range."""
    closed: bool
    """Whether a currency stands after it, so that no later multiplier is meant for it too."""


@dataclass(slots=True)
class _Segment:
    """What one part of the text says; bars, bullets and parentheses part them."""

    amounts: list[_Amount] = field(default_factory=list)
    currencies: frozenset[str] | None = None
    """Those that all currency signs in it can stand for."""
    periods: set[Period | None] = field(default_factory=set)
    likely_total: bool = False
    readable: bool = True
    scaled: bool = False
    """Whether a multiplier stands by itself, as in "(만원)"."""
    pending: Role | None = None
    """The bound that the next amount is."""
    ranging: str = ""
    """The piece that announced a second amount."""
    leading_tilde: bool = False
    thousands_unsure: bool = False
    """Whether a number in it has one group of three digits, which may be thousandths."""

    def name_currency(self, codes: frozenset[str]) -> None:
        self.currencies = codes if self.currencies is None else self.currencies & codes

    def take(self, remark: _Segment) -> None:
        """Let a part without amounts say more of the amounts in this one."""
        if remark.scaled:
            self.readable = False
        if not remark.readable:
            return
        if remark.currencies is not None:
            self.name_currency(remark.currencies)
        if remark.pending is not None and len(self.amounts) == 1 and self.amounts[0].bound is None:
            self.amounts[0].bound = remark.pending

    def bounds(self) -> _Bounds:
        """Return the bounds; unknown when the amounts do not add up to one statement."""
        if not self.readable or self.pending is not None or len(self.amounts) > 2:
            return _NOTHING
        minimum, maximum = self._single() if len(self.amounts) == 1 else self._pair()
        return minimum or None, maximum or None

    def _single(self) -> _Bounds:
        amount, bound = self.amounts[0], self.amounts[0].bound
        if self.ranging:
            # "10,000円〜" has no upper end; "$500 -" was cut off.
            if self.ranging != "~" or bound is not None:
                return _NOTHING
            bound = Role.LOWER
        elif self.leading_tilde and bound is None and self.currencies is not None and self.currencies <= _EAST_ASIAN:
            # Elsewhere a tilde says "about".
            bound = Role.UPPER
        return None if bound is Role.UPPER else amount.value, None if bound is Role.LOWER else amount.value

    def _pair(self) -> _Bounds:
        first, last = self.amounts
        if self.ranging or self.currencies == frozenset():
            return _NOTHING
        if first.bound is Role.UPPER or last.bound is Role.LOWER:
            turned = first.bound is Role.UPPER and last.bound is Role.LOWER
            return (last.value, first.value) if turned else _NOTHING
        own = all(amount.signed or amount.closed for amount in self.amounts)
        if first.factor != 1 and last.factor == 1 and last.value < first.value and not own:
            # "300만원 ~ 500" may mean the multiplier for both.
            return _NOTHING
        if last.factor != 1 and first.factor == 1 and first.written < last.written and not first.closed:
            # "550~600만원" and "1-2k" mean the multiplier for both; whether "$5-$10k" does is anybody's guess.
            return None if first.signed and last.signed else first.written * last.factor, last.value
        return first.value, last.value


def _the_one(segments: Iterable[_Segment]) -> _Segment | None:
    """Return the part that holds the budget: the only one with money, else the only one with a number.

    Where there are several, the result is one that says nothing.
    """
    with_amounts = [segment for segment in segments if segment.amounts]
    candidates = [segment for segment in with_amounts if segment.currencies is not None] or with_amounts
    if len(candidates) > 1:
        candidates[0].readable = False
    return candidates[0] if candidates else None


def _parts(pieces: Pieces) -> tuple[list[Pieces], list[Pieces]] | None:
    """Return the parts of the text, and those in parentheses; ``None`` for a text about an average."""
    parts: tuple[list[Pieces], list[Pieces]] = [[]], []
    current = parts[0][0]
    inside = 0
    for piece in pieces:
        role = None if piece[1] is None else piece[1].role
        if role is None or role <= Role.NEUTRAL:
            current.append(piece)
        elif role is Role.AVERAGE:
            return None
        else:
            inside = 1 if role is Role.OPEN else 0 if role is Role.CLOSE else inside
            current = []
            parts[inside].append(current)
    return parts


def _segment(pieces: Pieces, decimal_mark: DecimalMark | None) -> _Segment:
    segment = _Segment()
    index = 0
    while index < len(pieces):
        if is_number(pieces, index):
            index = _take_number(segment, pieces, index, decimal_mark)
            continue
        piece, word = pieces[index]
        index += 1
        if word is None:
            segment.readable = False
        elif word.role is not Role.NEUTRAL:
            _take_word(segment, pieces, index, piece, word)
    return segment


def _take_word(segment: _Segment, pieces: Pieces, after: int, piece: str, word: Word) -> None:
    amounts, role = segment.amounts, word.role
    if role is Role.CURRENCY:
        segment.name_currency(word.currencies)
    elif role is Role.LOWER or role is Role.UPPER:
        _take_bound(segment, role, before=not amounts or number_follows(pieces, after))
    elif role in _BEFORE:
        _take_bound(segment, _BEFORE[role], before=True)
    elif role in _AFTER:
        _take_bound(segment, _AFTER[role], before=False)
    elif role is Role.RANGE:
        if not amounts:
            segment.leading_tilde = piece == "~"
            segment.readable = segment.readable and segment.leading_tilde
        elif segment.ranging and segment.ranging != piece:
            segment.readable = False
        segment.ranging = piece if amounts else ""
    elif role is Role.PERIOD:
        segment.periods.add(word.period)
    elif role is Role.UNIT:
        # "週3日" is how much work there is a week, not what is paid for one.
        if not (is_number(pieces, after) and is_span(pieces, after + 1)):
            segment.periods.add(word.period)
    elif role is Role.LIKELY_TOTAL:
        segment.likely_total = True
    elif role is Role.COLON:
        # What stands before is a label, in whatever words.
        segment.readable = not amounts and not segment.scaled
        segment.leading_tilde = False
    elif role is Role.TIMES or role is Role.MYRIAD:
        segment.readable, segment.scaled = False, True


def _take_bound(segment: _Segment, bound: Role, *, before: bool) -> None:
    if before:
        segment.readable = segment.readable and segment.pending in (None, bound)
        segment.pending = bound
    elif segment.amounts and segment.amounts[-1].bound in (None, bound):
        segment.amounts[-1].bound = bound
    else:
        segment.readable = False


def _take_number(segment: _Segment, pieces: Pieces, index: int, decimal_mark: DecimalMark | None) -> int:
    """Add the amount, or skip the span of time, that begins at `index`; return where it ends."""
    value, written, factor, after = _amount(pieces, index, decimal_mark)
    segment.thousands_unsure |= _ONE_GROUP.fullmatch(pieces[index][0]) is not None
    amounts, ranging = segment.amounts, segment.ranging
    signed, closed = is_currency(pieces, index - 1), is_currency(pieces, after)
    own = signed or closed
    ranged = bool(ranging and amounts and amounts[-1].marked)
    # "$15-25 hr": joined and ascending, so that the hour is what is paid for.
    joined = ranged and ranging == JOINING_DASH and len(amounts) == 1
    ascending = joined and value is not None and value > amounts[0].value
    paid_for = ascending and has_role(pieces, after, Role.UNIT)
    # "6+ months", "6 or more months".
    span = after + has_role(pieces, after, Role.LOWER_AFTER)
    if not own and not paid_for and is_span(pieces, span):
        if ranged:
            # "$500 - 2 months" is an amount and a time; whether "$20 - 24 hours" is that or a range, nobody can tell.
            segment.readable = False
        elif ranging and amounts:
            # "1-3 months", "30 hrs/wk": the other end of the range was no amount either.
            amounts.pop()
        segment.pending, segment.ranging = None, ""
        after = span
        while is_span(pieces, after) or (after < len(pieces) and pieces[after][0] == "/"):
            after += 1
        return after
    follows = not amounts or bool(ranging) or segment.pending is not None or amounts[-1].bound is not None
    segment.readable = segment.readable and follows and value is not None
    known = value if value is not None else _ONE
    amounts.append(_Amount(known, written or _ONE, factor, segment.pending, signed, own or ranged, closed))
    segment.pending, segment.ranging = None, ""
    return after


def _amount(
    pieces: Pieces, index: int, decimal_mark: DecimalMark | None
) -> tuple[Decimal | None, Decimal | None, Decimal, int]:
    """Return the value of the number at `index`, the number as written, its one multiplier, and where it ends."""
    text, after = pieces[index][0], index + 1
    written, word = number_or_none(text, decimal_mark), word_at(pieces, after)
    if word is not None and word.role is Role.TIMES:
        if written is None or (decimal_mark is None and "." in text and _ONE_GROUP.fullmatch(text)):
            return None, None, _ONE, after + 1
        return _whole(written * word.factor), written, word.factor, after + 1
    if word is None or word.role is not Role.MYRIAD:
        return written, written, _ONE, after
    total = section = _ZERO
    current, numbers = written, 1
    while word is not None and word.role is Role.MYRIAD:
        if word.factor < _MYRIAD:
            section += (_ONE if current is None else current) * word.factor
        else:
            total += (section + (current or _ZERO)) * word.factor
            section = _ZERO
        current, factor, after = None, word.factor, after + 1
        if is_number(pieces, after) and not is_span(pieces, after + 1):
            following = number_or_none(pieces[after][0], decimal_mark)
            if following is None or following >= factor:
                break
            current, numbers, after = following, numbers + 1, after + 1
        word = word_at(pieces, after)
    if written is None:
        return None, None, _ONE, after
    value = _whole(total + section + (current or _ZERO))
    return value, written, value / written if numbers == 1 and written else _ONE, after


def _whole(number: Decimal) -> Decimal:
    """Return the number without decimals of zero, which multiplying leaves."""
    whole = number.to_integral_value()
    return whole if whole == number else number
