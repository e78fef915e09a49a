"""Pages that carry their listing as JSON for their own scripts, which is more exact than what they show."""

from __future__ import annotations

from typing import Any, ClassVar

from scrapy.http import Response, TextResponse

from outsourcing_spiders.outcomes import LayoutChanged
from outsourcing_spiders.parsing.embedded import nuxt_state, state_after, state_in_attribute, state_in_script
from outsourcing_spiders.platforms.json_rows import JsonRowsSpider
from outsourcing_spiders.platforms.listing import ERRORS


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
        return nuxt_state(response.selector)
