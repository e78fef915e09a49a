"""Read HTML as the text that it shows.

The package ``html-text`` is slower by a third and loses what a description lives on: empty lines between ``<br>``,
lines of ``<pre>`` and of texts without tags, the marks and numbers of lists; and it leaves zero-width spaces and second
escapes in place.
"""

from __future__ import annotations

import html
import re

from lxml import etree  # type: ignore[import-untyped]
from parsel import Selector, SelectorList

from outsourcing_spiders.parsing.text import clean_paragraphs, drop_unstorable

# Drawn as nothing: zero-width space, word joiner, byte-order mark, soft hyphen. The joiners stay, since emoji, Arabic
# and Indic texts are spelled with them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\xad]")

# What editors for descriptions write.
_MARKUP = re.compile(r"</?(?:p|br|ul|ol|li|b|i|strong|em|div|span|h[1-6])\b[^<>]*>|&(?:[a-z]+|#\d+);", re.IGNORECASE)

_LINE_TAGS = frozenset(
    ("address", "article", "aside", "caption", "center", "dd", "details", "div", "dt", "fieldset", "figcaption",
     "footer", "form", "header", "legend", "li", "main", "nav", "option", "section", "summary", "tr")
)  # fmt: skip
_PARAGRAPH_TAGS = frozenset(
    ("blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul")
)
_CELL_TAGS = frozenset(("td", "th"))
_PREFORMATTED = frozenset(("pre", "textarea"))
_SILENT = frozenset(("script", "style", "template", "head", "title", "noscript", "iframe", "object", "svg"))
_INLINE = frozenset(
    ("a", "abbr", "b", "big", "cite", "code", "del", "em", "font", "i", "img", "ins", "kbd", "label", "mark", "q", "s",
     "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u")
)  # fmt: skip
_APART = (*sorted(_LINE_TAGS | _PARAGRAPH_TAGS | _CELL_TAGS), "br")
_BLOCKS = "|".join(sorted((_LINE_TAGS | _PARAGRAPH_TAGS | {"br", "td", "th", "tbody", "thead"}), key=len, reverse=True))
_OTHERS = "|".join(sorted(_INLINE | _SILENT | {"html", "body"}, key=len, reverse=True))
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCKS})(?=[\s/>])", re.IGNORECASE)
# What looks like a tag but is none in HTML, as in "List<String>", is text.
_TAG = re.compile(rf"</?(?:{_BLOCKS}|{_OTHERS})(?=[\s/>])|<!--", re.IGNORECASE)
# Text of which a part shows that it is markup itself; the mere mention of a tag does not.
_ESCAPED_MARKUP = re.compile(
    rf"\A\s*<(?:{_BLOCKS}|b|strong|em|span)(?:\s[^<>]*)?/?>|<br\s*/?>|</(?:p|li|ul|ol|h[1-6])>", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#[0-9]{1,6}|#[xX][0-9a-fA-F]{1,5});")
_MOST_ESCAPES = 3
_BULLETS = "-*•·–—▪‣◦●"


def html_to_text(markup: str | Selector | SelectorList[Selector], *, keep_lines: bool | None = None) -> str:
    """Return the text of HTML as it reads on the page: paragraphs, lines and list items apart, clean and storable.

    `markup` is a fragment, a selected element or text, or several, whose texts become paragraphs. Items of a list begin
    with ``- `` or their number. Entities are decoded, and once more where the text shows that it was escaped
    twice. Nothing of scripts, styles and comments is left.

    `keep_lines` says whether a line break in the source is one in the text, as it is under
    ``white-space: pre-line``; by default it is in a fragment without a tag that breaks lines, where platforms
    mean what the client typed.
    """
    if isinstance(markup, SelectorList):
        texts = (html_to_text(element, keep_lines=keep_lines) for element in markup)
        return clean_paragraphs("\n\n".join(filter(None, texts)))
    if isinstance(markup, Selector):
        if isinstance(markup.root, etree._Element):
            return _finished(_element_text(markup.root, bool(keep_lines)))
        # A selected text or attribute has been decoded, and what is left is meant.
        return _plain(str(markup.root), bool(keep_lines))
    text, is_markup = _without_extra_escapes(drop_unstorable(markup))
    if keep_lines is None:
        keep_lines = not (is_markup and _BLOCK_TAG.search(text))
    root = _parsed(text) if is_markup else None
    if root is not None:
        return _finished(_element_text(root, keep_lines))
    return _plain(text, keep_lines)


def one_line(element: etree._Element) -> str:
    """Return the text of a parsed element on one line; what stands on lines of its own is apart by a blank."""
    if next(element.iterdescendants(*_APART), None) is None:
        return " ".join(element.xpath("string()").split())
    pieces: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if event in ("start", "end") and node.tag in _APART:
            pieces.append(" ")
        if event == "start":
            pieces.append(node.text or "")
        elif node is not element:
            pieces.append(node.tail or "")
    return " ".join("".join(pieces).split())


def text_or_markup(text: str) -> str:
    """Return a description as plain text, whether the platform sends it plain or as HTML; some do both.

    Plain text keeps its lines, and what merely looks like markup: a client's own "a < b" or "</script>" is text.
    """
    return html_to_text(text) if _MARKUP.search(text) else text


def _plain(text: str, keep_lines: bool) -> str:
    layout = _Layout()
    layout.add(text, keep_lines)
    return _finished(layout.text())


def _finished(text: str) -> str:
    if "&" in text and _is_escaped(text):
        text = html.unescape(text)
    return clean_paragraphs(_INVISIBLE.sub("", drop_unstorable(text)))


def _without_extra_escapes(text: str) -> tuple[str, bool]:
    """Return a fragment as markup (true), or what a fragment without any tag stands for as text (false)."""
    if _TAG.search(text):
        return text, True
    for _ in range(_MOST_ESCAPES):
        if "&" not in text:
            break
        text = html.unescape(text)
        if _ESCAPED_MARKUP.search(text):
            return text, True
        if not _is_escaped(text):
            break
    return text, False


def _is_escaped(text: str) -> bool:
    """Tell whether a decoded text is escaped still: each ``&`` begins an entity, and there is no ``<``."""
    count = text.count("&")
    return count > 0 and "<" not in text and len(_ENTITY.findall(text)) == count


def _parsed(text: str) -> etree._Element | None:
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True)
    try:
        return etree.fromstring(drop_unstorable(text).encode(), parser)
    except etree.LxmlError:
        return None


