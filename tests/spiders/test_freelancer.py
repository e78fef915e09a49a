"""What the Freelancer.com spider makes of an answer: fixtures, odd rows, captured answers."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, project_settings
from _fixture_checks import check_fixture, names_of, saved_items
from platforms_standins._freelancer_odd import ODD
from platforms_standins._freelancer_projects import Row as SiteRow
from platforms_standins.freelancer import FreelancerStandIn
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import JsonResponse, Request

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, RateLimited, Unreachable
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import validate
from outsourcing_spiders.spiders.freelancer import FreelancerSpider

FIXTURES = Path(__file__).parents[1] / "fixtures" / "freelancer"
CAPTURES = Path(
    os.environ.get("OUTSOURCING_CAPTURES") or Path(__file__).parents[2].parent / "shared" / "captures" / "freelancer"
)
ADDRESS = "https://www.freelancer.com/api/projects/0.1/projects/active/"
SITE_NOW = 1_790_000_000

JSON = dict[str, Any]


class NotCompact(FreelancerSpider):
    """Asks for rows with all their nulls."""

    projections = tuple(name for name in FreelancerSpider.projections if name != "compact")


def make_spider(spider: type[FreelancerSpider] = FreelancerSpider, **arguments: Any) -> FreelancerSpider:
    """Return a spider with a crawler, as `scrapy parse` has it."""
    crawler = AsyncCrawlerRunner(project_settings()).create_crawler(spider)
    crawler._apply_settings()
    return spider.from_crawler(crawler, **arguments)


def answered(body: bytes, status: int = 200, **headers: str) -> JsonResponse:
    return JsonResponse(ADDRESS, body=body, status=status, headers=headers, request=Request(ADDRESS))


def parse(body: bytes) -> list[Project]:
    """Return what `parse` makes of an answer alone."""
    return list(make_spider().parse(answered(body)))


# --- fixtures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names_of("freelancer"))
def test_a_fixture_gives_what_is_saved_with_it(name: str) -> None:
    check_fixture(FreelancerSpider, FIXTURES, name)


def test_compact_answers_say_the_same_as_full_ones() -> None:
    full, compact = (saved_items(FIXTURES, f"listing_{kind}") for kind in ("full", "compact"))
    assert len(full) == 4
    assert full == compact


# --- odd rows -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[FreelancerStandIn]:
    async with FreelancerStandIn(250, seed=1, now=SITE_NOW, short_pages=False) as site:
        yield site


@pytest.fixture(scope="module", params=[FreelancerSpider, NotCompact], ids=["compact", "full"])
async def crawled(
    request: pytest.FixtureRequest, site: FreelancerStandIn, tmp_path_factory: pytest.TempPathFactory
) -> Crawl:
    """Every odd row, over the wire and through validation, with the nulls left out and with them."""
    done = await crawl(None, tmp_path_factory.mktemp("crawl"), spider=request.param, base_url=site.base_url)
    assert done.reason == "finished"
    assert done.errors == []
    return done


def when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def upgrades_of(row: SiteRow) -> list[str]:
    return sorted(name for name, on in row.get("upgrades").items() if on)


def ordinary(row: SiteRow) -> JSON:
    """Read a row of the stand-in independently of the spider: the fields that no odd case bends in most rows."""
    budget, currency, bids = (row.get(name) or {} for name in ("budget", "currency", "bid_stats"))
    return {
        "platform": "freelancer",
        "external_id": str(row.id),
        "minimum": None if budget.get("minimum") is None else Decimal(str(budget["minimum"])),
        "maximum": None if budget.get("maximum") is None else Decimal(str(budget["maximum"])),
        "currency": currency.get("code"),
        "period": {"fixed": "total", "hourly": "hour"}[row.get("type")],
        "status": "open",
        "skills_count": len(row.get("jobs") or []),
        "work_mode": "remote",
        "location": None,
        "language": row.get("language"),
        "posted_at": when(row.get("time_submitted")),
        "posted_precision": "exact",
        "bid_count": bids.get("bid_count"),
        "bid_average": None if bids.get("bid_avg") is None else Decimal(str(bids["bid_avg"])),
        "description_complete": True,
    }  # fmt: skip


def flat(item: Project) -> JSON:
    """Return an item's fields with those of its budget beside them."""
    budget = asdict(item)["budget"] or {}
    return asdict(item) | budget | {"skills_count": len(item.skills)}


Expected = Callable[[SiteRow], JSON]


