"""Write the pages of the Wishket stand-in: cards, the listing around them, a project's own page.

`LAYOUTS` are the generations and the breakages that can be switched on. Which parts of the markup were seen in
real answers is told in `wishket`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from platforms_standins._wishket_projects import DAY, HOST, KST, TERM, WishketProject, salary

#: `2026` the page of today · `2023` cards without a class of their own, still readable by what is in them ·
#: `2020` the markup before that, which no reader of today knows · `renamed` all classes hashed ·
#: `list_missing` no list at all · `list_empty` the list without a card, though there are projects.
LAYOUTS = ("2026", "2023", "2020", "renamed", "list_missing", "list_empty")
LOCKED = "로그인하고 "

_HEAD = (
    '<!DOCTYPE html>\n<html lang="ko"><head><meta charset="utf-8"><title>{title}</title>\n'
    '<meta property="og:site_name" content="위시켓"></head>\n<body>\n'
    '<header class="header"><a href="/">위시켓</a> <a class="project-link-menu" href="/project/">프로젝트 찾기</a>'
    ' <a href="/accounts/login/">로그인</a></header>\n'
)
_FOOT = '<footer class="footer"><a href="/service-terms/">이용약관</a></footer>\n</body></html>\n'


def card(project: WishketProject, now: float, layout: str = "2026") -> str:
    """Return a project's card. A private one holds nothing but marks, title and address."""
    if layout == "2020":
        return (
            '<section class="project-unit"><h4 class="project-title">'
            f'<a href="/project/{project.id}/">{html.escape(project.title)}</a></h4></section>\n'
        )
    first = '<div class="project-info-box">' if layout != "2023" else "<div>"
    body = _organic(project, now) + ("" if project.private else _proposals(project, now))
    text = f'{first}<div class="project-info-box-wrapper">\n{body}</div></div>\n'
    return _hashed(text) if layout == "renamed" else text


def _hashed(text: str) -> str:
    """Return the markup as a build with generated class names would have it."""
    for name, other in (
        ("project-info-box", "sc-1x8f2"),
        ("project-organic-info", "sc-7qpz0"),
        ("project-link", "sc-ab31e"),
        ("project-core-info", "sc-0pl2d"),
        ("start-recruitment-data", "sc-99zqa"),
        ("status-mark", "sc-m4k1x"),
    ):
        text = text.replace(name, other)
    return text


def _marks(project: WishketProject, now: float) -> str:
    marks = ""
    if project.private:
        marks += (
            '  <div class="status-mark private-mark">\n      프라이빗 매칭\n      <div class="status-mark-tooltip">\n'
            '        <img class="tooltip-arrow" src="/static/arrow.svg"/>\n        PRIME·PRO·BOOST 파트너에게만<br/>'
            "공개되는 비공개 프로젝트입니다.\n      </div>\n    </div>\n"
        )
    if project.is_open(now):
        marks += '    <div class="status-mark recruiting-mark">모집 중</div>\n'
        if now - project.posted < DAY:
            marks += '    <div class="status-mark new-mark">NEW</div>\n'
    else:
        marks += '    <div class="status-mark close-mark">모집 마감</div>\n'
    return f'  <div class="project-status-label recruiting-status mb12">\n  {marks}  </div>\n'


def _budget(project: WishketProject) -> str:
    label, amount, unit = project.price()
    label = f"{label} " if label else ""
    unit = f' <span class="body-2-medium">{unit}</span>' if unit else ""
    amount = f'<span class="body-1-medium">{html.escape(amount)}{unit}</span>'
    return f'    <p class="budget body-1 text700">{label}{amount}</p>\n'


