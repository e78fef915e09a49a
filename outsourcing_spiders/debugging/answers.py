"""Which page a developer looks at: how it is asked for, what it was saved with, and what kind of page it is."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urljoin, urlsplit

from scrapy import Request, Spider
from scrapy.http import Response, TextResponse
from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoaderProtocol
from scrapy.utils.asyncgen import collect_asyncgen
from scrapy.utils.datatypes import SequenceExclude
from scrapy.utils.url import add_http_if_no_scheme

from outsourcing_spiders.middlewares.block_guard import BlockGuardMiddleware
from outsourcing_spiders.middlewares.permission import is_on, live_host
from outsourcing_spiders.outcomes import Outcome, WrongArgument

_MOST_STEPS = 6
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
_PAGES = (".html", ".htm", ".json", ".xml", ".php")

Ask = Callable[[Request], Response]
Run = Callable[[Awaitable[Any]], Any]


def source_of(text: str | None) -> tuple[Path | None, str | None]:
    """Return the file, or the address, that `text` names; raises `WrongArgument` for what is neither."""
    if text is None:
        return None, None
    if text.lower().startswith("file://"):
        text = unquote(urlsplit(text).path)
    elif _SCHEME.match(text):
        # As the name of a file it might be too long.
        return None, text
    path = Path(text).expanduser()
    if path.is_file():
        return path, None
    if text and path.is_dir():
        raise WrongArgument(f"{text!r} is a folder; name a file in it")
    if not _begins_with_host(text):
        raise WrongArgument(f"{text!r} is neither a web address nor a file")
    return None, add_http_if_no_scheme(text)


def absolute(text: str, page: Response | str) -> str:
    """Return the address that `text` names for who looks at `page`: a whole one, or as the page's links have it."""
    if _SCHEME.match(text):
        return text
    if _begins_with_host(text):
        return add_http_if_no_scheme(text)
    return urljoin(page, text) if isinstance(page, str) else page.urljoin(text)


def spider_of_file(loader: SpiderLoaderProtocol, path: Path) -> str | None:
    """Return the name of the spider that a saved page belongs to: its folder's, or what its name begins with."""
    names, path = [*loader.list(), *getattr(loader, "broken", ())], path.resolve()
    named = [name for name in names if name in path.parent.parts] or [
        name for name in names if path.name.startswith(name)
    ]
    found = named or names
    return found[0] if len(found) == 1 else None


def spider_of_address(loader: SpiderLoaderProtocol, address: str) -> str | None:
    """Return the name of the spider whose platform has an address."""
    for name in loader.list():
        spidercls: Any = loader.load(name)
        if hasattr(spidercls, "home") and is_on(address, live_host(spidercls)):
            return name
    return None


def take_way_in(settings: BaseSettings, spidercls: type[Spider], way_in: str | None) -> None:
    """Let a saved page be read by the class that it was saved for, whatever account is set up today."""
    official: Any = getattr(spidercls, "official_api", None)
    for name in official.needs if official else ():
        if way_in != official.__name__:
            settings.set(name, "", priority="cmdline")
        elif not settings.get(name):
            settings.set(name, "none, a saved page is read", priority="cmdline")


def first_page(spider: Any, address: str | None, ask: Ask, run: Run) -> Response:
    """Ask for the first page of the listing as a crawl would, with all that has to be asked for before it.

    With an address, that is asked for in its place. Raises what `ask` raises, and an `Outcome` of the spider's.
    """
    requests = run(collect_asyncgen(spider.start()))
    try:
        for _ in range(_MOST_STEPS):
            if not requests:
                break
            request = requests[0]
            if request.callback == spider.parse:
                return ask(request.replace(url=address) if address else request)
            response = ask(request)
            requests = [found for found in request.callback(response) or () if isinstance(found, Request)]
        raise LookupError("the spider asks for no page of a listing")
    finally:
        # What is read by hand is no walk through the listing.
        vars(spider).pop("walk", None)


def request_for(spider: Any, address: str) -> Request | None:
    """Return the request for an address; ``None`` for the listing, which the spider asks for itself (`first_page`)."""
    listing = _listing_request(spider)
    asked = urlsplit(address)
    if is_first_page(spider, address):
        return None
    is_ours = _is_ours(spider, address)
    same_path = listing is not None and asked.path.strip("/") == urlsplit(listing.url).path.strip("/")
    if is_ours and same_path:
        return None
    meta: dict[str, Any] = {"handle_httpstatus_list": SequenceExclude(range(300, 400)), "marker": _markers(spider)}
    if listing is not None and "render" in listing.meta and same_path:
        meta["render"] = listing.meta["render"]
    return Request(address, meta=meta, dont_filter=True)


def is_first_page(spider: Any, address: str | None) -> bool:
    """Tell whether an address stands for the platform as a whole."""
    if address is None:
        return True
    asked = urlsplit(address)
    return _is_ours(spider, address) and asked.path.strip("/") == "" and not asked.query


def warn_of_block(spider: Any, response: Response, *, is_detail: bool) -> None:
    """Log what a saved page is when it is no page of the platform, in the words of the block guard."""
    request = response.request or Request(response.url)
    marker = getattr(spider, "detail_marker", None) if is_detail else spider.marker
    listing = None if is_detail else _listing_request(spider)
    told = request.replace(headers=listing.headers if listing else None, meta={"marker": marker, **request.meta})
    # It waits for nothing.
    with suppress(StopIteration):
        BlockGuardMiddleware(spider.crawler, only_warns=True).process_response(told, response).send(None)


def rows_of(spider: Any, response: Response) -> tuple[list[Any], str | None]:
    """Return the rows of a page, and why there are none."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        page = spider.page(response)
    except Outcome as error:
        return [], str(error)
    except Exception as error:
        return [], f"{response.url} cannot be read: {type(error).__name__}: {error}"
    finally:
        logging.disable(before)
    return list(page.rows), None if page.rows else "the page says that there are none" if page.total == 0 else (
        f"{response.url} holds no rows, and does not say that there are none"
    )


def is_detail_page(spider: Any, response: Response) -> bool:
    """Tell whether a page without rows is a project's own."""
    if not hasattr(spider, "detail") or not isinstance(response, TextResponse):
        return False
    marker = spider.detail_marker
    texts = (marker,) if isinstance(marker, str) else marker or ()
    return response.status < 400 and any(text in response.text for text in texts)


def _begins_with_host(text: str) -> bool:
    host = re.split("[/?#]", text, maxsplit=1)[0]
    is_host = ("." in host or ":" in host or host == "localhost") and not text.startswith((".", "~", "?", "#"))
    return is_host and not host.endswith(_PAGES)


def _is_ours(spider: Any, address: str) -> bool:
    # The spider's headers may hold a token.
    on_live_host = spider.base_url.rstrip("/") == spider.home.rstrip("/") and is_on(address, live_host(type(spider)))
    return urlsplit(address).netloc.lower() == spider.host or on_live_host


def _listing_request(spider: Any) -> Request | None:
    with suppress(Exception):
        # Some can say it only in a crawl.
        return cast("Request", spider.listing_request(spider.first_place))
    return None


def _markers(spider: Any) -> tuple[str, ...] | None:
    found: list[str] = []
    for marker in (spider.marker, getattr(spider, "detail_marker", None)):
        found += [marker] if isinstance(marker, str) else list(marker or ())
    # Where one kind of page has none, nothing is known of all of them.
    return tuple(found) if spider.marker and found else None
