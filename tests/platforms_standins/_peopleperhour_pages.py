"""Write the pages of the PeoplePerHour stand-in, in each of its layouts; `peopleperhour` says which parts were seen."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from platforms_standins._peopleperhour_projects import HOME, JSON, Row

LAYOUTS = (
    "current",
    "rehashed",
    "older",
    "totals_missing",
    "dom_only",
    "marker_gone",
    "state_cut",
    "main_missing",
    "data_null",
    "list_empty",
    "entities_missing",
    "renamed",
)
_HASHES = {"rehashed": ("9Xq0b", "K2__d"), "older": ("1aB-z", "0mmmm")}
_RENAMED = {"title": "headline", "proj_desc": "body", "budget": "price", "posted_dt": "published", "url": "link"}
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_PLACES = {"remote": "Remote", "remote_country": "Remote", "onsite": "On-site"}


def ago(seconds: float) -> str:
    """Write an age as the page does: a few seconds ago, a minute ago, 8 minutes ago, an hour ago."""
    if seconds < 45:
        return "a few seconds ago"
    # Rounded first, then compared: a real card said "an hour ago" after 44 minutes and 35 seconds.
    unit = "minute" if round(seconds / 60) < 45 else "hour" if round(seconds / 3600) < 22 else "day"
    count = max(1, round(seconds / _UNITS[unit]))
    if count == 1:
        return f"a{'n' if unit == 'hour' else ''} {unit} ago"
    return f"{count} {unit}s ago"


def _encode(value: Any, layout: str) -> str:
    if layout == "older":
        return json.dumps(value, indent=1).replace("<", "\\u003C")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def _scripts(state: JSON, now: float, layout: str) -> str:
    """Return the script that holds the state; only the first assignment of the three is JSON."""
    encoded = _encode(state, layout)
    server_time = f"'{int(now * 1000)}'"
    data = "{notJson:true,routes:{list:'/freelance-jobs'},format:function(n){return \"};\"+n}}"
    if layout == "state_cut":
        encoded = encoded[: len(encoded) // 2]
    if layout == "older":
        return (
            f"<script>\n  window.PPHReact = {{}};\n  window.PPHReact.serverTime = {server_time};\n"
            f"  window.PPHReact.initialState = {encoded};\n  window.PPHReact.data = {data};\n</script>"
        )
    return (
        f"<script>window.PPHReact={{}};window.PPHReact.initialState={encoded};"
        f"window.PPHReact.data={data};window.PPHReact.serverTime={server_time};</script>"
    )


def _document(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>'
        f'\n<body>\n<div id="app">{body}</body></html>\n'
    )


_SHELL = _document("PeoplePerHour", '</div>\n<script src="/assets/app.4c1d.js"></script>\n')


def listing(
    main: Sequence[Row],
    featured: Sequence[Row],
    completed: Sequence[Row],
    *,
    page: int,
    pages: int,
    total: int,
    now: float,
    layout: str,
) -> str:
    """Return a page of the listing. `now`: Unix seconds, as serverTime and the ages have it."""
    if layout == "marker_gone":
        return _SHELL
    shown = () if layout == "list_empty" else main
    meta: JSON = {"total-pages": pages, "total-items": total, "current-page": page}
    if layout == "totals_missing":
        meta = {"current-page": page}
    lists: JSON = {
        "main": {"data": _references(shown), "meta": meta | {"applied_filters": {"sort": "latest"}}},
        "featured": {"data": _references(featured)},
        "completed": {"data": _references(completed)},
    }
    if layout == "main_missing":
        del lists["main"]
    elif layout == "data_null":
        lists["main"]["data"] = None
    # As every object of JavaScript with numbers for keys: in the order of the numbers, not of the page.
    records = {str(row.id): row.wire() for row in sorted((*shown, *featured, *completed), key=lambda row: row.id)}
    if layout == "renamed":
        for record in records.values():
            record["attributes"] = {_RENAMED.get(key, key): value for key, value in record["attributes"].items()}
    entities: JSON = {"projects": {} if layout == "entities_missing" else records}
    state = {"freelanceJobs": lists, "entities": entities, "user": {"isGuest": True, "currency": "USD"}}
    cards = _section("featured", featured, now, layout) + _section("main", shown, now, layout)
    script = "" if layout == "dom_only" else _scripts(state, now, layout)
    return _document("Freelance Jobs Online | PeoplePerHour", f"{cards}{_pager(page, pages)}</div>\n{script}\n")


def _references(rows: Iterable[Row]) -> list[JSON]:
    return [{"id": str(row.id), "type": "projects"} for row in rows]


def _pager(page: int, pages: int) -> str:
    links = "".join(f'<a href="?page={number}">{number}</a>' for number in range(1, pages + 1) if number != page)
    return f"<nav>{links}</nav>"


def _section(name: str, rows: Iterable[Row], now: float, layout: str) -> str:
    return f'<ul data-list="{name}">' + "".join(_card(row, now, layout) for row in rows) + "</ul>\n"


def _card(row: Row, now: float, layout: str) -> str:
    first, second = _HASHES.get(layout, ("2wpiz", "3nUr_"))

    def hashed(name: str, part: str = "ListItem", tail: str = first) -> str:
        return f'class="{name}⤍{part}⤚{tail}"'

    title = " ".join((row.get("title") or "").split())
    badges = "".join(f"<span>{name}</span>" for name, on in (row.get("etiquettes") or {}).items() if on)
    footer = (_age(row, now), _proposals(row), *[_PLACES.get(row.get("location_type"), "Remote")] * 2)
    spans = "".join(f"<span>{part}</span>" for part in footer if part)
    address = html.escape(row.get("url") or "")
    client = html.escape((row.get("client") or {}).get("public_name") or "")
    return (
        f'<li {hashed("item--container")}><h6><a {hashed("item__url")} href="{address}">'
        f"{html.escape(title[:1].upper() + title[1:])}</a></h6>"
        f"<p {hashed('item__desc')}>{html.escape((row.text or row.get('proj_desc') or '')[:250])}</p>"
        f"<div {hashed('etiquettes--list', 'Etiquettes', second)}>{badges}</div>"
        f"<span {hashed('card__username', 'Card', second)}>{client}</span>"
        f"<span {hashed('card__price', 'Card', second)}>{_price(row)}</span>"
        f"<div {hashed('card__footer-left', 'Card', second)}>{spans}</div></li>"
    )


def _age(row: Row, now: float) -> str:
    try:
        posted = datetime.fromisoformat(row.get("posted_dt") or "").replace(tzinfo=UTC)
    except ValueError:
        return ""
    return ago(now - posted.timestamp())


def _proposals(row: Row) -> str:
    count = row.get("proposalCount")
    return "" if count is None else f"{count} proposal{'' if count == 1 else 's'}"


def _price(row: Row) -> str:
    """Return the price in the visitor's dollars, which is not the project's own."""
    converted = row.get("budget_converted")
    if converted is None:
        return ""
    return f"${converted:,}" + ("/hr" if row.get("project_type") == "hourly" else "")


def detail(row: Row, *, now: float, layout: str) -> str:
    """Return a project's own page."""
    if layout in ("marker_gone", "state_cut"):
        return _SHELL
    state = {"freelanceJob": {"id": str(row.id)}, "entities": {"projects": {str(row.id): row.wire()}}}
    script = "" if layout == "dom_only" else _scripts(state, now, layout)
    title = html.escape(" ".join((row.get("title") or "").split()))
    body = f'<h1>{title}</h1><div class="project-description">{html.escape(row.get("proj_desc") or "")}</div>'
    closed = "" if row.listed else "<p>This project is closed.</p>"
    return _document(
        f"{row.get('title')} | PeoplePerHour", f'{body}{closed}<a href="{HOME}">Home</a></div>\n{script}\n'
    )
