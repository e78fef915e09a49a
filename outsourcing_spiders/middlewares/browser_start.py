"""Find a browser and start it, with all switched off that does not make a page; or connect to one that runs."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError
from scrapy_playwright.provider import PlaywrightBrowserProvider

from outsourcing_spiders.outcomes import Failed

logger = logging.getLogger(__name__)

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC_PROGRAMS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
# They count visitors and show advertisements; none of them brings what a page is about.
TRACKERS = (
    "google-analytics.com", "googletagmanager.com", "googlesyndication.com", "googleadservices.com", "doubleclick.net",
    "connect.facebook.net", "hotjar.com", "hotjar.io", "clarity.ms", "bat.bing.com", "mc.yandex.ru", "segment.io",
    "cdn.segment.com", "mixpanel.com", "mxpnl.com", "amplitude.com", "fullstory.com", "criteo.com", "criteo.net",
    "taboola.com", "outbrain.com", "quantserve.com", "scorecardresearch.com", "nr-data.net", "snap.licdn.com",
    "px.ads.linkedin.com", "analytics.tiktok.com", "static.ads-twitter.com", "browser-intake-datadoghq.com",
)  # fmt: skip
_ARGUMENTS = (
    # Not asked for at all, and without a word to Python.
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
    "--no-pings",
    "--host-resolver-rules=" + ",".join(f"MAP {name} ~NOTFOUND,MAP *.{name} ~NOTFOUND" for name in TRACKERS),
    "--disable-gpu",
    # Nobody looks at the pages.
    "--disable-threaded-compositing",
    "--disable-software-rasterizer",
    # Chromium takes the last list only, so these are Playwright's as far as a page that is read is concerned, and:
    # a frame host for each document, which costs a third of the time; a process in reserve, and one with the
    # suggestions of an address bar for each context, which cost 55 MB each.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,MediaRouter,OptimizationHints,"
    "NetworkTimeServiceQuerying,PaintHolding,DestroyProfileOnBrowserClose,AvoidUnnecessaryBeforeUnloadCheckSync,"
    "AimEnabled,PreconnectToSearch,LensOverlay,RenderDocument,SpareRendererForSitePerProcess,WebUIOmniboxPopup,"
    "WebUIOmniboxAimPopup",
    # Here, too, the last list counts; Playwright's own is about screenshots and:
    "--enable-features=SkipListAccountsWithoutGaiaCookies"
    # Elsewhere than on Linux a network process has a sandbox; here it costs a tenth of the time, and guards nothing.
    + (",NetworkServiceInProcess2" if sys.platform == "linux" else ""),
)
NO_BROWSER = (
    "No browser to render pages with: run `playwright install chromium`, or `apt-get install chromium` on Debian"
)


class BrowserFinder(PlaywrightBrowserProvider):  # type: ignore[misc] # it comes without types
    """Connect to the browser of ``PLAYWRIGHT_CDP_URL``, else start Playwright's own, else one of the system.

    Raises `Failed`, which says what to install.
    """

    async def launch_browser(self) -> Browser:
        """Return a running browser."""
        assert self.browser_type is not None
        if self.config.cdp_url:
            try:
                connected: Browser = await self.browser_type.connect_over_cdp(
                    self.config.cdp_url, **self.config.cdp_kwargs
                )
                return connected
            except PlaywrightError:
                # Its address may hold a password.
                raise Failed("No browser answers at PLAYWRIGHT_CDP_URL: start it, or correct the address") from None
        asked = self.config.launch_options.get("executable_path")
        for program in [asked] if asked else [None, *system_browsers()]:
            try:
                return await self._start(program)
            except PlaywrightError as error:
                if "Executable doesn't exist" not in error.message and "ENOENT" not in error.message:
                    where = program or "Playwright's browser"
                    raise Failed(f"{where} does not start: {error.message.splitlines()[0]}") from None
        raise Failed(NO_BROWSER)

    async def _start(self, program: str | None) -> Browser:
        assert self.browser_type is not None
        options: dict[str, Any] = {
            "timeout": 20_000,
            # Ctrl-C goes to the whole process group: the pages under way are still wanted.
            "handle_sigint": False,
            "handle_sigterm": False,
            "handle_sighup": False,
            # Nobody clicks here: a page that opens a window does so by itself.
            "ignore_default_args": ["--disable-popup-blocking"],
            **self.config.launch_options,
            "args": [*_ARGUMENTS, *self.config.launch_options.get("args", ())],
        }
        if program:
            options["executable_path"] = program
        # Chromium does not start as root with its sandbox.
        sandbox = options.pop("chromium_sandbox", os.geteuid() != 0 if hasattr(os, "geteuid") else True)
        try:
            return await self._launch(sandbox, options)
        except PlaywrightError as error:
            if not sandbox or "sandbox" not in error.message.lower():
                raise
            logger.warning("Chromium's sandbox cannot be used here (a container?); starting it without")
            return await self._launch(False, options)

    async def _launch(self, sandbox: bool, options: dict[str, Any]) -> Browser:
        assert self.browser_type is not None
        launched: Browser = await self.browser_type.launch(chromium_sandbox=sandbox, **options)
        return launched


def system_browsers() -> list[str]:
    """Return the Chromium and Chrome programs of this machine, the preferred one first."""
    found = [path for name in _PROGRAMS if (path := shutil.which(name))]
    return found + [str(path) for path in _MAC_PROGRAMS if path.exists()]
