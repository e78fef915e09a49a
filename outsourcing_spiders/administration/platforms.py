"""What there is to say about the platforms: their terms, what they need, and how it stands with each."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scrapy import Spider
from scrapy.settings import BaseSettings

from outsourcing_spiders.administration.platforms_table import (
    Platform,
    Report,
    Row,
    Setting,
    as_list,
    as_table,
    in_full,
    to_json,
)
from outsourcing_spiders.middlewares.permission import (
    data_sheet,
    missing_permission,
    permitted_platforms,
    unknown_names,
)
from outsourcing_spiders.platforms.base import PlatformSpider
from outsourcing_spiders.storage.export_file import explained_output
from outsourcing_spiders.storage.overview_facts import Overview, PlatformOverview


def print_report(
    spiders: list[type[PlatformSpider]], settings: BaseSettings, names: Collection[str], *, as_json: bool, whole: bool
) -> None:
    """Print a table of the platforms, or all there is about them; `names` are those of all there are.

    Raises `storage.export_file.OutputError` when it cannot be written.
    """
    report = _report(spiders, settings, names)
    text = to_json(report) if as_json else in_full(report) if whole else as_table(report)
    with explained_output("standard output"):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def list_of(spiders: list[type[Spider]], settings: BaseSettings) -> str:
    """Return the table of ``scrapy list``; nothing is asked of a database."""
    return as_list([_row(spidercls, settings) for spidercls in spiders])


def _report(spiders: list[type[PlatformSpider]], settings: BaseSettings, names: Collection[str]) -> Report:
    from outsourcing_spiders.storage.overview import overview

    url, root = str(settings.get("DATABASE_URL") or ""), Path(settings["EMBEDDED_POSTGRES_FOLDER"])
    permitted = permitted_platforms(settings)
    stored = asyncio.run(overview(url, [spidercls.name for spidercls in spiders], embedded_root=root))
    return Report(
        at=datetime.now(UTC),
        platforms=[_described(spidercls, settings, permitted, stored) for spidercls in spiders],
        stored=stored,
        notes=[*unknown_names(permitted, names), *stored.notes],
    )


def _row(spidercls: type[Spider], settings: BaseSettings) -> Row:
    reads = (inspect.getdoc(spidercls) or "").partition("\n")[0].rstrip(".")
    # Scrapy's own docstring says nothing of a spider that has none.
    reads = reads if spidercls.__doc__ else "-"
    if not issubclass(spidercls, PlatformSpider):
        return Row(spidercls.name, None, [], reads)
    nothing = Overview({spidercls.name: PlatformOverview()})
    platform = _described(spidercls, settings, permitted_platforms(settings), nothing)
    needs = platform.needs
    if platform.permission == "missing":
        needs = [f"its permission (PERMITTED_PLATFORMS={platform.name})", *needs]
    official: Any = getattr(spidercls, "official_api", None)
    if official is not None:
        is_set = spidercls.way_in(settings) is official
        needs = [*needs, f"or its API: {', '.join(official.needs)} ({'set' if is_set else 'not set'})"]
    return Row(spidercls.name, platform, needs, reads)


def _described(
    spidercls: type[PlatformSpider], settings: BaseSettings, permitted: Collection[str], stored: Overview
) -> Platform:
    """Return all facts about one platform; of settings only whether they are set, never their values."""
    own = settings.copy()
    spidercls.update_settings(own)
    sheet = data_sheet(spidercls)
    required: tuple[str, ...] = tuple(getattr(spidercls, "needs", ()))
    token: tuple[str, str] | None = getattr(spidercls, "token", None)
    names = dict.fromkeys([*required, *([token[1]] if token else [])])
    permission = "not needed"
    if spidercls.access == "permission":
        permission = "missing" if missing_permission(spidercls, spidercls.home, permitted) else "given"
    narrowed_by: list[str] = [name for name in ("query", "skills", "category") if name in spidercls.narrowed_by]
    return Platform(
        name=spidercls.name,
        home=spidercls.home,
        access=spidercls.access,
        permission=permission,
        site=sheet.get("Site"),
        access_note=sheet.get("Access"),
        terms=sheet.get("Terms"),
        caveats=sheet.get("Caveats"),
        narrowed_by=narrowed_by,
        settings=[
            Setting(
                name=name,
                use="token" if token and name == token[1] else None,
                required=name in required,
                is_set=bool(own.get(name)),
            )
            for name in names
        ],
        browser=bool(getattr(spidercls, "renders", False)),
        stored=stored.platforms[spidercls.name],
    )
