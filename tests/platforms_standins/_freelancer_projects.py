"""Make the ordinary projects of the Freelancer.com stand-in: its tables and its rows, all from a seed.

`_freelancer_odd` bends some of these rows; `freelancer` serves them. Which parts of the shape were seen in
real answers is told there.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from platforms_standins._text import FOREIGN, Writer, words

JSON = dict[str, Any]

#: Value of a field that the answer must not have at all (a null is something else).
ABSENT: Any = object()

# id, code, sign, name, US dollars a unit, country as the platform writes it, escrow.com, share of the
# projects
_CURRENCIES = (
    (1, "USD", "$", "US Dollar", 1.0, "US", True, 55),
    (11, "INR", "₹", "Indian Rupee", 0.010436, "IN", False, 17),
    (8, "EUR", "€", "Euro", 1.171203, "EU", True, 9),
    (4, "GBP", "£", "British Pound", 1.342517, "UK", True, 7),
    (3, "AUD", "$", "Australian Dollar", 0.658342, "AU", True, 5),
    (9, "CAD", "$", "Canadian Dollar", 0.718264, "CA", False, 4),
    (6, "SGD", "$", "Singapore Dollar", 0.775491, "SG", False, 1),
    (2, "NZD", "$", "New Zealand Dollar", 0.580126, "NZ", False, 1),
    (5, "HKD", "$", "Hong Kong Dollar", 0.128615, "HK", False, 1),
)
CURRENCIES: dict[str, JSON] = {
    code: {
        "id": number,
        "code": code,
        "sign": sign,
        "name": name,
        "exchange_rate": rate,
        "country": country,
        "is_external": False,
        "is_escrowcom_supported": escrow,
    }
    for number, code, sign, name, rate, country, escrow, _ in _CURRENCIES
}
_CURRENCY_CODES = [row[1] for row in _CURRENCIES]
_CURRENCY_SHARES = [row[7] for row in _CURRENCIES]

# The steps between which clients choose. Pounds, euros and dollars share theirs; rupees have their own.
_FIXED_BUDGETS = ((10, 30), (30, 250), (250, 750), (750, 1500), (1500, 3000), (3000, 5000), (5000, 10000))
_HOURLY_BUDGETS = ((2, 8), (8, 15), (15, 25), (25, 50))
_FIXED_RUPEES = ((600, 1500), (1500, 12500), (12500, 37500), (37500, 75000), (75000, 150000))
_HOURLY_RUPEES = ((100, 400), (400, 750), (750, 1250), (1250, 2500))

CATEGORIES: dict[int, str] = {
    1: "Websites, IT & Software",
    2: "Writing & Content",
    3: "Design, Media & Architecture",
    4: "Data Entry & Admin",
    5: "Engineering & Science",
    6: "Sales & Marketing",
    7: "Business, Accounting, Human Resources & Legal",
    8: "Product Sourcing & Manufacturing",
    9: "Mobile Phones & Computing",
    10: "Translation & Languages",
    12: "Trades & Services",
    104: "Artificial Intelligence",
}
_SKILLS = {
    1: """PHP, JavaScript, Python, HTML, CSS, WordPress, React.js, Node.js, Vue.js, Angular, TypeScript,
    Django, Flask, FastAPI, Laravel, Ruby on Rails, Java, Spring Boot, C# Programming, .NET, C++
    Programming, Golang, Rust, Kotlin, PostgreSQL, MySQL, MongoDB, Redis, Elasticsearch, GraphQL,
    REST API, Docker, Kubernetes, Terraform, Linux, DevOps, AWS Lambda, Azure, Web Scraping, Scrapy,
    Selenium, Playwright, Shopify, Magento, WooCommerce, Testing / QA, Computer Security, Odoo,
    Zoho, Unity 3D""",
    2: """Copywriting, Content Writing, Article Writing, Technical Writing, Proofreading, Editing,
    Ghostwriting, Research Writing, Blog, Product Descriptions, eBooks, Resume Writing""",
    3: """Website Design, Graphic Design, Logo Design, Photoshop, Illustrator, Figma, User Interface / IA,
    Illustration, 3D Modelling, 3D Rendering, Blender, AutoCAD, SketchUp, Animation, After Effects,
    Video Editing, Photo Editing, Interior Design, Building Architecture, Banner Design, Brochure
    Design, Packaging Design, Music, Audio Production""",
    4: """Data Entry, Data Processing, Excel, Google Sheets, Web Search, Virtual Assistant, Customer Support,
    Phone Support, Transcription, PDF""",
    5: """Electrical Engineering, Mechanical Engineering, Electronics, PCB Layout, Arduino, Raspberry Pi,
    Matlab, Mathematics, Statistics, Civil Engineering, Embedded Systems, PLC & SCADA""",
    6: """Internet Marketing, SEO, Google Ads, Facebook Marketing, Social Media Marketing, Email Marketing,
    Lead Generation, Sales, CRM, Market Research, Branding""",
    7: """Accounting, Bookkeeping, Finance, Business Analysis, Project Management, Payroll, Tax Compliance,
    Legal Research, Human Resources""",
    8: "Product Sourcing, Manufacturing, Supplier Search",
    9: "Mobile App Development, Android, iPhone, Flutter, React Native, Swift",
    10: """Translation, English (US) Translator, Spanish Translator, German Translator, French Translator,
    Portuguese (Brazil) Translator, Japanese Translator, Subtitling""",
    12: "Carpentry, Painting, Local Photography, Cleaning",
    104: """Machine Learning (ML), Natural Language Processing, Computer Vision, OpenAI, Prompt Engineering,
    Workflow Automation, Data Labelling""",
}


def _slug(text: str, joint: str) -> str:
    return joint.join(re.findall(r"[A-Za-z0-9]+", text))


def _skill(number: int, name: str, category: int) -> JSON:
    return {
        "id": number,
        "name": name,
        "category": {"id": category, "name": CATEGORIES[category]},
        "active_project_count": None,
        "seo_url": _slug(name.lower().replace("#", " sharp").replace("++", " plus plus"), "_"),
        "seo_info": None,
        "local": category == 12,
    }


SKILLS: list[JSON] = []
for _category, _names in _SKILLS.items():
    for _name in _names.split(","):
        SKILLS.append(_skill(3 + 7 * len(SKILLS), " ".join(_name.split()), _category))
# Some skills are asked for often and most seldom: the n-th of the list has a weight of 1/(n+8).
_BY_POPULARITY = random.Random("popularity").sample(SKILLS, len(SKILLS))
_POPULARITY: list[float] = []
for _place in range(len(SKILLS)):
    _POPULARITY.append((_POPULARITY[-1] if _POPULARITY else 0.0) + 1 / (_place + 8))
SKILLS_BY_CATEGORY = {number: [skill for skill in SKILLS if skill["category"]["id"] == number] for number in CATEGORIES}

UPGRADES: JSON = {
    "featured": False,
    "sealed": False,
    "nonpublic": False,
    "fulltime": False,
    "urgent": False,
    "qualified": False,
    "NDA": False,
    "assisted": None,
    "active_prepaid_milestone": None,
    "ip_contract": False,
    "success_bundle": None,
    "non_compete": False,
    "project_management": False,
    "pf_only": False,
    "recruiter": None,
    "listed": None,
    "extend": None,
    "unpaid_recruiter": None,
}
_COUNTRY = words(
    """name flag_url code highres_flag_url flag_url_cdn highres_flag_url_cdn iso3 region_id phone_code demonym
    person seo_url sanction language_code language_id"""
)
LOCATION: JSON = {
    "country": dict.fromkeys(_COUNTRY),
    "city": None,
    "latitude": None,
    "longitude": None,
    "vicinity": None,
    "administrative_area": None,
    "full_address": None,
    "administrative_area_code": None,
    "postal_code": None,
}

# Every key of an ordinary row, in the order of the real answer, with the value that most rows have. A row
# keeps only what differs from this, so that 20,000 of them fit into memory easily.
TEMPLATE: JSON = {
    "id": 0,
    "owner_id": None,
    "title": "",
    "status": "active",
    "sub_status": None,
    "seo_url": "",
    "currency": None,
    "description": None,
    "jobs": None,
    "submitdate": 0,
    "preview_description": "",
    "deleted": False,
    "nonpublic": False,
    "hidebids": False,
    "type": "fixed",
    "bidperiod": 7,
    "budget": None,
    "hourly_project_info": None,
    "featured": False,
    "urgent": False,
    "assisted": None,
    "active_prepaid_milestone": None,
    "bid_stats": None,
    "time_submitted": 0,
    "time_updated": 0,
    "upgrades": UPGRADES,
    "qualifications": None,
    "language": "en",
    "attachments": None,
    "hireme": False,
    "hireme_initial_bid": None,
    "invited_freelancers": None,
    "recommended_freelancers": None,
    "frontend_project_status": "open",
    "nda_signatures": None,
    "location": LOCATION,
    "true_location": None,
    "local": False,
    "negotiated": False,
    "negotiated_bid": None,
    "time_free_bids_expire": 0,
    "can_post_review": None,
    "files": None,
    "user_distance": None,
    "from_user_location": None,
    "project_collaborations": None,
    "support_sessions": None,
    "track_ids": None,
    "drive_files": None,
    "nda_details": None,
    "pool_ids": ["freelancer"],
    "enterprise_ids": [],
    "timeframe": None,
    "deloitte_details": None,
    "is_escrow_project": False,
    "is_seller_kyc_required": False,
    "is_buyer_kyc_required": False,
    "local_details": None,
    "equipment": None,
    "nda_signatures_new": None,
    "billing_code": None,
    "enterprise_metadata_values": None,
    "project_reject_reason": {"description": None, "message": None},
    "repost_id": None,
    "client_engagement": None,
    "contract_signatures": None,
    "quotation_id": None,
    "quotation_version_id": None,
    "enterprise_linked_projects_details": None,
    "equipment_groups": None,
    "project_source": None,
    "project_source_reference": None,
}


@dataclass(slots=True, eq=False)
class Row:
    """One project as the platform holds it.

    `fields` has what differs from TEMPLATE; `owner_id` is apart, because anonymous callers never see it.
    """

    id: int
    serial: int
    fields: JSON
    owner_id: int
    odd: str | None = None
    is_contest: bool = False
    listed: bool = True
    search_text: str | None = None
    encoded: dict[tuple[bool, ...], bytes] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """Return the value of `key` as a full answer would have it, None when that has no such key."""
        value = self.fields.get(key, TEMPLATE.get(key))
        return None if value is ABSENT else value

    def touch(self) -> None:
        """Forget what was derived from the fields, after a change of them."""
        self.search_text = None
        self.encoded.clear()


#: Seconds between two new projects, and the gap between two serials' ids (the last of each four is kept
#: free).
PACE = 47
_FIRST_ID, _ID_STEP = 41_000_000, 4


def free_id(serial: int) -> int:
    """Return an id as old as `serial` that no ordinary project has."""
    return _FIRST_ID + _ID_STEP * serial + 3


class ProjectMaker:
    """Make ordinary projects; the n-th one depends on the seed and on n alone (its address: on those before it too)."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._addresses: set[str] = set()

    def make(self, serial: int, time_submitted: int) -> Row:
        """Return project number `serial` (0 is the oldest) as posted at `time_submitted` (Unix seconds)."""
        rng = random.Random(f"{self._seed}:{serial}")
        skills = self._skills(rng)
        writer = Writer(rng, [skill["name"] for skill in skills])
        language = "en" if rng.random() < 0.93 else rng.choice(sorted(FOREIGN))
        title = writer.title()
        description = writer.description() if language == "en" else writer.foreign(language)
        currency = CURRENCIES[rng.choices(_CURRENCY_CODES, _CURRENCY_SHARES)[0]]
        hourly = rng.random() < 0.4
        minimum, maximum = self._budget(rng, currency["code"], hourly)
        number = _FIRST_ID + _ID_STEP * serial + rng.randrange(3)
        fields: JSON = {
            "id": number,
            "title": title,
            "seo_url": self._address(rng, skills[0], title, number),
            "currency": currency,
            "description": description,
            "preview_description": description[:100],
            "jobs": skills,
            "submitdate": time_submitted,
            "time_submitted": time_submitted,
            "time_updated": time_submitted,
            # In two thirds of the real rows the free bids end before the project began.
            "time_free_bids_expire": time_submitted + (rng.randrange(60, 7200) * (-1 if rng.random() < 0.65 else 1)),
            "budget": {
                "minimum": minimum,
                "maximum": maximum,
                "name": None,
                "project_type": None,
                "currency_id": None,
            },
            "bid_stats": bid_stats(rng, minimum, maximum),
            "language": language,
        }
        if hourly:
            fields["type"] = "hourly"
            fields["hourly_project_info"] = {
                "commitment": {"hours": rng.choice((10, 20, 40)), "interval": "week"},
                "duration_enum": "unspecified",
            }
        if rng.random() < 0.06:
            fields["urgent"] = True
            fields["upgrades"] = UPGRADES | {"urgent": True}
        return Row(id=number, serial=serial, fields=fields, owner_id=61_000_000 + rng.randrange(9_000_000))

    @staticmethod
    def _skills(rng: random.Random) -> list[JSON]:
        first = rng.choices(_BY_POPULARITY, cum_weights=_POPULARITY)[0]
        kin = SKILLS_BY_CATEGORY[first["category"]["id"]]
        chosen = {first["id"]: first}
        for _ in range(rng.choice((0, 1, 2, 3, 4, 4, 5, 6, 7))):
            other = rng.choice(kin) if rng.random() < 0.8 else rng.choice(SKILLS)
            chosen.setdefault(other["id"], other)
        return list(chosen.values())

    @staticmethod
    def _budget(rng: random.Random, code: str, hourly: bool) -> tuple[float, float]:
        steps: tuple[tuple[int, int], ...]
        if code == "INR":
            steps = _HOURLY_RUPEES if hourly else _FIXED_RUPEES
        else:
            steps = _HOURLY_BUDGETS if hourly else _FIXED_BUDGETS
        # The lower steps are the common ones.
        minimum, maximum = steps[int(len(steps) * rng.random() ** 1.7)]
        return float(minimum), float(maximum)

    def _address(self, rng: random.Random, skill: JSON, title: str, number: int) -> str:
        address = f"{skill['seo_url'].replace('_', '-')}/{_slug(title, '-')}"
        if rng.random() < 0.4 or address in self._addresses:
            address = f"{address}-{number}"
        self._addresses.add(address)
        return address


def bid_stats(rng: random.Random, minimum: float, maximum: float, count: int | None = None) -> JSON:
    """Return bids as the platform counts them: an average with a long tail, null while there is none."""
    if count is None:
        count = int(min(180, rng.expovariate(1 / 14)))
    if not count:
        return {"bid_count": 0, "bid_avg": None}
    total = sum(round(rng.uniform(minimum, maximum * 1.05), 2) for _ in range(min(count, 7)))
    return {"bid_count": count, "bid_avg": total / min(count, 7)}