def _always(**fields: Any) -> Expected:
    return lambda row: fields


_RATES = {"AUD": "0.658342", "CAD": "0.718264", "SGD": "0.775491", "NZD": "0.580126", "HKD": "0.128615",
          "EUR": "1.171203", "GBP": "1.342517", "USD": "1"}  # fmt: skip


def _currency(code: str) -> Expected:
    cents = Decimal("0.01")
    return _always(
        currency=code, minimum=Decimal(250), maximum=Decimal(750), text=None,
        minimum_usd=(250 * Decimal(_RATES[code])).quantize(cents) if code != "USD" else Decimal(250),
        maximum_usd=(750 * Decimal(_RATES[code])).quantize(cents) if code != "USD" else Decimal(750),
    )  # fmt: skip


_NO_TIME = {"posted_at": None, "posted_precision": "unknown", "posted_text": None, "closes_at": None}
_HOURLY = {"period": "hour", "minimum": Decimal(15), "maximum": Decimal(25), "currency": "USD"}


def _url_by_id(row: SiteRow) -> JSON:
    return {"url": f"https://www.freelancer.com/projects/{row.id}"}


EXPECTED: dict[str, Expected | None] = {
    **{f"currency_{code.lower()}": _currency(code) for code in _RATES},
    "currency_unknown_code": _always(currency=None, minimum_usd=None, maximum_usd=None),
    "currency_null": _always(currency=None, minimum_usd=None, maximum_usd=None, usd_rate=None),
    "exchange_rate_missing": _always(usd_rate=None),
    "budget_maximum_null": _always(minimum=Decimal(1500), maximum=None, maximum_usd=None),
    "budget_maximum_missing": _always(minimum=Decimal(1500), maximum=None, maximum_usd=None),
    "budget_minimum_missing": _always(minimum=None, minimum_usd=None),
    "budget_reversed": _always(minimum=Decimal(250), maximum=Decimal(750)),
    "budget_equal": lambda row: {"minimum": Decimal(100), "maximum": Decimal(100),
                                 "closes_at": when(row.get("time_submitted") + 10 * 86_400)},
    "budget_null": lambda row: {"minimum": None, "maximum": None, "currency": row.get("currency")["code"]},
    "budget_missing": lambda row: {"minimum": None, "maximum": None, "currency": row.get("currency")["code"]},
    "budget_zero": _always(minimum=None, maximum=None, minimum_usd=None, maximum_usd=None),
    "bid_stats_null": _always(bid_count=None, bid_average=None),
    "bid_avg_null": _always(bid_count=0, bid_average=None),
    "bid_avg_missing": _always(bid_count=0, bid_average=None),
    "bid_avg_above_maximum": _always(bid_count=11, bid_average=Decimal(str(483.1 / 11)), maximum=Decimal(30)),
    "sealed": lambda row: {"bid_count": row.get("bid_stats")["bid_count"], "extra.upgrades": upgrades_of(row)},
    "bidperiod_null": _always(closes_at=None, **{"extra.bid_days": None}),
    "hourly": _always(**_HOURLY, **{"extra.hours": {"hours": 40, "interval": "week"}, "extra.duration": "unspecified"}),
    "hourly_info_null": _always(**_HOURLY, **{"extra.hours": None, "extra.duration": None}),
    "hourly_info_missing": _always(**_HOURLY, **{"extra.hours": None, "extra.duration": None}),
    "deleted": None,
    "nonpublic": None,
    "frozen_awarded": _always(status="awarded", **{"extra.sub_status": "frozen_awarded"}),
    "frozen_timeout": _always(status="closed", **{"extra.sub_status": "frozen_timeout"}),
    "closed_awarded": _always(status="awarded", **{"extra.sub_status": "closed_awarded"}),
    "closed_expired": _always(status="closed", **{"extra.sub_status": "closed_expired"}),
    "status_unknown": _always(status="unknown"),
    "nda": lambda row: {"extra.upgrades": upgrades_of(row)},
    "time_submitted_null": _always(**_NO_TIME),
    "time_submitted_missing": _always(**_NO_TIME),
    "submitdate_only": lambda row: {"posted_at": when(row.get("submitdate")),
                                    "posted_text": str(row.get("submitdate"))},
    "free_bids_before_submitted": _always(),
    "resurfaced": lambda row: {"posted_at": when(row.get("time_submitted"))},
    "local": _always(work_mode="onsite", location="Berlin, Germany"),
    "local_location_empty": _always(work_mode="onsite", location=None),
    "location_country_empty": _always(work_mode="remote", location=None),
    "location_null": _always(work_mode="remote", location=None),
    "title_trailing_spaces": lambda row: {"title": " ".join(row.get("title").split())},
    "title_ampersand": lambda row: {"title": row.get("title"), "title.startswith": "R&D <b>&</b> Q&amp;A: "},
    "title_emoji": lambda row: {"title": row.get("title"), "title.startswith": "🚀 "},
    "title_133_characters": lambda row: {"title": row.get("title"), "title.length": 133},
    "title_empty": None,
    "title_null": None,
    "title_nul": lambda row: {"title": " ".join(row.get("title").replace("\0", "").split())},
    "description_null": lambda row: {"description": row.get("preview_description").strip(),
                                     "description_complete": False},
    "description_empty": _always(description=None, description_complete=False),
    "description_long": lambda row: {"description.length over": 4000, "description.lines": True},
    "description_surrogate": lambda row: {"description.holds": row.get("description")[41:60]},
    "description_nul": lambda row: {"description.holds": row.get("description")[41:60]},
    "language_unknown": _always(language=None),
    "language_null": _always(language=None),
    "jobs_null": _always(skills=[], category=None),
    "jobs_empty": _always(skills=[], category=None),
    "jobs_name_null": _always(skills=["Python"], category="Websites, IT & Software", skills_count=1),
    "jobs_duplicate": _always(skills=["PHP", "Python"], category="Websites, IT & Software", skills_count=2),
    "id_string": lambda row: {"external_id": str(row.id)},
    "seo_url_missing": _url_by_id,
    "seo_url_null": _url_by_id,
    "upgrades_null": _always(**{"extra.upgrades": None}),
    "upgrades_missing": _always(**{"extra.upgrades": None}),
    "upgrades_all": _always(**{"extra.upgrades": ["featured", "premium"]}),
    "pool_ids_numbers": _always(),
    "unknown_keys": _always(),
}  # fmt: skip
"""What each odd row becomes; the rest of its fields must be as in `ordinary`. None: it is no item."""


