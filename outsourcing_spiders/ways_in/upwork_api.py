"""Upwork, through its official GraphQL API."""

from __future__ import annotations

from typing import Any, ClassVar

from outsourcing_spiders.outcomes import LoginRequired, Unreachable
from outsourcing_spiders.platforms.arguments import Matching
from outsourcing_spiders.platforms.oauth import OAuth2, OAuthSpider
from outsourcing_spiders.ways_in.upwork_jobs import UpworkJobs

CATEGORY = Matching(
    "category",
    "[0-9]+",
    "give the number that the platform's addresses have as category2_uid, such as 531770282580668418",
)
MOST_ROWS = 50


class UpworkApi(UpworkJobs, OAuthSpider):
    """Open jobs of Upwork, newest first, as its API tells them to programs that it let in."""

    name = "upwork"
    custom_settings = {"RATE_LIMIT": [(300, 60), (40_000, 86_400)]}  # noqa: RUF012 - Scrapy's own is such

    # PlatformSpider
    access = "api"
    home = "https://api.upwork.com"
    narrowed_by = frozenset({"query", "skills", "category"})
    argument_rules = (CATEGORY,)

    # OAuthSpider
    oauth = OAuth2(
        "https://www.upwork.com/api/v3/oauth2/token",
        settings=("UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET", "UPWORK_REFRESH_TOKEN"),
    )
    needs = oauth.settings

    # GraphqlSpider
    field = "marketplaceJobPostingsSearch"
    parameters = "$filter: MarketplaceJobPostingsSearchFilter, $sort: [MarketplaceJobPostingSearchSortAttribute]"
    arguments = "marketPlaceJobFilter: $filter, searchType: USER_JOBS_SEARCH, sortAttributes: $sort"
    refused_token = "Authentication failed"  # noqa: S105 - words of an error
    error_codes: ClassVar = {
        "required OAuth2 permission": LoginRequired,
        "Authentication failed": LoginRequired,
        "X-Upwork-API-TenantId": LoginRequired,
        "Exception occurred": Unreachable,
    }
    advice: ClassVar = {
        LoginRequired: "give the API key the scopes 'Read marketplace Job Postings' and 'Common Entities - Read-Only "
        "Access', authorise it again, and set the new UPWORK_REFRESH_TOKEN",
        Unreachable: "try again later",
    }

    def variables(self, cursor: str) -> dict[str, Any]:
        """All words of the query, and all of the skills."""
        paging = {"first": MOST_ROWS} | ({"after": cursor} if cursor else {})
        wanted = {
            "searchExpression_eq": self.query,
            "skillExpression_eq": " AND ".join(f'"{skill}"' for skill in self.skills),
            "categoryIds_any": [self.category] if self.category else None,
        }
        narrowed = {name: value for name, value in wanted.items() if value}
        return {"filter": {"pagination_eq": paging, **narrowed}, "sort": [{"field": "RECENCY"}]}

    def proof(self) -> dict[str, Any] | None:
        """There is a job on any day."""
        is_narrowed = self.query or self.skills or self.category
        return {"filter": {"pagination_eq": {"first": 1}}, "sort": [{"field": "RECENCY"}]} if is_narrowed else None
