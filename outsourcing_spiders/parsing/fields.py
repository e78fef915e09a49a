"""What spiders read single fields with, under one roof; and the few things that they do with any platform's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin

from outsourcing_spiders.parsing.budgets import budget_of, parse_budget
from outsourcing_spiders.parsing.countries import country_code
from outsourcing_spiders.parsing.dates import days_after, parse_deadline
from outsourcing_spiders.parsing.markup import html_to_text, text_or_markup
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.parsing.text import slug

__all__ = ["at", "budget_of", "count_or_none", "country_code", "days_after", "decimal_or_none", "given", "html_to_text",
           "int_or_none", "parse_budget", "parse_deadline", "slug", "text_or_markup", "url_of"]  # fmt: skip

_IN_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")


def at(row: Mapping[str, Any] | None, *keys: str) -> Any:
    """Return what `keys` lead to, one inside another; ``None`` where one of them is missing, or nothing is on the way.

    Nothing is null, false, 0 or empty, ``[]`` too: programs in PHP write an object without members so. Raises
    `AttributeError` where something else on the way is no object.
    """
    value: Any = row
    for key in keys:
        if not value:
            return None
        value = value.get(key)
    return value


def count_or_none(value: object) -> int | None:
    """Return how many there are of something, as `int_or_none` does; in a text, commas may part thousands.

    Not for amounts: what a comma means in one is another matter.
    """
    if isinstance(value, str) and _IN_THOUSANDS.fullmatch(value.strip()):
        value = value.replace(",", "")
    return int_or_none(value)


def url_of(home: str, path: str | None) -> str:
    """Return the absolute address of a project's page; raises `ValueError` where the platform tells none."""
    if not path:
        raise ValueError("no address")
    return urljoin(home, path)


def given(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the parameters of a query that have a value; one with several is there once for each of them."""
    pairs: list[tuple[str, Any]] = []
    for name, value in parameters.items():
        values: Iterable[Any] = value if isinstance(value, (list, tuple)) else (value,)
        pairs += [(name, one) for one in values if one is not None and one != ""]
    return pairs
