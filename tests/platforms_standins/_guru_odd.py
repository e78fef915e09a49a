"""Bend projects of the Guru stand-in into the odd cases that a reader has to survive.

Each bend changes an ordinary row in place; its name is the name of the case in `GuruStandIn.odd`. The mark in
brackets says how sure the case is: seen (in a real answer), told (other readers' code or notes) or guess.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from platforms_standins._guru_projects import CATEGORIES, Row, tidy
from platforms_standins._text import FOREIGN, Writer

Bend = Callable[[Row, random.Random], None]

#: Every case, in the order of definition.
ODD: dict[str, Bend] = {}


def _set(**values: Any) -> Bend:
    def bend(row: Row, _: random.Random) -> None:
        for name, value in values.items():
            setattr(row, name, value)

    return bend


def _budget(*segments: str, low: str | None = None, high: str | None = None, period: str | None = "total") -> Bend:
    return _set(segments=segments, low=low, high=high, period=period)


def _text(change: Callable[[str], str]) -> Bend:
    """Return a bend of the description."""
    return lambda row, _: setattr(row, "description", change(row.description or ""))


def _title(change: Callable[[str], str]) -> Bend:
    return lambda row, _: setattr(row, "title", change(row.title))


def _language(name: str) -> Bend:
    return _text(lambda _: " ".join(FOREIGN[name]))


def _long(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, [name for _, name in row.skills])
    parts = [writer.sentence(), writer.bullets(6), writer.bullets(4, "–")]
    while sum(map(len, parts)) < 12_000:
        parts.append(writer.description())
    row.description = tidy("\n\n".join(parts))


def _html(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, [name for _, name in row.skills])
    first, last = writer.sentence(), writer.sentence()
    items = [line[2:] for line in writer.bullets(3).split("\n")]
    row.description = f"{first}\n\n" + "\n".join(f"- {item}" for item in items) + f"\n\n{last}\nThank you & see you"
    listed = "".join(f"<li>{item}</li>" for item in items)
    row.markup = f"<p>{first}</p><ul>{listed}</ul><p><b>{last}</b><br />Thank you &amp; see you</p>"


def _bare_lines(row: Row, _: random.Random) -> None:
    # A line break that stands in a JSON string as it is: no strict reader takes it.
    row.description = "First line of three.\nSecond one with a tab\there.\nThird."
    row.json_ld = "bare_breaks"


def _entities(row: Row, _: random.Random) -> None:
    row.description = "Questions & answers – don't call, write. Prices < $5 only."
    row.markup = "Questions &amp; answers &ndash; don&#39;t call, write. Prices &lt; $5 only."


_ART = next(subcategories for name, (subcategories, _) in CATEGORIES.items() if name[0] == "design-art")

# Budgets. [seen: $1k-$2.5k; told: Under $250, the hourly form with its hours; guess: the rest]
ODD["budget_thousands"] = _budget("Fixed Price", "$1k-$2.5k", low="1000", high="2500")
ODD["budget_under"] = _budget("Fixed Price", "Under $250", high="250")
ODD["budget_mixed_units"] = _budget("Fixed Price", "$500-$1k", low="500", high="1000")
ODD["budget_open_ended"] = _budget("Fixed Price", "$50k+", low="50000")
ODD["budget_comma"] = _budget("Fixed Price", "$1,250", low="1250", high="1250")
ODD["budget_not_sure"] = _budget("Fixed Price", "Not Sure")
ODD["budget_kind_only"] = _budget("Fixed Price")
ODD["budget_missing"] = _budget(period=None)
ODD["hourly"] = _budget("Hourly", "$10-$20/hr", "30 hrs/wk", "1-3 months", low="10", high="20", period="hour")
ODD["hourly_single"] = _budget("Hourly", "$15/hr", "40 hrs/wk", low="15", high="15", period="hour")
ODD["hourly_under"] = _budget("Hourly", "Under $10/hr", high="10", period="hour")
ODD["hourly_cents"] = _budget("Hourly", "$12.50-$17.75/hr", low="12.50", high="17.75", period="hour")
ODD["hourly_not_sure"] = _budget("Hourly", "Not Sure", "20 hrs/wk", "6+ months", period="hour")

# Quotes, deadline, posting time. [seen: one quote with a tooltip; told: none; guess: missing ones]
ODD["quotes_one"] = _set(quotes=1, invited=6)
ODD["quotes_none"] = _set(quotes=0, invited=0)
ODD["quotes_missing"] = _set(quotes=None)
ODD["deadline_missing"] = _set(deadline=None)
ODD["posted_missing"] = _set(posted_shown=False)

# Addresses. [seen: &SearchUrl= as it is; guess: the rest]
ODD["link_escaped"] = _set(link="escaped")
ODD["link_bare"] = _set(link="bare")
ODD["link_absolute"] = _set(link="absolute")
ODD["slug_empty"] = _set(slug="")
ODD["slug_unicode"] = _set(slug="café-menü-设计")

# Texts. [guess; the texts themselves are known to come in any language]
ODD["title_entities"] = _title(lambda text: f'R&D, Q&A, "quoted" <3: {text}')
ODD["title_spaces"] = _title(lambda text: text.replace(" ", "   ", 1))
ODD["title_emoji"] = _title(lambda text: f"🚀 {text} 👩🏽‍💻")
ODD["title_long"] = _title(lambda text: (text + " — and more of the same") * 8)
ODD["title_arabic"] = _title(lambda _: "تصميم شعار لمقهى صغير في المدينة")
ODD["description_long"] = _long
ODD["description_html"] = _html
ODD["description_entities"] = _entities
ODD["description_angle_brackets"] = _text(lambda text: f"Only if a < b and c > d.\n{text}")
ODD["description_brace"] = _text(lambda text: 'The file ends with };\n and "quotes" \\ backslashes. ' + text)
ODD["description_short"] = _text(lambda _: "Call me.")
ODD["description_two_hundred"] = _text(lambda text: " ".join((text * 9).split())[:199].rstrip().ljust(199, ".") + "!")
ODD["description_emoji"] = _text(lambda text: "✅ Erledigt?\n👨‍👩‍👧 Familie\n" + text)
ODD["description_missing"] = _set(description=None)
ODD["description_spanish"] = _language("es")
ODD["description_german"] = _language("de")

# Skills, categories, clients, places. [seen: both categories, country, verified sign; guess: missing ones]
ODD["skills_missing"] = _set(skills=[])
ODD["skills_ampersand"] = _set(
    skills=[("automated-software-qa-testing", "Automated Software & QA Testing"), ("c", "C#")]
)
ODD["subcategory_missing"] = _set(subcategory=None)
ODD["category_missing"] = _set(category=None, subcategory=None)
ODD["category_of_another_skill"] = _set(category=("design-art", "Design & Art"), subcategory=_ART[0])
ODD["country_missing"] = _set(country=None)
ODD["client_bare"] = _set(country=None, feedback=None, verified=False)
ODD["client_script"] = _set(client="Acme </script> & Söhne")
ODD["locations_many"] = _set(locations=["United States", "Canada", "United Kingdom", "Ireland"])

# Posting data of the detail page. [seen: plain; guess: the rest]
ODD["json_ld_bare_breaks"] = _bare_lines
ODD["json_ld_list"] = _set(json_ld="list")
ODD["json_ld_graph"] = _set(json_ld="graph")
ODD["json_ld_missing"] = _set(json_ld=None)
ODD["json_ld_no_salary"] = _set(json_ld="no_salary")
ODD["not_telecommute"] = _set(telecommute=False)
