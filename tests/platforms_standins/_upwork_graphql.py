"""Answer GraphQL queries of the Upwork stand-in: filters, paging by offsets written as text, the fields of a job.

What a query does not select is not in the answer; a field that the schema does not have is an error with HTTP 200.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, build_schema, execute, parse, validate
from platforms_standins._upwork_jobs import CATEGORIES, DURATIONS, WORKLOADS, Job, iso, money, words_of
from platforms_standins._upwork_schema import SCHEMA

JSON = dict[str, Any]
SEARCH = "marketplaceJobPostingsSearch"
SCOPE = "Read marketplace Job Postings"
COMMON = "Common Entities – Read-Only Access"
#: The most rows of one page, and those of a query that names no number.
MOST, USUAL = 50, 10
NOT_PERMITTED = f"User does not have required OAuth2 permission: {SCOPE}"

_schema = build_schema(SCHEMA)


@lru_cache(64)
def _document(query: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(_schema, document))


def answer(query: str, variables: JSON, operation: str | None, root: JSON) -> JSON:
    """Return the body for a query; `root` has the values, or functions, of the query's fields."""
    document, errors = _document(query)
    if document is None or errors:
        kind = "InvalidSyntax" if document is None else "ValidationError"
        return {"errors": [_error(error, kind) for error in errors], "data": None}
    result = execute(_schema, document, root, variable_values=variables, operation_name=operation)
    assert not hasattr(result, "__await__")
    body: JSON = {"data": result.data}
    if result.errors:
        body = {"errors": [_error(error, "DataFetchingException") for error in result.errors]} | body
    return body


def _error(error: GraphQLError, classification: str) -> JSON:
    return {**error.formatted, "extensions": {"classification": classification}}


def refused(message: str) -> JSON:
    """Return the body of an error that concerns the whole query, as the platform writes it with HTTP 200."""
    return {"errors": [{"message": message}], "data": None}


# --- the rows that a query asks for -------------------------------------------------------------------------------


def _expression(wanted: str, text: Callable[[Job], str]) -> Callable[[Job], bool]:
    # Alternatives of words that must all be there, quotes aside: what readers of the platform send.
    choices = [part.lower().replace('"', " ").replace(" and ", " ").split() for part in re.split(r"\s+OR\s+", wanted)]
    return lambda job: any(all(word in text(job) for word in words) for words in choices)


def _within(bounds: JSON, value: Callable[[Job], Any]) -> Callable[[Job], bool]:
    low, high = bounds.get("rangeStart"), bounds.get("rangeEnd")

    def fits(job: Job) -> bool:
        found = value(job)
        return found is not None and (low is None or found >= low) and (high is None or found <= high)

    return fits


_FILTERS: dict[str, Callable[[Any, float], Callable[[Job], bool]]] = {
    "searchExpression_eq": lambda value, _: _expression(value, words_of),
    "skillExpression_eq": lambda value, _: _expression(value, lambda job: " ".join(job.skills).lower()),
    "titleExpression_eq": lambda value, _: _expression(value, lambda job: job.title.lower()),
    "categoryIds_any": lambda value, _: lambda job: bool(job.category) and CATEGORIES[job.category or ""][0] in value,
    "sinceId_eq": lambda value, _: lambda job: job.id > int(value),
    "maxId_eq": lambda value, _: lambda job: job.id < int(value),
    "jobType_eq": lambda value, _: lambda job: job.hourly == (value == "HOURLY"),
    "duration_any": lambda value, _: lambda job: job.duration in value,
    "workload_eq": lambda value, _: lambda job: job.workload == value,
    "clientHiresRange_eq": lambda value, _: _within(value, lambda job: job.hires),
    "clientFeedBackRange_eq": lambda value, _: _within(value, lambda job: job.rating),
    "budgetRange_eq": lambda value, _: _within(value, lambda job: job.amount),
    "verifiedPaymentOnly_eq": lambda value, _: lambda job: job.verified is True or not value,
    "experienceLevel_eq": lambda value, _: lambda job: job.level == value,
    "locations_any": lambda value, _: lambda job: job.country in value,
    "daysPosted_eq": lambda value, now: lambda job: (job.posted or job.created) >= 1000 * (now - value * 86_400),
    "proposalRange_eq": lambda value, _: _within(value, lambda job: job.applicants),
}


