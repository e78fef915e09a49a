"""The files of fixtures as the generators write them: a page, what it is read with, and what a perfect reader stores.

The items come from the stand-ins, which know what they show; validation, and nothing else of the package, brings them
into the form in which fixtures have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from outsourcing_spiders.debugging.fixtures import Items, Meta, from_json, text_of_items, text_of_meta, to_json
from outsourcing_spiders.items import Project
from outsourcing_spiders.outcomes import CloseReason
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.redaction import scrub_personal
from outsourcing_spiders.parsing.validation import validate

_HTML, _JSON = "text/html; charset=utf-8", "application/json"


class SavedFixtures:
    """Files of one folder by their names; every answer came at `now`, Unix seconds."""

    def __init__(self, home: str, now: int) -> None:
        self.files: dict[str, bytes] = {}
        self._home = home
        self._now = datetime.fromtimestamp(now, UTC)

    def add(
        self,
        name: str,
        body: bytes | str,
        path: str,
        *,
        items: Iterable[Mapping[str, Any]] = (),
        outcome: CloseReason | None = None,
        status: int = 200,
        place: int | str | None = None,
        read_by: Literal["parse", "detail"] = "parse",
        item: Mapping[str, Any] | None = None,
        posted: str | None = None,
        **more: Any,
    ) -> None:
        """Add one fixture; `items` or an `outcome` is what a perfect reader makes of it, `item` what was listed."""
        # As `scrapy capture` saves it, but for the spider's `private_keys`: nothing here is anybody's.
        body = scrub_personal(body if isinstance(body, str) else body.decode()).encode()
        is_json = body.lstrip()[:1] in (b"{", b"[")
        headers = {"Content-Type": _JSON if is_json else _HTML, "Date": format_datetime(self._now, usegmt=True)}
        if posted is not None:
            more |= {"method": "POST", "body": posted}
        if place is not None:
            more["place"] = place
        if item is not None:
            more["item"] = self._stored(item)
        address = path if path.startswith("https:") else self._home + path
        meta = Meta(read_by=read_by, address=address, status=status, headers=headers, **more)
        if outcome is None:
            self.files[f"{name}.items.json"] = text_of_items([self._stored(one) for one in items]).encode()
        else:
            meta.outcome = outcome
        self.files[f"{name}{'.json' if is_json else '.html'}"] = body
        self.files[f"{name}.meta.json"] = text_of_meta(meta).encode()

    def write(self, folder: Path) -> None:
        """Write the files, and remove those of before."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name != "README.md" and path.name not in self.files:
                path.unlink()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def _stored(self, told: Mapping[str, Any]) -> dict[str, Any]:
        known = {field.name for field in fields(Project)}
        project = from_json(msgspec.to_builtins({name: value for name, value in told.items() if name in known}))
        validate(project, ExchangeRates(), now=self._now)
        found: Items = to_json([project])
        return found[0]
