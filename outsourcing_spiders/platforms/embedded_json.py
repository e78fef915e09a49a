"""Pages that carry their listing as JSON for their own scripts, which is more exact than what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from parsel import Selector
from scrapy.http import Response, TextResponse

from outsourcing_spiders.outcomes import LayoutChanged
from outsourcing_spiders.parsing.embedded import (
    nuxt_state,
    state_after,
    state_in_attribute,
    state_in_script,
    vuex_state,
)
from outsourcing_spiders.platforms.json_rows import JsonRowsSpider, Row
from outsourcing_spiders.platforms.listing import ERRORS, Page

__all__ = ["EmbeddedJsonSpider", "Row", "Tiles"]


@dataclass(frozen=True, slots=True)
class Tiles:
    """What pages show of their listing, by CSS: another way in, for when the state beside it cannot be read."""

    tile: str
    """What stands for one project."""
    row: Callable[[Selector], Row]
    """Returns what a tile shows, under the names that the state has."""
    nothing: str
    """What only a page without results holds."""
    next_page: str
    """What is on every page but the last one."""

    @property
    def rendering(self) -> dict[str, str]:
        """What a browser waits for, as requests want it told."""
        return {"wait_for": f"{self.tile}, {self.nothing}"}

    def page(self, response: Response) -> Page[Row] | None:
        """Return what a page shows; ``None`` when that is neither tiles nor the word that there are none."""
        tiles = response.css(self.tile)
        nothing = not tiles and bool(response.css(self.nothing))
        if not (tiles or nothing):
            return None
        rows = [self.row(tile) for tile in tiles]
        return Page(rows=rows, total=0 if nothing else None, is_last=not response.css(self.next_page))


class EmbeddedJsonSpider(JsonRowsSpider):
    """Read a listing from the state inside its pages, in which `rows_at` and its kin lead to what is there.

    Where the state is, one attribute says; `marker` is what the state cannot be without, for the block guard.
    """

    state_marker: ClassVar[str | None] = None
    """What a script writes before the state, such as ``window.stateData=``."""
    state_attribute: ClassVar[tuple[str, str] | None] = None
    """CSS selector of the element, and its attribute that is the state."""
    state_script: ClassVar[tuple[str, str] | None] = None
    """Attribute and value of the script whose text is the state, such as ``("id", "__NEXT_DATA__")``."""
    vuex: ClassVar[bool] = False
    """Whether the state is the Vuex store of a Nuxt page, and not the whole."""
    tiles: ClassVar[Tiles | None] = None
    """What to read instead where the state is not there."""

    def page(self, response: Response) -> Page[Row]:
        """Return what the state holds; without one that can be read, what the page shows."""
        try:
            return super().page(response)
        except LayoutChanged:
            if self.tiles is None or (shown := self.tiles.page(response)) is None:
                raise
            return shown

    def value(self, response: Response) -> Any:
        """Return the state; raises `LayoutChanged` when it is not there, or cannot be read."""
        if response.status in ERRORS:
            raise self.refusal(response)
        try:
            return self.state(response)
        except ValueError as error:
            raise LayoutChanged(f"{response.url}: {error}; the spider needs mending") from error

    def state(self, response: Response) -> Any:
        """Return the state of any page of the platform; raises `StateMissing`, `StateUnreadable`."""
        if not isinstance(response, TextResponse):
            raise ValueError("the answer is no text")
        if self.state_marker is not None:
            return state_after(response.text, self.state_marker)
        if self.state_attribute is not None:
            return state_in_attribute(response.selector, *self.state_attribute)
        if self.state_script is not None:
            return state_in_script(response.selector, *self.state_script)
        return vuex_state(response.selector) if self.vuex else nuxt_state(response.selector)
