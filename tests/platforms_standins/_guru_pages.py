"""Write the pages of the Guru stand-in, in each of its layouts; `guru` says which parts were seen."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from platforms_standins._guru_projects import PAGE_SIZE, Named, Row

LAYOUTS = ("current", "older", "marker_gone", "list_missing", "list_empty", "renamed", "fields_gone")
DETAIL_LAYOUTS = ("current", "older", "json_ld_gone", "shell")

_DIVIDER = "<span class='pipeDivider' role='presentation' aria-hidden='true'> | </span> "
_NO_KEY = {"Key": None, "Value": None, "Id": 0, "Count": None}
_RAW_BREAKS = {"\\n": "\n", "\\t": "\t"}


def text(value: str) -> str:
    """Escape a text for a page."""
    return html.escape(value, quote=False)


def day(seconds: int) -> str:
    """Write a day as the site does: Oct 19, 2026."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}"


def age(row: Row, now: int) -> str:
    """Write when a project was posted: 27 mins ago, 3 hrs ago, then on Feb 22, 2026."""
    elapsed = max(now - row.posted, 60)
    for unit, seconds, end in (("min", 60, 3600), ("hr", 3600, 86_400)):
        if elapsed < end:
            count = elapsed // seconds
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"on {day(row.posted)}"


def quotes(row: Row) -> str:
    """Write how many quotes there are."""
    if not row.quotes:
        return "No Quotes Received"
    return f"{row.quotes} Quote{'s' if row.quotes > 1 else ''} Received"


# --- listing --------------------------------------------------------------------------------------------------