def test_every_odd_row_has_an_expectation() -> None:
    assert set(EXPECTED) == set(ODD)


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if expected])
def test_an_odd_row_is_read_for_what_it_is(name: str, site: FreelancerStandIn, crawled: Crawl) -> None:
    row = site.row(site.odd[name])
    found = [item for item in crawled.items if item.external_id == str(row.id)]
    assert len(found) == 1
    item, expect = found[0], EXPECTED[name]
    assert expect is not None
    fields = flat(item)
    fields |= {
        f"extra.{key}": item.extra.get(key) for key in ("upgrades", "bid_days", "sub_status", "hours", "duration")
    }
    text = item.description or ""
    fields |= {"title.length": len(item.title)}
    expected = ordinary(row) | expect(row)
    if "title.startswith" in expected:
        assert item.title.startswith(expected.pop("title.startswith"))
    if "description.holds" in expected:
        assert " ".join(expected.pop("description.holds").split()) in " ".join(text.split())
    if "description.lines" in expected:
        assert expected.pop("description.lines")
        assert "\r" not in text
        assert len(text) > expected.pop("description.length over")
        assert text.count("\n• ") == 6
    assert {key: fields[key] for key in expected} == expected
    assert not [c for c in item.title + text if c == "\0" or "\ud800" <= c <= "\udfff"]


def test_rows_that_are_no_projects_are_left_out_and_counted(site: FreelancerStandIn, crawled: Crawl) -> None:
    ids = {item.external_id for item in crawled.items}
    assert not ids & {str(site.odd[name]) for name, expected in EXPECTED.items() if expected is None}
    assert crawled.counted("skipped") == {"deleted": 1, "nonpublic": 1}
    assert set(crawled.dropped) == {str(site.odd["title_empty"]), str(site.odd["title_null"])}
    assert set(crawled.dropped.values()) == {"title is empty"}
    assert len(crawled.items) == 250 - 4


def test_values_that_mean_nothing_are_counted(crawled: Crawl) -> None:
    assert crawled.counted("unusable") == {"budget.currency": 1, "language": 1}


def test_a_missing_rate_is_made_up_for(site: FreelancerStandIn, crawled: Crawl) -> None:
    item = next(item for item in crawled.items if item.external_id == str(site.odd["exchange_rate_missing"]))
    assert item.budget is not None
    assert item.budget.minimum is not None
    assert item.budget.minimum_usd is not None
    assert item.budget.minimum_usd > 0


