"""What an item must be before it is stored: cleaned, converted, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

from outsourcing_spiders.items import Budget, Client, Precision, Project, Status, WorkMode
from outsourcing_spiders.parsing.money import currency_code
from outsourcing_spiders.parsing.rates import ExchangeRates, to_usd
from outsourcing_spiders.parsing.skills import canonical_skills
from outsourcing_spiders.parsing.text import clean_json, clean_line, clean_paragraphs

_STATUSES = frozenset(get_args(Status))
_PRECISIONS = frozenset(get_args(Precision))
_WORK_MODES = frozenset(get_args(WorkMode))
_PERIODS = frozenset(("total", "hour", "day", "month", None))
# More digits than any budget has: a wrong unit or a joke, and more than `numeric` sums stay useful with.
_MAX_AMOUNT = Decimal(10) ** 12
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
    _validate_identity(project)
    project.title = clean_line(project.title)[:_MAX_TITLE]
    if not project.title:
        raise InvalidProject("title is empty")
    if project.description is not None:
        description = clean_paragraphs(project.description)
        if len(description) > _MAX_DESCRIPTION:
            description = description[:_MAX_DESCRIPTION]
            unusable.append("description")
        project.description = description or None
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
    if project.language is not None and not _is_code(project.language, 2, str.islower):
        project.language = None
        unusable.append("language")
    if project.extra:
        project.extra = clean_json(project.extra)  # type: ignore[assignment]
    _validate_times(project, unusable, now)
    if project.bid_count is not None and not 0 <= project.bid_count < 2**31:
        project.bid_count = None
        unusable.append("bid_count")
    if project.bid_average is not None and not 0 <= project.bid_average < _MAX_AMOUNT:
        project.bid_average = None
        unusable.append("bid_average")
    if project.budget is not None:
        _validate_budget(project.budget, unusable, rates, project.platform, now)
    if project.client is not None:
        _validate_client(project.client, unusable)
    return unusable


def _validate_identity(project: Project) -> None:
    for name, limit in (("platform", _MAX_ID), ("external_id", _MAX_ID), ("url", _MAX_URL)):
        value = getattr(project, name)
        if not isinstance(value, str) or not value:
            raise InvalidProject(f"{name} is missing")
        if len(value) > limit:
            raise InvalidProject(f"{name} has {len(value)} characters, more than {limit}")
        if clean_line(value) != value:
            raise InvalidProject(f"{name} holds blanks or control characters: {value!r:.80}")
    if not project.url.startswith(("https://", "http://")):
        raise InvalidProject(f"url is not an absolute web address: {project.url!r:.80}")
    if not isinstance(project.title, str):
        raise InvalidProject("title is missing")


def _validate_times(project: Project, unusable: list[str], now: datetime) -> None:
    for name in ("posted_at", "closes_at"):
        moment: datetime | None = getattr(project, name)
        if moment is None:
            continue
        if moment.tzinfo is None or (name == "posted_at" and moment - now > _CLOCK_SKEW):
            setattr(project, name, None)
            unusable.append(name)
        elif moment.tzinfo is not UTC:
            setattr(project, name, moment.astimezone(UTC))
    if project.posted_at is None or project.posted_precision not in _PRECISIONS:
        project.posted_precision = "unknown"
    if project.posted_text is not None:
        project.posted_text = clean_line(project.posted_text) or None


def _validate_budget(budget: Budget, unusable: list[str], rates: ExchangeRates, source: str, now: datetime) -> None:
    if budget.period not in _PERIODS:
        budget.period = None
        unusable.append("budget.period")
    if budget.text is not None:
        budget.text = clean_line(budget.text) or None
    for name in ("minimum", "maximum"):
        amount: Decimal | None = getattr(budget, name)
        if amount is not None and not 0 <= amount < _MAX_AMOUNT:
            setattr(budget, name, None)
            unusable.append(f"budget.{name}")
    if budget.minimum is not None and budget.maximum is not None and budget.minimum > budget.maximum:
        budget.minimum, budget.maximum = budget.maximum, budget.minimum
    if budget.currency is None:
        return
    code = currency_code(budget.currency)
    if code is None:
        budget.currency = None
        unusable.append("budget.currency")
        return
    budget.currency = code
    today = now.date()
    if budget.usd_rate is not None and budget.usd_rate > 0:
        rate: Decimal | None = budget.usd_rate
        rates.learn(code, budget.usd_rate, today, source)
    else:
        rate = rates.usd_per_unit(code, today)
    if rate is not None:
        budget.minimum_usd = None if budget.minimum is None else to_usd(budget.minimum, rate)
        budget.maximum_usd = None if budget.maximum is None else to_usd(budget.maximum, rate)


def _validate_client(client: Client, unusable: list[str]) -> None:
    if client.country is not None and not _is_code(client.country, 2, str.isupper):
        client.country = None
        unusable.append("client.country")
    if client.rating is not None and not 0 <= client.rating <= 5:
        client.rating = None
        unusable.append("client.rating")
    if client.reviews is not None and not 0 <= client.reviews < 2**31:
        client.reviews = None
        unusable.append("client.reviews")


def _is_code(text: str, length: int, case: object) -> bool:
    return len(text) == length and text.isascii() and text.isalpha() and case(text)  # type: ignore[operator]
