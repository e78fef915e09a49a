"""Each field of an item is traced to what the spider read of the row, whatever the spider looks like."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from _crawls import project_settings
from parsel import Selector
from scrapy.http import HtmlResponse, Response
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders.debugging import fixtures
from outsourcing_spiders.debugging.answers import rows_of
from outsourcing_spiders.debugging.explanation import Explanation, brief, explain_detail, explain_row
from outsourcing_spiders.debugging.reading import make_spider
from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.parsing.budgets import budget_of
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider, text_of
from outsourcing_spiders.platforms.json_api import JsonPagesSpider

FOLDER = Path(__file__).parents[1] / "fixtures"
ALL = [
    pytest.param(folder.name, files.name, id=f"{folder.name}/{files.name}")
    for folder in sorted(FOLDER.iterdir())
    if folder.is_dir()
    for files in fixtures.find(folder)
    if files.page() and files.items.is_file()
]
CONSTANT = {
    "platform", "status", "description_complete", "budget.currency", "budget.period", "budget.minimum_usd",
    "budget.maximum_usd", "expires_at", "work_mode", "language", "posted_precision",
}  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables be as wide as without a terminal, whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "140")


@cache
def loader() -> SpiderLoader:
    """The spiders of the project."""
    return SpiderLoader.from_settings(project_settings(STORAGE_ENABLED=False))


def page_of(name: str, fixture: str) -> tuple[Any, Response, fixtures.Meta]:
    """Return the spider, the answer, and what it is read with."""
    files = fixtures.Files(FOLDER / name, fixture)
    page = files.page()
    assert page is not None
    meta = files.load_meta() or fixtures.Meta(
        read_by="detail" if "detail" in fixture else "parse",
        address="https://www.example.com/",
        status=200,
        headers={
            "Content-Type": "application/json" if page.suffix == ".json" else "text/html; charset=utf-8",
            "Date": "Mon, 21 Sep 2026 14:13:20 GMT",
        },
    )
    spider = make_spider(loader().load(name), project_settings(STORAGE_ENABLED=False), meta)
    return spider, fixtures.answer(meta, page.read_bytes()), meta


def explanations_of(name: str, fixture: str, most: int = 4) -> list[Explanation]:
    """Explain what a fixture holds."""
    spider, response, meta = page_of(name, fixture)
    if meta.read_by == "detail":
        if not meta.item:
            pytest.skip("it was saved without what the listing told")
        return [explain_detail(spider, fixtures.from_json(meta.item), response)]
    # What is odd comes first, and rows of a page are much alike.
    return [explain_row(spider, row, response) for row in rows_of(spider, response)[0][:most]]


@pytest.mark.parametrize(("name", "fixture"), ALL)
def test_every_field_has_an_origin(name: str, fixture: str) -> None:
    for explanation in explanations_of(name, fixture):
        assert explanation.problem is None or "no id" in explanation.problem
        for found in explanation.fields if explanation.item else ():
            assert found.is_empty or found.sources or found.origin, found.name
            if found.origin == "set by the spider":
                assert found.name in CONSTANT, found.name
        table = repr(explanation)
        assert table.count("\n") >= len(explanation.fields)


@pytest.mark.parametrize(("name", "fixture"), [case for case in ALL if "odd" in str(case.id) or "full" in str(case.id)])
def test_explaining_changes_nothing(name: str, fixture: str) -> None:
    spider, response, _ = page_of(name, fixture)
    for row in rows_of(spider, response)[0][:6]:
        before = deepcopy(row) if isinstance(row, dict) else row.get()
        plain: Any
        try:
            plain = spider.item(row, response)
        except Exception:
            plain = None
        stats = dict(spider.crawler.stats.get_stats())
        assert explain_row(spider, row, response).item == plain
        assert (row if isinstance(row, dict) else row.get()) == before
        assert spider.crawler.stats.get_stats() == stats


def paths(explanation: Explanation, name: str) -> list[str]:
    """Return where a field came from."""
    return [source.path for source in explanation[name].sources if not source.is_condition]


def test_keys_of_freelancer() -> None:
    first = explanations_of("freelancer", "listing_compact", 1)[0]
    assert first.item is not None
    expected = {
        "external_id": ["id"],
        "title": ["title"],
        "budget.minimum": ["budget.minimum"],
        "budget.maximum": ["budget.maximum"],
        "budget.currency": ["currency.code"],
        "budget.usd_rate": ["currency.exchange_rate"],
        "budget.period": ["type"],
        "skills": ["jobs[*].name"],
        "category": ["jobs[*].category.name"],
        "bid_count": ["bid_stats.bid_count"],
        "bid_average": ["bid_stats.bid_avg"],
        "closes_at": ["time_submitted", "bidperiod"],
        "extra.bid_days": ["bidperiod"],
    }
    assert {name: paths(first, name) for name in expected} == expected
    assert first["budget.minimum"].sources[0].raw == (1500.0,)


def test_selectors_of_guru() -> None:
    first = explanations_of("guru", "listing_first", 1)[0]
    expected = {
        "external_id": ["@data-gid"],
        "url": ["h2.jobRecord__title a @href"],
        "title": ["h2.jobRecord__title a"],
        "description": [".jobRecord__desc"],
        "budget.minimum": [".jobRecord__budget > strong"],
        "budget.text": [".jobRecord__budget > strong"],
        "skills": [".skillsList__skill--hasHover"],
        "posted_at": [".jobRecord__meta strong"],
        "bid_count": [".jobRecord__meta strong"],
        "client.country": [".freelancerAvatar__subText strong"],
        "client.rating": [".feedback-score"],
        "extra.subcategory": [".skillsList__skill.greyBackground a"],
    }
    assert {name: paths(first, name) for name in expected} == expected
    table = repr(first)
    assert "'.feedback-score' matches nothing" in table
    assert "gives no" in table
    assert first["client.country"].sources[0].raw == ("United States",)
    # One field alone says why it is empty, too.
    assert repr(first["budget.currency"]).splitlines()[2:] == ["  which gives no currency"]
    assert repr(first["location"]).splitlines()[1:] == ["  the spider reads nothing for it"]
    assert repr(first["client.rating"]).splitlines()[1:] == ["  '.feedback-score' matches nothing"]
    with pytest.raises(LookupError, match=r"^there is no field 'currency'; there are platform, external_id, url, "):
        first["currency"]


def test_states_inside_of_pages() -> None:
    guru, upwork = explanations_of("guru", "detail")[0], explanations_of("upwork", "job")[0]
    assert paths(guru, "description") == ["job_postings[*].description"]
    assert paths(upwork, "client.country") == ["vuex_state.jobDetails.buyer.location.country"]
    assert paths(upwork, "bid_count") == ["vuex_state.jobDetails.job.clientActivity.totalApplicants"]
    assert guru["title"].origin == "the listing"


# --- spiders of many styles ----------------------------------------------------------------------------------------


class Styles(JsonPagesSpider):
    """Values that go through variables, helpers, conditions and loops."""

    name = "styles"
    access = "api"
    home = "https://www.example.com"
    rows_at = ("rows",)

    def listing_request(self, page: int) -> Any:
        return self.api_request("rows")

    def item(self, row: Any, response: Any) -> Project | None:
        if row.get("kind") == "contest":
            self.count("skipped/contest")
            return None
        info = row.get("info") or {}
        place, days = info.get("place"), info.get("days")
        skills = []
        for skill in row["skills"]:
            skills.append(skill["name"])
        status = "unknown"
        if row.get("is_open"):
            status = "open"
        extra = {"days": days, "flags": [name for name, on in row.get("flags", {}).items() if on]}
        item = Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"{self.home}/{row['id']}",
            title=row["title"],
            status=status,  # type: ignore[arg-type]
            budget=money(row.get("money") or {}, "USD"),
            skills=skills,
            location=place,
            bid_count=int_or_none(row.get("bids")),
            client=buyer(row) if row.get("buyer") else None,
            extra=extra,
        )
        if (text := row.get("text")) is not None:
            item.description = text
        return item


def money(told: dict[str, Any], currency: str) -> Budget:
    """Leave the rest to a function of the project's."""
    low, high = told.get("low"), told.get("high")
    return budget_of(low, high, currency=currency, text=told.get("text"))