def _organic(project: WishketProject, now: float) -> str:
    title = html.escape(project.title)
    text = f'<section class="project-organic-info">\n{_marks(project, now)}'
    text += (
        f'  <a class="subtitle-2-medium project-link" href="/project/{project.id}/">'
        f'<p class="subtitle-1-half-medium mb10">{title}</p></a>\n'
    )
    if project.private:
        return text + "</section>\n"
    term = project.kind == TERM
    core = []
    if "budget" not in project.lacking:
        core.append(_budget(project))
    if "term" not in project.lacking:
        days = f'<span class="body-1-medium">{project.days}일</span>'
        core.append(f'    <p class="term body-1 text700">예상 기간{days}</p>\n')
    if term:
        start = f'<span class="body-1-medium">{project.start}</span>'
        core.append(f'    <p class="launch-date body-1 text700">근무 시작일 {start}</p>\n')
    divider = '    <span class="info-divider"></span>\n'
    text += f'  <div class="project-core-info mb10">\n{divider.join(core)}  </div>\n'
    text += '  <div class="project-classification-info mb32">'
    text += f'<p class="project-category-or-role body-2 text700">{project.role if term else project.category}</p>'
    text += f'<p class="project-level body-2 text700">{project.level}</p>' if term else ""
    text += '</div>\n  <div class="project-minor-info">\n    <div class="project-status-label recruiting-status">'
    text += (
        '<div class="status-mark project-type-mark with-img"><img class="project-type-mark-img" src="/static/t.svg"/>'
    )
    text += f'{project.kind}</div></div>\n    <div class="divider"></div>\n'
    if "skills" not in project.lacking:
        chips = (f"{name} · {project.experience}" if project.experience else name for name in project.skills)
        spans = "".join(f'<span class="skill-chip body-3 text600">{html.escape(chip)}</span>' for chip in chips)
        text += f'    <div class="project-skills-info">{spans}</div>\n'
    if project.location:
        text += f'    <p class="body-3 text500 location-data"><img src="/static/l.png"/>{project.location}</p>\n'
    if "posted" not in project.lacking:
        day = f"· 등록일자 {project.posted_text()}"
        text += f'    <p class="body-3 text300 start-recruitment-data">{day}</p>\n'
    return text + "  </div>\n</section>\n"


def _proposals(project: WishketProject, now: float) -> str:
    image = '<img src="/static/i.png"/>'
    text = '<section class="proposal-and-client-info">\n  <div class="proposal-info">\n'
    if project.is_open(now) and "deadline" not in project.lacking:
        left = f'<span class="body-2-medium text600">{project.deadline_text(now)}</span>'
        text += f'    <p class="info-detail body-2 mb8 text600">{image}마감 {left}</p>\n'
    if "applicants" not in project.lacking:
        count = f"{project.applicants:,}명" if project.applicants else "없음"
        count = f'<span class="body-2-medium text600">{count}</span>'
        text += f'    <p class="info-detail body-2 text600">{image}지원자 {count}</p>\n'
    text += '  </div>\n  <div class="minor-info has-value">\n'
    views = "아주 높음" if project.views > 1000 else "높음" if project.views > 300 else "보통"
    for name, number, shown in (
        ("view", project.views, views),
        ("comment", project.comments, project.comments),
        ("interest", project.interests, project.interests),
    ):
        text += (
            '    <div class="status-wrap">'
            f'<i class="project-tooltip status-icon {name}-status" data-count="{number:,}">'
            f'<span class="caption-1 text400">{shown}</span></i></div>\n'
        )
    text += "  </div>\n"
    if "client" not in project.lacking:
        name = f'<p class="username body-3-medium">{project.username}</p>'
        text += f'  <div class="client-info">\n    <div class="profile-box mb12">{name}</div>\n'
        text += '    <div class="badge-box">\n'
        if project.checked:
            badge = '<img alt="인증된 클라이언트" src="/static/c.png"/><span class="caption-1 text600">인증 완료</span>'
            text += f'      <i class="project-tooltip client-badge">{badge}</i>\n'
        rating = f'<span class="caption-1 text600">{project.rating}</span>'
        text += f'      <i class="client-badge">{rating}</i>\n    </div>\n  </div>\n'
    return text + "</section>"


# --- the listing ----------------------------------------------------------------------------------------------


def cards(projects: Sequence[WishketProject], now: float, layout: str) -> str:
    """Return what the JSON twin's `result` holds: the cards alone."""
    return "" if layout == "list_empty" else "".join(card(project, now, layout) for project in projects)


