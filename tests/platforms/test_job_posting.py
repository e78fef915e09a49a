"""What the JobPosting of a project's own page adds to what the listing told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scrapy.http import HtmlResponse, Request, Response

from outsourcing_spiders.items import Budget, Project, WorkMode
from outsourcing_spiders.platforms.html_cards import HtmlCardsSpider
from outsourcing_spiders.platforms.job_posting import JobPostingSpider

TEXT = {"@type": "JobPosting", "description": "<p>One</p><p>Two &amp; three</p>"}


class Postings(JobPostingSpider, HtmlCardsSpider):
    """A platform of postings."""

    name = "postings"
    access = "public"
    home = "https://www.example.com"
    card = "li"

    def listing_request(self, place: int) -> Request:
        return Request(self.home)

    def row_id(self, row: Any) -> str:
        return "1"

    def item(self, row: Any, response: Response) -> Project:
        return listed()


class ShownElse(Postings):
    shown_text = "pre"
    after_shown_text = "Show more"


class ForMembers(Postings):
    posting_page = "main"
    members_only = ("Log in to ", ("description", "requirements"))


def listed(**fields: Any) -> Project:
    return Project(platform="postings", external_id="1", url="https://www.example.com/1", title="T",
                   **{"description": "One…", "description_complete": False} | fields)  # fmt: skip


def read(
    posting: dict[str, Any] | list[Any] | None, body: str = "", spider: type[Postings] = Postings, **fields: Any
) -> Project:
    script = "" if posting is None else as_script(json.dumps(posting))
    page = HtmlResponse("https://www.example.com/1", body=f"<html>{script}{body}</html>".encode(), encoding="utf-8")
    return spider().detail(listed(**fields), page)


def as_script(data: str) -> str:
    return f'<script type="application/ld+json">{data}</script>'


LOCK = "<main><p>Log in to see what there is to do</p></main>"


def test_the_text_in_full() -> None:
    item = read(TEXT)
    assert (item.description, item.description_complete) == ("One\n\nTwo & three", True)
    assert (item.work_mode, item.posted_at, item.extra) == ("unknown", None, {})


@pytest.mark.parametrize(
    ("kind", "mode"), [("TELECOMMUTE", "remote"), ("ONSITE", "onsite"), ("", "onsite"), (None, "onsite")]
)
def test_work_is_remote_where_the_posting_says_so(kind: str | None, mode: WorkMode) -> None:
    assert read(TEXT | {"jobLocationType": kind}, work_mode="onsite").work_mode == mode


def test_what_the_listing_knows_stays() -> None:
    posting = TEXT | {"datePosted": "2026-09-01", "baseSalary": {"currency": "USD"}, "jobLocationType": "TELECOMMUTE"}
    item = read(posting)
    assert (item.posted_at, item.posted_precision) == (datetime(2026, 9, 1, tzinfo=UTC), "day")
    assert (item.posted_text, item.work_mode, item.budget) == ("2026-09-01", "remote", None)
    posted = datetime(2026, 9, 2, tzinfo=UTC)
    item = read(posting, posted_at=posted, posted_text="then", budget=Budget(minimum=Decimal(5), currency="EUR"))
    assert (item.posted_at, item.posted_text) == (posted, "then")
    assert item.budget == Budget(minimum=Decimal(5), currency="EUR")


@pytest.mark.parametrize(
    ("salary", "budget", "currency"),
    [
        ({"currency": "USD"}, Budget(minimum=Decimal(5)), "USD"),
        ({"currency": "USD"}, Budget(period="hour"), None),
        ("much", Budget(minimum=Decimal(5)), None),
        (None, Budget(minimum=Decimal(5)), None),
    ],
)
def test_the_currency_of_a_bare_sign(salary: Any, budget: Budget, currency: str | None) -> None:
    item = read(TEXT | {"baseSalary": salary}, budget=budget)
    assert item.budget is not None
    assert item.budget.currency == currency


@pytest.mark.parametrize(
    ("salary", "budget"),
    [
        ("2,000만원 (부가세 별도)", (Decimal(20_000_000), "KRW", None)),
        ("협의 후 결정", (None, None, None)),
        ({"currency": "USD", "value": {"value": 5, "unitText": "YEAR"}}, None),
        (5, None),
        ("", None),
    ],
)
def test_a_salary_in_words_is_a_budget_where_the_listing_has_none(salary: Any, budget: Any) -> None:
    found = read(TEXT | {"baseSalary": salary}).budget
    assert (found and (found.maximum, found.currency, found.period)) == budget
    known = Budget(minimum=Decimal(5), currency="EUR")
    assert read(TEXT | {"baseSalary": salary}, budget=known).budget == Budget(minimum=Decimal(5), currency="EUR")


class InKorea(Postings):
    zone = ZoneInfo("Asia/Seoul")


class ToTheEndOfTheDay(Postings):
    ends_with_the_day = True


@pytest.mark.parametrize(
    ("ends", "spider", "at"),
    [
        ("2026-09-07T23:59", InKorea, datetime(2026, 9, 7, 14, 59, tzinfo=UTC)),
        ("2026-09-07T23:59", Postings, datetime(2026, 9, 7, 23, 59, tzinfo=UTC)),
        ("2026-09-07T00:00:00.0000000+00:00", ToTheEndOfTheDay, datetime(2026, 9, 7, 23, 59, 59, tzinfo=UTC)),
        ("soon", Postings, None),
        (5, Postings, None),
        (None, ToTheEndOfTheDay, None),
    ],
)
def test_until_when_a_posting_is_valid(ends: Any, spider: type[Postings], at: datetime | None) -> None:
    assert read(TEXT | {"validThrough": ends}, spider=spider).closes_at == at
    known = datetime(2026, 9, 1, tzinfo=UTC)
    assert read(TEXT | {"validThrough": ends}, spider=spider, closes_at=known).closes_at == known


def test_without_a_posting_the_page_is_read() -> None:
    item = read(None, "<pre>One\ntwo Show more</pre>", ShownElse)
    assert (item.description, item.description_complete) == ("One\ntwo", True)
    item = read(None, "<pre>One\ntwo…</pre>", ShownElse)
    assert (item.description, item.description_complete) == ("One\ntwo…", False)


@pytest.mark.parametrize("text", ["", " \n ", "<p>&nbsp;</p>", None, 5, {"text": "One"}], ids=repr)
def test_a_posting_with_a_blank_text_has_none(text: Any) -> None:
    posting = TEXT | {"description": text, "jobLocationType": "TELECOMMUTE"}
    item = read(posting, "<pre>All of\nit</pre>", ShownElse)
    assert (item.description, item.description_complete, item.work_mode) == ("All of\nit", True, "remote")
    item = read(posting, "<pre>Cut her…</pre>", ShownElse)
    assert (item.description, item.description_complete) == ("Cut her…", False)
    for body in ("", "<pre> </pre>"):
        with pytest.raises(ValueError, match="nor its text"):
            read(posting, body, ShownElse)
    with pytest.raises(ValueError, match="nor its text"):
        read(posting)


@pytest.mark.parametrize("posting", [None, TEXT | {"description": ""}])
def test_a_project_without_a_text_has_none_on_its_page_either(posting: dict[str, Any] | None) -> None:
    item = read(posting, "<pre> <a>Show more</a></pre>", ShownElse, description=None)
    assert (item.description, item.description_complete) == (None, True)


def test_of_several_postings_the_projects_own_is_read() -> None:
    others = [{"@type": "JobPosting", "title": f"Similar {number}", "description": "Not this"} for number in (2, 3)]
    for own in (
        {"identifier": {"@type": "PropertyValue", "name": "C", "value": "1"}},
        {"Identifier": {"Value": 1}, "title": "Renamed"},
        {"identifier": "1"},
        {"title": "T"},
        {"title": " T\n", "identifier": {"name": "of the client's own", "value": "C-7"}},
    ):
        found = read([others[0], TEXT | own, others[1]])
        assert found.description == "One\n\nTwo & three", own
    # The number tells more than the title, which two projects may share.
    namesake = {"@type": "JobPosting", "title": "T", "identifier": {"value": "2"}, "description": "Not this"}
    assert read([namesake, TEXT | {"identifier": {"value": "1"}}]).description == "One\n\nTwo & three"
    assert read([namesake, others[0]], "<pre>Its own</pre>", ShownElse).description == "Its own"
    # One alone is taken as it is: titles are edited, and numbers may be the client's.
    assert read(TEXT | {"title": "Renamed", "identifier": {"value": "C-7"}}).description == "One\n\nTwo & three"


@pytest.mark.parametrize("telling", [{}, {"identifier": {}}, {"identifier": ["1"], "title": ["T"]}, {"title": None}])
def test_postings_of_other_projects_are_none_of_this_one(telling: dict[str, Any]) -> None:
    others = [TEXT | {"title": "Similar", "identifier": {"value": "2"}}, TEXT | telling]
    assert read(others, "<pre>Its own</pre>", ShownElse).description == "Its own"
    with pytest.raises(ValueError, match="neither a JobPosting of the project"):
        read(others)


def test_a_posting_that_cannot_be_read_costs_no_text_that_is_shown() -> None:
    broken = as_script('{"@type": "JobPosting", "description": "For a 24" monitor"}')
    item = read(None, f'{broken}<pre>For a 24" monitor</pre>', ShownElse)
    assert (item.description, item.description_complete) == ('For a 24" monitor', True)
    for body, spider in ((broken, ShownElse), (f"{broken}<pre></pre>", ShownElse), (broken + LOCK, ForMembers)):
        with pytest.raises(ValueError, match="not readable"):
            read(None, body, spider, description=None)


@pytest.mark.parametrize("posting", [None, {"@type": "JobPosting"}, TEXT | {"description": None}])
def test_a_text_for_members_is_none_and_known_to_be_so(posting: dict[str, Any] | None) -> None:
    item = read(posting, LOCK, ForMembers)
    assert (item.description, item.description_complete) == (None, True)
    assert item.extra == {"login_only": ["description", "requirements"]}


def test_of_what_is_for_members_the_posting_may_tell_some() -> None:
    item = read(TEXT, LOCK, ForMembers)
    assert (item.description, item.extra) == ("One\n\nTwo & three", {"login_only": ["requirements"]})


def test_the_words_of_a_lock_in_the_posting_are_none() -> None:
    item = read(TEXT | {"description": "Log in to pay"}, "<main></main>", ForMembers)
    assert (item.description, item.extra) == ("Log in to pay", {})
    # A platform of which no lock is known has none.
    assert read(TEXT, LOCK).extra == {}


@pytest.mark.parametrize(
    ("posting", "body", "spider"),
    [
        (None, "", Postings),
        ({"@type": "JobPosting"}, "", Postings),
        ({"@type": "JobPosting"}, LOCK, Postings),
        (None, "", ShownElse),
        (TEXT, "", ForMembers),
        # Nothing says that members see more.
        (None, "<main></main>", ForMembers),
        ({"@type": "JobPosting"}, "<main></main>", ForMembers),
        (TEXT | {"description": None}, "<main></main>", ForMembers),
        (TEXT | {"@type": "Article"}, "<main></main>", ForMembers),
    ],
)
def test_a_page_of_another_shape_is_an_error(posting: dict[str, Any] | None, body: str, spider: type[Postings]) -> None:
    with pytest.raises((ValueError, LookupError)):
        read(posting, body, spider)
