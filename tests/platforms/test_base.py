"""What every spider inherits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

import pytest
from scrapy.exceptions import CloseSpider

from outsourcing_spiders.outcomes import Blocked, CloseReason, Incomplete, Outcome, Unreachable, WrongArgument
from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.platforms.base import PlatformSpider


class Somewhere(PlatformSpider):
    name = "somewhere"
    access: ClassVar[Literal["api", "public", "permission"]] = "api"
    home = "https://www.example.com"
    narrowed_by = frozenset({"query", "skills"})


def listing(**arguments: str) -> str:
    return Somewhere(**arguments).listing


def test_a_mistyped_argument_is_guessed() -> None:
    with pytest.raises(WrongArgument, match=r"somewhere takes no argument 'max_page'; did you mean max_pages\?"):
        Somewhere(max_page="1")
    with pytest.raises(WrongArgument, match="'zzz'; there are query, skills"):
        Somewhere(zzz="1")


@pytest.mark.parametrize(
    ("skills", "found"),
    [("php", ["php"]), (" PHP , Node.js,", ["PHP", "Node.js"]), ("a,,b", ["a", "b"])],
)
def test_skills_are_separated_by_commas(skills: str, found: list[str]) -> None:
    assert Somewhere(skills=skills).skills == found


def test_skills_of_commas_only_are_no_skills() -> None:
    with pytest.raises(WrongArgument, match="skills"):
        Somewhere(skills=" , ,")


def test_the_same_listing_has_the_same_name() -> None:
    assert listing() == listing(base_url="https://www.Example.com/", max_pages="3", full="1", since="2h") == "{}"
    assert listing(skills="PHP,Node.js") == listing(skills="node.js, php")
    assert listing(query="a b") == '{"query":"a b"}'


def test_different_listings_have_different_names() -> None:
    names = [listing(), listing(query="x"), listing(skills="x"), listing(base_url="http://localhost:1"),
             listing(base_url="http://localhost:2"), listing(base_url="https://www.example.com/mirror")]  # fmt: skip
    assert len(set(names)) == len(names)


def test_since_is_how_far_back_a_crawl_reads() -> None:
    assert Somewhere().wanted_since == WHOLE
    before = datetime.now(UTC)
    spider = Somewhere(since="2h")
    assert spider.since is not None
    # In whole seconds or not.
    assert before - timedelta(seconds=1) < spider.since + timedelta(hours=2) <= datetime.now(UTC)
    assert datetime.fromisoformat(spider.wanted_since) == spider.since


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000/api/x"),
        ("http://localhost:8000/", "http://localhost:8000/api/x"),
        ("http://localhost/mirror", "http://localhost/mirror/api/x"),
        ("HTTPS://www.Example.com", "https://www.Example.com/api/x"),
    ],
)
def test_addresses_are_on_the_host_that_is_crawled(base_url: str, address: str) -> None:
    assert Somewhere(base_url=base_url).absolute("api/x") == address
    assert Somewhere().absolute("api/x") == "https://www.example.com/api/x"


_UP_TO_DATE, _INCOMPLETE = CloseReason.UP_TO_DATE, Incomplete("a gap")
_BLOCKED, _UNREACHABLE = Blocked("no"), Unreachable("away")


@pytest.mark.parametrize(
    ("ends", "counts"),
    [
        ((_UP_TO_DATE,), _UP_TO_DATE),
        ((_UP_TO_DATE, _INCOMPLETE), _UP_TO_DATE),
        ((_INCOMPLETE, _UP_TO_DATE), _INCOMPLETE),
        ((_BLOCKED, _UNREACHABLE), _BLOCKED),
        ((_UNREACHABLE, _UP_TO_DATE), _UNREACHABLE),
        # The listing was done with; something else was not.
        ((_UP_TO_DATE, _BLOCKED, _UNREACHABLE), _BLOCKED),
        ((_INCOMPLETE, _BLOCKED), _BLOCKED),
    ],
    ids=str,
)
def test_the_first_end_counts_but_for_that_of_the_listing(
    ends: tuple[Outcome | CloseReason, ...], counts: Outcome | CloseReason
) -> None:
    spider = Somewhere()
    for end in ends:
        spider.end(end)
    assert spider.outcome is counts
    with pytest.raises(CloseSpider) as raised:
        spider._on_idle(spider)
    assert raised.value.reason == (counts.reason if isinstance(counts, Outcome) else counts)


def test_without_an_end_of_its_own_scrapy_says_how_the_crawl_ended() -> None:
    spider = Somewhere()
    assert spider._on_idle(spider) is None  # type: ignore[func-returns-value]