def listing(found: str, layout: str, pages: Sequence[tuple[str, str]]) -> str:
    """Return the page around `found`, the cards; `pages`: text and address of each link below them."""
    text = _HEAD.format(title="프로젝트 찾기 | 위시켓")
    if layout == "list_missing":
        return f'{text}<div id="root"></div><script src="/static/app.js"></script>\n{_FOOT}'
    empty = '<p class="no-result body-1 text500">조건에 맞는 프로젝트가 없습니다.</p>\n'
    if layout == "list_empty":
        empty = ""
    text += f'<div id="projectListView"><div class="project-list-box">\n{found or empty}</div></div>\n'
    links = "".join(
        f'<li class="page-item"><a class="page-link" href="{html.escape(address)}">{name}</a></li>'
        for name, address in pages
    )
    return f'{text}<nav><ul class="pagination">{links}</ul></nav>\n{_FOOT}'


# --- a project's own page -------------------------------------------------------------------------------------


def _json_ld(project: WishketProject) -> str:
    """Return the page's JSON-LD, in the form that the project asks for; times without a zone are Korea's."""
    form = project.json_ld
    posting: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "JobPosting",
        "title": project.title,
        "description": project.description.replace("\n", "\r\n"),
        "datePosted": datetime.fromtimestamp(project.posted, KST).strftime("%Y-%m-%d"),
        "validThrough": datetime.fromtimestamp(project.deadline, KST).strftime("%Y-%m-%dT%H:%M"),
    }
    if form == "no_description":
        del posting["description"]
    if project.amount:
        posting["baseSalary"] = salary(project.amount)
        if form in ("object", "wrong_unit"):
            # The wrong unit is wrong: what a card says of the period counts.
            unit = "HOUR" if form == "wrong_unit" else "MONTH" if project.kind == TERM else "TOTAL"
            value = {"@type": "QuantitativeValue", "value": project.amount, "unitText": unit}
            posting["baseSalary"] = {"@type": "MonetaryAmount", "currency": "KRW", "value": value}
    if project.location:
        address = {"@type": "PostalAddress", "addressCountry": "KR", "addressLocality": project.location}
        posting["jobLocation"] = {"@type": "Place", "address": address}
    if form == "odd_keys":
        posting = {("dateposted" if key == "datePosted" else key): value for key, value in posting.items()}
    sent: Any = posting
    if form == "list":
        sent = [{"@context": "https://schema.org", "@type": "WebSite", "name": "위시켓"}, posting]
    elif form == "graph":
        sent = {"@context": "https://schema.org", "@graph": [{"@type": "BreadcrumbList"}, posting]}
    text = json.dumps(sent, ensure_ascii=False, indent=1).replace("</", "<\\/")
    if form == "escaped":
        text = html.escape(text)
    elif form == "invalid":
        text = text[: len(text) // 2]
    return f'<script type="application/ld+json">\n{text}\n</script>\n'


def _rows(project: WishketProject, now: float) -> list[tuple[str, str, str]]:
    deadline = datetime.fromtimestamp(project.deadline, KST)
    note = f"마감 {project.deadline_text(now)}" if project.is_open(now) else ""
    rows = [
        ("모집 마감일", f"{deadline.year}년 {deadline.month}월 {deadline.day}일", note),
        ("지원자 수", f"{project.applicants:,}명", ""),
        ("예상 기간", f"{project.days}일", ""),
    ]
    if project.kind == TERM:
        rows += [
            ("근무 시작일", project.start, ""),
            ("근무 위치", project.location or "", ""),
            ("프로젝트 산업 분야", "IT•정보통신업", ""),
        ]
    else:
        rows += [("진행 분류", project.category, ""), ("기획 상태", "아이디어만 있습니다.", "")]
        rows.append(("관련 기술", ", ".join(project.skills), ""))
    return rows


def detail(project: WishketProject, now: float, layout: str = "2026") -> str:
    """Return a project's page as a visitor who has not logged in sees it: work and requirements are locked."""
    title = html.escape(project.title)
    text = _HEAD.format(title=f"{title} | 위시켓")
    if layout in ("list_missing", "2020"):
        return f'{text}<div id="root"></div>\n{_FOOT}'
    text += f'<div class="project-detail-view">\n{_marks(project, now)}<h1 class="project-title">{title}</h1>\n'
    if not project.private:
        text += f'<p class="registered body-3 text300">등록 일자 {project.posted_text()}</p>\n'
        left, right = ("condition-label", "condition-data") if layout != "2023" else ("a", "b")
        text += '<div class="project-condition-box">\n'
        for name, value, note in _rows(project, now):
            note = f' <span class="condition-note">{note}</span>' if note else ""
            text += (
                f'<div class="project-detail-condition-row"><div class="{left} body-2 text500">{name}</div>'
                f'<div class="{right}">{html.escape(value)}{note}</div></div>\n'
            )
        text += f"</div>\n{_target(project)}{_locked()}{_client(project)}"
        text += (
            '<div class="project-comment-layer mb40"><p class="comment-layer-title">프로젝트 문의 '
            f'<span class="comment-layer-count subtitle-2-medium">{project.comments}</span></p>'
            '<div class="comment-data-box"></div></div>\n'
        )
    text += "</div>\n"
    if not project.private and project.json_ld != "missing":
        text += _json_ld(project)
    text += _FOOT
    return _hashed(text).replace("project-detail-view", "sc-d0x1q") if layout == "renamed" else text


def _target(project: WishketProject) -> str:
    chips = "".join(f'<span class="skill-tag body-3 text600">{html.escape(name)}</span>' for name in project.skills)
    text = f'<div class="project-detail-skills-list mb16">{chips}</div>\n'
    if project.kind != TERM:
        return text
    budget = "협의 후 결정" if project.amount is None else f"{project.amount:,}원/월"
    parts = (("role", project.role), ("level", project.level), ("experience", "경력 무관"), ("budget", budget))
    rows = "".join(f'<p class="target-{name}">{value}</p>' for name, value in parts)
    return text + f'<div class="project-target-info">{rows}</div>\n'


def _locked() -> str:
    """Return the parts that only members see: marked, and empty for everybody else."""
    return "".join(
        f'<div class="{box}"><h3>{head}</h3><div class="login-required-layer"><p>{LOCKED}{what}</p>'
        '<a href="/accounts/login/?next=/project/">로그인</a></div></div>\n'
        for box, head, what in (
            ("project-description-box", "업무 내용", "업무 내용을 확인해 보세요."),
            ("recruit-condition-box", "모집 요건", "모집 요건을 확인해 보세요."),
        )
    )


def _client(project: WishketProject) -> str:
    stats = (("프로젝트 등록", "3건"), ("프로젝트 계약률", "33%"), ("누적 완료 금액", "1,250 만원"))
    reviews = project.reviews if float(project.rating) else 0
    rows = "".join(f'<div class="client-stat"><span>{name}</span><b>{value}</b></div>' for name, value in stats)
    return (
        f'<div class="client-section-wrap"><p class="username">{project.username}</p>'
        f'<p class="client-rating">{project.rating} <span>({reviews})</span></p>{rows}</div>\n'
    )


def terms() -> str:
    """Return a page of terms: reading by programs is forbidden, as the real ones say in words of their own."""
    text = "회원 또는 방문자는 회사의 사전 동의 없이 프로그램을 이용하여 사이트의 정보를 자동으로 수집할 수 없습니다."
    return f"{_HEAD.format(title='이용약관 | 위시켓')}<main><h1>이용약관</h1><p>{text}</p></main>\n{_FOOT}"


def login() -> str:
    """Return the page to log in on."""
    form = '<form method="post"><input name="identification"><input name="password" type="password"></form>'
    return f"{_HEAD.format(title='로그인 | 위시켓')}<main>{form}</main>\n{_FOOT}"


def robots() -> str:
    """Return robots.txt; only the delay is known of the real one."""
    return f"User-agent: *\nCrawl-delay: 5\nDisallow: /accounts/\nSitemap: {HOST}/sitemap.xml\n"
