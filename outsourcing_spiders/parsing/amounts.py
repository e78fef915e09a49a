"""Read numbers as people write them, with the separators of many countries."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

DecimalMark = Literal[".", ","]

# Longer ones are ids; up to here a multiplier still leaves a number exact.
_LONGEST = 18
_INDIAN = re.compile(r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}")
_GROUPED = {mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+") for mark in ",.' "}


def number_or_none(text: str, decimal_mark: DecimalMark | None) -> Decimal | None:
    """Return the number that digits with separators are; ``None`` where they can be two numbers, or none."""
    if text[-1] == "-":
        text = text[:-2]
    if len(text) > _LONGEST:
        return None
    if text.isdigit():
        return Decimal(text)
    grouping = "'" if "'" in text else " " if " " in text else None
    marks = [mark for mark in ",." if mark in text]
    if grouping is None and len(marks) == 1:
        return _with_one_mark(text, marks[0], decimal_mark)
    mark = max(marks, key=text.rindex, default="")
    if grouping is None:
        grouping = "," if mark == "." else "."
    whole, _, fraction = text.rpartition(mark) if mark else (text, "", "")
    if (mark and mark in whole) or (decimal_mark and mark and mark != decimal_mark) or not _is_grouped(whole, grouping):
        return None
    return Decimal(f"{whole.replace(grouping, '')}.{fraction}") if fraction.isdigit() or not mark else None


def _with_one_mark(text: str, mark: str, decimal_mark: DecimalMark | None) -> Decimal | None:
    if mark != decimal_mark and _is_grouped(text, mark):
        return Decimal(text.replace(mark, ""))
    whole, _, fraction = text.rpartition(mark)
    unsure = mark == "," and decimal_mark is None and len(fraction) > 3
    if mark in whole or decimal_mark not in (None, mark) or unsure:
        return None
    return Decimal(f"{whole}.{fraction}")


def _is_grouped(text: str, mark: str) -> bool:
    return _GROUPED[mark].fullmatch(text) is not None or (mark == "," and _INDIAN.fullmatch(text) is not None)