def _element_text(root: etree._Element, keep_lines: bool) -> str:
    layout = _Layout()
    lists: list[int | None] = []
    items = preformatted = 0
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        if event == "start":
            tag = element.tag
            if tag in _SILENT and element is not root:
                # Its end is told all the same.
                walk.skip_subtree()
                continue
            preformatted += tag in _PREFORMATTED
            if tag == "br":
                layout.line_break()
            elif tag in _PARAGRAPH_TAGS:
                layout.apart(1 if items else 2)
            elif tag in _LINE_TAGS:
                layout.apart(1)
            elif tag in _CELL_TAGS:
                layout.blank = True
            if tag in ("ol", "ul"):
                lists.append(0 if tag == "ol" else None)
            elif tag == "li":
                items += 1
                layout.item = _item_mark(lists)
            if element.text:
                layout.add(element.text, keep_lines or preformatted > 0)
        elif event == "end" and element.tag not in _SILENT:
            tag = element.tag
            preformatted -= tag in _PREFORMATTED
            if tag == "li":
                items -= 1
                layout.item = ""
            elif tag in ("ol", "ul"):
                lists.pop()
            if tag in _PARAGRAPH_TAGS:
                layout.apart(1 if items else 2)
            elif tag in _LINE_TAGS:
                layout.apart(1)
            elif tag in _CELL_TAGS:
                layout.blank = True
        if event != "start" and element is not root and element.tail:
            layout.add(element.tail, keep_lines or preformatted > 0)
    return layout.text()


def _item_mark(lists: list[int | None]) -> str:
    if not lists:
        return "- "
    indent = "  " * min(len(lists) - 1, 8)
    number = lists[-1]
    if number is None:
        return indent + "- "
    lists[-1] = number + 1
    return f"{indent}{number + 1}. "


class _Layout:
    """A text in the making: what stands between two words is known only when the second one comes."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0
        self.blank = False
        self.item = ""

    def add(self, text: str, keep_lines: bool) -> None:
        """Add a piece of text, whose own line breaks count or are blanks."""
        if not keep_lines:
            self._add(text)
            return
        for number, line in enumerate(drop_unstorable(text).split("\n")):
            if number:
                self.line_break()
            self._add(line)

    def line_break(self) -> None:
        """End the line; an end of an empty line leaves one line empty."""
        self._breaks = min(self._breaks + 1, 2)

    def apart(self, breaks: int) -> None:
        """Set what follows apart from what was before."""
        self._breaks = max(self._breaks, breaks)

    def text(self) -> str:
        """Return what has been added."""
        return "".join(self._parts)

    def _add(self, text: str) -> None:
        words = text.split()
        if not words:
            self.blank = self.blank or bool(text)
            return
        if self._parts:
            if self._breaks:
                self._parts.append("\n" * self._breaks)
            elif self.blank or text[0].isspace():
                self._parts.append(" ")
        if self.item:
            if words[0][0] not in _BULLETS:
                self._parts.append(self.item)
            self.item = ""
        self._parts.append(" ".join(words))
        self._breaks = 0
        self.blank = text[-1].isspace()
