"""Pages that are kept for diagnosis."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.pages import LARGEST_BODY, PAGES_OF_A_SPIDER, keep_page, kept_page, kept_pages


async def keep(engine: AsyncEngine, **values: Any) -> int:
    given: dict[str, Any] = {
        "run_id": None, "spider": "guru", "url": "https://a.example/jobs", "status": 200, "headers": {},
        "body": b"<html>", "reason": "blocked", "finding": "a challenge", "scrub": str, **values,
    }  # fmt: skip
    async with engine.begin() as connection:
        return await keep_page(connection, **given)


async def test_a_page_comes_back_as_it_was(emptied: AsyncEngine) -> None:
    body = random.Random(1).randbytes(5_000) + "Zürich, 서울".encode()
    number = await keep(emptied, body=body, headers={"Server": "cloudflare", "Set-Cookie": "id=1", "X": "\x00\ud800"})
    async with emptied.connect() as connection:
        page = await kept_page(connection, number)
        assert page is not None
        assert page.body == body
        assert page.body_size == len(body)
        assert page.headers == {"Server": "cloudflare", "X": ""}
        (listed,) = [found for found in await kept_pages(connection) if found.id == number]
        assert (listed.body, listed.url, listed.finding) == (b"", "https://a.example/jobs", "a challenge")
        assert await kept_page(connection, number + 1_000) is None


async def test_secrets_go_wherever_they_stand(emptied: AsyncEngine) -> None:
    def scrub(found: str) -> str:
        return found.replace("s3cret", "[TOKEN]")

    values = {"url": "https://a/?t=s3cret", "headers": {"Location": "/s3cret"}, "body": b"<p>s3cret \xff</p>"}
    number = await keep(emptied, **values, finding="it said s3cret", scrub=scrub)
    async with emptied.connect() as connection:
        page = await kept_page(connection, number)
    assert page is not None
    assert "s3cret" not in repr(page)
    assert page.body == b"<p>[TOKEN] \xff</p>"


@pytest.mark.parametrize("place", [LARGEST_BODY - 20, LARGEST_BODY + 8_192 - 20, 2 * LARGEST_BODY])
async def test_no_cut_goes_through_a_secret(place: int, emptied: AsyncEngine) -> None:
    # What is hidden before it moves the end of the page forwards.
    hidden, token = b"hidden-" * 2_000, b"eyJ0eXAiOiJKV1QiLCJhbGciOi"
    body = hidden + b" " * (place - len(hidden)) + token + b" " * LARGEST_BODY

    def scrub(found: str) -> str:
        return found.replace(token.decode(), "[TOKEN]").replace("hidden-", "")

    number = await keep(emptied, body=body, scrub=scrub)
    async with emptied.connect() as connection:
        page = await kept_page(connection, number)
    assert page is not None
    assert len(page.body) > LARGEST_BODY - 20_000
    assert token[:4] not in page.body


async def test_a_large_page_is_cut_and_small_on_disk(emptied: AsyncEngine) -> None:
    number = await keep(emptied, body=b"<p>a project</p>" * 1_000_000)
    async with emptied.connect() as connection:
        page = await kept_page(connection, number)
        size = text("SELECT length(body) FROM kept_pages WHERE id = :id")
        stored = (await connection.execute(size, {"id": number})).scalar_one()
    assert page is not None
    assert len(page.body) == LARGEST_BODY < page.body_size == 16_000_000
    assert stored < 20_000


async def test_only_the_last_pages_of_a_spider_are_kept(emptied: AsyncEngine) -> None:
    other = await keep(emptied, spider="other")
    numbers = [await keep(emptied, body=str(number).encode()) for number in range(PAGES_OF_A_SPIDER + 3)]
    async with emptied.connect() as connection:
        left = [page.id for page in await kept_pages(connection) if page.spider == "guru"]
        assert left == numbers[: -PAGES_OF_A_SPIDER - 1 : -1]
        assert await kept_page(connection, other) is not None
