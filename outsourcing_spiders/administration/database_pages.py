"""How ``scrapy db pages`` shows the pages that ended crawls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich import filesize

from outsourcing_spiders.parsing.text import printable
from outsourcing_spiders.storage.pages import KeptPage


def listed(pages: Sequence[KeptPage]) -> str:
    """Return a line for each page, newest first."""
    if not pages:
        return "No crawl was ended by a page."
    return "\n".join(f"{page.id:>5}  {described(page)}" for page in pages)


def described(page: KeptPage) -> str:
    """Return what is known of a page besides its body, in one line."""
    kept_at = f"{page.kept_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    size = filesize.decimal(page.body_size)
    told = f"{kept_at}  {page.spider}  {page.reason}  {page.status}  {size}  {page.url}  ({page.finding})"
    # Both come from the platform.
    return printable(told)
