"""Upwork, through its official GraphQL API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from scrapy.http import Response

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.outcomes import LoginRequired, Unreachable
from outsourcing_spiders.parsing.fields import at, budget_of, country_code, decimal_or_none, int_or_none
from outsourcing_spiders.platforms.arguments import Matching
from outsourcing_spiders.platforms.graphql import GraphqlSpider, Row
from outsourcing_spiders.platforms.oauth import OAuth2, OAuthSpider

VERIFIED: dict[Any, bool] = {"VERIFIED": True, "NOT_VERIFIED": False, True: True, False: False}
CATEGORY = Matching(
    "category",
    "[0-9]+",
    "give the number that the platform's addresses have as category2_uid, such as 531770282580668418",
)
MOST_ROWS = 50


class UpworkApi(GraphqlSpider, OAuthSpider):
    """Open jobs of Upwork, newest first, as its API tells them to programs that it let in.

    Nothing personal is asked for, and nothing that is not stored: the terms want the fewest fields. They let copies
    be kept for 24 hours, and so long they are.
    """

    name = "upwork"
    custom_settings = {"RATE_LIMIT": [(300, 60), (40_000, 86_400)]}  # noqa: RUF012 - Scrapy's own is such

    # PlatformSpider
    access = "api"
    home = "https://api.upwork.com"
    narrowed_by = frozenset({"query", "skills", "category"})
    argument_rules = (CATEGORY,)
    periods: ClassVar = {"HOURLY": "hour", "FIXED_PRICE": "total", "FIXED": "total"}
    work_modes: ClassVar = {"REMOTE": "remote", "ONSITE": "onsite", "HYBRID": "hybrid"}
    kept_for = timedelta(hours=24)

    # OAuthSpider
    oauth = OAuth2(
        "https://www.upwork.com/api/v3/oauth2/token",
        settings=("UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET", "UPWORK_REFRESH_TOKEN"),
    )
    needs = oauth.settings

    # GraphqlSpider
    field = "marketplaceJobPostingsSearch"
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
    document = """
query ($filter: MarketplaceJobPostingsSearchFilter, $sort: [MarketplaceJobPostingSearchSortAttribute]) {
  marketplaceJobPostingsSearch(marketPlaceJobFilter: $filter, searchType: USER_JOBS_SEARCH, sortAttributes: $sort) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { node {
      id ciphertext title description createdDateTime publishedDateTime
      amount { rawValue currency displayValue }
      hourlyBudgetMin { rawValue currency displayValue } hourlyBudgetMax { rawValue currency displayValue }
      durationLabel engagement experienceLevel category subcategory totalApplicants skills { name prettyName }
      client { totalFeedback totalReviews verificationStatus location { country } }
      job {
        contractTerms { contractType onSiteType }
        activityStat { applicationsBidStats { avgRateBid { rawValue } } }
      }
    } }
  }
}"""

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

    def item(self, row: Row, response: Response) -> Project:
        """One job; amounts are of the job's own kind, the others beside them are placeholders."""
        job = row.get("job")
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"https://www.upwork.com/jobs/{row['ciphertext']}",
            title=row["title"],
            description=row.get("description") or None,
            status="open",
            budget=self.budget(row, at(job, "contractTerms", "contractType")),
            skills=[skill.get("prettyName") or skill["name"] for skill in row.get("skills") or ()],
            category=row.get("category"),
            work_mode=self.work_modes.get(at(job, "contractTerms", "onSiteType"), "unknown"),
            **self.posted(row.get("publishedDateTime") or row.get("createdDateTime"), response),
            bid_count=int_or_none(row.get("totalApplicants")),
            bid_average=decimal_or_none(at(job, "activityStat", "applicationsBidStats", "avgRateBid", "rawValue")),
            client=client(row.get("client")),
            expires_at=self.answered_at(response) + self.kept_for,
            extra={
                "experience_level": (row.get("experienceLevel") or "").lower(),
                "duration": row.get("durationLabel"),
                "engagement": row.get("engagement"),
                "subcategory": row.get("subcategory"),
            },
        )

    def budget(self, row: Row, contract: str | None) -> Budget:
        """The budget; where its kind is not told, that of the amounts that are."""
        fixed, hourly = row.get("amount") or {}, [row.get("hourlyBudgetMin") or {}, row.get("hourlyBudgetMax") or {}]
        if contract is None and (fixed or any(hourly)):
            contract = "HOURLY" if any(hourly) else "FIXED"
        bounds = hourly if contract == "HOURLY" else [fixed, fixed]
        told = [bound for bound in bounds if decimal_or_none(bound.get("rawValue"))]
        shown = [bound["displayValue"] for bound in told if bound.get("displayValue")]
        return budget_of(
            *(bound.get("rawValue") for bound in bounds),
            currency=next((bound.get("currency") for bound in told), None),
            period=self.periods.get(contract),
            text=" - ".join(shown if contract == "HOURLY" else shown[:1]) or None,
        )


def client(told: Row | None) -> Client | None:
    """Return what is told of a client, by the API or by a page; nobody rated is a rating of 0."""
    if told is None:
        return None
    return Client(
        country=country_code(at(told, "location", "country")),
        rating=decimal_or_none(told.get("totalFeedback")) or None,
        reviews=int_or_none(told.get("totalReviews")),
        verified=VERIFIED.get(told.get("verificationStatus") or told.get("isPaymentVerified")),
    ).or_none()
