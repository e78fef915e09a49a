"""Write the pages of the Upwork stand-in: shells without tiles, and the tiles that scripts put in there.

Known from a real tile (March 2024): the layout `2024` with a tile's attributes, its title link and posted text. Known
from other readers' code: the tile of 2026 with its `data-test` lists and the misspelt `job-pubilshed-date`; the titles
of challenge and login; tokens on good pages that look like a challenge (`/cdn-cgi/challenge-platform`, "Just a
moment", `cf_clearance`). Guesses: the rest of the shell, the pager but for `next-page`, what an empty search shows, the
mark of a featured job, `payment-unverified`, one rate alone, words for times that were not reported, how scripts get
what they render (here from `/_nuxt/tiles`, which only the page's own script can ask for), the page of a job but its
state.
"""

from __future__ import annotations

from decimal import Decimal
from html import escape
from urllib.parse import urlencode

from platforms_standins._upwork_jobs import DURATIONS, LEVELS, WORKLOADS, Job, money
from platforms_standins._upwork_state import highlighted
from platforms_standins._upwork_truth import age, band, hourly_text, spent

#: Ways the search page is built: real generations first, then changed ones, in which a reader must not see success.
LAYOUTS = (
    "nuxt3",  # since 2026-10: `__NUXT_DATA__`
    "nuxt2",  # to 2026-09: `window.__NUXT__=`
    "2024",  # the same with the tile of 2024
    "stateless",  # no state in the page: only a browser sees jobs
    "marker_gone",  # neither state nor list, before and after scripts
    "list_missing",  # state without `jobs`, no list after scripts
    "list_null",  # state with `jobs: null`, no list after scripts
    "list_empty",  # state and list there, both empty, though the total is not 0
    "renamed",  # other names in the state and of the tiles' attributes
    "moved",  # the state elsewhere, the tiles as ever
    "unreadable",  # a state that is cut off, the tiles as ever
    "unrendered",  # a state, but scripts never put the tiles in
)
#: Sent by the page's own script.
SCRIPT_HEADER = "X-Upwork-Standin-Script"
SCRIPT = f"""(async () => {{
  const root = document.getElementById("__nuxt");
  const place = root && root.querySelector("main");
  if (!place || !root.dataset.key) return;
  const answer = await fetch("/_nuxt/tiles?key=" + root.dataset.key, {{headers: {{"{SCRIPT_HEADER}": "1"}}}});
  if (!answer.ok) return;
  const html = await answer.text();
  await new Promise((resolve) => setTimeout(resolve, Number(root.dataset.delay || 0)));
  place.innerHTML = html;
}})();
"""
PLACE = '<main id="main"><div class="skeleton" aria-busy="true"></div></main>'
_SHELL = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>window.__cf = {{cookie: "cf_clearance", hint: "Just a moment"}};</script>
<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js" async></script>
</head><body><div id="__nuxt" data-key="{key}" data-delay="{delay}"><header><a href="/">Upwork</a></header>
{place}
</div>
{state}
<script src="/_nuxt/entry.js" defer></script>
</body></html>
"""


def shell(title: str, state: str, key: str = "", delay: int = 0, place: str = PLACE) -> str:
    """Return a page as the server sends it: `state` holds its scripts; `key` is what the script renders."""
    return _SHELL.format(title=escape(title), state=state, key=key, delay=delay, place=place)


def rendered(page: str, tiles: str) -> str:
    """Return what a page is after its script has run."""
    return page.replace(PLACE, f'<main id="main">{tiles}</main>')


def data_script(flat: str) -> str:
    """Return the element with the state of Nuxt 3."""
    return (
        '<script type="application/json" data-nuxt-data="nuxt-app" data-ssr="true" id="__NUXT_DATA__">'
        f"{flat}</script>\n<script>window.__NUXT__={{}};window.__NUXT__.config={{public:{{}}}}</script>"
    )


def listing(jobs: list[Job], now: float, layout: str, terms: list[str], query: dict[str, str], pages: int) -> str:
    """Return what the scripts of a search page put into it."""
    if layout in ("marker_gone", "list_missing", "list_null"):
        return '<section class="promo"><h1>Find work that fits</h1></section>'
    number = int(query.get("page", "1"))
    shown = (
        ""
        if layout == "list_empty"
        else "".join(tile(job, place, now, layout, terms, number) for place, job in enumerate(jobs, 1))
    )
    if layout == "renamed":
        for old, new in (("data-test=", "data-qa="), ("data-ev-job-uid", "data-uid"), ("job-tile", "posting")):
            shown = shown.replace(old, new)
        return f'<section data-qa="Results">{shown}</section>'
    if not pages:
        shown = '<div data-test="NoResults"><h4>There are no results that match your search.</h4></div>'
    links = ""
    if number < pages:
        address = escape("/nx/search/jobs/?" + urlencode({**query, "page": str(number + 1)}))
        links = f'<nav><a data-test="next-page UpCLink" href="{address}">Next</a></nav>'
    return f'<section class="card-list-container" data-test="JobsList">{shown}</section>{links}'


def tile(job: Job, place: int, now: float, layout: str, terms: list[str], number: int) -> str:
    """Return the tile of a job."""
    old = layout == "2024"
    title = _marked(job.title, terms)
    cipher = job.old_ciphertext if old else job.ciphertext
    link = f"/jobs/{job.slug}_{cipher}/?referrer_url_path=/nx/search/jobs/"
    text = age(job, now)
    posted = "" if text is None else f"<span>Posted</span> <span>{text}</span>"
    featured = '<span data-test="featured UpCBadge" class="air3-badge">Featured</span>' if job.featured else ""
    if old:
        head = (
            '<div class="d-flex job-tile-header"><div data-test="JobTileHeader">'
            f'<small class="text-light mb-1">{posted}</small>{featured}'
            '<div data-ev-sublocation="!line_clamp" class="air3-line-clamp-wrapper" data-test="UpCLineClamp">'
            '<div tabindex="-1" class="air3-line-clamp is-clamped"><h2 class="h5 mb-0 mr-2 job-tile-title">'
            f'<a href="{link}" class="up-n-link" data-test="UpLink">{title}</a></h2></div></div></div></div>'
        )
    else:
        small = f'<small data-test="job-pubilshed-date">{posted}</small>' if posted else ""
        head = (
            f'<div data-test="JobTile15in24Header">{small}{featured}</div><h2 class="job-tile-title">'
            f'<a data-test="job-tile-title-link UpCLink" href="{link}">{title}</a></h2>'
        )
    tokens = "".join(
        f'<button data-test="token" class="air3-token"><span>{_marked(name, terms)}</span></button>'
        for name in job.skills
    )
    return (
        f'<article data-ev-job-uid="{job.id}" data-ev-label="search_results_impression"'
        f' data-ev-sublocation="search_results" data-ev-page_number="{number}" data-ev-position="{place}"'
        ' class="job-tile cursor-pointer px-md-4 air3-card air3-card-list px-4x" data-test="JobTile"'
        f' data-test-key="{job.id}"><!---->{head}<ul data-test="JobInfo">{_terms(job)}</ul>'
        '<div data-test="UpCLineClamp JobDescription"><div class="air3-line-clamp is-clamped">'
        f'<p class="mb-0 text-body-sm rr-mask">{_marked(job.description, terms)}</p></div></div>'
        f'<div data-test="TokenClamp JobAttrs">{tokens}</div>'
        f'<ul data-test="JobInfoClient">{_client(job)}</ul></article><!---->'
    )


def _marked(text: str, terms: list[str]) -> str:
    # Marks go in before the text is escaped: no character that is escaped is a term's.
    marked = highlighted(text.replace("\x02", "").replace("\x03", ""), terms)
    for sign, mark in (("\x02", '<span class="highlight">'), ("\x03", "</span>")):
        if terms:
            marked = marked.replace(mark, sign)
    return escape(marked, quote=False).replace("\x02", '<span class="highlight">').replace("\x03", "</span>")


def _terms(job: Job) -> str:
    level = LEVELS[job.level][0]
    rate = hourly_text(job)
    label = (f"Hourly: {rate}" if rate else "Hourly") if job.hourly else "Fixed price"
    parts = [("job-type-label", f"<strong>{label}</strong>"), ("experience-level", f"<strong>{level}</strong>")]
    if not job.hourly and job.amount is not None:
        parts.append(("is-fixed-price", f"<strong>Est. budget:</strong> <strong>{money(job.amount)}</strong>"))
    time = [DURATIONS[job.duration][0]] if job.hourly and job.duration and job.labelled else []
    time += [WORKLOADS[job.workload][0]] if job.workload else []
    if time:
        parts.append(("duration-label", f"<strong>Est. time:</strong> <strong>{', '.join(time)}</strong>"))
    return "".join(f'<li data-test="{name}">{text}</li>' for name, text in parts)


def _client(job: Job) -> str:
    parts: list[tuple[str, str]] = []
    if job.shown_client:
        if job.verified is not None:
            parts.append(
                ("payment-verified", "Payment verified")
                if job.verified
                else ("payment-unverified", "Payment unverified")
            )
        rating = f"{job.rating or Decimal(0):.1f}"
        value = f'<div data-test="feedback-rating"><span class="air3-rating-value-text">{rating}</span></div>'
        parts.append(("total-feedback", value))
        parts.append(("total-spent", f'<strong class="rr-mask">{spent(job.spent)}</strong> <span>spent</span>'))
        if job.country:
            country = escape(job.country, quote=False)
            parts.append(("location", f'<span><span class="sr-only">Location </span>{country}</span>'))
    if job.applicants is not None:
        parts.append(("proposals-tier", f"Proposals: <strong>{band(job.applicants)}</strong>"))
    return "".join(f'<li data-test="{name}">{text}</li>' for name, text in parts)


_CHALLENGE = """<!DOCTYPE html><html lang="en-US"><head><title>Challenge - Upwork</title>
<meta name="robots" content="noindex,nofollow"></head><body>
<p>Checking if the site connection is secure</p><noscript>Enable JavaScript and cookies to continue</noscript>
<p hidden>Verification successful. Waiting for www.upwork.com to respond...</p>
<script>window._cf_chl_opt={{cf_chl_opt: 1, cUPMDTk: "/nx/search/jobs/?__cf_chl_f_tk=standin"}};</script>
<script src="https://challenges.cloudflare.com/turnstile/v0/api.js" async></script>
<style>{filling}</style></body></html>
"""


def challenge() -> str:
    """Return the site's own challenge, as long as the real one (344 KB)."""
    return _CHALLENGE.format(filling=".a{color:#123456}\n" * 20_200)


def login() -> str:
    """Return the page that asks visitors to log in."""
    return shell("Upwork Login - Log in to your Upwork account", "", place='<form method="post"></form>')


def detail(job: Job | None, state: str) -> str:
    """Return the page of a job, or of one that is gone: a shell with its state."""
    return shell("Upwork" if job is None else f"{job.title} - Upwork", state)
