"""What an item must be before it is stored: cleaned, converted, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from outsourcing_spiders.items import Budget, Client, Period, Precision, Project, Status, WorkMode
from outsourcing_spiders.parsing.money import currency_code
from outsourcing_spiders.parsing.rates import ExchangeRates, to_usd
from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.parsing.text import (
    clean_json,
    clean_line,
    clean_paragraphs,
    drop_unstorable,
    is_storable,
)

_STATUSES = frozenset(get_args(Status))
_PRECISIONS = frozenset(get_args(Precision))
_WORK_MODES = frozenset(get_args(WorkMode))
_PERIODS = frozenset((*get_args(Period), None))
# More than any budget: a wrong unit or a joke.
_MAX_AMOUNT = Decimal(10) ** 12
_MAX_COUNT = 2**31 - 1
_MAX_ID, _MAX_URL, _MAX_TITLE, _MAX_DESCRIPTION = 255, 4_000, 1_000, 200_000
_CLOCK_SKEW = timedelta(days=1)


class InvalidProject(ValueError):
    """An item that cannot be stored; the message names the field and what is wrong with it."""


def validate(project: Project, rates: ExchangeRates, *, now: datetime) -> list[str]:
    """Clean `project` in place, add US dollars, and return the names of fields whose value had to go.

    A project is refused (`InvalidProject`) only when it cannot be told which project it is, or what it
    is about: no id, no address, no title. Any other unusable value becomes ``None`` and is named in the
    result, since a project with a broken date is still a project. `now` is aware, UTC.
    """
    if not isinstance(project, Project):
        raise InvalidProject(f"a spider must emit Project, not {type(project).__name__}")
    unusable: list[str] = []
    budget, client = project.budget, project.client
    _validate_identity(project)
    texts = (project.title, project.description, project.category, project.location, project.posted_text)
    if not is_storable((texts, project.extra, budget and budget.text)):
        _drop_unstorable(project)
    project.title = clean_line(project.title)[:_MAX_TITLE]
    if not project.title:
        raise InvalidProject("title is empty")
    if project.description is not None:
        project.description = clean_paragraphs(project.description) or None
        if project.description is not None and len(project.description) > _MAX_DESCRIPTION:
            project.description = project.description[:_MAX_DESCRIPTION]
            unusable.append("description")
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
    if project.bid_count is not None and not 0 <= project.bid_count <= _MAX_COUNT:
        project.bid_count = None
        unusable.append("bid_count")
    if project.bid_average is not None and not 0 <= project.bid_average < _MAX_AMOUNT:
        project.bid_average = None
        unusable.append("bid_average")
    if budget is not None:
        _validate_budget(budget, unusable)
        _convert(budget, rates, project.platform, now)
    if client is not None:
        _validate_client(client, unusable)
    return unusable


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
        if not isinstance(value, str) or not value:
            raise InvalidProject(f"{name} is missing")
        if len(value) > limit:
            raise InvalidProject(f"{name} is too long: {len(value)} characters, more than {limit}")
        if not value.isprintable() or " " in value:
            raise InvalidProject(f"{name} holds blanks or control characters: {value!r:.80}")
    if not isinstance(project.title, str):
        raise InvalidProject("title is missing")
    raise InvalidProject(f"url is no absolute web address: {url!r:.80}")


def _drop_unstorable(project: Project) -> None:
    project.title = drop_unstorable(project.title)
    for name in ("description", "category", "location", "posted_text"):
        value: Any = getattr(project, name)
        if value is not None:
            setattr(project, name, drop_unstorable(str(value)))
    if project.budget is not None and project.budget.text is not None:
        project.budget.text = drop_unstorable(str(project.budget.text))
    project.extra = clean_json(project.extra)  # type: ignore[assignment]


def _validate_times(project: Project, unusable: list[str], now: datetime) -> None:
    if project.posted_at is not None:
        project.posted_at = _utc(project.posted_at)
        if project.posted_at is None or project.posted_at > now + _CLOCK_SKEW:
            project.posted_at = None
            unusable.append("posted_at")
    if project.closes_at is not None:
        project.closes_at = _utc(project.closes_at)
        if project.closes_at is None:
            unusable.append("closes_at")
    if project.posted_at is None or project.posted_precision not in _PRECISIONS:
        project.posted_precision = "unknown"
    if project.posted_text is not None:
        project.posted_text = clean_line(project.posted_text) or None


def _validate_budget(budget: Budget, unusable: list[str]) -> None:
    if budget.period not in _PERIODS:
        budget.period = None
        unusable.append("budget.period")
    if budget.text is not None:
        budget.text = clean_line(budget.text) or None
    if budget.minimum is not None and not 0 <= budget.minimum < _MAX_AMOUNT:
        budget.minimum = None
        unusable.append("budget.minimum")
    if budget.maximum is not None and not 0 <= budget.maximum < _MAX_AMOUNT:
        budget.maximum = None
        unusable.append("budget.maximum")
    if budget.minimum is not None and budget.maximum is not None and budget.minimum > budget.maximum:
        budget.minimum, budget.maximum = budget.maximum, budget.minimum
    if budget.currency is not None:
        budget.currency = currency_code(budget.currency)
        if budget.currency is None:
            unusable.append("budget.currency")


def _convert(budget: Budget, rates: ExchangeRates, platform: str, now: datetime) -> None:
    """Add US dollars, by the rate in the platform's answer, else by the newest rate that is known."""
    currency, rate = budget.currency, budget.usd_rate
    if currency is None:
        return
    if currency == "USD":
        budget.minimum_usd, budget.maximum_usd = budget.minimum, budget.maximum
        return
    if rate is not None and rate > 0:
        rates.learn(currency, rate, now.date(), platform)
    else:
        rate = rates.usd_per_unit(currency, now.date())
    if rate is not None:
        budget.minimum_usd = None if budget.minimum is None else to_usd(budget.minimum, rate)
        budget.maximum_usd = None if budget.maximum is None else to_usd(budget.maximum, rate)


def _validate_client(client: Client, unusable: list[str]) -> None:
    if client.country is not None and not (_is_two_letters(client.country) and client.country.isupper()):
        client.country = None
        unusable.append("client.country")
    if client.rating is not None and not 0 <= client.rating <= 5:
        client.rating = None
        unusable.append("client.rating")
    if client.reviews is not None and not 0 <= client.reviews <= _MAX_COUNT:
        client.reviews = None
        unusable.append("client.reviews")


def _utc(moment: datetime) -> datetime | None:
    if moment.tzinfo is UTC:
        return moment
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def _is_two_letters(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isalpha()
