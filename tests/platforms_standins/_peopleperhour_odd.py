"""Bend projects of the PeoplePerHour stand-in into the odd cases that a reader has to survive.

Each bend changes an ordinary row in place; its name is the name of the case in `PeoplePerHourStandIn.odd`. The
mark in brackets says how sure the case is: seen (in a real answer), told (another reader's notes) or guess.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from platforms_standins._peopleperhour_projects import ABSENT, CATEGORIES, RATES, Row
from platforms_standins._text import FOREIGN, Writer

Bend = Callable[[Row, random.Random], None]

#: Every case, in the order of definition.
ODD: dict[str, Bend] = {}


def _set(**values: Any) -> Bend:
    """Return a bend that replaces whole attributes; ABSENT takes the key away."""
    return lambda row, _: row.attributes.update(values)


def _inside(key: str, **values: Any) -> Bend:
    def bend(row: Row, _: random.Random) -> None:
        inner = {**row.attributes[key], **values}
        row.attributes[key] = {name: value for name, value in inner.items() if value is not ABSENT}

    return bend


def _money(budget: Any, currency: str | None, kind: str = "fixed_price") -> Bend:
    converted = round(budget * RATES.get(currency or "", 1.0)) if isinstance(budget, int | float) else None
    return _set(budget=budget, currency=currency, project_type=kind, budget_converted=converted)


def _title(change: Callable[[str], str]) -> Bend:
    return lambda row, _: row.attributes.update(title=change(row.attributes["title"]))


def _text(change: Callable[[str], str]) -> Bend:
    return lambda row, _: row.attributes.update(proj_desc=change(row.attributes["proj_desc"]))


def _words(row: Row) -> list[str]:
    return CATEGORIES[row.attributes["category"]["cate_name"]][1]


def _long(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, _words(row))
    parts = [writer.sentence(), writer.bullets(6), writer.bullets(4, "–")]
    while sum(map(len, parts)) < 20_000:
        parts.append(" ".join(writer.sentence() for _ in range(6)))
    row.attributes["proj_desc"] = "\n\n".join(parts)


def _html(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, _words(row))
    first, last = writer.sentence(), writer.sentence()
    items = [line[2:] for line in writer.bullets(3).split("\n")]
    listed = "".join(f"<li>{item}</li>" for item in items)
    row.attributes["proj_desc"] = f"<p>{first}</p><ul>{listed}</ul><p><b>{last}</b><br />Thanks &amp; regards</p>"
    row.text = f"{first}\n\n" + "\n".join(items) + f"\n\n{last}\nThanks & regards"


def _breaks(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, _words(row))
    lines = [writer.sentence() for _ in range(3)]
    row.attributes["proj_desc"] = "<br />\r\n".join(lines)
    row.text = "\n".join(lines)


def _entities(row: Row, _: random.Random) -> None:
    row.attributes["proj_desc"] = "Terms &amp; conditions &ndash; don&#39;t call. Under &pound;50."
    row.text = "Terms & conditions – don't call. Under £50."


def _carriage_returns(row: Row, rng: random.Random) -> None:
    writer = Writer(rng, _words(row))
    lines = [writer.sentence() for _ in range(3)]
    row.attributes["proj_desc"] = "  \r\n".join(lines) + "\r\n"
    row.text = "\n".join(lines)


def _late(row: Row, _: random.Random) -> None:
    # As in the real answer: a project can stand above one that was posted after it.
    posted = row.attributes["posted_dt"]
    row.attributes["posted_dt"] = f"{posted[:11]}00:00:01"


# Budgets. [seen: pounds, dollars, euros, both kinds; told: null; guess: the rest]
ODD["pounds"] = _money(300, "GBP")
ODD["pounds_hourly"] = _money(40, "GBP", "hourly")
ODD["dollars"] = _money(600, "USD")
ODD["euros"] = _money(100, "EUR")
ODD["budget_decimal"] = _money(12.5, "GBP", "hourly")
ODD["budget_text"] = _money("250.00", "EUR")
ODD["budget_null"] = _money(None, "GBP")
ODD["budget_zero"] = _money(0, "GBP")
ODD["budget_missing"] = _set(budget=ABSENT, budget_converted=ABSENT)
ODD["currency_null"] = _money(80, None)
ODD["currency_missing"] = _set(currency=ABSENT)
ODD["currency_other"] = _money(900, "AED")
ODD["project_type_unknown"] = _set(project_type="retainer")
ODD["project_type_null"] = _set(project_type=None)

# Times. [seen: not in the order of ids; guess: the rest]
ODD["posted_out_of_order"] = _late
ODD["posted_null"] = _set(posted_dt=None)
ODD["posted_missing"] = _set(posted_dt=ABSENT)
ODD["posted_zeros"] = _set(posted_dt="0000-00-00 00:00:00")
ODD["expiry_null"] = _set(expiry_dt=None)

# Texts. [seen: lower-case titles, dashes, ampersands; told: }; and an escaped </script>; guess: the rest]
ODD["title_lower_case"] = _title(lambda text: text.lower())
ODD["title_signs"] = _title(lambda text: f"R&D – UAE/GCC “{text}”")
ODD["title_entities"] = _set(title='Q&A page for "Bits and Bobs" <3')
ODD["title_spaces"] = _title(lambda text: f"  {text.replace(' ', '   ', 1)}  ")
ODD["title_emoji"] = _title(lambda text: f"🚀 {text} 👩🏽‍💻")
ODD["title_japanese"] = _title(lambda _: "小さな喫茶店のロゴを作ってください")
ODD["description_script_end"] = _text(
    lambda text: f'window.PPHReact.initialState={{"a":1}};</script> stands in our page.\n{text}'
)
ODD["description_brace"] = _text(lambda text: 'It ends with {"a": [1]}; and a \\ and "quotes".\n' + text)
ODD["description_line_separator"] = _text(lambda text: f"One line\u2028and another.\n{text}")
ODD["description_emoji"] = _text(lambda text: f"✅ Deliver it 👨‍👩‍👧\n{text}")
ODD["description_angle_brackets"] = _text(lambda text: f"Only if a < b and c > d.\n{text}")
ODD["description_html"] = _html
ODD["description_breaks"] = _breaks
ODD["description_entities"] = _entities
ODD["description_carriage_returns"] = _carriage_returns
ODD["description_long"] = _long
ODD["description_short"] = _set(proj_desc="Call me.")
ODD["description_spanish"] = _set(proj_desc=" ".join(FOREIGN["es"]))
ODD["description_empty"] = _set(proj_desc="")
ODD["description_null"] = _set(proj_desc=None)
ODD["description_missing"] = _set(proj_desc=ABSENT)

# Proposals, places, clients, categories. [seen: remote_country; told: onsite; guess: the rest]
ODD["proposals_none"] = _set(proposalCount=0)
ODD["proposals_null"] = _set(proposalCount=None)
ODD["proposals_text"] = _set(proposalCount="12")
ODD["remote_country"] = _set(location_type="remote_country", where_can_bid=["GB"])
ODD["onsite"] = _set(location_type="onsite")
ODD["location_type_null"] = _set(location_type=None)
ODD["client_null"] = _set(client=None)
ODD["client_missing"] = _set(client=ABSENT)
ODD["country_code"] = _inside("client", country="GB")
ODD["country_null"] = _inside("client", country=None)
ODD["country_missing"] = _inside("client", country=ABSENT)
ODD["category_null"] = _set(category=None, sub_category=None)
ODD["subcategory_missing"] = _set(sub_category=ABSENT)
ODD["subcategory_name_null"] = _set(sub_category={"subcate_name": None})
ODD["featured_among_the_rest"] = lambda row, _: row.attributes.update(
    isFeatured=True, etiquettes=row.attributes["etiquettes"] | {"featured": True}
)
ODD["etiquettes_null"] = _set(etiquettes=None)
ODD["etiquettes_all"] = _set(etiquettes=dict.fromkeys(("featured", "opportunity", "prefunded", "urgent", "nda"), True))
ODD["url_relative"] = lambda row, _: row.attributes.update(url="/" + row.attributes["url"].split("/", 3)[3])
ODD["id_text"] = lambda row, _: row.attributes.update(proj_id=str(row.id))
ODD["unknown_keys"] = _set(brand_new={"nested": [1, {"deeper": "value"}]}, skills_v2=None)

# States, in a list of open ones. [guess]
ODD["state_completed"] = _set(item_state="completed", open=False, proj_status="Completed")
ODD["state_unknown"] = _set(item_state="paused", proj_status="Paused")
