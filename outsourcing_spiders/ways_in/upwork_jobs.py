"""A job as Upwork's API tells it: what is asked for, and what it means."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from scrapy.http import Response

from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.parsing.fields import at, budget_of, decimal_or_none, int_or_none
from outsourcing_spiders.platforms.graphql import GraphqlSpider, Row
from outsourcing_spiders.ways_in.upwork_words import client, duration, level, skills, workload


class UpworkJobs(GraphqlSpider):
    """Ask for jobs and read them.

    Nothing personal is asked for, and nothing that is not stored: the terms want the fewest fields. They let copies
    be kept for 24 hours, and so long they are.
    """

    # PlatformSpider
    periods: ClassVar = {"HOURLY": "hour", "FIXED_PRICE": "total", "FIXED": "total"}
    work_modes: ClassVar = {"REMOTE": "remote", "ONSITE": "onsite", "HYBRID": "hybrid"}
    kept_for = timedelta(hours=24)

    # GraphqlSpider
    # What is there twice is null in one of the places now and then.
    node = """
        id ciphertext title description createdDateTime publishedDateTime
        amount { rawValue currency displayValue }
        hourlyBudgetMin { rawValue currency displayValue } hourlyBudgetMax { rawValue currency displayValue }
        duration durationLabel engagement experienceLevel category subcategory totalApplicants
        skills { name prettyName }
        client { totalFeedback totalReviews verificationStatus location { country } }
        job {
          contractTerms {
            contractType onSiteType experienceLevel
            hourlyContractTerms { engagementType engagementDuration { label } }
            fixedPriceContractTerms { engagementDuration { label } }
          }
          classification { category { preferredLabel } subCategory { preferredLabel } }
          activityStat { applicationsBidStats { avgRateBid { rawValue } } }
        }
    """

    def item(self, row: Row, response: Response) -> Project:
        """One job; amounts are of the job's own kind, the others beside them are placeholders."""
        job = row.get("job")
        kind, terms = at(job, "classification"), at(job, "contractTerms")
        hourly, fixed = at(terms, "hourlyContractTerms"), at(terms, "fixedPriceContractTerms")
        return Project(
            platform=self.name,
            external_id=self.row_id(row),
            url=f"https://www.upwork.com/jobs/{row.get('ciphertext') or f'~02{self.row_id(row)}'}",
            title=row["title"],
            description=row.get("description") or None,
            status="open",
            budget=self.budget(row, at(terms, "contractType")),
            skills=skills(row.get("skills")),
            category=row.get("category") or at(kind, "category", "preferredLabel"),
            work_mode=self.work_modes.get(at(terms, "onSiteType"), "unknown"),
            **self.posted(row.get("publishedDateTime") or row.get("createdDateTime"), response),
            bid_count=int_or_none(row.get("totalApplicants")),
            bid_average=sent(at(job, "activityStat", "applicationsBidStats", "avgRateBid")),
            client=client(row.get("client")),
            expires_at=self.expires_at(response),
            extra={
                "experience_level": level(row.get("experienceLevel") or at(terms, "experienceLevel")),
                "duration": row.get("durationLabel")
                or at(hourly or fixed, "engagementDuration", "label")
                or duration(row.get("duration")),
                "engagement": workload(row.get("engagement") or at(hourly, "engagementType")),
                "subcategory": row.get("subcategory") or at(kind, "subCategory", "preferredLabel"),
            },
        )

    def budget(self, row: Row, contract: str | None) -> Budget:
        """The budget; where its kind is not told, that of the amounts that are."""
        price, rates = row.get("amount") or {}, (row.get("hourlyBudgetMin") or {}, row.get("hourlyBudgetMax") or {})
        if contract is None:
            contract = "HOURLY" if any(map(sent, rates)) else "FIXED" if sent(price) else None
        bounds = rates if contract == "HOURLY" else (price, price)
        told = [bound for bound in bounds if sent(bound)]
        shown = [bound["displayValue"] for bound in told if bound.get("displayValue")]
        return budget_of(
            *map(sent, bounds),
            currency=next((bound.get("currency") for bound in told), None),
            period=self.periods.get(contract),
            text=" - ".join(shown if contract == "HOURLY" else shown[:1]) or None,
        )


def sent(money: Row | None) -> Decimal | None:
    """Return an amount; 0 stands where there is none."""
    return decimal_or_none(at(money, "rawValue")) or None
