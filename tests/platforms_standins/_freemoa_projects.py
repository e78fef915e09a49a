"""Make the projects of the Freemoa stand-in, all from a seed: rows on the wire, and what a perfect reader stores."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from platforms_standins._korean import PLACES, KoreanWriter, skills_of

JSON = dict[str, Any]
KST = timezone(timedelta(hours=9), "KST")
HOST = "https://www.freemoa.net"
#: Seconds from one project to the next. The real site has some 400 a year; here more are open at a time.
PACE = 14_400
DAY = 86_400
WORK_TYPES = {"1": "도급", "2": "시간제 상주", "3": "기간제 상주"}
#: Value of a key that the row must not have at all (a null is something else).
ABSENT: Any = object()

_FIELDS = {
    "개발": ("1", {"웹": "8", "앱": "9", "소프트웨어": "15"}),
    "디자인": ("2", {"웹 디자인": "21", "로고": "22"}),
    "기획": ("3", {"서비스 기획": "31"}),
}
_PLANS = ("필요기능 정리", "아이디어", "화면설계서", "스토리보드")
#: Keys that the rows of 2025 do not have, and those whose texts are numbers there.
_SINCE_2026 = ("endtime", "fld_nm_2nd", "is_new", "proj_filed_new", "authHpYn", "F2ND")
_NUMBERS_2025 = ("proj_idx", "cost_min", "cost_max", "during", "ALL_APPLY_COUNT", "APPLY_COUNT", "workType")


@dataclass(slots=True)
class FreemoaProject:
    """One project as the site holds it. Times in Unix seconds, costs in 만원 (ten thousand won)."""

    id: int
    posted: float
    closes: float
    """Midnight in Korea after the last day."""
    title: str
    text: str
    low: int
    high: int
    days: int
    work_type: str
    work: str
    subfield: str
    skills: list[str]
    region: str
    district: str
    plan: str
    applicants: int
    client: int
    client_id: str
    closed: bool = False
    gone: bool = False
    odd: str | None = None
    wire: JSON = field(default_factory=dict)
    """Replaces keys of the row."""
    told: JSON = field(default_factory=dict)
    """Replaces what a perfect reader stores."""

    def is_open(self, now: float) -> bool:
        """Tell whether freelancers can apply."""
        return not self.closed and now < self.closes

    def begin(self) -> str:
        """Return the week in which work begins, as the site writes it: 10월 3째주."""
        day = datetime.fromtimestamp(self.posted, KST) + timedelta(days=14)
        return f"{day.month}월 {(day.day - 1) // 7 + 1}째주"

    @property
    def escrow(self) -> bool:
        """Whether the platform holds the money meanwhile."""
        return self.id % 4 > 0

    def days_left(self, now: float) -> int:
        """Return the days to the last one; 0 on that day itself."""
        last = datetime.fromtimestamp(self.closes - 1, KST).date()
        return (last - datetime.fromtimestamp(now, KST).date()).days


def row(project: FreemoaProject, now: float, layout: str = "2026") -> JSON:
    """Return a project as the listing's JSON has it: nearly everything as text."""
    code, subfields = _FIELDS[project.work]
    sub = subfields[project.subfield]
    posted = datetime.fromtimestamp(project.posted, KST)
    found: JSON = {
        "proj_idx": str(project.id),
        "title": project.title,
        "endtime": str(int(project.closes)),
        "edate": datetime.fromtimestamp(project.closes - 1, KST).strftime("%Y-%m-%d"),
        "authHpYn": "Y",
        "cl_idx": str(project.client),
        "client_id": project.client_id,
        "F2ND": sub,
        "during": str(project.days),
        "cost_min": str(project.low),
        "cost_max": str(project.high),
        "isopen": "1",
        "pv_code": f"{list(PLACES).index(project.region) + 2:02}",
        "proj_fld_json": json.dumps(
            {str(n): [int(sub)] if str(n) == code else [] for n in range(1, 5)}, separators=(",", ":")
        ),
        "pv_smallnm": project.region,
        "plan_nm": project.plan,
        "isescrow": str(int(project.escrow)),
        "ispms": "0",
        "ispm": "0",
        "isnda": "0",
        "is_stay": "0" if project.work_type == "1" else "1",
        "is_pro": "0",
        "workType": project.work_type,
        "recruit": "",
        "fld": project.work,
        "fld_nm_2nd": project.subfield,
        "BEGIN_EXPECT": project.begin(),
        "INS_TIME": posted.strftime("%Y-%m-%d %H:%M:%S"),
        "proj_fld2": None,
        "proj_fld_cd": code,
        "proj_language": ", ".join(project.skills),
        "isviewable": "1",
        "txt": project.text.replace("\n", "\r\n"),
        "isNowApply": "1" if project.is_open(now) else "0",
        "ALL_APPLY_COUNT": str(project.applicants),
        "APPLY_COUNT": str(project.applicants),
        "proj_filed": f'{project.work} > <span class="prjct-info-type-bold">{project.subfield}</span>',
        "is_new": now - project.posted < 3 * DAY,
        "proj_filed_new": project.work,
    } | project.wire
    if layout == "2025":
        found = {key: value for key, value in found.items() if key not in _SINCE_2026}
        for key in _NUMBERS_2025:
            if isinstance(found[key], str) and found[key].isdigit():
                found[key] = int(found[key])
    return {key: value for key, value in found.items() if value is not ABSENT}