def select(rows: Sequence[Job], wanted: JSON, order: list[JSON | None], now: float) -> list[Job]:
    """Return the jobs that a filter lets through, in the order asked for: without one, not the newest first."""
    for name, value in wanted.items():
        if name == "pagination_eq" or value is None:
            continue
        if name not in _FILTERS:
            raise GraphQLError(f"{name} is not served here")
        try:
            fits = _FILTERS[name](value, now)
            rows = [row for row in rows if fits(row)]
        except ValueError:
            raise GraphQLError(f"Invalid value for {name}") from None
    keys = [one["field"] for one in order if one]
    if keys[:1] == ["RECENCY"]:
        return list(rows)
    by_client = {"CLIENT_TOTAL_CHARGE": lambda job: job.spent, "CLIENT_RATING": lambda job: job.rating or Decimal(0)}
    return sorted(rows, key=by_client.get(keys[0] if keys else "", lambda job: job.cipher), reverse=True)


def page(rows: Sequence[Job], paging: JSON | None) -> JSON:
    """Return the connection that a `pagination_eq` cuts out of the rows."""
    paging = paging or {}
    after = paging.get("after") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", after) or paging.get("first", 1) < 1:
        raise GraphQLError("Invalid pagination")
    start = int(after)
    shown = rows[start : start + min(MOST, paging.get("first", USUAL))]
    end = start + len(shown)
    return {
        "totalCount": len(rows),
        "edges": [{"cursor": str(start + place + 1), "node": node(job)} for place, job in enumerate(shown)],
        "pageInfo": {"endCursor": str(end) if shown else None, "hasNextPage": end < len(rows)},
    }


# --- the fields of a job ------------------------------------------------------------------------------------------


def _money(amount: Decimal | None, numbers: bool = False) -> JSON | None:
    if amount is None:
        return None
    return {
        "rawValue": float(amount) if numbers else str(float(amount)),
        "currency": "USD",
        "displayValue": money(amount),
    }


def _span(job: Job) -> JSON | None:
    if job.duration is None:
        return None
    label, weeks = DURATIONS[job.duration]
    return {"id": f"duration-{weeks}", "label": label, "weeks": weeks} if job.labelled else None


def node(job: Job) -> JSON:
    """Return a search result with all fields of the schema."""
    amount = Decimal(0) if job.hourly and job.zero_amount else job.amount
    known = job.low is not None or job.high is not None
    return {
        "id": str(job.id),
        "job": posting(job),
        "title": job.title,
        "description": job.description,
        "ciphertext": job.old_ciphertext,
        "createdDateTime": iso(job.created) if job.dated else None,
        "publishedDateTime": iso(job.published) if job.dated else None,
        "renewedDateTime": iso(job.renewed),
        "amount": _money(amount, job.raw_numbers),
        "hourlyBudgetMin": _money(job.low, job.raw_numbers),
        "hourlyBudgetMax": _money(job.high, job.raw_numbers),
        "hourlyBudgetType": "MANUAL" if known else "NOT_PROVIDED",
        "duration": job.duration,
        "durationLabel": DURATIONS[job.duration][0] if job.duration and job.labelled else None,
        "engagement": WORKLOADS[job.workload][0] if job.workload else None,
        "engagementDuration": _span(job),
        "experienceLevel": job.level,
        "category": job.category,
        "subcategory": job.subcategory,
        "occupations": [],
        "skills": [
            {
                "id": f"skill-{name.lower()}",
                "name": re.sub(r"\s+", "-", name.lower()) if job.pretty else name,
                "prettyName": name if job.pretty else None,
                "highlighted": False,
            }
            for name in job.skills
        ],
        "totalApplicants": job.applicants,
        "freelancersToHire": 1,
        "premium": job.featured,
        "enterprise": False,
        "preferredFreelancerLocation": [],
        "client": None if "client" in job.lacking else _client(job),
    }


