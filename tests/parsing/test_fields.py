"""What spiders do with mappings."""

from __future__ import annotations

from typing import Any

import pytest

from outsourcing_spiders.parsing import fields
from outsourcing_spiders.parsing.fields import at, count_or_none, given, url_of

ROW: dict[str, Any] = {"client": {"place": {"country": "GB"}, "rating": 0, "name": ""}, "budget": None, "list": [1]}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("client", "place", "country"), "GB"),
        (("client", "rating"), 0),
        (("client", "name"), ""),
        (("client", "place", "city"), None),
        (("budget", "minimum"), None),
        (("nothing", "at", "all"), None),
        ((), ROW),
    ],
)
def test_keys_lead_inside(keys: tuple[str, ...], found: object) -> None:
    assert at(ROW, *keys) == found


def test_there_is_nothing_inside_of_nothing() -> None:
    assert at(None, "client") is None


@pytest.mark.parametrize("empty", [[], {}, None, "", False], ids=repr)
def test_there_is_nothing_inside_of_what_is_empty(empty: object) -> None:
    assert at({"client": empty}, "client", "country") is None
    assert at({"client": {"place": empty}}, "client", "place", "country") is None
    # What is empty itself is found.
    assert at({"client": empty}, "client") == empty


@pytest.mark.parametrize("keys", [("list", "first"), ("client", "place", "country", "code")])
def test_something_else_than_an_object_on_the_way_is_an_error(keys: tuple[str, ...]) -> None:
    with pytest.raises(AttributeError):
        at(ROW, *keys)


@pytest.mark.parametrize(
    ("told", "count"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("1,024", 1024),
        (" 12,345,678 ", 12_345_678),
        ("0", 0),
        ("1,02", None),
        ("1,024.5", None),
        (",024", None),
        ("1.024", None),
        ("many", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
    ids=str,
)
def test_counts(told: object, count: int | None) -> None:
    assert count_or_none(told) == count


def test_an_address_is_one_of_its_own() -> None:
    assert url_of("https://www.example.com", "/jobs/7?a=b") == "https://www.example.com/jobs/7?a=b"
    assert url_of("https://www.example.com", "https://jobs.example.com/7") == "https://jobs.example.com/7"
    for path in (None, ""):
        with pytest.raises(ValueError, match="no address"):
            url_of("https://www.example.com", path)


def test_parameters_without_a_value_are_left_out() -> None:
    asked = {"page": 0, "query": None, "category": "", "sort": "new", "jobs[]": (3, 17), "tags": [], "on": False}
    assert given(asked) == [("page", 0), ("sort", "new"), ("jobs[]", 3), ("jobs[]", 17), ("on", False)]


def test_all_that_is_named_is_there() -> None:
    assert sorted(fields.__all__) == fields.__all__
    assert [name for name in fields.__all__ if not callable(getattr(fields, name))] == []
