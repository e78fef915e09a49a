"""What an item must be before it is stored: cleaned, converted, or refused with a reason."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from outsourcing_spiders.items import Budget, Client, Period, Precision, Project, Status, WorkMode
from outsourcing_spiders.parsing.dates import CLOCK_SKEW, EARLIEST, LATEST
from outsourcing_spiders.parsing.money import currency_code, decimal_or_none, int_or_none
from outsourcing_spiders.parsing.rates import ExchangeRates, to_usd
from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.parsing.text import (
    clean_json,
    clean_line,
    clean_paragraphs,
    drop_unstorable,
    is_json,
    is_storable,
)

_STATUSES = frozenset(get_args(Status))
_PRECISIONS = frozenset(get_args(Precision))
_WORK_MODES = frozenset(get_args(WorkMode))
_PERIODS = frozenset((*get_args(Period), None))
# More than any budget: a wrong unit or a joke. Likewise the dollars for one unit of a currency.
_ZERO = Decimal(0)
_MAX_AMOUNT = Decimal(10) ** 12
_MAX_RATE = Decimal(10) ** 5
_MAX_RATING = Decimal(5)
_MIN_EXPONENT = -20
_MAX_COUNT = 2**31 - 1
_MAX_ID, _MAX_URL, _MAX_TITLE, _MAX_DESCRIPTION = 255, 4_000, 1_000, 200_000
# What values of a wrong type cause, and which fields must be of which type for that not to happen.
_MISTYPED = (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
_KINDS: dict[type, dict[str, type]] = {
    Project: {
        "description": str,
        "status": str,
        "budget": Budget,
        "skills": list,
        "category": str,
        "work_mode": str,
        "location": str,
        "language": str,
        "posted_at": datetime,
        "posted_precision": str,
        "posted_text": str,
        "closes_at": datetime,
        "client": Client,
        "extra": dict,
    },
    Budget: {"currency": str, "period": str, "text": str},
    Client: {"country": str},
}


class InvalidProject(ValueError):
    """An item that cannot be stored; the message names the field and what is wrong with it."""


def validate(project: Project, rates: ExchangeRates, *, now: datetime) -> list[str]:
    """Clean `project` in place, add US dollars, and return the names of fields whose value had to go.

    A project is refused (`InvalidProject`) only when it cannot be told which project it is, or what it
    is about: no id, no address, no title. Any other unusable value becomes unknown and is named in the
    result, since a project with a broken date is still a project. A number of another type is converted
    where that is exact. `now` is aware, UTC.
    """
    if not isinstance(project, Project):
        raise InvalidProject(f"a spider must emit Project, not {type(project).__name__}")
    unusable: list[str] = []
    try:
        _validate(project, rates, now, unusable)
    except InvalidProject:
        raise
    except _MISTYPED:
        # Some value is of a wrong type. Looked for only now: every other item pays nothing for it.
        unusable += _drop_mistyped(project)
        try:
            _validate(project, rates, now, unusable)
        except InvalidProject:
            raise
        except _MISTYPED as error:
            raise InvalidProject(f"unreadable: {error!r:.200}") from error
    return unusable


def _validate(project: Project, rates: ExchangeRates, now: datetime, unusable: list[str]) -> None:
    _validate_identity(project)
    # Wrong types that nothing below would stumble over.
    if type(project.skills) is not list or type(project.extra) is not dict:
        unusable += _drop_mistyped(project)
    budget, client = project.budget, project.client
    texts = (project.title, project.description, project.category, project.location, project.posted_text)
    if not is_storable((texts, project.extra, budget and budget.text)):
        _drop_unstorable(project, unusable)
    project.title = clean_line(project.title)
    if not project.title:
        raise InvalidProject("title is empty")
    if len(project.title) > _MAX_TITLE:
        project.title = project.title[:_MAX_TITLE].rstrip()
        unusable.append("title")
    if project.description is not None:
        project.description = clean_paragraphs(project.description) or None
        if project.description is not None and len(project.description) > _MAX_DESCRIPTION:
            project.description = project.description[:_MAX_DESCRIPTION].rstrip()
            unusable.append("description")
    if type(project.description_complete) is not bool:
        project.description_complete = False
        unusable.append("description_complete")
    if project.description is None and "description" in unusable:
        # There is a text, of which nothing could be read: that is not the same as none.
        project.description_complete = False
    project.skills = canonical_skills(project.skills)
    if project.status not in _STATUSES:
        project.status = "unknown"
        unusable.append("status")
    if project.work_mode not in _WORK_MODES:
        project.work_mode = "unknown"
        unusable.append("work_mode")
    if project.category is not None:
        project.category = clean_line(project.category) or None
    if project.location is not None:
        project.location = clean_line(project.location) or None
    if project.language is not None and not (_is_two_letters(project.language) and project.language.islower()):
        project.language = None
        unusable.append("language")
    _validate_times(project, unusable, now)
    if project.bid_count is not None:
        project.bid_count = _count(project.bid_count)
        if project.bid_count is None:
            unusable.append("bid_count")
    if project.bid_average is not None:
        project.bid_average = _number(project.bid_average, _MAX_AMOUNT)
        if project.bid_average is None:
            unusable.append("bid_average")
    if budget is not None:
        _validate_budget(budget, unusable)
        _convert(budget, rates, project.platform, now, unusable)
    if client is not None:
        _validate_client(client, unusable)


def _validate_identity(project: Project) -> None:
    platform, external_id, url = project.platform, project.external_id, project.url
    if (
        type(platform) is str is type(external_id) is type(url)
        and 0 < len(platform) <= _MAX_ID
        and 0 < len(external_id) <= _MAX_ID
        and len(url) <= _MAX_URL
        and (joined := platform + external_id + url).isprintable()
        and " " not in joined
        and url.startswith(("https://", "http://"))
        and type(project.title) is str
    ):
        return
    for name, value, limit in (
        ("platform", platform, _MAX_ID),
        ("external_id", external_id, _MAX_ID),
        ("url", url, _MAX_URL),
    ):
        if value is None or value == "":
            raise InvalidProject(f"{name} is missing")
        if type(value) is not str:
            raise InvalidProject(f"{name} is no text but {type(value).__name__}")
        if len(value) > limit:
            raise InvalidProject(f"{name} is too long: {len(value)} characters, more than {limit}")
        if not value.isprintable() or " " in value:
            raise InvalidProject(f"{name} holds blanks or control characters: {value!r:.80}")
    if project.title is None:
        raise InvalidProject("title is missing")
    if type(project.title) is not str:
        raise InvalidProject(f"title is no text but {type(project.title).__name__}")
    raise InvalidProject(f"url is no absolute web address: {url!r:.80}")


def _drop_mistyped(project: Project) -> list[str]:
    """Set fields of a wrong type to unknown; return their names."""
    names = _reset_mistyped(project, "")
    if project.budget is not None:
        names += _reset_mistyped(project.budget, "budget.")
    if project.client is not None:
        names += _reset_mistyped(project.client, "client.")
    skills = [skill for skill in project.skills if isinstance(skill, str)]
    if len(skills) < len(project.skills):
        project.skills = skills
        names.append("skills")
    return names


def _reset_mistyped(item: Project | Budget | Client, prefix: str) -> list[str]:
    names: list[str] = []
    kinds = next(kinds for kind, kinds in _KINDS.items() if isinstance(item, kind))
    for field in fields(item):
        value, kind = getattr(item, field.name), kinds.get(field.name)
        if kind is None or isinstance(value, kind):
            continue
        unknown = field.default if field.default_factory is MISSING else field.default_factory()
        if value is not unknown:
            setattr(item, field.name, unknown)
            names.append(prefix + field.name)
    return names


def _drop_unstorable(project: Project, unusable: list[str]) -> None:
    project.title = drop_unstorable(project.title)
    for name in ("description", "category", "location", "posted_text"):
        if (value := getattr(project, name)) is not None:
            setattr(project, name, drop_unstorable(value))
    if project.budget is not None and project.budget.text is not None:
        project.budget.text = drop_unstorable(project.budget.text)
    extra: dict[str, Any] = {}
    for key, value in project.extra.items():
        with suppress(RecursionError):
            cleaned = clean_json(value)
            if is_json(cleaned):
                extra[drop_unstorable(str(key))] = cleaned
    if len(extra) < len(project.extra):
        unusable.append("extra")
    project.extra = extra


def _validate_times(project: Project, unusable: list[str], now: datetime) -> None:
    if project.posted_at is not None:
        project.posted_at = _utc(project.posted_at)
        if project.posted_at is None or not EARLIEST <= project.posted_at <= now + CLOCK_SKEW:
            project.posted_at = None
            unusable.append("posted_at")
    if project.closes_at is not None:
        project.closes_at = _utc(project.closes_at)
        if project.closes_at is None or not EARLIEST <= project.closes_at <= LATEST:
            project.closes_at = None
            unusable.append("closes_at")
    if project.expires_at is not None:
        expires_at = _utc(project.expires_at) if isinstance(project.expires_at, datetime) else None
        if expires_at is None:
            raise InvalidProject("expires_at is no time: nobody would know when the copy has to go")
        project.expires_at = expires_at
    if project.posted_precision not in _PRECISIONS:
        project.posted_precision = "unknown"
        unusable.append("posted_precision")
    elif project.posted_at is None:
        project.posted_precision = "unknown"
    if project.posted_text is not None:
        project.posted_text = clean_line(project.posted_text) or None


def _validate_budget(budget: Budget, unusable: list[str]) -> None:
    if budget.period not in _PERIODS:
        budget.period = None
        unusable.append("budget.period")
    if budget.text is not None:
        budget.text = clean_line(budget.text) or None
    if budget.minimum is not None:
        budget.minimum = _number(budget.minimum, _MAX_AMOUNT)
        if budget.minimum is None:
            unusable.append("budget.minimum")
    if budget.maximum is not None:
        budget.maximum = _number(budget.maximum, _MAX_AMOUNT)
        if budget.maximum is None:
            unusable.append("budget.maximum")
    if budget.minimum is not None and budget.maximum is not None and budget.minimum > budget.maximum:
        budget.minimum, budget.maximum = budget.maximum, budget.minimum
    if budget.currency is not None:
        budget.currency = currency_code(budget.currency)
        if budget.currency is None:
            unusable.append("budget.currency")


def _convert(budget: Budget, rates: ExchangeRates, platform: str, now: datetime, unusable: list[str]) -> None:
    """Add US dollars, by the rate in the platform's answer, else by the newest rate that is known."""
    currency, minimum, maximum = budget.currency, budget.minimum, budget.maximum
    budget.minimum_usd = budget.maximum_usd = None
    if currency is None:
        return
    if currency == "USD":
        budget.minimum_usd, budget.maximum_usd = minimum, maximum
        return
    rate: Decimal | None = None
    if budget.usd_rate is not None:
        rate = _number(budget.usd_rate, _MAX_RATE)
        if not rate:
            budget.usd_rate = rate = None
            unusable.append("budget.usd_rate")
    if rate is not None:
        rates.learn(currency, rate, now.date(), platform)
    else:
        rate = rates.usd_per_unit(currency, now.date())
    if rate is not None:
        budget.minimum_usd = None if minimum is None else to_usd(minimum, rate)
        budget.maximum_usd = None if maximum is None else to_usd(maximum, rate)