def _client(job: Job) -> JSON:
    return {
        "totalHires": job.hires,
        "totalPostedJobs": job.posts,
        "totalSpent": _money(job.spent),
        # Nobody rated is a rating of 0.
        "totalFeedback": float(job.rating or 0),
        "totalReviews": job.reviews,
        "verificationStatus": {True: "VERIFIED", False: "NOT_VERIFIED", None: None}[job.verified],
        "location": job.country and {"country": job.country, "city": job.city, "timezone": None},
        "memberSinceDateTime": iso(job.created - 31_536_000_000),
        "hasFinancialPrivacy": False,
        "companyName": job.company,
        "lastContractPlatform": "Upwork",
        "lastContractTitle": None,
    }


def _element(kind: str, label: str | None) -> JSON | None:
    if label is None:
        return None
    name = re.sub(r"\W", "", label)
    number = CATEGORIES[label][0] if label in CATEGORIES else f"{kind.lower()}-{name.lower()}"
    return {
        "id": number,
        "ontologyId": f"upwork:{name}",
        "type": [kind],
        "entityStatus": "ACTIVE",
        "preferredLabel": label,
    }


def posting(job: Job) -> JSON:
    """Return the posting of a job: the answer of its own query, and `job` of a search result."""
    mean, low, high = job.bids or (None, None, None)
    hourly = {
        "engagementDuration": _span(job),
        "engagementType": job.workload,
        "notSureProjectDuration": job.duration is None,
        "hourlyBudgetType": "NOT_PROVIDED" if job.low is None and job.high is None else "MANUAL",
        "hourlyBudgetMin": None if job.low is None else float(job.low),
        "hourlyBudgetMax": None if job.high is None else float(job.high),
    }
    fixed = {"amount": _money(job.amount), "maxAmount": _money(job.amount), "engagementDuration": _span(job)}
    return {
        "id": str(job.id),
        "workFlowState": {"closeResult": None, "status": "CLOSED" if job.closed else "OPEN"},
        "content": {"title": job.title, "description": job.description},
        "activityStat": {
            "applicationsBidStats": {"avgRateBid": _money(mean), "minRateBid": _money(low), "maxRateBid": _money(high)},
            "jobActivity": {"invitesSent": 0, "totalInvitedToInterview": 0, "totalHired": 0, "totalOffered": 0},
        },
        "classification": {
            "category": _element("OCCUPATION", job.category),
            "subCategory": _element("OCCUPATION", job.subcategory),
            "skills": [_element("SKILL", name) for name in job.skills],
            "additionalSkills": [],
        },
        "contractTerms": {
            "contractType": "HOURLY" if job.hourly else "FIXED_PRICE",
            "onSiteType": job.site,
            "personsToHire": 1,
            "experienceLevel": job.level,
            "notSurePersonsToHire": False,
            "notSureExperiencelevel": False,
            "fixedPriceContractTerms": None if job.hourly else fixed,
            "hourlyContractTerms": hourly if job.hourly else None,
        },
        "canClientReceiveContractProposal": not job.closed,
    }


def content(job: Job) -> JSON:
    """Return the answer of `marketplaceJobPostingsContents` for one job."""
    return {key: node(job)[key] for key in ("id", "ciphertext", "title", "description", "publishedDateTime")}


def organizations(tenant: str) -> JSON:
    """Return the answer of `companySelector`: the one organisation of the user."""
    item = {
        "title": "Freelancer",
        "organizationId": tenant,
        "organizationRid": tenant,
        "organizationType": "Business",
        "organizationLegacyType": "Vendor",
        "organizationEnterpriseType": "Standard",
        "legacyEnterpriseOrganization": False,
        "typeTitle": "Freelancer",
    }
    return {"items": [item]}