def view(project: FreemoaProject, now: float) -> JSON:
    """Return `VIEW` of a project, which only members get."""
    listing = row(project, now)
    keys = ("title", "edate", "endtime", "cl_idx", "client_id", "F2ND", "during", "cost_min", "cost_max",
            "proj_fld_json", "plan_nm", "isescrow", "ispms", "ispm", "isnda", "BEGIN_EXPECT", "is_pro", "workType",
            "is_stay", "ALL_APPLY_COUNT", "isNowApply", "proj_fld_cd", "proj_language", "INS_TIME", "txt",
            "proj_filed_new")  # fmt: skip
    return {key: listing[key] for key in keys if key in listing} | {
        "projectType": "3",
        "cmt": "",
        "reference_url": "https://example.invalid/",
        "recruitMemo": "\r\n",
        "pvNmu": f"{project.region} {project.district}",
        "dday": str(project.days_left(now)),
        "open_data": "1",
        "cl_private_nm": "○*○",
        "pic_idx": None,
        "fld1N2": None,
        "service": "에스크로",
        "LNGS": [],
        "costView": cost_view(project),
        "proj_filed": f"{project.work} > {project.subfield}",
        "IS_NEW": now - project.posted < 3 * DAY,
        "FILES": [],
        "COMMENTS": [
            {"txt": "일정 문의드립니다.", "INS_TIME": listing.get("INS_TIME"), "usertype_cd": "freelancer",
             "is_hide": "1", "replyCount": 0}
        ],
        "APPLIERSINFO": {"total_count": 0},
    }  # fmt: skip


def budget_of(minimum: int | None, maximum: int | None, period: str) -> JSON | None:
    """Return a budget in won as it is stored; none when neither bound is known."""
    if minimum is None and maximum is None:
        return None
    return {
        "minimum": None if minimum is None else Decimal(minimum),
        "maximum": None if maximum is None else Decimal(maximum),
        "currency": "KRW",
        "period": period,
        "text": None,
        "usd_rate": None,
        "minimum_usd": None,
        "maximum_usd": None,
    }


