"""Platforms that answer GraphQL: a listing as a connection of edges and nodes, read by its cursor."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.outcomes import LayoutChanged, LoginRequired, Outcome
from outsourcing_spiders.platforms.json_api import JsonPagesSpider, Row, decode

__all__ = ["GraphqlSpider", "Row"]

logger = logging.getLogger(__name__)


class GraphqlSpider(JsonPagesSpider):
    """Read the connection that `field` is, by `variables`, and of each row what `node` names.

    Errors come with status 200. One inside of a row costs the field that it names; any other ends the crawl, as
    `error_codes` says by words of its message, even where rows beside it look like an answer.
    An empty listing is believed only of an account that is shown anything at all (`proof`).
    """

    field: ClassVar[str]
    """Name of the connection, in the query and in the answer's data."""
    parameters: ClassVar[str]
    """Variables of the query with their types: ``$filter: JobFilter``."""
    arguments: ClassVar[str]
    """What the connection is asked with: ``filter: $filter, order: NEWEST``."""
    node: ClassVar[str]
    """Fields of a row that are asked for."""
    document: ClassVar[str]
    """The query that follows from those."""
    endpoint: ClassVar[str] = "graphql"
    """Path that queries are posted to."""
    refused_token: ClassVar[str]
    """Words of the error that says that the token is no good, or no more."""
    advice: ClassVar[dict[type[Outcome], str]] = {}
    """What the user does about an error of that meaning."""
    first_place = ""
    _warned = False

    @abstractmethod
    def variables(self, cursor: str) -> dict[str, Any]:
        """Return the query's variables for the page after `cursor`; the first one when it is empty."""

    def proof(self) -> dict[str, Any] | None:
        """Return the variables of a query that finds something on any day; ``None`` when this listing is such a one."""
        return None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive from what the connection is the query for it, and where its parts are in an answer."""
        super().__init_subclass__(**kwargs)
        if "field" in cls.__dict__:
            parts = f"totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{{cls.node}}} }}"
            cls.document = f"query ({cls.parameters}) {{ {cls.field}({cls.arguments}) {{ {parts} }} }}"
            at = ("data", cls.field)
            cls.rows_at, cls.total_at = (*at, "edges"), (*at, "totalCount")
            cls.has_next_at, cls.cursor_at = (*at, "pageInfo", "hasNextPage"), (*at, "pageInfo", "endCursor")

    @property
    def listing(self) -> str:
        """What is asked for: not the listing of the platform's pages, if these are another way in."""
        return f"graphql {super().listing}"

    def query_request(self, variables: dict[str, Any]) -> Request:
        """Return the request for a query."""
        return self.api_request(self.endpoint, json={"query": self.document, "variables": variables})

    def listing_request(self, cursor: str) -> Request:
        """One page."""
        return self.query_request(self.variables(cursor))

    def answer(self, response: Response) -> Any:
        """Return the decoded answer without errors but those inside of rows; raises what others mean."""
        answer = super().answer(response)
        if not isinstance(answer, dict):
            raise LayoutChanged(f"{response.url} answered something else than GraphQL")
        if errors := answer.get("errors"):
            self._note_errors(response, errors if isinstance(errors, list) else [errors])
        return answer

    def _note_errors(self, response: Response, errors: list[Any]) -> None:
        for error in errors:
            if not _is_inside_row(error):
                raise self._meaning(response, error)
        self.count("api/errors_in_rows", len(errors))
        if not self._warned:
            self._warned = True
            logger.warning("%s leaves out what it would not show: %s", response.url, _message(errors[0]))

    def _meaning(self, response: Response, error: Any) -> Outcome:
        said = _message(error)
        kind = next((outcome for code, outcome in self.error_codes.items() if code in said), LayoutChanged)
        advice = self.advice.get(kind, "the spider needs mending" if kind is LayoutChanged else "")
        return kind(f"{response.url} answered with an error: {said!r}" + (f"; {advice}" if advice else ""))

    def record(self, row: Any, value: Any) -> Any:
        """The node of an edge."""
        return row["node"]

    def is_token_refused(self, response: Response) -> bool:
        """Tell whether an answer refuses the token, be it by status 401 or with an error."""
        if response.status == 401:
            return True
        if response.status != 200 or b'"errors"' not in response.body:
            return False
        try:
            errors = decode(response.body)["errors"]
            return any(self.refused_token in _message(error) for error in errors)
        except (ValueError, TypeError, KeyError):
            return False

    def parse(self, response: Response, place: Any = None) -> Iterator[Any]:
        """Read one page; a listing without anything only where the account is shown anything."""
        yield from super().parse(response, place)
        if hasattr(self, "walk") and self.walk.total == 0 and not self.walk.seen:
            # Of a listing that is only hidden nothing is known.
            self.whole_since = None
            if (variables := self.proof()) is None:
                raise self._shown_nothing(response)
            request = self.query_request(variables)
            yield request.replace(callback=self.parse_proof, dont_filter=True)

    def parse_proof(self, response: Response) -> None:
        """Believe the empty listing when others are not empty."""
        if not self.page(response).rows:
            raise self._shown_nothing(response)
        self.whole_since = self.wanted_since

    def _shown_nothing(self, response: Response) -> Outcome:
        advice = self.advice.get(LoginRequired, "check what the account may see")
        return LoginRequired(
            f"{response.url} shows this account nothing at all, as it does without permission; {advice}"
        )


def _is_inside_row(error: Any) -> bool:
    path = error.get("path") if isinstance(error, dict) else None
    return isinstance(path, list) and any(isinstance(step, int) for step in path)


def _message(error: Any) -> str:
    return str(error.get("message") if isinstance(error, dict) else error)[:300]
