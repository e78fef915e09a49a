"""Listings whose pages are, or hold, one JSON value: where in it the rows are, and what it says of the listing."""

from __future__ import annotations

from abc import abstractmethod
from functools import reduce
from operator import getitem
from typing import Any, ClassVar

from scrapy.http import Response

from outsourcing_spiders.outcomes import LayoutChanged
from outsourcing_spiders.parsing.money import int_or_none
from outsourcing_spiders.platforms.listing import ListingSpider, Page

Row = dict[str, Any]

# What reading where nothing is raises.
_MISPLACED = (KeyError, IndexError, TypeError, AttributeError)


class JsonRowsSpider(ListingSpider[Row]):
    """Find rows and totals by the keys that lead to them; the last key of what is optional may be missing."""

    rows_at: ClassVar[tuple[str | int, ...]]
    """Keys that lead to the rows of an answer."""
    total_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to how many rows the whole listing has."""
    pages_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to how many pages the listing has."""
    page_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to the number of this page; beside `pages_at`."""
    has_next_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to whether another page follows."""
    cursor_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to what the next page is asked for by, where that is not a number."""
    id_at: ClassVar[str] = "id"
    """Key of the id of a row."""

    @abstractmethod
    def value(self, response: Response) -> Any:
        """Return the value that a good page is, or holds; raises the `Outcome` that a bad one means."""

    def record(self, row: Any, value: Any) -> Any:
        """Return what is told of a project where a row of the value is not that itself: inside of it, or beside it."""
        return row

    def row_id(self, row: Row) -> str:
        """Return the platform's id of a row; raises `KeyError`, `TypeError` when there is none."""
        identity = row[self.id_at]
        if isinstance(identity, bool) or not isinstance(identity, (int, str)) or identity == "":
            raise TypeError(f"no id: {identity!r}")
        return str(identity)

    def page(self, response: Response) -> Page[Row]:
        """Return what a page holds; raises `LayoutChanged` where rows or totals are not where they were."""
        value = self.value(response)
        try:
            rows = self._records(value)
            total, pages, number, has_next, cursor = (
                self._optional(value, path)
                for path in (self.total_at, self.pages_at, self.page_at, self.has_next_at, self.cursor_at)
            )
        except _MISPLACED as error:
            raise LayoutChanged(f"{response.url} holds no rows where they were: {error!r}") from error
        is_last: bool | None = None
        if (count := int_or_none(pages)) is not None:
            place = response.cb_kwargs.get("place") if response.request else None
            asked = int_or_none(number) or int_or_none(place)
            is_last = None if asked is None else asked >= count
        elif isinstance(has_next, bool):
            is_last = not has_next
        elif self.cursor_at:
            is_last = cursor in (None, "")
        return Page(rows=rows, total=int_or_none(total), is_last=is_last, following=cursor)

    def _records(self, value: Any) -> list[Row]:
        """Return the records of the rows; those that have none are counted, and raise only where no row has one."""
        records: list[Row] = []
        problem: Exception | None = None
        for row in self._found(value, self.rows_at):
            try:
                record = self.record(row, value)
            except _MISPLACED as error:
                problem = error
            else:
                if isinstance(record, dict):
                    records.append(record)
                    continue
                problem = TypeError(f"{type(record).__name__} where a record was")
            self.count("skipped/no_record")
        if problem is not None and not records:
            raise problem
        return records

    def _optional(self, value: Any, path: tuple[str | int, ...]) -> Any:
        if not path:
            return None
        holder = self._found(value, path[:-1])
        return holder.get(path[-1]) if isinstance(path[-1], str) else holder[path[-1]]

    @staticmethod
    def _found(value: Any, path: tuple[str | int, ...]) -> Any:
        return reduce(getitem, path, value)
