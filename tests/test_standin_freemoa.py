"""Check that the stand-in of Freemoa speaks like the platform, and that what it tells of itself is on the wire."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from platforms_standins._freemoa_fixtures import FOLDER, saved
from platforms_standins._freemoa_projects import ODD
from platforms_standins.freemoa import COOKIE, NEEDS, FreemoaStandIn, standin_process

NOW = 1_790_000_000
KST = timezone(timedelta(hours=9))
CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "captures" / "freemoa" / "detail-48501.json"
LISTING, DETAIL = "/m4a/s41a", "/m4a/s41v"

JSON = dict[str, Any]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}, cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[FreemoaStandIn]:
    async with FreemoaStandIn(now=NOW, frozen=True) as site:
        yield site


async def visit(http: aiohttp.ClientSession, site: FreemoaStandIn) -> str:
    async with http.get(f"{site.base_url}/m4/s41?page=1") as answer:
        return await answer.text()


def ajax(site: FreemoaStandIn) -> dict[str, str]:
    return {"Referer": f"{site.base_url}/m4/s41", "Origin": site.base_url, "X-Requested-With": "XMLHttpRequest"}


async def raw(http: aiohttp.ClientSession, site: FreemoaStandIn, path: str = LISTING, **form: Any) -> str:
    async with http.post(site.base_url + path, data=form or {"page": 1, "sm": 3}, headers=ajax(site)) as answer:
        assert answer.status == 200
        return await answer.text()


async def post(http: aiohttp.ClientSession, site: FreemoaStandIn, path: str = LISTING, **form: Any) -> JSON:
    found: JSON = json.loads(await raw(http, site, path, **form))
    return found


async def listing(http: aiohttp.ClientSession, site: FreemoaStandIn, page: int = 1, **form: Any) -> JSON:
    found: JSON = (await post(http, site, page=page, sm=3, **form))["DATA"]["PROJECT"]
    return found


async def walk(http: aiohttp.ClientSession, site: FreemoaStandIn) -> list[JSON]:
    await visit(http, site)
    rows: list[JSON] = []
    for page in range(1, 100):
        found = await listing(http, site, page)
        rows += found["LIST"]
        if len(rows) >= int(found["PAGINATION"]["totalRows"]):
            break
    return rows


def comparable(row: JSON) -> JSON:
    """Read the fields of an ordinary row independently of the stand-in's own account."""
    posted = datetime.strptime(row["INS_TIME"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=KST)
    closes = datetime.strptime(row["edate"], "%Y-%m-%d").replace(tzinfo=KST) + timedelta(days=1)
    if "endtime" in row:
        assert int(row["endtime"]) == closes.timestamp()
    return {
        "external_id": str(row["proj_idx"]),
        "title": row["title"],
        "description": "\n".join(line.rstrip() for line in row["txt"].splitlines()),
        "status": "open" if row["isNowApply"] == "1" else "closed",
        "minimum": Decimal(row["cost_min"]) * 10_000,
        "maximum": Decimal(row["cost_max"]) * 10_000,
        "period": {"1": "total", "2": "month", "3": "month"}[str(row["workType"])],
        "skills": [name.strip() for name in row["proj_language"].split(",")],
        "category": row["fld"],
        "location": row["pv_smallnm"],
        "posted_at": posted,
        "closes_at": closes,
        "bid_count": int(row["ALL_APPLY_COUNT"]),
    }


def told(stored: JSON) -> JSON:
    """Return what the site tells of a project in the form of `comparable`."""
    keys = ("external_id", "title", "description", "status", "skills", "category", "location", "posted_at",
            "closes_at", "bid_count")  # fmt: skip
    budget = {key: stored["budget"][key] for key in ("minimum", "maximum", "period")}
    return {key: stored[key] for key in keys} | budget


# --- truth and wire -----------------------------------------------------------------------------------------------


async def test_what_the_site_tells_is_what_its_rows_say(http: aiohttp.ClientSession) -> None:
    async with FreemoaStandIn(60, now=NOW, frozen=True, odd_rows=False) as site:
        rows = await walk(http, site)
        assert [comparable(row) for row in rows] == [told(stored) for stored in site.projects]
        assert {row["isNowApply"] for row in rows} <= {"0", "1"}
        assert {row["workType"] for row in rows} == {"1", "2", "3"}
        site.change("layout", name="2025")
        old = await walk(http, site)
        assert [comparable(row) for row in old] == [told(stored) for stored in site.projects]
        assert "endtime" not in old[0]


async def test_odd_rows(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    rows = {int(row["proj_idx"]): row for row in await walk(http, site)}
    stored = {int(project["external_id"]): project for project in site.projects}
    assert set(site.odd) == set(ODD)
    assert len(rows) == len(stored) == 120
    ordinary = set(rows) - set(site.odd.values())
    assert all(comparable(rows[number]) == told(stored[number]) for number in ordinary)

    def of(name: str) -> tuple[JSON, JSON]:
        return rows[site.odd[name]], stored[site.odd[name]]

    for name in ("cost_null", "cost_empty", "cost_zero", "cost_absent"):
        row, project = of(name)
        assert row.get("cost_min") in (None, "", "0")
        assert project["budget"] is None
    assert "cost_min" not in of("cost_absent")[0]
    for name, wire, bounds in (
        ("cost_from", ("300", "0"), (3_000_000, None)),
        ("cost_up_to", ("0", "500"), (None, 5_000_000)),
        ("cost_with_commas", ("1,200", "2,500"), (12_000_000, 25_000_000)),
        ("cost_reversed", ("500", "200"), (2_000_000, 5_000_000)),
        ("cost_fraction", ("250.5", "300"), (2_505_000, 3_000_000)),
    ):
        row, project = of(name)
        assert (row["cost_min"], row["cost_max"]) == wire
        assert (project["budget"]["minimum"], project["budget"]["maximum"]) == bounds
    assert type(of("numbers")[0]["proj_idx"]) is int
    assert of("no_endtime")[0]["endtime"] is None
    assert of("no_endtime")[1]["closes_at"] is not None
    assert of("no_deadline")[1]["closes_at"] is None
    assert of("zero_posted")[1]["posted_at"] is None
    assert "<p>" in of("text_html")[0]["txt"]
    assert "<" not in of("text_html")[1]["description"]
    assert "<Button>" in of("text_angles")[1]["description"]
    assert len(of("text_long")[0]["txt"]) > 20_000
    assert of("skills_untidy")[1]["skills"] == ["Vue", "AOS", "React Native"]
    assert of("closed")[1]["status"] == "closed"
    assert of("by_the_month")[1]["budget"]["period"] == "month"
    assert of("by_the_month")[1]["work_mode"] == "onsite"


async def test_rows_have_the_real_keys_and_types(http: aiohttp.ClientSession) -> None:
    if not CAPTURE.exists():
        pytest.skip("the captured answers are not beside this checkout")
    real = json.loads(CAPTURE.read_bytes())["payload"]
    async with FreemoaStandIn(30, now=NOW, odd_rows=False, login_for_detail=False) as site:
        rows = await walk(http, site)
        number = rows[0]["proj_idx"]
        detail = (await post(http, site, DETAIL, pno=number, anyView=1))["DATA"]
    for made in rows:
        assert list(made.pop("client_id")) != []
        assert list(made) == list(real["listRow"])
        assert {key: type(value) for key, value in made.items()} == {
            key: type(value) for key, value in real["listRow"].items()
        }
    view = detail["VIEW"]
    view.pop("client_id")
    assert set(view) == set(real["detail"]["view"])
    assert {key: type(value) for key, value in view.items()} == {
        key: type(value) for key, value in real["detail"]["view"].items()
    }
    assert list(detail["META"]) == list(real["detail"]["meta"])


async def test_addresses_of_clients_are_never_stored(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    rows = await walk(http, site)
    addresses = {row["client_id"] for row in rows}
    assert all("@example.com" in address for address in addresses)
    stored = json.dumps([site.projects, site.detailed_projects], default=str)
    assert "@" not in stored


# --- what a request needs -----------------------------------------------------------------------------------------


async def test_without_cookie_or_headers_a_page_comes(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    assert (await raw(http, site)).startswith("<")
    await visit(http, site)
    assert (await raw(http, site)).startswith("{")
    for name in ("Referer", "Origin", "X-Requested-With"):
        for headers in (
            {key: value for key, value in ajax(site).items() if key != name},
            ajax(site) | {name: "https://elsewhere.example/"},
        ):
            async with http.post(site.base_url + LISTING, data={"page": 1}, headers=headers) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")
                assert (await answer.read()).startswith(b"<")
    async with http.get(site.base_url + LISTING, headers=ajax(site)) as answer:
        assert answer.content_type == "text/html"
    site.change("forget_sessions")
    assert (await raw(http, site)).startswith("<")
    await visit(http, site)
    assert (await raw(http, site)).startswith("{")
    site.change("forget_sessions")
    site.change("set", needs=["referer"])
    assert (await raw(http, site)).startswith("{")
    assert set(NEEDS) == {"cookie", "referer", "origin", "x-requested-with"}


async def test_the_shell_holds_no_project(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    shell = await visit(http, site)
    assert not any(project["external_id"] in shell for project in site.projects)
    assert "projectPagination" in shell
    cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}
    assert len(cookies[COOKIE]) == 26
    await visit(http, site)
    assert {cookie.key: cookie.value for cookie in http.cookie_jar} == cookies
    async with http.get(site.base_url + "/js/m4/s41.js") as answer:
        assert "D-DAY" in await answer.text()
    async with http.get(site.base_url + "/robots.txt") as answer:
        assert (await answer.text()).startswith("User-agent: *")


# --- listing and detail -------------------------------------------------------------------------------------------


async def test_pages(http: aiohttp.ClientSession) -> None:
    async with FreemoaStandIn(35, now=NOW, frozen=True) as site:
        await visit(http, site)
        whole = await post(http, site, page=1, sm=3)
        assert list(whole) == ["NOW", "ERROR", "DATA"]
        assert (whole["NOW"], whole["ERROR"]) == (NOW, {"NO": 0, "MSG": None})
        pages = [await listing(http, site, page) for page in (1, 4, 5)]
        assert [len(page["LIST"]) for page in pages] == [10, 5, 0]
        assert [page["PAGINATION"] for page in pages] == [
            {"currentPage": 1, "nextPage": 2, "totalRows": 35},
            {"currentPage": 4, "nextPage": None, "totalRows": 35},
            {"currentPage": 5, "nextPage": None, "totalRows": 35},
        ]
        unsorted = (await post(http, site, page=1))["DATA"]["PROJECT"]["LIST"]
        assert [int(row["proj_idx"]) for row in unsorted] != site.listed_ids()[:10]
        assert (await listing(http, site, sS="없는말"))["PAGINATION"]["totalRows"] == 0
        kinds = [(await listing(http, site, workType=kind))["PAGINATION"]["totalRows"] for kind in ("1", "2", "3")]
        assert sum(kinds) == 35
        assert 0 < (await listing(http, site, **{"loc[]": "02"}))["PAGINATION"]["totalRows"] < 35
        assert site.requests[-1].body == "page=1&sm=3&loc%5B%5D=02"


async def test_the_detail_needs_a_login(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    await visit(http, site)
    number = site.odd["ends_today"]
    refused = await post(http, site, DETAIL, pno=number, anyView=1)
    assert refused["ERROR"] == {"NO": -1, "MSG": "로그인이 필요한 서비스입니다."}
    assert refused["DATA"] == {}
    site.change("set", login_for_detail=False)
    found = (await post(http, site, DETAIL, pno=number, anyView=1))["DATA"]
    stored = next(project for project in site.detailed_projects if project["external_id"] == str(number))
    assert found["VIEW"]["dday"] == "0"
    assert found["VIEW"]["pvNmu"] == stored["location"]
    assert found["VIEW"]["costView"] == stored["budget"]["text"]
    assert found["META"]["pno"] == str(number)
    assert (await post(http, site, DETAIL, pno=site.odd["gone"]))["ERROR"]["NO"] == -2
    assert (await post(http, site, DETAIL, pno="x"))["ERROR"]["NO"] == -2


# --- layouts, faults, movement ------------------------------------------------------------------------------------


async def test_layouts_and_faults(http: aiohttp.ClientSession, site: FreemoaStandIn) -> None:
    await visit(http, site)

    async def altered(kind: str) -> JSON:
        site.fail(kind, times=1)
        found = await post(http, site)
        if kind in site.layouts:
            # A layout does for ever what the fault of its name does once.
            site.change("layout", name=kind)
            assert await post(http, site) == found
            site.change("layout", name="2026")
        return found

    assert "DATA" not in await altered("marker_missing")
    assert "LIST" not in (await altered("list_missing"))["DATA"]["PROJECT"]
    empty = (await altered("list_empty"))["DATA"]["PROJECT"]
    assert (empty["LIST"], empty["PAGINATION"]["totalRows"]) == ([], 120)
    renamed = (await altered("renamed"))["DATA"]["PROJECT"]["LIST"]
    assert len(renamed) == 10
    assert "proj_idx" not in renamed[0]
    assert (await altered("list_null"))["DATA"]["PROJECT"]["LIST"] is None
    assert list((await altered("list_object"))["DATA"]["PROJECT"]["LIST"]) == [str(place) for place in range(10)]
    totals = {
        kind: (await altered(f"total_{kind}"))["DATA"]["PROJECT"]["PAGINATION"].get("totalRows", "absent")
        for kind in ("missing", "null", "string", "too_large", "too_small")
    }
    assert totals == {"missing": "absent", "null": None, "string": "120", "too_large": 460, "too_small": 40}
    assert (await altered("login_required"))["ERROR"]["NO"] == -1
    site.fail("block", times=1)
    assert (await raw(http, site)).startswith("<")
    site.fail("error_envelope", times=1)
    assert (await post(http, site))["ERROR"]["NO"] == -99
    site.fail("status", status=502, from_offset=20, path=LISTING)
    statuses = []
    for page in (1, 2, 3):
        async with http.post(site.base_url + LISTING, data={"page": page}, headers=ajax(site)) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 502]


async def test_projects_move(http: aiohttp.ClientSession) -> None:
    async with FreemoaStandIn(40, now=NOW, arrivals_per_request=3, odd_rows=False) as site:
        await visit(http, site)
        first, second = [await listing(http, site, page) for page in (1, 2)]
        assert [row["proj_idx"] for row in first["LIST"]][-3:] == [row["proj_idx"] for row in second["LIST"]][:3]
        assert (first["PAGINATION"]["totalRows"], second["PAGINATION"]["totalRows"]) == (43, 46)
        site.change("set", arrivals_per_request=0)
        [added] = site.change("add", n=1, odd="closed")
        assert site.change("apply", project_id=added, count=2) == site.projects[0]["bid_count"]
        row = (await listing(http, site))["LIST"][0]
        assert (int(row["proj_idx"]), row["isNowApply"]) == (added, "0")
        site.change("remove", project_id=added)
        assert added not in site.listed_ids()
        assert all(project["posted_at"].tzinfo is UTC for project in site.projects)


async def test_the_same_seed_makes_the_same_bytes(http: aiohttp.ClientSession) -> None:
    async def body(**options: Any) -> str:
        async with FreemoaStandIn(30, **{"now": NOW, "frozen": True, **options}) as site:
            await visit(http, site)
            return await raw(http, site)

    assert await body() == await body()
    assert len({await body(), await body(seed=2)}) == 2


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tls", "trusted", "works"),
    [
        ("incomplete", "root", False),
        ("incomplete", "root and intermediate", True),
        ("complete", "root", True),
        ("complete", "", False),
    ],
)
async def test_the_intermediate_certificate_is_missing(tls: str, trusted: str, works: bool) -> None:
    async with FreemoaStandIn(10, now=NOW, tls=tls) as site:
        assert site.base_url.startswith("https://127.0.0.1:")
        assert site.chain is not None
        context = ssl.create_default_context()
        for name in ("root", "intermediate"):
            if name in trusted:
                context.load_verify_locations(cadata=getattr(site.chain, name))
        jar = aiohttp.CookieJar(unsafe=True)
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(headers={"User-Agent": "test"}, cookie_jar=jar, connector=connector) as http:
            if works:
                await visit(http, site)
                assert len((await listing(http, site))["LIST"]) == 10
            else:
                with pytest.raises(aiohttp.ClientConnectorCertificateError, match="unable to get local issuer"):
                    await visit(http, site)
        assert sorted(site.state()["certificates"]) == ["intermediate", "root"]


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="incomplete or complete"):
        FreemoaStandIn(5, tls="none")
    with pytest.raises(ValueError, match="no such layout"):
        FreemoaStandIn(5, layout="1999")


# --- fixtures, process --------------------------------------------------------------------------------------------


async def test_fixtures_are_what_the_site_answers() -> None:
    made = (await saved()).files
    assert {path.name for path in FOLDER.iterdir()} == set(made) | {"README.md"}
    for name, body in made.items():
        assert (FOLDER / name).read_bytes() == body, name


async def test_process(http: aiohttp.ClientSession) -> None:
    with standin_process(projects=30, seed=1, now=NOW, odd_rows=False) as site:
        async with http.get(f"{site.base_url}/m4/s41"):
            pass
        async with http.post(site.base_url + LISTING, data={"page": 1}, headers=ajax(site)) as answer:
            assert json.loads(await answer.read())["DATA"]["PROJECT"]["PAGINATION"]["totalRows"] == 30
        assert len(site.change("add", n=2)) == 2
        state = site.state()
        assert state["total"] == 32
        assert state["projects"][0]["external_id"] == str(state["ids"][0])
        assert [seen["body"] for seen in site.requests()] == ["", "page=1"]
    assert site.process.returncode == 0
