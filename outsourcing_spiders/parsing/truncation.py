"""Tell of a document whether it came whole, where what carried it does not tell: lengths may fit all the same."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Literal

import msgspec
from lxml import etree  # type: ignore[import-untyped]

JsonState = Literal["whole", "broken off", "none"]

# What is left of a value at the place where JSON breaks off.
_BROKEN_VALUE = re.compile(r"\s*(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|[-+.\deE]+|u[\da-f]{0,3})?", re.I)

_TAIL = 16 * 1024
"""Bytes in which a page ends, comments and scripts after it included."""
# In a script or a text, where it ends nothing, other things follow it.
_AFTER_END = re.compile(rb"\s*>(?:\s|</body\s*>|<!--.*?-->|<(script|style|noscript)\b.*?</\1\s*>)*+", re.DOTALL | re.I)
_MAY_STAY_OPEN = frozenset(
    ("html", "body", "p", "li", "dt", "dd", "option", "optgroup", "caption", "colgroup", "thead", "tbody", "tfoot",
     "tr", "th", "td", "rb", "rp", "rt", "rtc")
)  # fmt: skip
"""Elements whose end tags HTML lets a page leave out."""
_LARGEST = 2 * 1024 * 1024
"""Bytes of a page that is read for what stands open, in half a second; a larger one is to have its end."""


def json_state(body: bytes) -> JsonState:
    """Return whether a body is JSON, is JSON as far as it goes, or is none; never raises."""
    with suppress(msgspec.DecodeError, RecursionError):
        # Only looked through: no objects are made of it.
        msgspec.json.decode(body, type=msgspec.Raw)
        return "whole"
    try:
        # Takes what platforms write and the standard does not know: half a character, a byte order mark.
        json.loads(body.decode(json.detect_encoding(body), "replace").removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        text = error.doc.lstrip()
        if not text.startswith(("{", "[")) or error.msg.startswith("Extra data"):
            return "none"
        breaks_off = error.msg.startswith("Unterminated string") or _BROKEN_VALUE.fullmatch(error.doc, error.pos)
        return "broken off" if breaks_off else "none"
    except RecursionError:
        return "none"
    return "whole"


def has_end(page: bytes) -> bool:
    """Tell whether a page of HTML ends with the tag that ends one; HTML lets a page leave it out, which few do.

    After it come comments and scripts at most: it may stand in a script, too, or in a text that shows HTML.
    """
    _, tag, after = page[-_TAIL:].replace(b"\0", b"").lower().rpartition(b"</html")
    return bool(tag) and _AFTER_END.fullmatch(after) is not None


def breaks_off(page: bytes) -> bool:
    """Tell whether a page of HTML ends where none can: in a tag, in a script, in an element that has to be closed.

    It is read from end to end for that: for pages without `has_end`. Never raises.
    """
    # Without zeros and byte order marks, a page in UTF-16 shows its tags.
    page = page.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe").rstrip()
    if len(page) > _LARGEST:
        return True
    end = page.lower().rfind(b"</html")
    after = _AFTER_END.match(page, end + len(b"</html")) if end >= 0 else None
    if after and not set(page[after.end() :]) & set(b"<>"):
        # Some servers print a word after the end.
        page = page[: after.end()].rstrip()
    if not page.endswith(b">"):
        return True
    # What would come next stands inside of all that is open; in a script or a tag it would be no element.
    root = etree.fromstring(page + b"<what-follows>", etree.HTMLParser(encoding="iso-8859-1", huge_tree=True))
    following = [] if root is None else root.xpath("//what-follows")
    return not following or any(parent.tag not in _MAY_STAY_OPEN for parent in following[-1].iterancestors())
