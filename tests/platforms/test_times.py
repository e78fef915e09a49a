"""When projects were posted, as fields of items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scrapy.http import HtmlResponse

from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.times import PlatformTimes

ANSWER = HtmlResponse("https://example.com/", headers={"Date": "Mon, 21 Sep 2026 14:00:00 GMT"}, body=b"")
NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)


class Korean(PlatformTimes):
    zone = ZoneInfo("Asia/Seoul")


@pytest.mark.parametrize(
    ("value", "at", "precision", "text"),
    [
        (1_789_992_000, NOON, "exact", "1789992000"),
        (1_789_992_000_000, NOON, "exact", "1789992000000"),
        ("2026-09-21 21:00:01", NOON.replace(second=1), "exact", "2026-09-21 21:00:01"),
        ("2 hours ago", NOON, "hour", "2 hours ago"),
        ("some day", None, "unknown", "some day"),
        (0, None, "unknown", "0"),
        ("", None, "unknown", None),
        (None, None, "unknown", None),
    ],
)
def test_three_fields_come_of_one_value(value: Any, at: datetime | None, precision: str, text: str | None) -> None:
    item = Project(platform="p", external_id="1", url="u", title="t", **Korean().posted(value, ANSWER))
    assert (item.posted_at, item.posted_precision, item.posted_text) == (at, precision, text)
