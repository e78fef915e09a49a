"""Check that the stand-in of Upwork's API speaks like the platform, and that what it tells of itself is on the wire."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from platforms_standins._upwork_fixtures import FOLDER, SEARCH, saved, variables
from platforms_standins._upwork_graphql import NOT_PERMITTED
from platforms_standins._upwork_odd import ODD
from platforms_standins._upwork_reader import comparable, read_node
from platforms_standins.upwork import UpworkStandIn, standin_process

NOW = 1_790_000_000
CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures" / "upwork"
TOKEN = "/api/v3/oauth2/token"

JSON = dict[str, Any]
Http = aiohttp.ClientSession


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[Http]:
    async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[UpworkStandIn]:
    async with UpworkStandIn(now=NOW, frozen=True) as site:
        yield site


async def ask(
    http: Http, site: UpworkStandIn, sent: JSON, token: str | None = None, **headers: str
) -> tuple[int, JSON]:
    headers |= {"Authorization": f"Bearer {token or site.grant()}"}
    async with http.post(site.base_url + "/graphql", json=sent, headers=headers) as answer:
        return answer.status, await answer.json()


async def search(http: Http, site: UpworkStandIn, first: int = 10, after: str | None = None, **wanted: Any) -> JSON:
    """Return the whole body of an answer to the full query."""
    status, body = await ask(http, site, {"query": SEARCH, "variables": variables(first, after, **wanted)})
    assert status == 200
    return body


async def found(http: Http, site: UpworkStandIn, *args: Any, **wanted: Any) -> JSON:
    connection: JSON = (await search(http, site, *args, **wanted))["data"]["marketplaceJobPostingsSearch"]
    return connection


# --- truth and wire -----------------------------------------------------------------------------------------------


async def test_what_the_site_tells_is_what_the_api_says(http: Http, site: UpworkStandIn) -> None:
    met: list[JSON] = []
    after: str | None = None
    while True:
        connection = await found(http, site, 50, after)
        assert connection["totalCount"] == len(site.projects) == 120
        met += [edge["node"] for edge in connection["edges"]]
        if not connection["pageInfo"]["hasNextPage"]:
            break
        after = connection["pageInfo"]["endCursor"]
    assert after == "100"
    for node, stored in zip(met, site.projects, strict=True):
        assert read_node(node) == comparable(stored, read_node(node))
    assert set(site.odd) == set(ODD)
    assert len(set(site.odd.values())) == len(ODD)
    currencies = {stored["budget"]["currency"] for stored in site.projects}
    assert currencies == {"USD", None}


async def test_fields_are_those_of_the_captured_answers() -> None:
    names = ("graphql_1_marketplaceJobPostingsSearch.json", "graphql_4_errors.json")
    if not all((CAPTURES / name).exists() for name in names):
        pytest.skip("the captured answers are not beside this checkout")
    captured, refused = (json.loads((CAPTURES / name).read_text()) for name in names)
    made = json.loads((FOLDER / "api.json").read_text())["data"]["marketplaceJobPostingsSearch"]
    captured = captured["data"]["marketplaceJobPostingsSearch"]
    assert set(captured) == set(made)
    real, own = captured["edges"][0]["node"], made["edges"][0]["node"]
    assert set(own["job"]) <= set(real["job"])
    assert set(own["job"]["contractTerms"]) <= set(real["job"]["contractTerms"])
    assert refused == json.loads((FOLDER / "api_error.json").read_text())


# --- the API: selection, filters, errors --------------------------------------------------------------------------


async def test_only_what_is_selected_is_answered(http: Http, site: UpworkStandIn) -> None:
    query = """query($f: MarketplaceJobPostingsSearchFilter) {
        few: marketplaceJobPostingsSearch(marketPlaceJobFilter: $f) { edges { node { ...short number: id } } } }
        fragment short on MarketplaceJobPostingSearchResult { title }"""
    _, body = await ask(http, site, {"query": query, "variables": {"f": {"pagination_eq": {"first": 2}}}})
    nodes = [edge["node"] for edge in body["data"]["few"]["edges"]]
    assert [set(node) for node in nodes] == [{"title", "number"}] * 2
    for wrong in ("{ marketplaceJobPostingsSearch { edges { node { budgett } } } }", "{ nothing", SEARCH):
        status, body = await ask(http, site, {"query": wrong, "variables": {"filter": {"q": "x"}}})
        assert (status, body["data"]) == (200, None)
        assert body["errors"][0]["message"]
        assert "classification" in body["errors"][0]["extensions"]


async def test_filters_order_and_paging(http: Http, site: UpworkStandIn) -> None:
    async def count(**wanted: Any) -> int:
        return int((await found(http, site, **wanted))["totalCount"])

    assert await count(searchExpression_eq="nosuchword") == 0
    assert await count(jobType_eq="HOURLY") + await count(jobType_eq="FIXED") == 120
    assert 0 < await count(searchExpression_eq='python OR "figma"') < 120
    for name, value in {
        "experienceLevel_eq": "EXPERT",
        "verifiedPaymentOnly_eq": True,
        "categoryIds_any": ["531770282580668418"],
        "daysPosted_eq": 3,
        "sinceId_eq": str(site.listed_ids()[60]),
        "maxId_eq": str(site.listed_ids()[60]),
        "locations_any": ["Germany"],
        "proposalRange_eq": {"rangeStart": 5},
        "clientFeedBackRange_eq": {"rangeStart": 4.5},
        "budgetRange_eq": {"rangeStart": 100, "rangeEnd": 500},
        "duration_any": ["WEEK", "MONTH"],
    }.items():
        assert 0 < await count(**{name: value}) < 120, name
    assert await count(sinceId_eq=str(site.listed_ids()[60])) == 60
    assert len((await found(http, site, 200))["edges"]) == 50
    beyond = await found(http, site, 10, "120")
    assert (beyond["edges"], beyond["pageInfo"]) == ([], {"hasNextPage": False, "endCursor": None})
    query = "{ marketplaceJobPostingsSearch { edges { node { id } } } }"
    _, body = await ask(http, site, {"query": query})
    ids = [int(edge["node"]["id"]) for edge in body["data"]["marketplaceJobPostingsSearch"]["edges"]]
    assert ids != site.listed_ids()[:10]
    assert len(ids) == 10
    for odd in ({"after": "x", "first": 10}, {"first": 0}):
        assert (await search(http, site, pagination_eq=odd))["errors"]


async def test_the_other_queries(http: Http, site: UpworkStandIn) -> None:
    number = str(site.listed_ids()[3])
    query = "query($id: ID!) { marketplaceJobPosting(id: $id) { id content { title } workFlowState { status } } }"
    _, body = await ask(http, site, {"query": query, "variables": {"id": number}})
    assert body["data"]["marketplaceJobPosting"]["workFlowState"] == {"status": "OPEN"}
    _, body = await ask(http, site, {"query": query, "variables": {"id": "1"}})
    assert body["data"] == {"marketplaceJobPosting": None}
    assert body["errors"][0]["path"] == ["marketplaceJobPosting"]
    _, body = await ask(http, site, {"query": f'{{ marketplaceJobPostingsContents(ids: ["{number}", "1"]) {{ id }} }}'})
    assert body["data"] == {"marketplaceJobPostingsContents": [{"id": number}]}


async def test_organisations(http: Http, site: UpworkStandIn) -> None:
    site.change("set", tenant_required=True)
    sent = {"query": SEARCH, "variables": variables()}
    assert "errors" in (await ask(http, site, sent))[1]
    _, body = await ask(http, site, {"query": "{ companySelector { items { organizationId } } }"})
    (item,) = body["data"]["companySelector"]["items"]
    tenant = {"X-Upwork-API-TenantId": item["organizationId"]}
    assert "errors" not in (await ask(http, site, sent, **tenant))[1]
    assert "errors" in (await ask(http, site, sent, **{"X-Upwork-API-TenantId": "1"}))[1]


async def test_errors_that_come_with_success(http: Http, site: UpworkStandIn) -> None:
    async def failing(kind: str, **wanted: Any) -> JSON:
        site.fail(kind, times=1)
        return await search(http, site, **wanted)

    assert await failing("permission") == {"errors": [{"message": NOT_PERMITTED}], "data": None}
    name = "marketplaceJobPostingsSearch"
    body = await failing("permission_null")
    assert (body["data"], body["errors"][0]["path"]) == ({name: None}, [name])
    for kind, errors in (("permission_empty", True), ("permission_silent", False)):
        body = await failing(kind)
        assert ("errors" in body) == errors
        assert [body["data"][name][key] for key in ("edges", "totalCount")] == [[], 0]
    body = await failing("permission_client")
    assert body["errors"]
    assert {edge["node"]["client"] for edge in body["data"][name]["edges"]} == {None}
    assert "edges" not in (await failing("edges_missing"))["data"][name]
    assert (await failing("edges_null"))["data"][name]["edges"] is None
    empty = (await failing("edges_empty"))["data"][name]
    assert (empty["edges"], empty["totalCount"]) == ([], 120)
    assert (await failing("nodes_null"))["data"][name]["edges"][0]["node"] is None
    assert (await failing("total_null"))["data"][name]["totalCount"] is None
    assert (await failing("cursor_null"))["data"][name]["pageInfo"] == {"hasNextPage": True, "endCursor": None}
    assert (await failing("cursor_stuck", after="20"))["data"][name]["pageInfo"]["endCursor"] == "20"
    assert (await failing("error_envelope"))["data"] is None
    site.fail("pagination_refused", times=1)
    status, body = await ask(http, site, {"query": SEARCH, "variables": variables()})
    assert (status, body["errors"][0]["message"]) == (500, "Exception occurred")
    site.change("set", scopes=[])
    assert (await search(http, site))["errors"][0]["message"] == NOT_PERMITTED


async def test_rate_limit(http: Http) -> None:
    async with UpworkStandIn(30, now=NOW, enforce_rate_limit=True, rate_windows=((3, 60),)) as site:
        sent, began = {"query": SEARCH, "variables": variables()}, time.monotonic()
        assert [(await ask(http, site, sent))[0] for _ in range(3)] == [200, 200, 200]
        headers = {"Authorization": f"Bearer {site.grant()}"}
        async with http.post(site.base_url + "/graphql", json=sent, headers=headers) as answer:
            assert answer.status == 429
            assert 60 - (time.monotonic() - began) <= int(answer.headers["Retry-After"]) <= 60
        async with http.get(site.base_url + "/nx/search/jobs/") as page:
            assert page.status == 200


# --- tokens -------------------------------------------------------------------------------------------------------


async def refresh(http: Http, site: UpworkStandIn, **form: str) -> tuple[int, JSON]:
    made = {
        "grant_type": "refresh_token",
        "refresh_token": site.tokens.refresh_token,
        "client_id": site.tokens.client_id,
        "client_secret": site.tokens.client_secret,
    }
    async with http.post(site.base_url + TOKEN, data=made | form) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.json()


async def test_refresh_tokens_rotate(http: Http, site: UpworkStandIn) -> None:
    first = site.tokens.refresh_token
    status, told = await refresh(http, site)
    assert status == 200
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 86_400)
    assert told["refresh_token"] != first
    sent = {"query": SEARCH, "variables": variables()}
    assert (await ask(http, site, sent, told["access_token"]))[0] == 200
    status, refused = await refresh(http, site, refresh_token=first)
    assert (status, refused["error"]) == (400, "invalid_grant")
    status, again = await refresh(http, site, refresh_token=told["refresh_token"])
    assert status == 200
    site.change("rotate")
    assert (await refresh(http, site, refresh_token=again["refresh_token"]))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [({"client_secret": "wrong"}, 401, "invalid_client"), ({"refresh_token": "x"}, 400, "invalid_grant"),
     ({"grant_type": "password"}, 400, "unsupported_grant_type"), ({"refresh_token": ""}, 400, "invalid_request")],
)  # fmt: skip
async def test_refused_refreshes(http: Http, site: UpworkStandIn, form: JSON, status: int, error: str) -> None:
    before = site.tokens.refresh_token
    answered, told = await refresh(http, site, **form)
    assert (answered, told["error"]) == (status, error)
    assert site.tokens.refresh_token == before
    auth = aiohttp.encode_basic_auth(site.tokens.client_id, site.tokens.client_secret)
    form = {"grant_type": "refresh_token", "refresh_token": before}
    async with http.post(site.base_url + TOKEN, data=form, headers={"Authorization": auth}) as answer:
        assert answer.status == 200


async def test_access_tokens_expire(http: Http, site: UpworkStandIn) -> None:
    site.change("set", token_seconds=60)
    _, told = await refresh(http, site)
    assert told["expires_in"] == 60
    sent = {"query": SEARCH, "variables": variables()}
    site.change("advance", seconds=59)
    assert (await ask(http, site, sent, told["access_token"]))[0] == 200
    site.change("advance", seconds=1)
    status, body = await ask(http, site, sent, told["access_token"])
    assert (status, body["data"]) == (401, None)
    site.change("set", expired_form="errors")
    status, body = await ask(http, site, sent, told["access_token"])
    assert (status, body["data"], bool(body["errors"])) == (200, None, True)
    assert "errors" in (await ask(http, site, sent, "unknown"))[1]
    good = site.grant()
    assert "errors" not in (await ask(http, site, sent, good))[1]
    site.change("expire")
    assert "errors" in (await ask(http, site, sent, good))[1]


# --- movement, fixtures, process ----------------------------------------------------------------------------------


async def test_jobs_arrive_between_pages(http: Http) -> None:
    async with UpworkStandIn(40, now=NOW, arrivals_per_request=3, odd_rows=False) as site:
        first, second = await found(http, site), await found(http, site, 10, "10")
        ids = [[edge["node"]["id"] for edge in connection["edges"]] for connection in (first, second)]
        assert ids[0][-3:] == ids[1][:3]
        assert (first["totalCount"], second["totalCount"]) == (43, 46)


async def test_faults_from_a_place_on(http: Http, site: UpworkStandIn) -> None:
    site.fail("status", status=503, path="/graphql", from_offset=20)
    sent = [{"query": SEARCH, "variables": variables(10, after)} for after in (None, "10", "20")]
    assert [(await ask(http, site, one))[0] for one in sent] == [200, 200, 503]
    site.heal()
    site.change("set", token_seconds=3600)
    site.frozen = False
    token = site.grant()
    assert (await ask(http, site, sent[0], token))[0] == 200
    site.now += 3601
    assert (await ask(http, site, sent[0], token))[0] == 401


async def test_fixtures_are_what_the_site_answers() -> None:
    made = (await saved()).files
    assert {path.name for path in FOLDER.iterdir()} == set(made) | {"README.md"}
    for name, body in made.items():
        assert (FOLDER / name).read_bytes() == body, name


async def test_process(http: Http) -> None:
    with standin_process(projects=30, now=NOW, odd_rows=False, layout="nuxt2") as site:
        credentials = site.state()["credentials"]
        form = {"grant_type": "refresh_token", **credentials}
        async with http.post(site.base_url + TOKEN, data=form) as answer:
            token = (await answer.json())["access_token"]
        sent = {"query": SEARCH, "variables": variables()}
        headers = {"Authorization": f"Bearer {token}", "X-Upwork-API-TenantId": credentials["tenant_id"]}
        async with http.post(site.base_url + "/graphql", json=sent, headers=headers) as answer:
            assert (await answer.json())["data"]["marketplaceJobPostingsSearch"]["totalCount"] == 30
        assert len(site.change("add", n=2)) == 2
        state = site.state()
        assert (state["total"], state["layout"]) == (32, "nuxt2")
        assert len(state["projects"]) == len(state["tile_projects"]) == len(state["state_projects"]) == 32
        assert [seen["status"] for seen in site.requests()] == [200, 200]
    assert site.process.returncode == 0
