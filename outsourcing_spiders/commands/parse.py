"""`scrapy parse` without storing: no database is touched. Each item is shown as `scrapy shell` explains it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import warnings
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from scrapy import Request, Spider
from scrapy.commands import parse
from scrapy.exceptions import DropItem, ScrapyDeprecationWarning, UsageError
from scrapy.http import Response
from scrapy.settings import BaseSettings

from outsourcing_spiders.commands._preparation import only_look, prepare, printing
from outsourcing_spiders.extensions.log_redaction import shown
from outsourcing_spiders.outcomes import Outcome, WrongArgument

logger = logging.getLogger(__name__)

# The second are pages of single projects: a crawl can do without a few, one page alone cannot.
_ERRORS = ("spider_exceptions/count", "outsourcing/details/misread")


class Command(parse.Command):
    """Run a callback on one page and print what it makes of it."""

    _saved: Any = None
    """The answer that was saved, where a file is read."""

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "[options] [ADDRESS | FILE]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Print what a spider makes of a page: each field, and where it came from"

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Turn storing off."""
        only_look(self.settings)
        super().process_options(args, opts)
        prepare(self.settings)
        self._pending: set[asyncio.Task[None]] = set()
        self._unread = 0
        self._pages: list[tuple[Response, Any, bool]] = []

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Parse a page; wrong arguments, and a platform that must permit it, are told in one sentence."""
        from outsourcing_spiders.debugging.answers import source_of, spider_of_address, spider_of_file
        from outsourcing_spiders.debugging.one_page import NothingCame

        # It is Scrapy's own callback that returns one.
        warnings.filterwarnings("ignore", message=".*returned a Deferred", category=ScrapyDeprecationWarning)
        if len(args) > 1:
            raise UsageError
        assert self.crawler_process is not None
        loader = self.crawler_process.spider_loader
        try:
            file, address = source_of(args[0] if args else None)
            name = opts.spider
            if name is None and file is not None:
                name = spider_of_file(loader, file)
            elif name is None and address is not None:
                found = loader.find_by_request(Request(address))
                name = spider_of_address(loader, address) or (found[0] if len(found) == 1 else None)
            if name is None:
                raise WrongArgument("which spider is to read it? --spider=NAME; `scrapy list` names them all")
            with printing():
                if not self._parse(name, address, file, opts):
                    super().run(args, opts)
        except (Outcome, NothingCame) as error:
            self.exitcode = 2 if isinstance(error, WrongArgument) else 1
            sys.stderr.write(shown(f"scrapy parse: {error}\n"))

    def _parse(self, name: str, source: str | None, file: Path | None, opts: argparse.Namespace) -> bool:
        """Parse a page of a listing's spider; return whether it is one."""
        from outsourcing_spiders.debugging.answers import take_way_in
        from outsourcing_spiders.debugging.one_page import load, spider_named
        from outsourcing_spiders.middlewares.permission import missing_permission, permitted_platforms
        from outsourcing_spiders.platforms.listing import ListingSpider

        assert self.crawler_process is not None
        settings = self.crawler_process.settings
        found = spider_named(self.crawler_process.spider_loader, name)
        if not issubclass(found, ListingSpider):
            return False
        spidercls: type[ListingSpider[Any]] = found
        if file is not None:
            self._saved = load(settings, spidercls, file, arguments=opts.spargs, place=None, detail=False)
            way_in = self._saved.meta.way_in
            take_way_in(settings, spidercls, way_in if isinstance(way_in, str) else None)
            opts.spargs = self._saved.meta.arguments or opts.spargs
        way = cast("type[ListingSpider[Any]]", spidercls.way_in(settings))
        own: Any = way(**opts.spargs)
        if isinstance(opts.callback, str) and not callable(getattr(own, opts.callback, None)):
            raise WrongArgument(f"{name} has no callback {opts.callback!r}, such as parse or parse_detail")
        if file is None:
            problem = missing_permission(way, source or own.base_url, permitted_platforms(settings))
            if problem is not None:
                raise problem
        address = file.resolve().as_uri() if file else source
        self.spidercls = self._starting(way, address, opts)
        if opts.depth > 0:
            self.start_parsing(address or own.base_url, opts)
            self.print_results(opts)
            is_read = (
                self.first_response
                and not self._unread
                and self.pcrawler.spider.outcome is None
                and not any(self.pcrawler.stats.get_value(name) for name in _ERRORS)
            )
            self.exitcode = self.exitcode or int(not is_read)
        return True

    def _starting(self, spidercls: type[Spider], address: str | None, opts: argparse.Namespace) -> type[Spider]:
        """Return the spider, asking for this page alone, with all that has to be asked for before it."""
        from outsourcing_spiders.debugging.answers import is_first_page, request_for
        from outsourcing_spiders.platforms.details import DetailsMiddleware

        command, begin = self, spidercls.start
        exchanges = f"{DetailsMiddleware.__module__}.{DetailsMiddleware.__qualname__}"

        async def start(spider: Any) -> AsyncIterator[Any]:
            if command._saved is not None:
                yield command.prepare_request(spider, Request(cast("str", address), dont_filter=True), opts)
            elif address is not None and (request := request_for(spider, address)) is not None:
                yield command.prepare_request(spider, request, opts)
            else:
                instead = None if is_first_page(spider, address) else address
                async for first in begin(spider):
                    yield command._step(spider, first, instead, opts)

        def update_settings(settings: BaseSettings) -> None:
            spidercls.update_settings(settings)
            # With -o items pass the middlewares, to be written: not to be exchanged for requests.
            middlewares = settings.getdict("SPIDER_MIDDLEWARES") | {exchanges: None}
            settings.set("SPIDER_MIDDLEWARES", middlewares, priority="spider")

        members = {"start": start, "update_settings": staticmethod(update_settings), "__doc__": spidercls.__doc__}
        return type(spidercls.__name__, (spidercls,), members)

    def _step(self, spider: Any, request: Request, address: str | None, opts: argparse.Namespace) -> Request:
        """Return a request on the way to the listing, or the one for the listing itself."""
        if request.callback == spider.parse:
            return self.prepare_request(spider, request.replace(url=address) if address else request, opts)
        callback: Any = request.callback

        def step(response: Response, **arguments: Any) -> list[Any]:
            return [
                self._step(spider, found, address, opts) if isinstance(found, Request) else found
                for found in callback(response, **arguments) or ()
            ]

        return request.replace(callback=step)

    def prepare_request(self, spider: Spider, request: Request, opts: argparse.Namespace) -> Request:
        """Have the page read by the callback that was asked for, or by that of its kind."""
        self._chosen = opts.callback
        return super().prepare_request(spider, request.replace(callback=None) if opts.callback else request, opts)

    def run_callback(self, response: Response, callback: Any, cb_kwargs: dict[str, Any] | None = None) -> Any:
        """Read the page; that of a project is read as such."""
        from outsourcing_spiders.debugging import fixtures
        from outsourcing_spiders.debugging.answers import is_detail_page, rows_of

        spider: Any = self.pcrawler.spider
        listed, is_detail = (cb_kwargs or {}).get("item"), False
        if self._saved is not None:
            meta = self._saved.meta
            saved, sent = fixtures.answer(meta, self._saved.body), response.request
            assert sent is not None
            response = saved.replace(request=sent.replace(url=meta.address, cb_kwargs={}))
            cb_kwargs = {}
            if meta.place is not None and isinstance(meta.place, (int, str)):
                response.request.cb_kwargs["place"] = meta.place  # type: ignore[union-attr]
            listed = fixtures.from_json(meta.item) if isinstance(meta.item, dict) else None
            is_detail = meta.read_by == "detail"
        if callback == spider.parse and not self._chosen:
            rows = [] if is_detail else rows_of(spider, response)[0]
            is_detail = is_detail or (not rows and is_detail_page(spider, response))
            callback = spider.parse_detail if is_detail else callback
        elif getattr(spider, "parse_detail", None) == callback:
            is_detail = True
        if is_detail:
            # Where in a listing it stands is nothing that the page of a project is read with.
            cb_kwargs = {name: value for name, value in (cb_kwargs or {}).items() if name != "place"}
            if listed is not None:
                cb_kwargs["item"] = deepcopy(listed)
        self._pages.append((response, listed, is_detail))
        return super().run_callback(response, callback, cb_kwargs)

    def print_items(self, lvl: int | None = None, colour: bool = True) -> None:
        """Print each project as a table; other items as Scrapy does."""
        from outsourcing_spiders.items import Project

        items = self.items.get(lvl, []) if lvl is not None else [item for some in self.items.values() for item in some]
        if not self._pages or not all(isinstance(item, Project) for item in items):
            super().print_items(lvl, colour)
            return
        self._say("# Scraped Items  " + "-" * 60)
        explanations, others = self._explained({item.external_id for item in items})
        for item in items:
            title = " ".join(str(item.title).split())
            self._say(f"\n{item.external_id}  {title}\n{explanations.get(item.external_id, item)!r}")
        if others:
            self._say("\n# Rows without an item  " + "-" * 53)
            for line in others:
                self._say(line)

    def _explained(self, wanted: set[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the explanations of items by their ids, and a line for each row that gave none."""
        from outsourcing_spiders.debugging.answers import rows_of
        from outsourcing_spiders.debugging.explanation import brief, explain_detail, explain_row, is_unreadable
        from outsourcing_spiders.items import Project

        spider: Any = self.pcrawler.spider
        found: dict[str, Any] = {}
        others = []
        for response, listed, is_detail in self._pages:
            if is_detail:
                url = response.url
                item = listed or Project(platform=spider.name, external_id=url, url=url, title="")
                found[item.external_id] = explain_detail(spider, item, response)
                continue
            for number, row in enumerate(rows_of(spider, response)[0]):
                identity, said = brief(spider, row, response)
                if identity in wanted:
                    found[identity] = explain_row(spider, row, response)
                else:
                    self._unread += is_unreadable(said)
                    others.append(f"{number:>3}  {identity:<12}  {said}")
        return found, others

    def _say(self, text: str) -> None:
        sys.stdout.write(shown(f"{text}\n"))

    def scraped_data(self, args: tuple[Any, ...]) -> list[Any]:
        """Send items through the pipelines; one that is refused is named with the reason, and not shown.

        Scrapy's own does not look at what becomes of them.
        """
        items, requests, opts, depth, spider, callback = args
        if opts.pipelines:
            for item in items:
                task = asyncio.ensure_future(self._process(item, depth))
                self._pending.add(task)
                task.add_done_callback(self._pending.discard)
            opts = argparse.Namespace(**{**vars(opts), "pipelines": False})
        return super().scraped_data((items, requests, opts, depth, spider, callback))

    async def _process(self, item: Any, depth: int) -> None:
        try:
            await self.pcrawler.engine.scraper.itemproc.process_item_async(item)
        except DropItem as error:
            logger.warning("Rejected %s: %s", getattr(item, "url", None) or type(item).__name__, error)
            self.items[depth] = [kept for kept in self.items[depth] if kept is not item]
        except Exception:
            logger.exception("Error processing %s", getattr(item, "url", None) or type(item).__name__)
