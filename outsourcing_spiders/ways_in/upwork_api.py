"""Upwork, through its official GraphQL API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from scrapy.http import Response

from outsourcing_spiders.items import Budget, Client, Period, Project, WorkMode
from outsourcing_spiders.outcomes import LoginRequired, Unreachable, WrongArgument
from outsourcing_spiders.parsing.budgets import budget_of
from outsourcing_spiders.parsing.countries import country_code
from outsourcing_spiders.parsing.money import decimal_or_none, int_or_none
from outsourcing_spiders.platforms.graphql import GraphqlSpider
from outsourcing_spiders.platforms.json_rows import Row
from outsourcing_spiders.platforms.oauth import OAuth2, OAuthSpider

PERIODS: dict[Any, Period] = {"HOURLY": "hour", "FIXED_PRICE": "total", "FIXED": "total"}
WORK_MODES: dict[Any, WorkMode] = {"REMOTE": "remote", "ONSITE": "onsite", "HYBRID": "hybrid"}
VERIFIED: dict[Any, bool] = {"VERIFIED": True, "NOT_VERIFIED": False, True: True, False: False}
MOST_ROWS = 50


class UpworkApi(GraphqlSpider, OAuthSpider):
    """Open jobs of Upwork, newest first, as its API tells them to programs that it let in.

    Nothing personal is asked for, and nothing that is not stored: the terms want the fewest fields. They let copies
    be kept for 24 hours, and so long they are.
    """

    name = "upwork"
    custom_settings = {  # noqa: RUF012 - Scrapy's own is such
        "ROBOTSTXT_OBEY": False,
        "RATE_LIMIT": [(300, 60), (40_000, 86_400)],
    }

    # PlatformSpider
    access = "api"
    home = "https://api.upwork.com"
    narrowed_by = frozenset({"query", "skills", "category"})
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

    @classmethod
    def check_arguments(cls, arguments: dict[str, Any]) -> None:
        """Raise `WrongArgument` for a category that is no number, too."""
        super().check_arguments(arguments)
        check_category(arguments)

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
        job = row.get("job") or {}
        terms, activity = job.get("contractTerms") or {}, job.get("activityStat") or {}
        posted = row.get("publishedDateTime") or row.get("createdDateTime")
        posted_at, precision = self.time(posted, response)
        bid_average = (activity.get("applicationsBidStats") or {}).get("avgRateBid") or {}
        extra = {
            "experience_level": (row.get("experienceLevel") or "").lower(),
            "duration": row.get("durationLabel"),
            "engagement": row.get("engagement"),
            "subcategory": row.get("subcategory"),
        }
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"https://www.upwork.com/jobs/{row['ciphertext']}",
            title=row["title"],
            description=row.get("description") or None,
            status="open",
            budget=budget(row, terms.get("contractType")),
            skills=[skill.get("prettyName") or skill["name"] for skill in row.get("skills") or ()],
            category=row.get("category"),
            work_mode=WORK_MODES.get(terms.get("onSiteType"), "unknown"),
            posted_at=posted_at,
            posted_precision=precision,
            posted_text=posted,
            bid_count=int_or_none(row.get("totalApplicants")),
            bid_average=decimal_or_none(bid_average.get("rawValue")),
            client=client(row.get("client")),
            expires_at=self.answered_at(response) + self.kept_for,
            extra={key: value for key, value in extra.items() if value},
        )


def check_category(arguments: dict[str, Any]) -> None:
    """Raise `WrongArgument` for a category that is not given by the platform's number of it."""
    category = str(arguments.get("category") or "").strip()
    if category and not (category.isascii() and category.isdigit()):
        raise WrongArgument(
            f"category={category!r}: give the number that the platform's addresses have as category2_uid, "
            "such as 531770282580668418"
        )


def budget(row: Row, contract: str | None) -> Budget:
    """Return the budget of a job; where its kind is not told, that of the amounts that are."""
    hourly = [row.get("hourlyBudgetMin") or {}, row.get("hourlyBudgetMax") or {}]
    if contract is None and (any(hourly) or row.get("amount")):
        contract = "HOURLY" if any(hourly) else "FIXED"
    bounds = hourly if contract == "HOURLY" else [row.get("amount") or {}] * 2
    told = [bound for bound in bounds if decimal_or_none(bound.get("rawValue"))]
    shown = [bound["displayValue"] for bound in told if bound.get("displayValue")]
    return budget_of(
        bounds[0].get("rawValue"),
        bounds[1].get("rawValue"),
        currency=next((bound.get("currency") for bound in told), None),
        period=PERIODS.get(contract),
        text=" - ".join(shown if contract == "HOURLY" else shown[:1]) or None,
    )


def client(told: Row | None) -> Client | None:
    """Return what is told of a client, by the API or by a page; nobody rated is a rating of 0."""
    told = told or {}
    found = Client(
        country=country_code((told.get("location") or {}).get("country")),
        rating=decimal_or_none(told.get("totalFeedback")) or None,
        reviews=int_or_none(told.get("totalReviews")),
        verified=VERIFIED.get(told.get("verificationStatus") or told.get("isPaymentVerified")),
    )
    return None if found == Client() else found
