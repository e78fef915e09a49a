"""Check that the stand-ins speak like the platforms they stand for; so far Freelancer.com."""

from __future__ import annotations

import asyncio
import email.utils
import json
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from platforms_standins import _server
from platforms_standins._freelancer_odd import ODD
from platforms_standins.freelancer import KNOWN_TOKEN, FreelancerStandIn, standin_process

NOW = 1_790_000_000
API = "/api/projects/0.1"
ACTIVE = API + "/projects/active/"
ALL = {"full_description": "", "job_details": "", "upgrade_details": "", "location_details": ""}
CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures" / "freelancer"

JSON = dict[str, Any]


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[FreelancerStandIn]:
    async with FreelancerStandIn(now=NOW) as site:
        yield site


async def get(http: aiohttp.ClientSession, site: FreelancerStandIn, path: str = ACTIVE, **query: Any) -> JSON:
    async with http.get(site.base_url + path, params=query) as answer:
        found: JSON = json.loads(await answer.read())
        return found


async def rows(http: aiohttp.ClientSession, site: FreelancerStandIn, **query: Any) -> list[JSON]:
    query = {"limit": 100, **ALL, **query}
    found: list[JSON] = []
    for offset in range(0, 10_000, query["limit"]):
        result = (await get(http, site, **query, offset=offset))["result"]
        found += result["projects"]
        if offset + query["limit"] >= result["total_count"]:
            break
    return found


def ids(projects: list[JSON]) -> list[int]:
    return [int(project["id"]) for project in projects]


