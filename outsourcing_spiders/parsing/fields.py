"""What spiders read single fields with, under one roof; and the two things that all of them do with mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outsourcing_spiders.parsing.budgets import budget_of, parse_budget
from outsourcing_spiders.parsing.countries import country_code
from outsourcing_spiders.parsing.dates import days_after, parse_deadline
from outsourcing_spiders.parsing.markup import html_to_text, text_or_markup
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.parsing.text import slug

__all__ = ["at", "budget_of", "country_code", "days_after", "decimal_or_none", "given", "html_to_text", "int_or_none",
           "parse_budget", "parse_deadline", "slug", "text_or_markup"]  # fmt: skip


def at(row: Mapping[str, Any] | None, *keys: str) -> Any:
    """Return what `keys` lead to, one inside another; ``None`` where one of them is missing, or null.

    Raises `AttributeError` where something on the way is no object.
    """
    value: Any = row
    for key in keys:
        if value is None:
            return None
        value = value.get(key)
    return value


def given(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the parameters of a query that have a value; one with several is there once for each of them."""
    pairs: list[tuple[str, Any]] = []
    for name, value in parameters.items():
        values: Iterable[Any] = value if isinstance(value, (list, tuple)) else (value,)
        pairs += [(name, one) for one in values if one is not None and one != ""]
    return pairs
