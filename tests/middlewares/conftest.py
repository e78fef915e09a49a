"""What the tests with a browser share."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from platforms_standins._scripted_listing import ScriptedListing


def has_browser() -> bool:
    """Tell whether there is a browser to test with."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    if any(shutil.which(name) for name in names):
        return True
    with playwright.sync_playwright() as started:
        return Path(started.chromium.executable_path).exists()


@pytest.fixture(scope="session")
def browser() -> None:
    """Skip where there is none."""
    if not has_browser():
        pytest.skip("no browser (Debian: apt-get install chromium; else: playwright install chromium)")


@pytest.fixture(scope="module")
async def scripted() -> AsyncIterator[ScriptedListing]:
    """A site whose rows are made by scripts."""
    async with ScriptedListing() as running:
        yield running
