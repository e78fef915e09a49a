"""Make the projects of the Wishket stand-in, all from a seed, and say what a perfect reader stores of each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from platforms_standins._korean import FIELDS, FORMS, LEVELS, PLACES, REGIONS, ROLES, KoreanWriter, skills_of

JSON = dict[str, Any]
KST = timezone(timedelta(hours=9), "KST")
HOST = "https://www.wishket.com"
TERM, TASK = "기간제", "외주"
UNDECIDED = "협의 후 결정"
#: Seconds from one project to the next: 495 pages of ten in a year.
PACE = 6371
DAY = 86_400


@dataclass(slots=True)
class WishketProject:
    """One project as the site holds it. Times in Unix seconds, amounts in won."""

    id: int
    posted: float
    deadline: float
    """23:59 of a day in Korea."""
    title: str
    description: str
    kind: str
    """기간제: by the month, on site; 외주: a task for one sum."""
    amount: int | None
    category: str
    role: str
    level: str
    days: int
    start: str
    forms: tuple[str, ...]
    skills: list[str]
    experience: str | None
    """What stands behind each skill's name: 경력 무관."""
    location: str | None
    applicants: int
    views: int
    comments: int
    interests: int
    username: str
    rating: str
    reviews: int
    checked: bool
    """Whether the client has the badge 인증 완료."""
    private: bool = False
    closed: bool = False
    gone: bool = False
    """Listed, but its own page is not there any more."""
    odd: str | None = None
    json_ld: str = "plain"
    """Form of the JSON-LD; see `_wishket_pages`."""
    budget_text: str | None = None
    """Replaces the usual text of the budget."""
    budget: tuple[int | None, int | None, str | None, str | None] | None = None
    """Minimum, maximum, currency, period where `budget_text` says something unusual."""
    lacking: set[str] = field(default_factory=set)
    """Parts that the card does not have."""

    def is_open(self, now: float) -> bool:
        """Tell whether partners can apply."""
        return not self.closed and now < self.deadline

    def deadline_text(self, now: float) -> str:
        """Return what follows 마감 on the card: the time left, in its largest units, rounded down."""
        left = int(self.deadline - now)
        if left < DAY:
            return f"{left // 3600}시간 전" if left >= 3600 else f"{left // 60}분 전"
        weeks, days = divmod(left // DAY, 7)
        return " ".join([f"{weeks}주"] * bool(weeks) + [f"{days}일"] * bool(days)) + " 전"

    def posted_text(self) -> str:
        """Return the day of the posting as the card writes it."""
        return datetime.fromtimestamp(self.posted, KST).strftime("%Y.%m.%d.")

    def price(self) -> tuple[str, str, str]:
        """Return label, amount and unit of the card's budget."""
        if self.budget_text is not None:
            label, _, rest = self.budget_text.rpartition("|")
            return label, rest, ""
        unit = "/월" if self.kind == TERM and self.amount is not None else ""
        label = "월 금액" if self.kind == TERM else "예상 금액"
        return label, UNDECIDED if self.amount is None else f"{self.amount:,}원", unit


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _midnight(seconds: float) -> datetime:
    day = datetime.fromtimestamp(seconds, KST).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.astimezone(UTC)


def _budget(project: WishketProject) -> JSON | None:
    if "budget" in project.lacking or project.private:
        return None
    text = " ".join(part for part in project.price() if part)
    if project.budget is not None:
        return _stored(*project.budget, text)
    currency = "KRW" if project.amount is not None else None
    return _stored(project.amount, project.amount, currency, period_of(project), text)


def period_of(project: WishketProject) -> str:
    """Return what an amount is for."""
    return "month" if project.kind == TERM else "total"


def salary(amount: int) -> str:
    """Return an amount in won as the JSON-LD writes it."""
    return f"{amount // 10_000:,}만원 (부가세 별도)"


def _stored(minimum: int | None, maximum: int | None, currency: str | None, period: str | None, text: str) -> JSON:
    return {
        "minimum": None if minimum is None else Decimal(minimum),
        "maximum": None if maximum is None else Decimal(maximum),
        "currency": currency,
        "period": period,
        "text": text,
        "usd_rate": None,
        "minimum_usd": None,
        "maximum_usd": None,
    }


def listed(project: WishketProject, now: float) -> JSON:
    """Return the fields of a `Project` that a perfect reader takes from the card, texts cleaned.

    `closes_at`: the card counts whole days down to 23:59 in Korea, so it is 23:59 of the day that they lead to.
    """
    shown = not project.private
    lacking = project.lacking
    client = None
    if shown and "client" not in lacking:
        rated = Decimal(project.rating) if float(project.rating) else None
        client = {"country": None, "rating": rated, "reviews": None, "verified": None}
    posted = shown and "posted" not in lacking
    extra: JSON = {"type": project.kind} if shown else {"private": True}
    if shown and "term" not in lacking:
        extra["days"] = project.days
    if shown and project.kind == TERM:
        extra |= {"role": project.role, "level": project.level, "start": project.start}
    if shown and "skills" not in lacking and project.experience:
        extra["experience"] = [f"{skill} · {project.experience}" for skill in project.skills]
    if client is not None and project.checked:
        extra["client_certified"] = True
    is_open = project.is_open(now)
    return {
        "platform": "wishket",
        "external_id": str(project.id),
        "url": f"{HOST}/project/{project.id}/",
        "title": " ".join(project.title.split()),
        "description": None,
        "description_complete": False,
        "status": "open" if is_open else "closed",
        "budget": _budget(project),
        "skills": list(project.skills) if shown and "skills" not in lacking else [],
        "category": project.category if shown and project.kind == TASK else None,
        "work_mode": "onsite" if shown and project.kind == TERM else "unknown",
        "location": project.location if shown else None,
        "language": None,
        "posted_at": _midnight(project.posted) if posted else None,
        "posted_precision": "day" if posted else "unknown",
        "posted_text": f"등록일자 {project.posted_text()}" if posted else None,
        "closes_at": _moment(project.deadline) if shown and is_open and "deadline" not in lacking else None,
        "bid_count": project.applicants if shown and "applicants" not in lacking else None,
        "bid_average": None,
        "client": client,
        "extra": extra,
    }


def detailed(project: WishketProject, now: float) -> JSON:
    """Return what a perfect reader has after the project's own page too: the card's fields, completed."""
    found = listed(project, now)
    if project.private or project.gone:
        return found
    found["bid_count"] = project.applicants
    found["closes_at"] = _moment(project.deadline)
    if found["client"] is not None:
        found["client"] |= {"reviews": project.reviews if float(project.rating) else 0}
    if found["posted_at"] is None:
        found |= {"posted_at": _midnight(project.posted), "posted_precision": "day"}
        found["posted_text"] = f"등록 일자 {project.posted_text()}"
    locked = ["description", "requirements"]
    if project.json_ld not in ("missing", "invalid", "no_description"):
        found |= {"description": clean(project.description), "description_complete": True}
        locked.remove("description")
    found["extra"] |= {"login_only": locked}
    if found["budget"] is None and project.json_ld == "plain" and project.amount:
        # Only the JSON-LD has it.
        found["budget"] = _stored(project.amount, project.amount, "KRW", period_of(project), salary(project.amount))
    return found


def clean(text: str) -> str:
    """Return a description as it is stored: its markup gone, no blanks at the ends of lines."""
    if text.startswith("<p>"):
        # The one HTML description there is: paragraphs and line breaks, see `_html`.
        text = text.replace("</p><p>", "\n\n").replace("<br>", "\n").replace("&amp;", "&")
        for tag in ("<p>", "</p>", "<strong>", "</strong>"):
            text = text.replace(tag, "")
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


class ProjectMaker:
    """Make projects, each from its own random source: it does not depend on which others were made."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def make(self, serial: int, posted: float) -> WishketProject:
        """Return the `serial`-th project; `posted` in Unix seconds."""
        rng = random.Random(f"{self.seed}:wishket:{serial}")
        category = rng.choices(FIELDS, (60, 20, 8, 8, 4))[0]
        skills = rng.sample(skills_of(category), rng.randint(1, 4))
        writer = KoreanWriter(rng, skills)
        term = category == "개발" and rng.random() < 0.5
        region = rng.choice(list(PLACES))
        day = datetime.fromtimestamp(posted + rng.randint(5, 30) * DAY, KST)
        undecided = rng.random() < 0.1
        monthly, total = rng.randint(30, 90) * 100_000, rng.choice((1, 1, 10)) * rng.randint(1, 99) * 500_000
        return WishketProject(
            id=150_000 + 3 * serial + rng.randrange(3),
            posted=posted,
            deadline=day.replace(hour=23, minute=59, second=0, microsecond=0).timestamp(),
            title=writer.title(),
            description=writer.description(),
            kind=TERM if term else TASK,
            amount=None if undecided else monthly if term else total,
            category=category,
            role=rng.choice(ROLES),
            level=rng.choice(LEVELS),
            days=rng.choice((7, 14, 30, 45, 60, 90, 120, 180, 300)),
            start=rng.choice(("즉시 시작", datetime.fromtimestamp(posted + 21 * DAY, KST).strftime("%Y.%m.%d."))),
            forms=tuple(rng.sample(FORMS, rng.randint(1, 2))),
            skills=skills,
            experience=rng.choice(("경력 무관", "3년 이상")) if term else None,
            location=f"{REGIONS[region]} {rng.choice(PLACES[region])}" if term else None,
            applicants=rng.choice((0, 0, 1, 2, 3, 5, 8, 13, 21, 34)),
            views=rng.randint(20, 3000),
            comments=rng.randrange(20),
            interests=rng.randrange(60),
            username=f"{rng.choice('abcdefghjkmnpqrstuvwyz')}{rng.choice('aeiou')}******",
            rating=rng.choice(("0.0", "3.7", "4.2", "4.8", "5.0")),
            reviews=rng.randint(1, 40),
            checked=rng.random() < 0.5,
        )


# --- odd cases ----------------------------------------------------------------------------------------------

Bend = Callable[[WishketProject, float], None]


def _set(**values: Any) -> Bend:
    def bend(project: WishketProject, _: float) -> None:
        for name, value in values.items():
            setattr(project, name, value)

    return bend


def _lack(*parts: str) -> Bend:
    return _set(lacking=set(parts))


def _task(amount: int | None = 3_000_000, **values: Any) -> Bend:
    return _set(kind=TASK, amount=amount, experience=None, location=None, **values)


def _ends_in(days: int) -> Bend:
    def bend(project: WishketProject, now: float) -> None:
        day = datetime.fromtimestamp(now + days * DAY, KST)
        project.deadline = day.replace(hour=23, minute=59, second=0, microsecond=0).timestamp()

    return bend


def _html(project: WishketProject, _: float) -> None:
    project.description = (
        "<p>화면 <strong>12개</strong> &amp; 관리자</p><p>- 로그인<br>- 결제<br>- 알림</p><p>감사합니다 🚀</p>"
    )


def _long(project: WishketProject, _: float) -> None:
    project.description = KoreanWriter(random.Random(project.id), project.skills).description(400)


#: Odd case: how it bends a project. Which of them were really seen is told in `wishket`.
ODD: dict[str, Bend] = {
    "private": _set(private=True),
    "undecided": _task(None),
    "undecided_monthly": _set(
        kind=TERM, amount=None, category="개발", location="서울특별시 강남구", experience="경력 무관"
    ),
    "undecided_bare": _task(None, budget_text=UNDECIDED, budget=(None, None, None, None)),
    "in_manwon": _task(20_000_000, budget_text="예상 금액|2,000만원", budget=(20_000_000, 20_000_000, "KRW", "total")),
    "huge": _task(1_250_000_000),
    "nothing": _task(0, budget=(None, None, "KRW", "total")),
    "closed": _set(closed=True),
    "gone": _set(gone=True),
    "ends_today": _ends_in(0),
    "ends_in_days": _ends_in(6),
    "ends_in_weeks": _ends_in(14),
    "many_applicants": _set(applicants=1024),
    "title_entities": _set(title="R&D <관리> \"포털\" & 'API' 개발"),
    "title_emoji": _set(title="👩‍💻 파이썬 크롤러 🇰🇷 유지보수 ✅"),
    "title_english": _set(title="Maintain an existing Flutter app"),
    "title_blanks": _set(title="  쇼핑몰 \n   앱\u00a0 개발  "),
    "title_long": _set(title="재고 관리 플랫폼 고도화 " * 40),
    "no_title": _set(title=""),
    "no_budget": _task(lacking={"budget"}),
    "no_term": _lack("term"),
    "no_skills": _lack("skills"),
    "no_posted": _lack("posted"),
    "no_deadline": _lack("deadline"),
    "no_applicants": _lack("applicants"),
    "no_client": _lack("client"),
    "not_rated": _set(rating="0.0", reviews=0),
    "description_html": _html,
    "description_long": _long,
    "json_ld_object": _set(json_ld="object"),
    "json_ld_wrong_unit": _set(json_ld="wrong_unit"),
    "json_ld_escaped": _set(json_ld="escaped"),
    "json_ld_list": _set(json_ld="list"),
    "json_ld_graph": _set(json_ld="graph"),
    "json_ld_odd_keys": _set(json_ld="odd_keys"),
    "json_ld_missing": _set(json_ld="missing"),
    "json_ld_invalid": _set(json_ld="invalid"),
    "json_ld_no_description": _set(json_ld="no_description"),
}
