"""What is asked of a browser, and what is refused before there is one."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from scrapy import Request
from scrapy.exceptions import IgnoreRequest

from outsourcing_spiders.middlewares.outcomes import Refused
from outsourcing_spiders.middlewares.rendering import Addresses, Rendering, RenderingMiddleware, read_rendering
from outsourcing_spiders.outcomes import CloseReason


class _Stats(dict[str, int]):
    def inc_value(self, name: str) -> None:
        self[name] = self.get(name, 0) + 1


def _middleware(*, renders: bool = True) -> RenderingMiddleware:
    spider = SimpleNamespace(name="somewhere", renders=renders, outcome=None, end=lambda outcome: None)
    crawler: Any = SimpleNamespace(spider=spider, stats=_Stats(), crawling=False, engine=None)
    return RenderingMiddleware.from_crawler(crawler)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (True, Rendering()),
        ({"wait_for": "li.job"}, Rendering("li.job")),
        ({"wait_for": None, "stylesheets": True}, Rendering(None, True)),
        ({}, Rendering()),
    ],
)
def test_what_is_asked_for_is_read(wanted: Any, expected: Rendering) -> None:
    assert read_rendering(wanted) == expected


@pytest.mark.parametrize("wanted", [1, "li.job", ["li.job"], {"waitfor": "li"}, {"wait_for": " "}, {"wait_for": 3},
                                    {"stylesheets": "yes"}, {1: 2}])  # fmt: skip
async def test_what_has_no_meaning_is_named(wanted: Any) -> None:
    with pytest.raises(Refused, match=r'somewhere: meta\["render"\] is .*, neither True nor a dict') as refused:
        await _middleware().process_request(Request("https://192.0.2.1/", meta={"render": wanted}))
    assert refused.value.outcome.reason is CloseReason.FAILED


async def test_a_request_is_marked() -> None:
    request = Request("https://www.example.com/", meta={"render": True})
    await _middleware().process_request(request)
    assert request.meta == {"render": True, "playwright": True, "max_retry_times": 1}


async def test_how_often_it_is_retried_can_be_said() -> None:
    request = Request("https://www.example.com/", meta={"render": True, "max_retry_times": 3})
    await _middleware().process_request(request)
    assert request.meta["max_retry_times"] == 3


@pytest.mark.parametrize("meta", [{}, {"render": False}, {"render": None}, {"playwright": True}])
async def test_a_request_that_does_not_ask_goes_the_ordinary_way(meta: dict[str, Any]) -> None:
    request = Request("http://www.example.com/", meta=meta)
    await _middleware(renders=False).process_request(request)
    assert "playwright" not in request.meta
    assert "max_retry_times" not in request.meta


async def test_a_spider_must_declare_that_it_renders() -> None:
    with pytest.raises(Refused, match=r"somewhere asks for rendering .* set renders = True"):
        await _middleware(renders=False).process_request(Request("https://192.0.2.1/", meta={"render": True}))


async def test_only_get_is_rendered() -> None:
    request = Request("https://192.0.2.1/", method="POST", body=b"a=1", meta={"render": True})
    with pytest.raises(Refused, match="rendering of a POST"):
        await _middleware().process_request(request)


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://nowhere.invalid/", "ftp://127.0.0.1/", "data:,text"])
async def test_a_page_is_https(url: str) -> None:
    middleware = _middleware()
    with pytest.raises(IgnoreRequest, match="only https is, or http of a private host"):
        await middleware.process_request(Request(url, meta={"render": True}))
    assert middleware._crawler.stats == {"outsourcing/rendering/refused": 1}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost/", "http://10.1.2.3/", "http://[::1]/"])
async def test_a_stand_in_may_be_http(url: str) -> None:
    request = Request(url, meta={"render": True})
    await _middleware().process_request(request)
    assert request.meta["playwright"] is True


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("2130706433", True),
        ("localhost.", True),
        ("some.localhost", True),
        ("192.168.1.1", True),
        ("172.31.0.1", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("0.0.0.0", True),
        ("[::1]", True),
        ("[fd00::1]", True),
        ("[fe80::1]", True),
        ("[::ffff:10.0.0.1]", True),
        ("224.0.0.1", True),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("[2606:4700::1111]", False),
        ("nowhere.invalid", False),
        ("", False),
    ],
)
async def test_private_addresses_are_known(host: str, private: bool) -> None:
    addresses = Addresses()
    assert await addresses.is_private(f"https://{host}/") is private
    assert await addresses.may_be_private(f"https://{host}/") is private


def test_nothing_of_playwright_is_imported() -> None:
    program = (
        "import sys, outsourcing_spiders.middlewares.rendering; "
        "sys.exit(any(name.partition('.')[0] in ('playwright', 'scrapy_playwright') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
