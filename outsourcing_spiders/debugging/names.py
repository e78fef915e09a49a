"""The names of ``scrapy shell``: what the page holds, read by the spider's own parsers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.debugging.answers import is_detail_page, rows_of
from outsourcing_spiders.debugging.explanation import Explanation, brief, explain_detail, explain_row
from outsourcing_spiders.debugging.table import cut, text_of
from outsourcing_spiders.items import Project
from outsourcing_spiders.parsing.text import printable

_MOST_LINES = 60


class Rows(list[Any]):
    """What a page of the listing holds; shown as a list of what becomes of each."""

    def __init__(self, rows: Iterable[Any], told: Callable[[Any], tuple[str, str]], problem: str | None) -> None:
        super().__init__(rows)
        self._told = told
        self.problem = problem

    def __repr__(self) -> str:
        """Return a line for each row: its number, its id, and its title, or why it is not stored."""
        if not self:
            return printable(f"no rows: {self.problem}")
        return "\n".join([*self._lines(), "explain(rows[0]) shows where each field of a row comes from"])

    def _lines(self) -> Iterator[str]:
        columns = shutil.get_terminal_size((140, 24)).columns - 1
        for number, row in enumerate(self[:_MOST_LINES]):
            identity, said = self._told(row)
            yield cut(printable(f"{number:>3}  {identity:<12}  {said}"), columns)
        if len(self) > _MOST_LINES:
            yield f"…    {len(self) - _MOST_LINES} more"


class Names:
    """`rows`, `item`, `explain` and `detail` for the page that was fetched last."""

    def __init__(self, spider: Any, ask: Callable[[Request], Response | None]) -> None:
        self.spider = spider
        self._ask = ask
        self.response: Response | None = None
        self.listed: Project | None = None
        self.is_detail = False
        self.rows = Rows((), self._brief, "nothing was fetched")

    def read(self, response: Response | None, *, listed: Project | None = None, is_detail: bool | None = None) -> None:
        """Take a page in; `listed` is what the listing told of the project whose page it is."""
        self.response, self.listed = response, listed
        if response is None:
            self.is_detail, self.rows = False, Rows((), self._brief, "nothing came")
            return
        if response.request is not None and listed is None:
            self.listed = response.request.cb_kwargs.get("item")
        if is_detail is None and self.listed is not None:
            is_detail = True
        rows, problem = (
            ([], "this is the page of one project; look at it with explain()")
            if is_detail
            else (rows_of(self.spider, response))
        )
        self.is_detail = not rows and is_detail_page(self.spider, response) if is_detail is None else is_detail
        if self.is_detail and not rows:
            problem = "this is the page of one project; look at it with explain()"
        self.rows = Rows(rows, self._brief, problem)

    def variables(self) -> dict[str, Any]:
        """Return what is in reach of the console."""
        names: dict[str, Any] = {"rows": self.rows, "item": self.item, "explain": self.explain}
        if self.has_details:
            names["detail"] = self.detail
        return names

    @property
    def has_details(self) -> bool:
        """Tell whether the spider reads pages of single projects."""
        return hasattr(self.spider, "detail")

    def item(self, row: Any) -> Project | None:
        """Return what the spider makes of a row: ``item(rows[0])``; ``None`` for one that it leaves out."""
        found: Project | None = self.spider.item(row, self._page())
        return found

    def explain(self, what: Any = None) -> Explanation:
        """Return a table of each field, its raw text, and the key or selector that it came from, or why it is empty.

        Of a row: ``explain(rows[0])``. Of a project's own page: ``explain()``, or ``explain(item)`` with what the
        listing told; from a page of the listing, ``explain(item)`` asks for the project's page.
        """
        if isinstance(what, Project):
            self._turn_to(what)
            return explain_detail(self.spider, what, self._page())
        if what is None and self.is_detail:
            return explain_detail(self.spider, self._listed(), self._page())
        if what is None:
            if not self.rows:
                raise LookupError(repr(self.rows))
            what = self.rows[0]
        if isinstance(what, Rows):
            raise LookupError("explain takes one row: explain(rows[0])")
        return explain_row(self.spider, what, self._page())

    def detail(self, item: Project | None = None) -> Project:
        """Return a project with what its own page says; from a page of the listing, that page is asked for."""
        if item is None and not self.is_detail:
            raise LookupError("say which project: detail(item(rows[0]))")
        if item is not None:
            self._turn_to(item)
        found: Project = self.spider.detail(deepcopy(item or self._listed()), self._page())
        return found

    def lines(self) -> list[str]:
        """Return what to type."""
        told: list[tuple[str, str]] = []
        if self.is_detail:
            told = [
                ("explain()", "each field, its raw text, and where it came from, or why it is empty"),
                ("detail()", "the project with what this page says"),
            ]
        elif self.rows:
            count = f"{len(self.rows)} rows" if len(self.rows) > 1 else "1 row"
            told = [
                ("rows", f"what the list holds: {count}, with what becomes of each"),
                ("item(rows[0])", "the project that the spider makes of a row"),
                ("explain(rows[0])", "each field, its raw text, and where it came from, or why it is empty"),
            ]
            if self.has_details:
                told.append(("detail(item(rows[0]))", "ask for the project's own page, and add what it says"))
        else:
            told = [("rows", f"none: {self.rows.problem}")]
        if self.response is not None:
            told.append(("response", f"{self.response.status} {self.response.url}, {_size(self.response)}"))
            told.append(("view(response)", "the page in a browser"))
        told.append(('fetch("https://…")', "another page; fetch() the first page of the listing"))
        told.append(("shelp()", "this again; Ctrl-D leaves"))
        wide = max(len(name) for name, _ in told)
        return [f"{name:<{wide}}  {said}" for name, said in told]

    def _brief(self, row: Any) -> tuple[str, str]:
        return brief(self.spider, row, self._page())

    def _page(self) -> Response:
        if self.response is None:
            raise LookupError('there is no page; fetch("https://…") asks for one')
        return self.response

    def _listed(self) -> Project:
        url = self._page().url
        return self.listed or Project(platform=self.spider.name, external_id=url, url=url, title="")

    def _is_of(self, item: Project, request: Request | None) -> bool:
        """Tell whether the page is a project's: by what the listing told of the page's, else by the address."""
        if self.listed is not None:
            return self.listed.external_id == item.external_id
        return self._page().url in (item.url, request and request.url)

    def _turn_to(self, item: Project) -> None:
        """Ask for the page of a project, unless it is the one that is looked at."""
        if not self.has_details:
            raise LookupError(f"{self.spider.name} reads no pages of single projects; explain(rows[0]) explains a row")
        request = self.spider.ask_for_detail(item)
        if self.is_detail and self._is_of(item, request):
            return
        if request is None:
            raise LookupError(f"the spider asks for no page of {text_of(item.title)!r}")
        self._ask(request)
        if not self.is_detail:
            raise LookupError(f"the page of {text_of(item.title)!r} did not come")


def _size(response: Response) -> str:
    return f"{-(-len(response.body) // 1024)} kB"