def shape(value: Any) -> Any:
    """Return the keys and types of a value; numbers, texts and nulls keep their type only."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


# --- shape --------------------------------------------------------------------------------------------------------


async def test_ordinary_rows_have_the_real_keys_and_types(http: aiohttp.ClientSession) -> None:
    capture = CAPTURES / "active_2022-03.json"
    if not capture.exists():
        pytest.skip("the captured answers are not beside this checkout")
    real = json.loads(capture.read_bytes())
    async with FreelancerStandIn(60, now=NOW, odd_rows=False, reveal_owners=True) as site:
        made = await get(http, site, limit=50, job_details="", upgrade_details="", location_details="")
    assert shape(made) | {"result": None} == shape(real) | {"result": None}
    assert list(made["result"]) == list(real["result"])
    assert set(made["request_id"]) <= set("0123456789abcdef")
    assert len(made["request_id"]) == len(real["request_id"])

    def shapes(projects: list[JSON], key: str) -> set[str]:
        return {json.dumps(shape(project[key])) for project in projects}

    theirs, ours = real["result"]["projects"], made["result"]["projects"]
    assert all(list(project) == list(theirs[0]) for project in ours)
    for key in theirs[0]:
        assert shapes(theirs, key) <= shapes(ours, key), key
        assert shapes(ours, key) <= shapes(theirs, key), key
    for project in theirs[:1] + ours:
        assert {json.dumps(shape(job)) for job in project["jobs"]} == {json.dumps(shape(theirs[0]["jobs"][0]))}
    assert {json.dumps(p["upgrades"]) for p in theirs} & {json.dumps(p["upgrades"]) for p in ours}
    assert theirs[0]["location"] == ours[0]["location"]


async def test_anonymous_callers_see_no_owner(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    result = (await get(http, site, user_details="true"))["result"]
    assert {project["owner_id"] for project in result["projects"]} == {None}
    assert result["users"] == {}
    assert result["selected_bids"] is None


async def test_projections_count_by_presence(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    plain = (await get(http, site))["result"]["projects"][0]
    assert [plain[key] for key in ("description", "jobs", "upgrades", "location")] == [None] * 4
    full = (await get(http, site, full_description="false", job_details="0"))["result"]["projects"][0]
    assert full["description"].startswith(full["preview_description"])
    assert len(full["preview_description"]) <= 100
    assert full["jobs"]
    assert full["upgrades"] is None


async def test_compact_drops_nulls_at_every_level(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    compact = await rows(http, site, compact="true")
    assert "null" not in json.dumps(compact)
    quiet = next(project for project in compact if (project.get("bid_stats") or {}).get("bid_count") == 0)
    assert quiet["bid_stats"] == {"bid_count": 0}
    assert compact[0]["location"] == {"country": {}}


async def test_rows_are_distributed_like_the_real_ones(http: aiohttp.ClientSession) -> None:
    async with FreelancerStandIn(1000, now=NOW, odd_rows=False, short_pages=False) as site:
        found = await rows(http, site)
    assert 650 < statistics.median(len(project["description"]) for project in found) < 950
    assert {len(project["jobs"]) for project in found} == set(range(1, 9))
    assert 0.35 < sum(project["type"] == "hourly" for project in found) / 1000 < 0.45
    assert 0.5 < sum(project["currency"]["code"] == "USD" for project in found) / 1000 < 0.6
    words = {word for project in found for word in project["description"].lower().split() if word.isalpha()}
    assert len(words) > 2000
    times = [project["time_submitted"] for project in found]
    assert times == sorted(times, reverse=True)
    assert ids(found) == sorted(ids(found), reverse=True)
    assert len({project["seo_url"] for project in found}) == 1000
    assert times[0] <= NOW


async def test_every_odd_case_is_met_on_a_plain_walk(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    assert set(site.odd) == set(ODD) | {"contest"}
    met = {int(project["id"]): project for project in await rows(http, site)}
    assert {site.odd[name] for name in ODD} <= met.keys()
    odd = {name: met[site.odd[name]] for name in ODD}
    assert {odd[f"currency_{code}"]["currency"]["sign"] for code in ("usd", "aud", "cad", "sgd", "nzd", "hkd")} == {"$"}
    assert [odd[f"currency_{code}"]["currency"]["country"] for code in ("eur", "gbp")] == ["EU", "UK"]
    assert "exchange_rate" not in odd["exchange_rate_missing"]["currency"]
    assert odd["budget_maximum_null"]["budget"]["maximum"] is None
    assert "maximum" not in odd["budget_maximum_missing"]["budget"]
    assert odd["budget_reversed"]["budget"]["minimum"] > odd["budget_reversed"]["budget"]["maximum"]
    assert "budget" not in odd["budget_missing"]
    assert odd["bid_stats_null"]["bid_stats"] is None
    assert "bid_avg" not in odd["bid_avg_missing"]["bid_stats"]
    above = odd["bid_avg_above_maximum"]
    assert above["bid_stats"]["bid_avg"] > above["budget"]["maximum"]
    assert len(repr(above["bid_stats"]["bid_avg"])) > 12
    assert odd["hourly_info_null"]["hourly_project_info"] is None
    assert (odd["deleted"]["deleted"], odd["nonpublic"]["nonpublic"]) == (True, True)
    assert odd["frozen_awarded"]["sub_status"] == "frozen_awarded"
    assert "time_submitted" not in odd["time_submitted_missing"]
    assert odd["local"]["location"]["country"]["code"] == "de"
    assert len(odd["title_133_characters"]["title"]) == 133
    assert odd["title_trailing_spaces"]["title"].endswith("   ")
    assert odd["description_null"]["description"] is None
    assert odd["description_null"]["preview_description"]
    assert len(odd["description_long"]["description"]) == 5000
    assert "\ud83d" in odd["description_surrogate"]["description"]
    assert "\x00" in odd["title_nul"]["title"]
    assert isinstance(odd["id_string"]["id"], str)
    assert "seo_url" not in odd["seo_url_missing"]
    assert odd["pool_ids_numbers"]["pool_ids"] == [1]
    assert "brand_new_key" in odd["unknown_keys"]
    listed = await rows(http, site)
    assert listed[1]["time_submitted"] < min(listed[0]["time_submitted"], listed[2]["time_submitted"]) - 40_000
    assert listed[1]["id"] == site.odd["resurfaced"]


async def test_contests_come_only_when_asked_for(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    assert site.odd["contest"] not in ids(await rows(http, site))
    found = await rows(http, site, include_contests="true")
    assert next(row for row in found if row["id"] == site.odd["contest"])["type"] == "contest"


# --- paging, filters ----------------------------------------------------------------------------------------------


async def test_limit_is_cut_to_a_hundred(http: aiohttp.ClientSession) -> None:
    async with FreelancerStandIn(150, now=NOW, short_pages=False) as site:
        assert len((await get(http, site, limit=250))["result"]["projects"]) == 100
        assert len((await get(http, site))["result"]["projects"]) == 10
        assert (await get(http, site, offset=500))["result"] == {
            "projects": [],
            "users": {},
            "selected_bids": None,
            "total_count": 150,
        }
        assert ids(await rows(http, site)) == site.listed_ids() == site.visible_ids()


async def test_short_pages_leave_out_rows_that_count(http: aiohttp.ClientSession) -> None:
    async with FreelancerStandIn(2000, now=NOW) as site:
        pages = [(await get(http, site, limit=100, offset=offset))["result"] for offset in range(0, 2000, 100)]
        assert {len(page["projects"]) for page in pages} == {98, 99, 100}
        assert {page["total_count"] for page in pages} == {2000}
        met = [number for page in pages for number in ids(page["projects"])]
        assert met == site.visible_ids()
        assert len(met) < 2000
        # What one way of cutting pages leaves out, another shows.
        other = ids((await get(http, site, limit=40, offset=0))["result"]["projects"])
        assert other == site.listed_ids()[:40]


async def test_filters(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    everything = len(site.listed_ids())
    hourly = await rows(http, site, **{"project_types[]": "hourly"})
    assert {project["type"] for project in hourly} == {"hourly"}
    skill = next(row for row in await rows(http, site) if row["jobs"])["jobs"][0]
    found = await rows(http, site, **{"jobs[]": skill["id"]})
    assert all(skill["id"] in [job["id"] for job in project["jobs"]] for project in found)
    both = await rows(http, site, query="python catalogue")
    either = await rows(http, site, query="python catalogue", or_search_query="true")
    assert len(both) < len(either) < everything
    since = NOW - 3600
    assert all(row["time_updated"] >= since for row in await rows(http, site, from_time=since))
    german = await rows(http, site, **{"countries[]": "DE"})
    assert ids(german) == [site.odd["local"]]
    cheap = await rows(http, site, max_price=20, **{"project_types[]": "fixed"})
    assert 0 < len(cheap) < everything
    counts = [
        (row.get("bid_stats") or {}).get("bid_count") or 0 for row in await rows(http, site, sort_field="bid_count")
    ]
    assert counts == sorted(counts, reverse=True)
    oldest = await get(http, site, sort_field="time_submitted", reverse_sort="true")
    assert ids(oldest["result"]["projects"]) == site.listed_ids()[::-1][:10]
    assert (await get(http, site, sort_field="colour"))["error_code"] == "RestExceptionCodes.BAD_FORM"
    assert (await get(http, site, limit="many"))["status"] == "error"


async def test_other_addresses(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    first, second = site.listed_ids()[5:7]
    assert (await get(http, site, f"{API}/projects/{first}/"))["result"]["id"] == first
    pair = await get(http, site, f"{API}/projects/?projects[]={second}&projects[]={first}&projects[]=1")
    assert ids(pair["result"]["projects"]) == [first, second]
    assert (await get(http, site, f"{API}/projects/1/"))["error_code"] == "RestExceptionCodes.NOT_FOUND"
    assert (await get(http, site, f"{API}/projects"))["error_code"] == "RestExceptionCodes.BAD_FORM"
    skills = (await get(http, site, f"{API}/jobs/"))["result"]
    assert 130 < len(skills) < 250
    assert len({skill["id"] for skill in skills}) == len({skill["seo_url"] for skill in skills}) == len(skills)
    named = (await get(http, site, f"{API}/jobs/search/", **{"job_names[]": "scrapy"}))["result"]
    assert [(skill["name"], sorted(skill)) for skill in named] == [("Scrapy", ["id", "local", "name"])]
    currencies = (await get(http, site, f"{API}/currencies/"))["result"]["currencies"]
    assert {currency["id"]: currency["code"] for currency in currencies}[11] == "INR"
    assert (await get(http, site, f"{API}/categories"))["result"]["categories"]
    seo_url = site.row(first).fields["seo_url"]
    async with http.get(f"{site.base_url}/projects/{seo_url}") as answer:
        page = await answer.text()
    script = page.partition('<script id="webapp-state" type="application/json">')[2].partition("</script>")[0]
    document = json.loads(script)["store"]["projectsSeo"]["0"]["documents"][seo_url]["rawDocument"]
    assert document["projectId"] == first
    async with http.get(site.base_url + "/robots.txt") as answer:
        assert (await answer.text()).startswith("User-agent: *")


async def test_tokens(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    async def status(path: str, token: str | None) -> int:
        headers = {"freelancer-oauth-v1": token} if token else {}
        async with http.get(site.base_url + path, headers=headers) as answer:
            body = await answer.json()
            if answer.status == 401:
                assert body["error_code"] == "RestExceptionCodes.NOT_AUTHENTICATED"
                assert body["message"] == "You must be logged in to perform this request"
            return answer.status

    me = "/api/users/0.1/self/"
    assert [await status(ACTIVE, token) for token in (None, KNOWN_TOKEN, "wrong")] == [200, 200, 401]
    assert [await status(me, token) for token in (None, KNOWN_TOKEN, "wrong")] == [401, 200, 401]
    assert site.requests[1].headers["freelancer-oauth-v1"] == KNOWN_TOKEN


# --- movement -----------------------------------------------------------------------------------------------------


async def test_arrivals_shift_rows_between_pages(http: aiohttp.ClientSession) -> None:
    async with FreelancerStandIn(300, now=NOW, short_pages=False, arrivals_per_request=3) as site:
        first = (await get(http, site, limit=100))["result"]
        second = (await get(http, site, limit=100, offset=100))["result"]
        assert (first["total_count"], second["total_count"]) == (303, 306)
        assert ids(second["projects"])[:3] == ids(first["projects"])[-3:]


async def test_projects_move(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    added = site.add(2)
    top = (await get(http, site, full_description=""))["result"]
    assert ids(top["projects"])[:2] == added
    assert top["total_count"] == 252
    stats = site.bid(added[0], 5)
    assert stats["bid_count"] == top["projects"][0]["bid_stats"]["bid_count"] + 5
    site.edit(added[0], description="Another text.")
    edited = (await get(http, site, full_description=""))["result"]["projects"][0]
    assert (edited["description"], edited["preview_description"]) == ("Another text.", "Another text.")
    assert edited["bid_stats"] == stats
    site.close(added[0])
    result = (await get(http, site))["result"]
    assert result["total_count"] == 251
    assert added[0] not in ids(result["projects"])
    assert (await get(http, site, f"{API}/projects/{added[0]}"))["result"]["status"] == "closed"
    old = site.listed_ids()[200]
    site.resurface(old)
    assert ids((await get(http, site))["result"]["projects"])[0] == old
    [surrogate] = site.add(1, odd="description_surrogate")
    assert site.odd_all["description_surrogate"][-1] == surrogate


async def test_the_same_seed_makes_the_same_bytes(http: aiohttp.ClientSession) -> None:
    async def body(**options: Any) -> bytes:
        async with FreelancerStandIn(120, **{"now": NOW, **options}) as site:
            answer = await http.get(f"{site.base_url}{ACTIVE}?limit=100&full_description&job_details")
            return await answer.read()

    assert await body() == await body()
    assert len({await body(), await body(seed=2), await body(now=NOW + 60)}) == 3


async def test_prerendered_pages_are_the_same_pages(http: aiohttp.ClientSession) -> None:
    async def pages(prerender: bool) -> list[Any]:
        async with FreelancerStandIn(250, now=NOW, prerender=prerender) as site:
            return [
                (await get(http, site, limit=100, offset=offset, **ALL, sort_field="time_submitted"))["result"]
                for offset in (0, 100, 200)
            ]

    assert await pages(True) == await pages(False)


# --- the wire -----------------------------------------------------------------------------------------------------


async def test_headers(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    async with http.get(site.base_url + ACTIVE, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.content_type == "application/json"
        assert answer.headers["RateLimit-Limit"] == "1000000, 1000000;window=60"
        assert int(answer.headers["RateLimit-Remaining"]) > 0
        date = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert NOW <= date < NOW + 60
    async with http.get(site.base_url + ACTIVE, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


async def test_no_user_agent_no_answer(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    with pytest.raises(aiohttp.ClientError):
        await http.get(site.base_url + ACTIVE, skip_auto_headers=["User-Agent"], headers={"User-Agent": ""})
    assert site.requests[0].status == 0


async def test_rate_limit(http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: passed, time=time.time)
    monkeypatch.setattr(_server, "time", clock)
    passed, windows = 1000.0, [(3, 60.0), (1000, 3600.0)]
    async with FreelancerStandIn(20, now=NOW, enforce_rate_limit=True, rate_windows=windows) as site:
        remaining = []
        for _ in range(3):
            async with http.get(site.base_url + ACTIVE) as answer:
                remaining.append((answer.status, answer.headers["RateLimit-Remaining"]))
        assert remaining == [(200, "2"), (200, "1"), (200, "0")]
        async with http.get(site.base_url + ACTIVE) as answer:
            assert answer.status == 429
            assert answer.headers["RateLimit-Remaining"] == "0"
            assert "Retry-After" not in answer.headers
            assert (await answer.json())["error_code"] == "AuthorisationExceptionCodes.RATE_LIMITED"
        passed += 59
        assert (await get(http, site))["status"] == "error"
        passed += 1
        assert (await get(http, site))["status"] == "success"


async def test_request_log(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    await get(http, site, f"{ACTIVE}?jobs[]=1&jobs[]=2&limit=5")
    seen = site.requests[0]
    assert (seen.method, seen.path, seen.status) == ("GET", ACTIVE, 200)
    assert seen.query == {"jobs[]": ["1", "2"], "limit": "5"}
    assert seen.headers["user-agent"] == "test"
    assert seen.at <= time.monotonic()


# --- faults -------------------------------------------------------------------------------------------------------


async def test_status_faults(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    site.fail(status=500, times=2)
    site.fail(status=429, retry_after=7, times=1)
    site.fail(status=503, retry_after=60, retry_after_date=True, times=1, path="/active")
    site.fail(status=401, new_errors=True, times=1)
    statuses, waits = [], []
    for _ in range(6):
        async with http.get(site.base_url + ACTIVE) as answer:
            statuses.append(answer.status)
            waits.append(answer.headers.get("Retry-After"))
            if answer.status == 401:
                assert (await answer.json())["error"]["http_code"] == 401
    assert statuses == [500, 500, 429, 503, 401, 200]
    assert waits[2] == "7"
    assert email.utils.parsedate_to_datetime(waits[3]).timestamp() >= NOW + 60


async def test_which_requests_a_fault_hits(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    async def hit(**query: Any) -> bool:
        return (await get(http, site, **query))["status"] == "error"

    site.fail("error_envelope", every=3)
    assert [await hit() for _ in range(6)] == [False, False, True, False, False, True]
    site.heal()
    site.fail("error_envelope", from_offset=100)
    assert [await hit(offset=offset) for offset in (0, 100, 200, 0)] == [False, True, True, False]
    site.heal()
    site.fail("error_envelope", after=1, times=1)
    assert [await hit() for _ in range(3)] == [False, True, False]
    with pytest.raises(ValueError, match="no such fault"):
        site.fail("earthquake")


async def test_broken_answers(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    url = site.base_url + ACTIVE
    for kind in ("truncated", "reset"):
        site.fail(kind, times=2)  # aiohttp tries once more when a kept connection was cut
        with pytest.raises(aiohttp.ClientError):
            await (await http.get(url)).read()
        site.heal()
    site.fail("challenge", times=1)
    async with http.get(url) as answer:
        assert (answer.status, answer.content_type) == (403, "text/html")
    site.fail("empty_body", times=1)
    async with http.get(url) as answer:
        assert await answer.read() == b""
    site.fail("invalid_json", times=1)
    async with http.get(url) as answer:
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(await answer.read())
    site.fail("slow", delay=0.2, times=1)
    start = time.monotonic()
    assert (await get(http, site))["status"] == "success"
    assert time.monotonic() - start >= 0.2


async def test_a_held_answer_comes_when_the_site_is_healed(
    http: aiohttp.ClientSession, site: FreelancerStandIn
) -> None:
    site.fail("held", after=1)
    assert (await get(http, site))["status"] == "success"
    asked = asyncio.create_task(get(http, site))
    async with asyncio.timeout(60):
        while len(site.requests) < 2:  # noqa: ASYNC110 - nothing else tells it
            await asyncio.sleep(0.01)
        assert not asked.done()
        site.heal()
        assert (await asked)["status"] == "success"
    assert (await get(http, site))["status"] == "success"


async def test_answers_of_another_shape(http: aiohttp.ClientSession, site: FreelancerStandIn) -> None:
    async def result(kind: str) -> Any:
        site.fail(kind, times=1)
        return (await get(http, site))["result"]

    assert await result("result_null") is None
    assert "projects" not in await result("projects_missing")
    assert (await result("projects_null"))["projects"] is None
    assert "total_count" not in await result("total_missing")
    assert (await result("total_string"))["total_count"] == "250"
    assert (await result("total_null"))["total_count"] is None
    assert (await result("total_too_large"))["total_count"] > 250
    assert (await result("total_too_small"))["total_count"] < 250
    empty = await result("empty_page")
    assert (empty["projects"], empty["total_count"]) == ([], 250)
    assert (await get(http, site))["result"]["total_count"] == 250


# --- in a process of its own --------------------------------------------------------------------------------------


async def test_process(http: aiohttp.ClientSession) -> None:
    with standin_process(projects=30, seed=1, now=NOW, odd_rows=False) as site:
        async with http.get(site.base_url + ACTIVE) as answer:
            assert (await answer.json())["result"]["total_count"] == 30
        site.fail(status=500, times=1)
        async with http.get(site.base_url + ACTIVE) as answer:
            assert answer.status == 500
        site.heal()
        assert len(site.change("add", n=2)) == 2
        assert site.state()["total"] == 32
        assert [seen["status"] for seen in site.requests(clear=True)] == [200, 500]
        assert site.requests() == []
    assert site.process.returncode == 0
