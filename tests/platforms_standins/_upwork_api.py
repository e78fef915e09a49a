"""Answer the API's requests of the Upwork stand-in: who may ask, what is refused, what a fault does to an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from graphql import GraphQLError, GraphQLResolveInfo
from platforms_standins import _upwork_graphql as graphql
from platforms_standins._server import Answer

if TYPE_CHECKING:
    from platforms_standins.upwork import UpworkStandIn

JSON = dict[str, Any]
TENANT = "X-Upwork-API-TenantId"
#: Faults of the API, in the words of `StandIn.fail`.
API_FAULTS = (
    "permission",  # error and `data: null`, HTTP 200
    "permission_null",  # error and `null` for the search
    "permission_empty",  # error beside an empty list with a total of 0
    "permission_silent",  # an empty list with a total of 0, and no error
    "permission_client",  # error beside rows whose `client` is null
    "token_expired",  # the access token is refused, in the form that `expired_form` says
    "pagination_refused",  # 500 "Exception occurred" for a query with `pagination_eq`
    "edges_missing",  # no `edges`, though selected
    "edges_null",
    "edges_empty",  # no rows, though the total is not 0
    "nodes_null",  # rows without their job
    "total_null",
    "cursor_null",  # `hasNextPage` without a cursor
    "cursor_stuck",  # the cursor that leads to the same page again
)


class Api:
    """The token endpoint and the GraphQL endpoint of a site."""

    scopes = (graphql.COMMON, graphql.SCOPE)

    def __init__(self, site: UpworkStandIn) -> None:
        self._site = site
        self.tenant = str(4_000_000_000 + site.seed)

    def error(self, status: int) -> Answer:
        """Return the answer for an HTTP status."""
        texts = {
            200: "Exception occurred",
            401: "Authentication failed",
            429: "Too Many Requests",
            500: "Exception occurred",
        }
        answer = _answer(graphql.refused(texts.get(status, f"HTTP {status}")), status)
        if status == 429 and self._site.enforce_rate_limit:
            answer.headers["Retry-After"] = str(self._site.wait())
        return answer

    def token(self, request: web.BaseRequest) -> Answer:
        """Answer the token endpoint."""
        status, body = self._site.tokens.answer(
            self._site.sent,
            request.headers.get("Content-Type", ""),
            request.headers.get("Authorization", ""),
            self._site.clock(),
        )
        answer = _answer(body, status)
        answer.headers |= {"Cache-Control": "no-store", "Pragma": "no-cache"}
        return answer

    def position(self) -> int:
        """Return how many rows stand before the page that a query asks for in its variables."""
        try:
            after = _find(json.loads(self._site.sent).get("variables"), "after")
            return int(after or 0)
        except (AttributeError, TypeError, ValueError):
            return 0

    def query(self, request: web.BaseRequest) -> Answer:
        """Answer a GraphQL query."""
        site, alteration = self._site, self._site.alteration
        fault = site.tokens.fault_of(request.headers.get("Authorization", ""), site.clock())
        if alteration == "token_expired":
            fault = "the access token is expired"
        if fault is not None:
            return self._unauthorized(fault)
        try:
            sent = json.loads(site.sent)
            query, variables = sent["query"], sent.get("variables") or {}
            if not isinstance(query, str) or not isinstance(variables, dict):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            return _answer(graphql.refused("The body is no GraphQL request"), 400)
        refusal = self._refusal(request, query)
        if refusal is not None:
            return _answer(graphql.refused(refusal))
        if alteration == "pagination_refused" and "pagination_eq" in site.sent.decode("utf-8", "replace"):
            return self.error(500)
        body = graphql.answer(query, variables, sent.get("operationName"), self._root())
        return _answer(_altered(body, alteration))

    def _unauthorized(self, fault: str) -> Answer:
        body = graphql.refused(f"Authentication failed: {fault}")
        if self._site.expired_form == "errors":
            return _answer(body)
        answer = _answer(body, 401)
        answer.headers["WWW-Authenticate"] = f'Bearer error="invalid_token", error_description="{fault}"'
        return answer

    def _refusal(self, request: web.BaseRequest, query: str) -> str | None:
        tenant = request.headers.get(TENANT)
        if tenant is None:
            # Which organisation there is can be asked without it.
            if self._site.tenant_required and "companySelector" not in query:
                return f"The header {TENANT} is missing"
        elif tenant != self.tenant:
            return f"User does not belong to the organization of {TENANT}"
        missing = graphql.SCOPE not in self._site.scopes or self._site.alteration == "permission"
        return graphql.NOT_PERMITTED if missing and "marketplaceJobPosting" in query else None

    def _root(self) -> JSON:
        site = self._site

        def search(_: GraphQLResolveInfo, **asked: Any) -> JSON:
            site.arrive()
            wanted = asked.get("marketPlaceJobFilter") or {}
            rows = graphql.select(site.open_jobs(), wanted, asked.get("sortAttributes") or [], site.clock())
            if site.alteration in ("permission_empty", "permission_silent"):
                rows = []
            found = graphql.page(rows, wanted.get("pagination_eq"))
            paging = found["pageInfo"]
            if site.alteration == "edges_empty":
                found["edges"] = []
            elif site.alteration == "edges_null":
                found["edges"] = None
            elif site.alteration == "nodes_null":
                found["edges"] = [edge | {"node": None} for edge in found["edges"]]
            elif site.alteration == "permission_client":
                for edge in found["edges"]:
                    edge["node"]["client"] = None
            elif site.alteration == "total_null":
                found["totalCount"] = None
            elif site.alteration == "cursor_null":
                paging["endCursor"] = None
            elif site.alteration == "cursor_stuck":
                paging["endCursor"] = (wanted.get("pagination_eq") or {}).get("after") or "0"
            return found

        def one(_: GraphQLResolveInfo, *, id: str) -> JSON:  # noqa: A002 - the argument's name in the schema
            try:
                return graphql.posting(site.row(int(id)))
            except (KeyError, ValueError):
                raise GraphQLError("Job posting is not found") from None

        def contents(_: GraphQLResolveInfo, *, ids: list[str]) -> list[JSON]:
            known = {str(job.id): job for job in site.open_jobs()}
            return [graphql.content(known[number]) for number in ids if number in known]

        return {
            graphql.SEARCH: search,
            "marketplaceJobPosting": one,
            "marketplaceJobPostingsContents": contents,
            "companySelector": graphql.organizations(self.tenant),
        }


def _altered(body: JSON, alteration: str | None) -> JSON:
    data = body.get("data") or {}
    names = [name for name, found in data.items() if isinstance(found, dict) and "edges" in found]
    if alteration == "edges_missing":
        for name in names:
            del data[name]["edges"]
    elif alteration == "permission_null":
        body["data"] = dict.fromkeys(data)
    if alteration in ("permission_null", "permission_empty", "permission_client"):
        deeper = ["edges", 0, "node", "client"] if alteration == "permission_client" else []
        error = {"message": graphql.NOT_PERMITTED, "path": [graphql.SEARCH, *deeper]}
        return {"errors": [error], **body}
    return body


def _answer(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), status)


def _find(value: Any, name: str) -> Any:
    """Return what the first `name` in nested objects holds."""
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    return next((found for part in value.values() if (found := _find(part, name)) is not None), None)
