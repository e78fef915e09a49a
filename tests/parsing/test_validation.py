"""What is cleaned, what becomes unknown and is named, and what is refused."""

from __future__ import annotations

import math
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import InvalidProject, validate
from outsourcing_spiders.storage.rows import Columns, prepare

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MEXICO = timezone(-6 * HOUR)


class Moment(datetime):
    """A time as other libraries have it."""


class Text(str):
    """A text as other libraries have it."""

    __slots__ = ()


class Status(StrEnum):
    """A status as a spider may have it."""

    OPEN = "open"


def project(**changed: Any) -> Project:
    """A project with nothing wrong about it, but for what is `changed`; ``budget__minimum`` is of the budget."""
    made = Project(
        platform="freelancer",
        external_id="4711",
        url="https://freelancer.example/projects/4711",
        title="Build a site",
        description="With a shop.",
        status="open",
        budget=Budget(minimum=Decimal(10), maximum=Decimal("30.50"), currency="USD", period="total", text="10-30.50"),
        skills=["Python"],
        category="Websites",
        work_mode="remote",
        location="Lyon",
        language="en",
        posted_at=NOW - HOUR,
        posted_precision="exact",
        posted_text="1 hour ago",
        closes_at=NOW + HOUR,
        bid_count=3,
        bid_average=Decimal("17.545454545454547"),
        client=Client(country="FR", rating=Decimal("4.9"), reviews=2, verified=True),
        extra={"upgrades": ["urgent"]},
    )
    for path, value in changed.items():
        setattr(*part(made, path), value)
    return made


def part(whole: Project, path: str) -> tuple[Any, str]:
    """The object and the attribute that ``budget__minimum`` or ``title`` names."""
    *parents, name = path.split("__")
    return (getattr(whole, parents[0]) if parents else whole), name


def value_of(whole: Project, path: str) -> Any:
    return getattr(*part(whole, path))


def check(item: Any) -> list[str]:
    return validate(item, ExchangeRates(), now=NOW)


def stored(item: Project) -> dict[str, Any]:
    """What the database is sent."""
    columns: dict[str, Any] = msgspec.json.decode(prepare(item).line)
    # Of the columns' types.
    msgspec.json.decode(prepare(item).line, type=Columns)
    return columns


def test_a_good_project_stays_as_it_is() -> None:
    item = project()
    assert check(item) == []
    expected = project()
    expected.budget.minimum_usd, expected.budget.maximum_usd = Decimal(10), Decimal("30.50")
    assert item == expected
    assert check(item) == []
    assert item == expected


def test_a_project_of_its_key_and_title_alone_is_enough() -> None:
    item = Project(platform="p", external_id="1", url="http://p.example/", title="T")
    assert check(item) == []
    assert item == Project(platform="p", external_id="1", url="http://p.example/", title="T")


REFUSED = {
    "no-platform": ({"platform": ""}, "platform is missing"),
    "no-id": ({"external_id": ""}, "external_id is missing"),
    "id-none": ({"external_id": None}, "external_id is missing"),
    "id-number": ({"external_id": 4711}, "external_id is no text but int"),
    "id-subclass": ({"external_id": Text("1")}, "external_id is no text but Text"),
    "id-long": ({"external_id": "1" * 256}, "external_id is too long: 256 characters, more than 255"),
    "id-blank": ({"external_id": "4 7"}, "external_id holds blanks or control characters: '4 7'"),
    "id-nul": ({"external_id": "4\0"}, "external_id holds blanks or control characters: '4\\x00'"),
    "id-surrogate": ({"external_id": "\ud800"}, "external_id holds blanks or control characters: '\\ud800'"),
    "platform-nbsp": ({"platform": "a\xa0b"}, "platform holds blanks or control characters: 'a\\xa0b'"),
    "no-url": ({"url": None}, "url is missing"),
    "url-surrogate": ({"url": "https://a.example/\ud800"}, "url holds blanks or control characters"),
    "url-long": ({"url": "https://" + "a" * 4_000}, "url is too long: 4008 characters, more than 4000"),
    "url-relative": ({"url": "/projects/4711"}, "url is no absolute web address: '/projects/4711'"),
    "url-script": ({"url": "javascript:alert(1)"}, "url is no absolute web address"),
    "title-none": ({"title": None}, "title is missing"),
    "title-number": ({"title": 5}, "title is no text but int"),
    "title-empty": ({"title": ""}, "title is empty"),
    "title-blank": ({"title": " \t\xa0\n"}, "title is empty"),
    "title-controls": ({"title": "\0\x1b\ud800"}, "title is empty"),
}


