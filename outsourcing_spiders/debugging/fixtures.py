"""A saved answer that reads the same for ever: the page, what it has to be read with, and what it gives.

``NAME.html`` (``.json``, ``.xml``)  the body as the platform sent it, without secrets and personal data
``NAME.meta.json``                   `Meta`: address, status, ``Date`` (what "2 hours ago" counts from), among others
``NAME.items.json``                  the items as a crawl stores them, validated, without the dollars of the day;
                                     missing where the answer ends the crawl (`Meta.outcome`)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
from scrapy import Request
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.utils.conf import closest_scrapy_cfg

from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import CloseReason

Items = list[dict[str, Any]]

SUFFIXES = (".html", ".json", ".xml")


class Meta(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an answer is read with, beside its body; fields that an answer has no use for are left out of the file."""

    read_by: Literal["parse", "detail"]
    """Which callback reads it: that of the listing, or that of a project's own page."""
    address: str
    """Where the answer came from, after redirects."""
    status: int
    headers: dict[str, str]
    """Those that reading depends on, ``Date`` always among them."""
    method: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET
    """What was posted."""
    place: int | str | msgspec.UnsetType = msgspec.UNSET
    """What the page of the listing was asked for by: its number, its offset, its cursor."""
    render: Any = msgspec.UNSET
    """How a browser made the page: ``meta["render"]`` of the request."""
    way_in: str | msgspec.UnsetType = msgspec.UNSET
    """Class that reads it, where a platform has more than one (`PlatformSpider.way_in`)."""
    arguments: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Those that the spider had."""
    item: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What the listing told of the project whose page this is."""
    asked: str | msgspec.UnsetType = msgspec.UNSET
    """Method and address that the spider asks for, where the answer came from elsewhere: a redirect, for example."""
    outcome: CloseReason | msgspec.UnsetType = msgspec.UNSET
    """How a crawl ends that gets this answer, where it does: ``blocked``, ``login_required``, ``layout_changed``, …

    A project's page of another shape is told as if all of them were so: a crawl goes on when it is one of few.
    """


def answer(meta: Meta, body: bytes) -> Response:
    """Return the answer as the spider gets it."""
    headers = Headers(meta.headers)
    request = Request(
        meta.address,
        method=meta.method or "GET",
        body=meta.body or None,
        cb_kwargs={} if meta.place is msgspec.UNSET else {"place": meta.place},
        meta={} if meta.render is msgspec.UNSET else {"render": meta.render},
    )
    kind = responsetypes.from_args(headers=headers, url=meta.address, body=body)
    return kind(meta.address, status=meta.status, headers=headers, body=body, request=request)


def to_json(items: Iterable[Project]) -> Items:
    """Return items as a fixture has them: amounts and times as text, no dollars, which change with the day."""
    found: Items = json.loads(json.dumps([_as_stored(asdict(item)) for item in items], default=_as_text))
    return found


def from_json(item: dict[str, Any]) -> Project:
    """Return an item of a fixture."""
    return msgspec.convert(item, Project, strict=False)


def completed(items: Items) -> Items:
    """Return items of an older fixture with the fields that projects have got since."""
    return to_json(map(from_json, items))


@dataclass(frozen=True)
class Files:
    """The files of one fixture."""

    folder: Path
    name: str

    @property
    def items(self) -> Path:
        """The items."""
        return self.folder / f"{self.name}.items.json"

    @property
    def meta(self) -> Path:
        """What the page is read with."""
        return self.folder / f"{self.name}.meta.json"

    def page(self) -> Path | None:
        """The page, where it was saved."""
        return next((path for path in map(self.page_as, SUFFIXES) if path.is_file()), None)

    def page_as(self, suffix: str) -> Path:
        """The page in a format."""
        return self.folder / f"{self.name}{suffix}"

    def load_items(self) -> Items | None:
        """Return the items that were saved; ``None`` when there are none, raises `ValueError` for what are none."""
        if not self.items.is_file():
            return None
        try:
            return completed(json.loads(self.items.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.items} holds no items: {error}") from error

    def load_meta(self) -> Meta | None:
        """Return what the page is read with; ``None`` when it is not there, raises `ValueError` when unreadable."""
        if not self.meta.is_file():
            return None
        try:
            return msgspec.json.decode(self.meta.read_bytes(), type=Meta)
        except msgspec.DecodeError as error:
            raise ValueError(f"{self.meta} cannot be read: {error}") from error

    def load(self) -> Fixture:
        """Return all of it; raises `ValueError` for what is missing or cannot be read."""
        meta, page, items = self.load_meta(), self.page(), self.load_items()
        if meta is None:
            raise ValueError(f"{self.meta} is missing: read the page again with `scrapy capture`")
        if page is None:
            raise ValueError(f"{self.folder} has no page {self.name} ({', '.join(SUFFIXES)})")
        if items is None and not meta.outcome:
            raise ValueError(f"{self.items} is missing, and {self.meta.name} names no outcome")
        return Fixture(self.name, page, meta, page.read_bytes(), items or [])


@dataclass(frozen=True)
class Fixture:
    """One saved answer."""

    name: str
    path: Path
    meta: Meta
    body: bytes
    items: Items


def folder_of(name: str, chosen: str | None = None) -> Path:
    """Return where a spider's fixtures are: in this project, or in the folder that was `chosen` or the one in it."""
    if chosen is None:
        return Path(closest_scrapy_cfg()).parent / "tests" / "fixtures" / name
    return folder if (folder := Path(chosen) / name).is_dir() else Path(chosen)


def find(folder: Path) -> list[Files]:
    """Return the fixtures in a folder by name: all pages, and whatever else has the name of one's file."""
    ends = (".meta.json", ".items.json", *SUFFIXES)
    names = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        if end := next((end for end in ends if path.name.endswith(end)), None):
            names.add(path.name.removesuffix(end))
    return [Files(folder, name) for name in sorted(names)]


def text_of_items(items: Items) -> str:
    """Return the text of an items file."""
    return json.dumps(items, ensure_ascii=False, indent=1) + "\n"


def text_of_meta(meta: Meta) -> str:
    """Return the text of a meta file."""
    return json.dumps(msgspec.to_builtins(meta), ensure_ascii=False, indent=1) + "\n"


def _as_stored(item: dict[str, Any]) -> dict[str, Any]:
    if item["budget"]:
        item["budget"]["minimum_usd"] = item["budget"]["maximum_usd"] = None
    # A budget or a client of which nothing is known is stored as none.
    for name in ("budget", "client"):
        if item[name] and all(value is None for value in item[name].values()):
            item[name] = None
    return item


def _as_text(value: object) -> str:
    # 250.0 and 250 are the same amount.
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