def buyer(row: dict[str, Any]) -> Client | None:
    """Read what is below one key."""
    told = row["buyer"]
    found = Client(country=told.get("country"), reviews=int_or_none(told.get("reviews")))
    return None if found == Client() else found


STYLED = {
    "id": 7, "title": "T", "info": {"place": "Seoul", "days": 3}, "skills": [{"name": "Go"}, {"name": "C"}],
    "is_open": True, "flags": {"hot": True}, "money": {"low": 5, "high": "9", "text": "5-9"}, "bids": "many",
    "buyer": {"country": "KR"}, "text": "x",
}  # fmt: skip


def styled(**changes: Any) -> Explanation:
    """Explain a row."""
    row = {key: value for key, value in {**STYLED, **changes}.items() if value is not ...}
    spider, response = make(Styles), Response("https://www.example.com/")
    return explain_row(spider, row, response)


def make(spidercls: Any) -> Any:
    """Return a spider with a crawler that does not run."""
    meta = fixtures.Meta(read_by="parse", address="https://www.example.com/", status=200, headers={})
    return make_spider(spidercls, project_settings(STORAGE_ENABLED=False), meta)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("url", ["id"]),
        ("title", ["title"]),
        ("status", []),
        ("budget.minimum", ["money.low"]),
        ("budget.maximum", ["money.high"]),
        ("budget.text", ["money.text"]),
        ("budget.currency", []),
        ("skills", ["skills[*].name"]),
        ("location", ["info.place"]),
        ("extra.days", ["info.days"]),
        ("extra.flags", ["flags"]),
        ("client.country", ["buyer.country"]),
        ("client.reviews", ["buyer.reviews"]),
        ("description", ["text"]),
    ],
)
def test_a_value_is_followed_through_the_source(name: str, expected: list[str]) -> None:
    assert paths(styled(), name) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"info": ...}, "no key 'info'"),
        ({"info": {"place": None}}, "info.place is null"),
        ({"info": {"place": ""}}, "info.place is empty"),
        ({}, "bids: 'many' gives no bid_count"),
        ({"money": {"low": 0, "high": 0}}, "money.low is 0, which tells nothing"),
        ({"title": " "}, "NOT STORED  refused by validation: title is empty"),
        ({"id": ...}, "NOT STORED  cannot be read: it has no id (KeyError: 'id'), and is left out"),
        ({"kind": "contest"}, "NOT STORED  left out by the spider: skipped/contest"),
        ({"kind": "contest"}, "read, but in no field: kind = 'contest'"),
        ({"info": {"place": 5}}, "stored, without location: validation drops them"),
        ({}, "language"),
    ],
)
def test_what_is_missing_is_told(changes: dict[str, Any], said: str) -> None:
    assert said in repr(styled(**changes))