@pytest.mark.parametrize(("changed", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_project_that_cannot_be_told_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidProject) as refused:
        check(project(**changed))
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 150


@pytest.mark.parametrize("item", [None, {}, "project", Budget(), Project])
def test_what_is_no_project_is_refused(item: object) -> None:
    with pytest.raises(InvalidProject, match="a spider must emit Project, not "):
        check(item)


CLEANED = {
    "title": ("title", " Build \t a\nsite\0 ", "Build a site"),
    "title-with-a-joined-emoji": ("title", "👨\u200d👩 site", "👨\u200d👩 site"),
    "description": ("description", "a \r\n\r\n\r\n\r\n\0b\ud800\u2028c ", "a\n\nb\nc"),
    "description-blank": ("description", " \n", None),
    "category": ("category", " Web\n sites\0", "Web sites"),
    "category-blank": ("category", "\0", None),
    "location": ("location", " Lyon,\n France\x1f", "Lyon, France"),
    "location-blank": ("location", " ", None),
    "posted-text": ("posted_text", " 2\xa0hours\0 ", "2 hours"),
    "budget-text": ("budget__text", "$ 10\n- 20\ud83d", "$ 10 - 20"),
    "budget-text-blank": ("budget__text", "", None),
    "skills": ("skills", ["python ", "\0", "PYTHON", "c++\0"], ["Python", "C++"]),
    "extra": ("extra", {"a\0": ["\ud800b", {"c": None}], 1: "\\u0000"}, {"a": ["b", {"c": None}], "1": "\\u0000"}),
    "currency": ("budget__currency", " usd", "USD"),
    "int-amount": ("budget__minimum", 10, Decimal(10)),
    "float-amount": ("budget__minimum", 10.1, Decimal("10.1")),
    "text-amount": ("bid_average", "17.50", Decimal("17.50")),
    "float-count": ("bid_count", 3.0, 3),
    "text-count": ("client__reviews", "12", 12),
    "float-rating": ("client__rating", 4.7, Decimal("4.7")),
    "zoned-time": ("posted_at", datetime(2026, 3, 15, 5, 0, tzinfo=MEXICO), datetime(2026, 3, 15, 11, 0, tzinfo=UTC)),
    "foreign-time": ("posted_at", Moment(2026, 3, 15, 11, 0, tzinfo=UTC), datetime(2026, 3, 15, 11, 0, tzinfo=UTC)),
    "enumerated-status": ("status", Status.OPEN, "open"),
    "foreign-text": ("description", Text("a"), "a"),
    "zero-amount": ("budget__minimum", Decimal(0), Decimal(0)),
    "no-bids": ("bid_count", 0, 0),
}


@pytest.mark.parametrize(("path", "value", "expected"), CLEANED.values(), ids=CLEANED)
def test_values_are_cleaned_without_loss(path: str, value: object, expected: object) -> None:
    item = project(**{path: value})
    assert check(item) == []
    found = value_of(item, path)
    assert found == expected
    assert type(found) in (type(expected), Status)
    stored(item)


ENDLESS: dict[str, Any] = {"good": 1}
ENDLESS["endless"] = [ENDLESS]
NAN, INFINITY = Decimal("NaN"), Decimal("Infinity")

# Where, what, and what is left of it.
UNUSABLE = {
    "status": ("status", "active", "unknown"),
    "status-none": ("status", None, "unknown"),
    "status-list": ("status", ["open"], "unknown"),
    "work-mode": ("work_mode", "office", "unknown"),
    "precision": ("posted_precision", "second", "unknown"),
    "precision-list": ("posted_precision", [], "unknown"),
    "language-long": ("language", "eng", None),
    "language-upper": ("language", "EN", None),
    "language-region": ("language", "en-US", None),
    "language-letters": ("language", "éé", None),
    "language-number": ("language", 5, None),
    "language-list": ("language", ["e", "n"], None),
    "description-bytes": ("description", b"text", None),
    "description-list": ("description", ["text"], None),
    "complete": ("description_complete", "yes", False),
    "complete-none": ("description_complete", None, False),
    "category-number": ("category", 5, None),
    "location-dict": ("location", {"city": "Lyon"}, None),
    "skills-text": ("skills", "Python", []),
    "skills-none": ("skills", None, []),
    "skills-tuple": ("skills", ("Python",), []),
    "skills-mixed": ("skills", ["Python", None, ["Go"], b"C", 5], ["Python"]),
    "posted-naive": ("posted_at", datetime(2026, 3, 1), None),  # noqa: DTZ001
    "posted-future": ("posted_at", NOW + 25 * HOUR, None),
    "posted-placeholder": ("posted_at", datetime(1, 1, 1, tzinfo=UTC), None),
    "posted-off-the-calendar": ("posted_at", datetime(1, 1, 1, tzinfo=timezone(HOUR)), None),
    "posted-date": ("posted_at", date(2026, 3, 1), None),
    "posted-text-in-place": ("posted_at", "2026-03-01", None),
    "posted-stamp": ("posted_at", 1_700_000_000, None),
    "posted-time-of-day": ("posted_at", time(8, tzinfo=UTC), None),
    "posted-text-number": ("posted_text", 1_700_000_000, None),
    "closes-naive": ("closes_at", datetime(2026, 4, 1), None),  # noqa: DTZ001
    "closes-placeholder": ("closes_at", datetime(9999, 12, 31, tzinfo=UTC), None),
    "closes-off-the-calendar": ("closes_at", datetime(9999, 12, 31, 23, tzinfo=MEXICO), None),
    "bids-negative": ("bid_count", -1, None),
    "bids-many": ("bid_count", 2**31, None),
    "bids-bool": ("bid_count", True, None),
    "bids-fraction": ("bid_count", 1.5, None),
    "bids-text": ("bid_count", "many", None),
    "bids-huge": ("bid_count", 10**5000, None),
    "average-negative": ("bid_average", Decimal(-1), None),
    "average-nan": ("bid_average", NAN, None),
    "average-signalling": ("bid_average", Decimal("sNaN"), None),
    "average-infinite": ("bid_average", INFINITY, None),
    "average-absurd": ("bid_average", Decimal("1e13"), None),
    "average-tiny": ("bid_average", Decimal("1e-9999"), None),
    "average-list": ("bid_average", [1], None),
    "budget": ("budget", "100 USD", None),
    "minimum-negative": ("budget__minimum", Decimal(-5), None),
    "minimum-nan": ("budget__minimum", NAN, None),
    "minimum-bool": ("budget__minimum", True, None),
    "minimum-text": ("budget__minimum", "1,000", None),
    "minimum-nan-float": ("budget__minimum", math.nan, None),
    "maximum-infinite": ("budget__maximum", INFINITY, None),
    "maximum-huge": ("budget__maximum", Decimal("1e999999"), None),
    "period": ("budget__period", "week", None),
    "period-list": ("budget__period", ["hour"], None),
    "currency": ("budget__currency", "ZZZ", None),
    "currency-sign": ("budget__currency", "$", None),
    "currency-number": ("budget__currency", 840, None),
    "currency-list": ("budget__currency", ["USD"], None),
    "budget-text-number": ("budget__text", 100, None),
    "client": ("client", "ACME", None),
    "country-name": ("client__country", "France", None),
    "country-lower": ("client__country", "fr", None),
    "country-control": ("client__country", "F\0", None),
    "country-list": ("client__country", ["FR"], None),
    "rating-high": ("client__rating", Decimal("5.1"), None),
    "rating-nan": ("client__rating", NAN, None),
    "rating-bool": ("client__rating", False, None),
    "reviews-negative": ("client__reviews", -1, None),
    "reviews-bool": ("client__reviews", True, None),
    "verified": ("client__verified", "yes", None),
    "verified-number": ("client__verified", 1, None),
    "extra-none": ("extra", None, {}),
    "extra-list": ("extra", ["a"], {}),
    "extra-object": ("extra", {"good": 1, "bad": object()}, {"good": 1}),
    "extra-key": ("extra", {"good": 1, "bad": 10**5000}, {"good": 1}),
    "extra-endless": ("extra", ENDLESS, {"good": 1}),
}


@pytest.mark.parametrize(("path", "value", "left"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_value_becomes_unknown_and_is_named(path: str, value: object, left: object) -> None:
    item = project(**{path: value})
    assert check(item) == [path.replace("__", ".")]
    assert value_of(item, path) == left
    stored(item)
    assert check(item) == []


def test_every_unusable_value_is_named_once() -> None:
    broken = {path: value for path, value, _ in UNUSABLE.values() if path not in ("budget", "client")}
    assert sorted(check(project(**broken))) == sorted(path.replace("__", ".") for path in broken)


@pytest.mark.parametrize(("name", "limit"), [("title", 1_000), ("description", 200_000)], ids=["title", "description"])
def test_long_texts_are_cut_and_named(name: str, limit: int) -> None:
    item = project(**{name: "x" * limit})
    assert check(item) == []
    item = project(**{name: "x" * (limit - 1) + " y"})
    assert check(item) == [name]
    assert getattr(item, name) == "x" * (limit - 1)
    assert check(item) == []


def test_values_that_json_knows_pass_in_extra() -> None:
    item = project(extra={"at": NOW, "rate": math.nan, "in": {"a"}, "amount": Decimal("1.50"), 5: True})
    assert check(item) == []
    expected = {"at": "2026-03-15T12:00:00Z", "rate": None, "in": ["a"], "amount": "1.50", "5": True}
    assert stored(item)["extra"] == expected


def test_a_teaser_stays_a_teaser_and_no_text_may_be_all_there_is() -> None:
    teaser, none = project(description_complete=False), project(description=None)
    blank, nothing_yet = project(description=" \n"), project(description=None, description_complete=False)
    assert check(teaser) == check(none) == check(blank) == check(nothing_yet) == []
    assert teaser.description_complete is False
    assert (stored(none)["description"], stored(none)["description_complete"]) == (None, True)
    assert (stored(blank)["description"], stored(blank)["description_complete"]) == (None, True)
    assert stored(nothing_yet)["description_complete"] is False


def test_a_text_that_cannot_be_read_does_not_pass_for_none() -> None:
    item = project(description=["a list"])
    assert check(item) == ["description"]
    assert (item.description, item.description_complete) == (None, False)
    assert check(item) == []
    assert item.description_complete is False


def test_a_reversed_budget_is_turned_round() -> None:
    item = project(budget__minimum=Decimal(50), budget__maximum=Decimal(20))
    assert check(item) == []
    assert (item.budget.minimum, item.budget.maximum) == (20, 50)
    assert (item.budget.minimum_usd, item.budget.maximum_usd) == (20, 50)


def test_a_small_clock_skew_is_no_future() -> None:
    item = project(posted_at=NOW + 23 * HOUR)
    assert check(item) == []
    assert item.posted_at == NOW + 23 * HOUR


def test_without_a_time_there_is_no_precision() -> None:
    item = project(posted_at=None, posted_precision="hour")
    assert check(item) == []
    assert (item.posted_at, item.posted_precision) == (None, "unknown")


@pytest.mark.parametrize(
    ("rate", "unusable", "dollars"),
    [
        pytest.param(Decimal("0.0016"), [], Decimal("0.02"), id="told"),
        pytest.param(None, [], None, id="none"),
        *(
            pytest.param(rate, ["budget.usd_rate"], None, id=name)
            for name, rate in {
                "zero": Decimal(0),
                "negative": Decimal(-1),
                "nan": NAN,
                "infinite": INFINITY,
                "absurd": Decimal("1e30"),
                "text": "much",
            }.items()
        ),
    ],
)
def test_the_platform_s_own_rate_converts(rate: Any, unusable: list[str], dollars: Decimal | None) -> None:
    rates = ExchangeRates()
    item = project(budget__currency="XAF", budget__usd_rate=rate)
    assert validate(item, rates, now=NOW) == unusable
    assert item.budget.minimum_usd == dollars
    learned = [("XAF", NOW.date(), rate, "freelancer")] if dollars else []
    assert rates.take_learned() == learned


def test_a_rate_of_one_project_serves_the_next() -> None:
    rates = ExchangeRates()
    validate(project(budget__currency="XAF", budget__usd_rate=Decimal("0.002")), rates, now=NOW)
    item = project(budget__currency="XAF")
    assert validate(item, rates, now=NOW) == []
    assert (item.budget.minimum_usd, item.budget.maximum_usd) == (Decimal("0.02"), Decimal("0.06"))


@pytest.mark.parametrize("currency", [None, "XAF", "ZZZ"])
def test_dollars_come_from_nothing_else(currency: str | None) -> None:
    item = project(budget__currency=currency, budget__minimum_usd=Decimal(5), budget__maximum_usd=NAN)
    check(item)
    assert (item.budget.minimum_usd, item.budget.maximum_usd) == (None, None)


def test_an_item_that_nobody_can_read_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidProject, match="unreadable"):
        check(project(extra={10**5000: "", "a": "\0"}))


ANY_TEXT = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["\0", "a\ud800", "open", "USD", "eur", "en"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)
WRONG = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=5)
    | st.sampled_from([object(), 10**5000, NAN, -INFINITY, Decimal("1e999999"), date(2026, 1, 1), Status.OPEN])
    | ANY_TEXT
    | ANY_JSON
)
NUMBER = st.decimals() | st.decimals(0, 100, places=2) | WRONG
COUNT = st.integers(0, 100) | WRONG
TIME = st.datetimes() | st.datetimes(timezones=st.timezones()) | st.datetimes(timezones=st.just(UTC)) | WRONG
TEXT = ANY_TEXT | WRONG
BUDGETS = st.builds(
    Budget,
    minimum=NUMBER,
    maximum=NUMBER,
    currency=st.sampled_from(["USD", "EUR", "XAF", "eur"]) | TEXT,
    period=st.sampled_from(["total", "hour"]) | TEXT,
    text=TEXT,
    usd_rate=NUMBER,
    minimum_usd=NUMBER,
    maximum_usd=NUMBER,
)
CLIENTS = st.builds(Client, country=TEXT, rating=NUMBER, reviews=COUNT, verified=st.booleans() | WRONG)
PROJECTS = st.builds(
    Project,
    platform=st.just("freelancer"),
    external_id=st.just("1"),
    url=st.just("https://freelancer.example/1"),
    title=st.just("Build a site") | ANY_TEXT.map("a{}".format),
    description=TEXT,
    description_complete=st.booleans() | WRONG,
    status=st.just("open") | TEXT,
    budget=st.none() | BUDGETS | WRONG,
    skills=st.lists(TEXT, max_size=3) | WRONG,
    category=TEXT,
    work_mode=st.just("remote") | TEXT,
    location=TEXT,
    language=TEXT,
    posted_at=TIME,
    posted_precision=st.just("exact") | TEXT,
    posted_text=TEXT,
    closes_at=TIME,
    bid_count=COUNT,
    bid_average=NUMBER,
    client=st.none() | CLIENTS | WRONG,
    extra=st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3) | WRONG,
)


def texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts(inner)]
    return [text for inner in value for text in texts(inner)] if isinstance(value, list) else []


@REPEATABLE
@given(item=PROJECTS)
def test_whatever_a_spider_emits_is_stored_and_nothing_is_made_up(item: Project) -> None:
    emitted = deepcopy(item)
    try:
        unusable = check(item)
    except InvalidProject as refusal:
        # Keys that cannot even be written as text.
        assume("unreadable" not in str(refusal))
        raise
    columns = stored(item)
    assert not any("\0" in text for text in texts(columns))
    assert len(set(unusable)) == len(unusable)
    assert columns["currency"] in (None, *currencies(emitted))
    for name in ("posted_at", "closes_at", "bid_count", "bid_average", "description", "language"):
        assert getattr(emitted, name) is not None or columns[name] is None
    if isinstance(emitted.budget, Budget):
        assert emitted.budget.minimum is not None or emitted.budget.maximum is not None or columns["budget_min"] is None
    if columns["currency"] is None:
        assert columns["budget_min_usd"] is columns["budget_max_usd"] is None
    # Nothing is left to be found the second time.
    assert check(item) == []
    assert stored(item) == columns


@REPEATABLE
@given(identity=st.fixed_dictionaries(dict.fromkeys(("platform", "external_id", "url", "title"), TEXT)))
def test_what_tells_a_project_is_usable_or_the_project_is_refused(identity: dict[str, Any]) -> None:
    for name, value in identity.items():
        item = project(**{name: value})
        with suppress(InvalidProject):
            check(item)
            assert "\0" not in stored(item)[name]


def currencies(item: Project) -> list[str]:
    emitted = item.budget.currency if isinstance(item.budget, Budget) else None
    return [emitted.strip().upper()] if isinstance(emitted, str) else []
