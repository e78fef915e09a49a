"""The items: documented, small, and unknown unless told otherwise."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from typing import Any

import pytest
from itemadapter import ItemAdapter

from outsourcing_spiders import items
from outsourcing_spiders.items import Budget, Client, Project

UNKNOWN: dict[str, Any] = {
    "status": "unknown",
    "work_mode": "unknown",
    "posted_precision": "unknown",
    "description_complete": True,
    "skills": [],
    "extra": {},
}
KEY = {"platform": "p", "external_id": "1", "url": "https://p.example/1", "title": "T"}
ITEMS = [
    pytest.param(Project, KEY, id="Project"),
    pytest.param(Budget, {}, id="Budget"),
    pytest.param(Client, {}, id="Client"),
]


def documented(item: type) -> dict[str, str | None]:
    """The fields of an item in the source, with the text right below each."""
    tree = ast.parse(inspect.getsource(items))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == item.__name__)
    below = [*body[1:], None]
    return {
        node.target.id: ast.literal_eval(text.value) if isinstance(text, ast.Expr) else None
        for node, text in zip(body, below, strict=True)
        if isinstance(node, ast.AnnAssign)
    }


@pytest.mark.parametrize(("item", "key"), ITEMS)
def test_every_field_says_what_it_holds(item: type, key: dict[str, str]) -> None:
    texts = documented(item)
    assert list(texts) == [field.name for field in dataclasses.fields(item)]
    assert [name for name, text in texts.items() if not (text and text.endswith("."))] == []


@pytest.mark.parametrize(("item", "key"), ITEMS)
def test_what_is_not_told_is_unknown(item: type, key: dict[str, str]) -> None:
    made = item(**key)
    assert {field.name: getattr(made, field.name) for field in dataclasses.fields(item) if field.name not in key} == {
        field.name: UNKNOWN.get(field.name) for field in dataclasses.fields(item) if field.name not in key
    }


def test_a_project_needs_its_key_address_and_title() -> None:
    for name in KEY:
        with pytest.raises(TypeError, match=name):
            Project(**{other: value for other, value in KEY.items() if other != name})


@pytest.mark.parametrize(("item", "key"), ITEMS)
def test_fields_are_given_by_name_and_no_others_exist(item: type, key: dict[str, str]) -> None:
    with pytest.raises(TypeError):
        item("p", "1", "https://p.example/1", "T")
    made = item(**key)
    assert not hasattr(made, "__dict__")
    with pytest.raises(AttributeError):
        made.naem = "typing error"


def test_items_share_no_lists() -> None:
    Project(**KEY).skills.append("Python")
    Project(**KEY).extra["a"] = 1
    assert Project(**KEY) == Project(**KEY, skills=[], extra={})


def test_what_says_nothing_is_left_out_of_extra() -> None:
    told = {"none": None, "empty": "", "list": [], "zero": 0, "false": False, "days": 3, "kept": [0], "on": True}
    assert Project(**KEY, extra=told).extra == {"days": 3, "kept": [0], "on": True}


def test_a_client_of_whom_nothing_is_known_is_none() -> None:
    assert Client().or_none() is None
    client = Client(verified=False)
    assert client.or_none() is client


@pytest.mark.parametrize(("item", "key"), ITEMS)
def test_itemadapter_reads_and_writes_items(item: type, key: dict[str, str]) -> None:
    adapter = ItemAdapter(item(**key))
    assert list(adapter) == [field.name for field in dataclasses.fields(item)]
    assert adapter.asdict() == dataclasses.asdict(item(**key))
    first = next(iter(adapter))
    adapter[first] = "changed"
    assert getattr(adapter.item, first) == "changed"