def listing(
    rows: Sequence[Row], *, path: str, page: int, total: int, now: int, keyword: str, layout: str, home: str
) -> str:
    """Return a page of the listing; `path` is that of its first page, with a slash at the end."""
    first = (page - 1) * PAGE_SIZE
    last_page = max(1, -(-total // PAGE_SIZE))
    shown = () if layout == "list_empty" else rows
    query: dict[str, Any] = {"Keyword": keyword, "Category": _NO_KEY, "Subcategory": _NO_KEY}
    query |= {"SubSubcategory": _NO_KEY, "Skills": [], "Locations": [], "Show": [], "LeadType": _NO_KEY}
    query |= dict.fromkeys(("MinEmployerSpend", "ReceivedQuotes", "PaymentTerms", "Period"), _NO_KEY)
    query |= {"SortOrder": "recent", "Page": page}
    data: dict[str, Any] = {
        "Redirect404": False,
        "Redirect301": False,
        "Redirect301Url": None,
        "SuggestedTerm": None,
        "CanonicalUrl": path,
        "DisplayURL": path,
        "DisplayKeyword": keyword,
        "FirstResult": first + 1 if rows else 0,
        "LastResult": first + len(rows),
        "TotalResults": total,
        "NumResults": len(rows),
        "CategoryCounts": [None, *[total // 10] * 10],
        "TopLocations": [{"Key": "United States", "Value": "l/united-states", "Id": 1, "Count": total // 15}],
        "SubCategories": [{"Key": "Any Subcategory", "Value": None, "Id": 0, "Count": None}],
        "SubSubCategories": [],
        "RecordsType": "job",
        "SelectedRecords": [],
    }
    scripts = _state("__query", query, layout) + _state("__pageData", data, layout)
    cards = "\n".join(_card(row, now, layout, home) for row in shown)
    results = f'<ul v-if="loadedOnce === false" class="module_list cozy" id="serviceList">\n{cards}\n</ul>'
    body = f'<main id="search-app">\n<!-- SERVER SIDE RENDERED RESULTS -->\n{results}\n{_pager(path, page, last_page)}'
    if layout == "marker_gone":
        scripts, body = "", '<main id="app"><div class="skeleton"></div><script src="/build/app.8f31.js"></script>'
    elif layout == "list_missing":
        body = '<main id="search-app">\n<div class="searchResults" data-loading="true"></div>'
    return _page("Find Freelance Jobs Online | Guru", f"{scripts}{body}\n</main>")


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title></head>\n<body>\n'
        f'<header><a href="/">Guru</a> <a href="/login.aspx">Log In</a></header>\n{body}\n</body></html>\n'
    )


def _state(name: str, value: Any, layout: str) -> str:
    if layout == "older":
        return f"<script>\n  window.{name} = {json.dumps(value)};\n</script>\n"
    return f"<script type='text/javascript'>window.{name}={json.dumps(value, separators=(',', ':'))}</script>\n"


def _pager(path: str, page: int, last: int) -> str:
    """Return the links to the neighbours and the last page; a single page has none."""
    if last == 1:
        return ""
    near = sorted({1, *range(max(1, page - 2), min(last, page + 2) + 1), last})

    def link(number: int, label: str) -> str:
        return f'<li><a href="{path if number == 1 else f"{path}pg/{number}/"}">{label}</a></li>'

    links = [link(page - 1, "Previous")] if page > 1 else []
    links += [f'<li class="active"><span>{n}</span></li>' if n == page else link(n, str(n)) for n in near]
    links += [link(page + 1, "Next")] if page < last else []
    return f'<ul class="pagination" id="ctl00_guB_ulpaginate">{"".join(links)}</ul>'


def _href(row: Row, home: str) -> str:
    back = "SearchUrl=search.aspx?"
    forms = {
        "plain": f"{row.address}&{back}",
        "escaped": f"{row.address}&amp;{back}",
        "bare": row.address,
        "absolute": f"{home}{row.address}&{back}",
    }
    return forms[row.link or "plain"]


def _skill(inner: str) -> str:
    return f'\n                <span class="skillsList__skill greyBackground">{inner}</span>'


def _card(row: Row, now: int, layout: str, home: str) -> str:
    older, renamed = layout == "older", layout == "renamed"
    record = "job-card" if renamed else "record jobRecord jobRecord--wide" if older else "record jobRecord"
    prefix = "jobCard" if renamed else "jobRecord"
    tip = f"data-original-title='{row.invited} Invited' class='toolTip'" if row.invited else ""
    counted = (
        ""
        if row.quotes is None
        else f"\n                &middot;\n                <strong {tip}>{quotes(row)}</strong>"
    )
    posted = f"Posted\n                <strong>{age(row, now)}</strong>" if row.posted_shown else ""
    title = f'<a v-pre href="{_href(row, home)}">{text(row.title)}</a>'
    if older:
        title = f'<a href="{_href(row, home).replace("&SearchUrl", "&amp;SearchUrl")}">\n  {text(row.title)}\n</a>'
    elif layout == "fields_gone":
        title = ""
    teaser = text(row.teaser() or "").replace("…", "&hellip;")
    deadline = ""
    if row.deadline is not None:
        deadline = (
            '\n              <p class="copy small grey rhythmMargin1">\n'
            f"                  Send before <strong>{day(row.deadline)}</strong>\n              </p>"
        )
    flag = '\n                <span class="jobRecord__flag">Featured</span>' if row.featured else ""
    head = f"""
      <div class="{record}" data-gid="{row.id}">
        <div class="record__details">
          <div class="record__header">
            <div class="record__header__identity">{flag}
              <div class="{prefix}__meta">
                {posted}{counted}
              </div>
              <h2 class="{prefix}__title {prefix}__title--changeVisited">
                {title}
              </h2>
              {_budget(row, prefix)}
            </div>
            <div class="record__header__action record__header__action--full">{deadline}
              <a href="/login.aspx?ReturnUrl=work/detail/{row.id}?apply=true" title="Send a Quote" \
class="module_btn  primary_btn">Send Quote</a>
            </div>
          </div>
          <div class="record__content record__content--noDivider">
            <div class="{prefix}__body">
              <p class="{prefix}__desc" v-pre>{teaser}</p>
              {_skills(row)}
            </div>
            {_client(row)}
          </div>
        </div>
      </div>"""
    if older:
        return f"  <li>{head.replace(' v-pre', '')}\n  </li>"
    owner = 1_500_000 + row.serial
    return f"""  <li>
    <job-record v-slot="{{selectedRecords, encodedUrl, showEmpSummaryModal, updateSelectedRecords}}" \
:show-inline-template="true"
    :show-actions="false"
    :data="{{
        ProjectID: {row.id},
        EmployerId: {owner},
        CompanyID: {owner} }}">{head}
    </job-record>
  </li>"""


def _budget(row: Row, prefix: str) -> str:
    if not row.segments and not row.locations:
        return ""
    shown = _DIVIDER.join(f"<strong>{segment}</strong>" for segment in row.segments)
    return f"""<div class="{prefix}__budget">
                {shown}{_locations(row)}
              </div>"""


def _locations(row: Row) -> str:
    if not row.locations:
        return ""
    links = "".join(
        f'<a class="jobLocations__top" href="/d/jobs/l/{name.lower().replace(" ", "-")} ">{name}</a>'
        for name in row.locations
    )
    return (
        '\n                <span class="pipeDivider" role="presentation">|</span>'
        "<job-location v-slot={dropdown_visible} :show-inline-template='true'><span>"
        '<div title="Preferred Locations" vue-data-toggle="dropdown" aria-haspopup="true" '
        'class="jobLocations  darkGrey">'
        f'<i data-icon="" aria-hidden="true"></i>{links}</div></span></job-location>'
    )


def _skills(row: Row) -> str:
    parts = []
    if row.category:
        address, name = row.category
        # The ampersand of a category is not escaped on the real page.
        parts.append(
            _skill(
                '\n                  <i data-icon="&#xe003" aria-hidden="true"></i>\n'
                f'                  <a class="darkGrey" style="font-weight: 600;" href="/d/jobs/c/{address}">\n'
                f"                    {name}\n                  </a>\n                "
            )
        )
        if row.subcategory:
            inner, name = row.subcategory
            parts.append(_skill(f'<a class="darkGrey" href="/d/jobs/c/{address}/sc/{inner}/">{name}</a>'))
    base = f"/d/jobs/c/{row.category[0]}/" if row.category else "/d/jobs/"
    links = "".join(
        f'<a href="{base}skill/{address}/" v-if="true" class="skillsList__skill skillsList__skill--hasHover">'
        f"{text(name)}</a>"
        for address, name in row.skills
    )
    return f'<div class="skillsList">{"".join(parts)}\n                {links}\n              </div>'


def _client(row: Row) -> str:
    country = f"<strong>{row.country}</strong>" if row.country else ""
    score = f"<span class='feedback-score'>{row.feedback}%</span>" if row.feedback else ""
    sign = "<i class='greenIcon' data-icon='&#xe914'  aria-hidden='true' title='Payment Method Verified'></i>"
    return f"""<div class="module_avatar sixtyfour freelancerAvatar">
              <div class="avatarinfo">
                <h3 class="identityName"><a @click="showEmpSummaryModal" style="font-weight: 600;">\
{text(row.client)}</a></h3>
                <p class="subtext freelancerAvatar__subText darkGrey">{country}</p>
                <p class="darkGrey flex flex-center freelancerAvatar__meta">{sign if row.verified else ""}{score}</p>
              </div>
            </div>"""


# --- detail ---------------------------------------------------------------------------------------------------


def detail(row: Row, layout: str) -> str:
    """Return a project's own page."""
    if layout == "shell":
        return _page("Guru", '<main id="app"><div class="skeleton"></div></main>')
    description = row.markup or text(row.description or "")
    more = '<a href="/login.aspx">Show more</a>'
    if len(description) > 1000 and not row.markup:
        description = text((row.description or "")[:1000]) + "&hellip;"
    categories = "".join(f"<p>{name}</p>" for _, name in _categories(row))
    budget = " | ".join(f"<strong>{segment}</strong>" for segment in row.segments)
    closed = "" if row.listed else '<p class="jobHeading__closed">This job is closed.</p>'
    body = f"""<main class="jobDetails">
<h1 class="jobHeading__title">{text(row.title)}</h1>
<div class="jobHeading__budget">{budget}</div>
<p class="jobHeading__meta">Job ID: {row.id}</p>{closed}
<div class="jobDetails__category">{categories}</div>
<pre class="jobDetails__description">{description}</pre>{more}
</main>
{_CRUMBS}"""
    if row.json_ld and layout != "json_ld_gone":
        body += f'<script type="application/ld+json">\n{_posting(row, layout)}\n</script>'
    return _page(f"{row.title} | Guru", body)


_CRUMBS = (
    '<script type="application/ld+json">{"@context":"https://schema.org","@type":"BreadcrumbList",'
    '"itemListElement":[{"@type":"ListItem","position":1,"name":"Jobs"}]}</script>\n'
)


def _categories(row: Row) -> list[Named]:
    return [found for found in (row.category, row.subcategory) if found]


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}T00:00:00.0000000+00:00"


def _posting(row: Row, layout: str) -> str:
    """Return the posting data; its keys, blanks and wrong unit are those of a real page."""

    def quoted(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")

    description = quoted(row.markup or row.description or "")
    if row.json_ld == "bare_breaks":
        for escape, character in _RAW_BREAKS.items():
            description = description.replace(escape, character)
    fields = {
        "@context": '"https://schema.org/"',
        "@type": '"JobPosting"',
        "title": quoted(row.title),
        "description": description,
        "skills": quoted(", ".join(name.lower() for _, name in row.skills)),
        "datePosted": quoted(_iso(row.posted)),
        "validThrough": None if row.deadline is None else quoted(_iso(row.deadline)),
        "employmentType": '"CONTRACTOR"',
        "hiringOrganization": f'{{"@type" :"Organization","name" :{quoted(row.client)}}}',
        "Identifier": f'{{"@type" :"PropertyValue","Name" :{quoted(row.client)},"Value" :"{row.id}"}}',
        "baseSalary": _salary(row),
    }
    lines = ",\n".join(f'\t"{name}" :{value}' for name, value in fields.items() if value is not None)
    if row.locations:
        lines += f',\n\t"applicantLocationRequirements" : {{"@type" :"Country","name" :{json.dumps(row.locations)}}}'
    if row.telecommute:
        lines += '\n,"jobLocationType": "TELECOMMUTE"'
    found = f"{{\n{lines}\n}}"
    if layout == "older":
        found = found.replace('"Value" :', '"value" :').replace('"Identifier" :', '"identifier" :')
    if row.json_ld == "list":
        return f"[{found}]"
    if row.json_ld == "graph":
        return f'{{"@context":"https://schema.org/","@graph":[{{"@type":"WebPage"}},{found}]}}'
    return found


def _salary(row: Row) -> str | None:
    if (row.low is None and row.high is None) or row.json_ld == "no_salary":
        return None
    low, high = row.low or "0", row.high or row.low
    return (
        '{"@type" :"MonetaryAmount","currency" :"USD","Value" :{"@type" :"QuantitativeValue",'
        f'"value" :"{high}","minValue" :"{low}","maxValue" :"{high}","unitText" :"YEAR"}}}}'
    )