def _paragraphs(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def listed(project: FreemoaProject, now: float) -> JSON:
    """Return the fields of a `Project` that a perfect reader takes from the row, texts cleaned."""
    return {
        "platform": "freemoa",
        "external_id": str(project.id),
        "url": f"{HOST}/m4/s41?first_pno={project.id}",
        "title": " ".join(project.title.split()),
        "description": _paragraphs(project.text) or None,
        "description_complete": bool(project.text.strip()),
        "status": "open" if project.is_open(now) else "closed",
        "budget": budget_of(
            project.low * 10_000, project.high * 10_000, "total" if project.work_type == "1" else "month"
        ),
        "skills": list(project.skills),
        "category": project.work,
        "work_mode": "unknown" if project.work_type == "1" else "onsite",
        "location": project.region,
        "language": None,
        "posted_at": datetime.fromtimestamp(int(project.posted), UTC),
        "posted_precision": "exact",
        "posted_text": datetime.fromtimestamp(project.posted, KST).strftime("%Y-%m-%d %H:%M:%S"),
        "closes_at": datetime.fromtimestamp(int(project.closes), UTC),
        "bid_count": project.applicants,
        "bid_average": None,
        "client": None,
        "extra": {
            "subcategory": project.subfield,
            "days": project.days,
            "work_type": WORK_TYPES[project.work_type],
            "plan": project.plan,
            "start": project.begin(),
        }
        | ({"flags": ["escrow"]} if project.escrow else {}),
    } | project.told


def detailed(project: FreemoaProject, now: float) -> JSON:
    """Return what a perfect reader has after the detail too: where exactly, and the budget as it is written there."""
    found = listed(project, now)
    if project.gone:
        return found
    found["location"] = f"{project.region} {project.district}"
    if found["budget"] is not None:
        found["budget"] = found["budget"] | {"text": cost_view(project)}
    return found


def cost_view(project: FreemoaProject) -> str:
    """Return the costs as the detail writes them."""
    return f"{project.low * 10_000:,}원 ~ {project.high * 10_000:,}원"


class ProjectMaker:
    """Make projects, each from its own random source: it does not depend on which others were made."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def make(self, serial: int, posted: float) -> FreemoaProject:
        """Return the `serial`-th project; `posted` in Unix seconds."""
        rng = random.Random(f"{self.seed}:freemoa:{serial}")
        work = rng.choices(list(_FIELDS), (70, 20, 10))[0]
        skills = rng.sample(skills_of(work), rng.randint(1, 5))
        writer = KoreanWriter(rng, skills)
        work_type = rng.choices(list(WORK_TYPES), (70, 10, 20))[0]
        low = rng.randint(4, 40) * 50 if work_type == "1" else rng.randint(5, 12) * 50
        last = datetime.fromtimestamp(posted + rng.randint(7, 30) * DAY, KST) + timedelta(days=1)
        region = rng.choice(list(PLACES))
        return FreemoaProject(
            id=48_000 + 2 * serial + rng.randrange(2),
            posted=int(posted),
            closes=last.replace(hour=0, minute=0, second=0, microsecond=0).timestamp(),
            title=writer.title(),
            text=writer.description(),
            low=low,
            high=low + rng.choice((0, 50, 100, 250, 1000)),
            days=rng.choice((7, 15, 30, 40, 60, 90, 180)),
            work_type=work_type,
            work=work,
            subfield=rng.choice(list(_FIELDS[work][1])),
            skills=skills,
            region=region,
            district=rng.choice(PLACES[region]),
            plan=rng.choice(_PLANS),
            applicants=rng.choice((0, 0, 1, 2, 4, 9, 17, 30)),
            client=40_000 + rng.randrange(9_000),
            client_id=f"client{rng.randrange(10_000):04}@example.com",
        )


# --- odd cases ----------------------------------------------------------------------------------------------

Bend = Callable[[FreemoaProject, float], None]


def _wire(told: JSON, **wire: Any) -> Bend:
    def bend(project: FreemoaProject, _: float) -> None:
        project.wire, project.told = wire, told

    return bend


def _set(**values: Any) -> Bend:
    def bend(project: FreemoaProject, _: float) -> None:
        for name, value in values.items():
            setattr(project, name, value)

    return bend


def _cost(minimum: int | None, maximum: int | None, **wire: Any) -> Bend:
    def bend(project: FreemoaProject, now: float) -> None:
        project.work_type = "1"
        _wire({"budget": budget_of(minimum, maximum, "total")}, **wire)(project, now)

    return bend


def _ends_in(days: int) -> Bend:
    def bend(project: FreemoaProject, now: float) -> None:
        day = datetime.fromtimestamp(now + (days + 1) * DAY, KST)
        project.closes = day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    return bend


def _only_edate(project: FreemoaProject, _: float) -> None:
    # A day alone ends with its last second.
    project.wire = {"endtime": None}
    project.told = {"closes_at": datetime.fromtimestamp(int(project.closes) - 1, UTC)}


def _long(project: FreemoaProject, _: float) -> None:
    project.text = KoreanWriter(random.Random(project.id), project.skills).description(400)


def _numbers(project: FreemoaProject, now: float) -> None:
    project.wire = {
        "proj_idx": project.id,
        "cost_min": project.low,
        "cost_max": float(project.high),
        "endtime": int(project.closes),
        "ALL_APPLY_COUNT": project.applicants,
        "isNowApply": 1,
    }


_NO_TIME = {"posted_at": None, "posted_precision": "unknown", "posted_text": None}
_HTML = "<p>화면 <strong>12개</strong> &amp; 관리자</p><p>- 로그인<br>- 결제<br>- 알림</p><p>감사합니다 🚀</p>"
_TEXT = "화면 12개 & 관리자\n\n- 로그인\n- 결제\n- 알림\n\n감사합니다 🚀"
_UNTOLD = {"description": None, "description_complete": False}

#: Odd case: how it bends a project. All but `by_the_month`, `part_time` and `ends_today` are guesses.
ODD: dict[str, Bend] = {
    "part_time": _set(work_type="2", low=250, high=350),
    "by_the_month": _set(work_type="3", low=550, high=550),
    "ends_today": _ends_in(0),
    "ends_tomorrow": _ends_in(1),
    "closed": _set(closed=True),
    "gone": _set(gone=True),
    "cost_null": _cost(None, None, cost_min=None, cost_max=None),
    "cost_empty": _cost(None, None, cost_min="", cost_max=""),
    "cost_zero": _cost(None, None, cost_min="0", cost_max="0"),
    "cost_absent": _cost(None, None, cost_min=ABSENT, cost_max=ABSENT),
    "cost_from": _cost(3_000_000, None, cost_min="300", cost_max="0"),
    "cost_up_to": _cost(None, 5_000_000, cost_min="0", cost_max="500"),
    "cost_with_commas": _cost(12_000_000, 25_000_000, cost_min="1,200", cost_max="2,500"),
    "cost_reversed": _cost(2_000_000, 5_000_000, cost_min="500", cost_max="200"),
    "cost_fraction": _cost(2_505_000, 3_000_000, cost_min="250.5", cost_max="300"),
    "numbers": _numbers,
    "no_endtime": _only_edate,
    "no_deadline": _wire({"closes_at": None}, endtime="0", edate=None),
    "no_posted": _wire(_NO_TIME, INS_TIME=None),
    "zero_posted": _wire(_NO_TIME, INS_TIME="0000-00-00 00:00:00"),
    "no_applicants": _wire({"bid_count": None}, ALL_APPLY_COUNT=None, APPLY_COUNT=None),
    "no_skills": _set(skills=[]),
    "skills_null": _wire({"skills": []}, proj_language=None),
    "skills_untidy": _wire({"skills": ["Vue", "AOS", "React Native"]}, proj_language=" Vue,AOS , , React Native,"),
    "no_region": _wire({"location": None}, pv_smallnm=None),
    "no_field": _wire({"category": None}, fld=None, proj_filed=None, proj_filed_new=None),
    "text_html": _wire({"description": _TEXT, "description_complete": True}, txt=_HTML),
    "text_angles": _set(text="값이 x < 3 이고 y > 5 일 때 <Button> 을 보여 줍니다.\n- A && B"),
    "text_long": _long,
    "text_empty": _wire(_UNTOLD, txt=""),
    "text_null": _wire(_UNTOLD, txt=None),
    "title_emoji": _set(title="👩‍💻 하이브리드 앱 🇰🇷 유지보수 ✅"),
    "title_english": _set(title="Maintain an existing Flutter app"),
    "title_entities": _wire({"title": "R&D <관리> \"포털\" 개발"}, title="R&amp;D &lt;관리&gt; &quot;포털&quot; 개발"),
    "title_blanks": _set(title="  쇼핑몰\t앱\r\n 개발 \u00a0"),
    "title_null": _wire({"title": ""}, title=None),
}  # fmt: skip