def test_an_error_is_told_with_its_line_after_what_was_read() -> None:
    found = styled(skills=[{"name": "Go"}, {}])
    assert found.item is None
    assert "KeyError: 'name'" in str(found.problem)
    assert "test_explanation.py:" in str(found.problem)
    assert 'skill["name"]' in str(found.problem)
    assert paths(found, "location") == ["info.place"]
    assert "info.place" in repr(found)


class Cards(HtmlCardsSpider):
    """Cards whose fields are set by name."""

    name = "cards"
    access = "public"
    home = "https://www.example.com"
    card = "li"
    selectors: ClassVar = {"title": "h2", "location": ".place"}

    def listing_request(self, page: int) -> Any:
        raise NotImplementedError

    def row_id(self, row: Selector) -> str:
        return row.attrib["id"]

    def item(self, row: Selector, response: Response) -> Project:
        texts: dict[str, Any] = {name: text_of(row, css) for name, css in self.selectors.items()}
        return Project(platform=self.name, external_id=self.row_id(row), url="https://www.example.com/1", **texts)


def test_what_the_source_leaves_open_is_tried_out() -> None:
    page = HtmlResponse(
        "https://www.example.com/", body=b"<li id=5><h2>A b</h2><p class=place>Rome</p></li>", encoding="utf-8"
    )
    found = explain_row(make(Cards), page.css("li")[0], page)
    assert paths(found, "title") == ["h2"]
    assert paths(found, "location") == [".place"]
    assert paths(found, "external_id") == ["@id"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ("7", "T")),
        ({"id": ...}, ("no id", "it has no id (KeyError: 'id'), and is left out")),
        ({"kind": "contest"}, ("7", "left out by the spider: skipped/contest")),
        ({"title": ""}, ("7", "refused by validation: title is empty")),
        ({"info": {"place": 5}}, ("7", "T  (without location)")),
    ],
)
def test_a_row_in_one_line(changes: dict[str, Any], said: tuple[str, str]) -> None:
    row = {key: value for key, value in {**STYLED, **changes}.items() if value is not ...}
    assert brief(make(Styles), row, Response("https://www.example.com/")) == said