def test_ordinary_rows_are_read_whole(site: FreelancerStandIn, crawled: Crawl) -> None:
    by_id = {item.external_id: item for item in crawled.items}
    rows = [row for number in site.listed_ids() if (row := site.row(number)).odd is None]
    assert len(rows) > 150
    for row in rows:
        item = by_id[str(row.id)]
        fields, expected = flat(item), ordinary(row)
        del expected["skills_count"]
        assert {key: fields[key] for key in expected} == expected
        assert item.url == f"https://www.freelancer.com/projects/{row.get('seo_url')}"
        assert item.description is not None
        assert " ".join(item.description.split()) == " ".join(row.get("description").split())
        assert item.category == row.get("jobs")[0]["category"]["name"]
        assert item.closes_at == item.posted_at + timedelta(days=7)  # type: ignore[operator]
        assert item.posted_text == str(row.get("time_submitted"))
        assert item.client is None


def test_contests_are_left_out_and_counted(site: FreelancerStandIn) -> None:
    contest = site._contests[0].fields
    spider = make_spider()
    assert list(spider.parse(answered(json.dumps(_envelope([contest])).encode()))) == []
    assert spider.crawler.stats.get_value("outsourcing/skipped/contest") == 1


# --- shapes that no platform should send, and what becomes of them ------------------------------------------------


def _envelope(projects: Any) -> JSON:
    return {"status": "success", "result": {"projects": projects, "total_count": 1}}


def _row(**fields: Any) -> JSON:
    return {"id": 7, "title": "A title", "type": "fixed", "status": "active"} | fields


@pytest.mark.parametrize("identity", [None, "", True, 1.5, [], {}])
def test_a_row_without_an_id_is_left_out_and_counted(identity: object) -> None:
    spider = make_spider()
    body = json.dumps(_envelope([_row(id=identity), _row()])).encode()
    assert [item.external_id for item in spider.parse(answered(body))] == ["7"]


def test_a_row_that_is_no_object_is_left_out() -> None:
    assert [item.external_id for item in parse(json.dumps(_envelope([None, 5, "row", _row()])).encode())] == ["7"]


@pytest.mark.parametrize(
    ("budget", "bounds"),
    [
        ({"minimum": 0, "maximum": 100}, (Decimal(0), Decimal(100))),
        ({"minimum": 100, "maximum": 0}, (Decimal(100), None)),
        ({"minimum": 0}, (None, None)),
        ({"minimum": "250", "maximum": "750.50"}, (Decimal(250), Decimal("750.50"))),
        ({"minimum": 0.1, "maximum": 0.3}, (Decimal("0.1"), Decimal("0.3"))),
        ({"minimum": "much", "maximum": None}, (None, None)),
    ],
)
def test_a_budget_is_what_is_written_and_zero_is_no_bound(budget: JSON, bounds: tuple[Any, Any]) -> None:
    (item,) = parse(json.dumps(_envelope([_row(budget=budget)])).encode())
    assert item.budget is not None
    assert (item.budget.minimum, item.budget.maximum) == bounds


@pytest.mark.parametrize(
    ("seo_url", "path"),
    [("php/A-title", "php/A-title"), ("php/Ünïcode & more", "php/%C3%9Cn%C3%AFcode%20%26%20more"), ("", "7")],
)
def test_the_address_can_be_opened(seo_url: str, path: str) -> None:
    (item,) = parse(json.dumps(_envelope([_row(seo_url=seo_url)])).encode())
    assert item.url == f"https://www.freelancer.com/projects/{path}"