def _validate_client(client: Client, unusable: list[str]) -> None:
    if client.country is not None and not (_is_two_letters(client.country) and client.country.isupper()):
        client.country = None
        unusable.append("client.country")
    if client.rating is not None:
        client.rating = _number(client.rating, _MAX_RATING)
        if client.rating is None:
            unusable.append("client.rating")
    if client.reviews is not None:
        client.reviews = _count(client.reviews)
        if client.reviews is None:
            unusable.append("client.reviews")
    if client.verified is not None and type(client.verified) is not bool:
        client.verified = None
        unusable.append("client.verified")


def _number(value: Decimal, most: Decimal) -> Decimal | None:
    """Return a number from 0 to `most`, exactly, or ``None``."""
    number = value if type(value) is Decimal else decimal_or_none(value)
    if number is None or not number.is_finite() or not _ZERO <= number <= most or number.adjusted() < _MIN_EXPONENT:
        return None
    return number


def _count(value: int) -> int | None:
    number = value if type(value) is int else int_or_none(value)
    return number if number is not None and 0 <= number <= _MAX_COUNT else None


def _utc(moment: datetime) -> datetime | None:
    """Return an aware time in UTC; ``None`` for a naive one, and at the ends of the calendar."""
    if moment.tzinfo is UTC and type(moment) is datetime:
        return moment
    if moment.utcoffset() is None:
        return None
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    # Subclasses, such as other libraries have, are not written as JSON.
    return datetime.combine(moment.date(), moment.time(), UTC)


def _is_two_letters(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isalpha()