@pytest.mark.parametrize(
    ("status", "body", "outcome", "said"),
    [
        (200, b'{"status":"error","error_code":"RestExceptionCodes.BAD_FORM"}', LayoutChanged, "BAD_FORM"),
        (200, b'{"status":"error","message":"x","error_code":"RestExceptionCodes.NOT_AUTHENTICATED"}', LoginRequired,
         "FREELANCER_TOKEN"),
        (200, b'{"status":"error","error":{"code":"UNAUTHORIZED","http_code":401}}', LoginRequired, "FREELANCER_TOKEN"),
        (200, b'{"status":"error","error":{"code":"RATE_LIMITED"}}', RateLimited, "too many requests"),
        (401, b'{"status":"error","message":"x","error_code":"RestExceptionCodes.NOT_AUTHENTICATED"}', LoginRequired,
         "token"),
        (403, b"{}", Blocked, "403"),
        (403, b"<html><body>Forbidden", Blocked, "403"),
        (404, b'{"status":"error","error_code":"RestExceptionCodes.NOT_FOUND"}', LayoutChanged, "404"),
        (429, b"slow down", RateLimited, "wait"),
        (500, b"oops", Unreachable, "500"),
        (503, b"<html>busy", Unreachable, "503"),
        (408, b"", Unreachable, "408"),
        (200, b"<!DOCTYPE html><title>Just a moment...</title>", Blocked, "JSON"),
        (200, b"\n  <HTML><body>", Blocked, "JSON"),
        (200, b"", LayoutChanged, "200"),
        (200, b"[]", LayoutChanged, "an error"),
        (200, b"null", LayoutChanged, "an error"),
        (200, b'{"status":"success"', LayoutChanged, "200"),
        (200, b'{"status":"success"}', LayoutChanged, "result"),
        (200, b'{"status":"success","result":null}', LayoutChanged, "no rows"),
        (200, b'{"status":"success","result":{"total_count":0}}', LayoutChanged, "projects"),
        (200, b'{"status":"success","result":{"projects":null,"total_count":0}}', LayoutChanged, "no rows"),
        (302, b"", LayoutChanged, "302"),
    ],
)  # fmt: skip
def test_a_bad_answer_has_a_name(status: int, body: bytes, outcome: type[Outcome], said: str) -> None:
    with pytest.raises(outcome, match=said) as raised:
        list(make_spider().parse(answered(body, status)))
    message = str(raised.value)
    assert ADDRESS in message
    assert "\n" not in message
    assert len(message) < 500


# --- captured answers ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["active_2022-03.json", "active_2026-09_trimmed.json"])
def captured(request: pytest.FixtureRequest) -> bytes:
    path = CAPTURES / request.param
    if not path.exists():
        pytest.skip("the captured answers are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    return path.read_bytes()


def test_everything_that_a_real_answer_tells_is_in_the_items(captured: bytes) -> None:
    rows, items = json.loads(captured)["result"]["projects"], parse(captured)
    assert len(rows) == len(items) > 5
    for row, item in zip(rows, items, strict=True):
        assert item.external_id == str(row["id"])
        assert item.title == row["title"]
        assert item.url == "https://www.freelancer.com/projects/" + row["seo_url"]
        assert item.description == (row["description"] or row["preview_description"])
        assert item.description_complete is bool(row["description"])
        assert item.status == {"active": "open"}[row["status"]]
        assert item.skills == [job["name"] for job in row["jobs"]]
        assert item.category == row["jobs"][0]["category"]["name"]
        assert item.budget is not None
        assert float(item.budget.minimum or 0) == row["budget"]["minimum"]
        assert float(item.budget.maximum or 0) == row["budget"]["maximum"]
        assert item.budget.currency == row["currency"]["code"]
        assert float(item.budget.usd_rate or 0) == row["currency"]["exchange_rate"]
        assert item.budget.period == ("hour" if row["type"] == "hourly" else "total")
        assert item.bid_count == row["bid_stats"]["bid_count"]
        assert (item.bid_average and float(item.bid_average)) == row["bid_stats"]["bid_avg"]
        assert item.posted_at is not None
        assert item.posted_at.timestamp() == row["time_submitted"]
        assert item.language == row.get("language")
        assert item.work_mode == {True: "onsite", False: "remote", None: "unknown"}[row.get("local")]
        upgrades = {name for name, on in row["upgrades"].items() if on}
        assert set(item.extra.get("upgrades", ())) == upgrades
        if "bidperiod" in row:
            assert item.closes_at is not None
            assert (item.closes_at - item.posted_at).days == item.extra["bid_days"] == row["bidperiod"]
        if row.get("hourly_project_info"):
            assert item.extra["hours"] == row["hourly_project_info"]["commitment"]
            assert item.extra["duration"] == row["hourly_project_info"]["duration_enum"]


def test_no_real_row_is_refused_or_loses_a_value(captured: bytes) -> None:
    rates = ExchangeRates()
    for item in parse(captured):
        assert validate(item, rates, now=datetime(2026, 12, 1, tzinfo=UTC)) == []
        assert item.title
        assert item.budget is not None
        assert item.budget.minimum_usd is not None
