"""Read the data that pages carry for their own scripts, which is more exact than what they show.

Every reader tells two failures apart, since they mean different things to who has to mend a spider: the data are
not there (`StateMissing`: another page, a challenge, a new layout), or they are there and cannot be read
(`StateUnreadable`). Both are `ValueError`, and neither quotes the page.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

from parsel import Selector

from outsourcing_spiders.parsing import devalue, javascript

LONGEST = 32 * 1024 * 1024
"""Characters of a page or a script; more is no state of a page."""
_MOST_OCCURRENCES = 16
# An entity-escaped attribute or script may have been escaped once more by a template.
_MOST_ESCAPES = 2
_DEEPEST = 200
_JSON = json.JSONDecoder(strict=False)
_BEFORE_JSON = re.compile(r"(?:\s|//|/\*|\*/|<!--|<!\[CDATA\[)*")
_AFTER_JSON = re.compile(r"(?:\s|;|//|/\*|\*/|-->|\]\]>)*\Z")
_BLANK = re.compile(r"\s*")
_SCRIPT_TAGS = {False: re.compile("<(?:script|SCRIPT)"), True: re.compile("</(?:script|SCRIPT)")}
# Texts are read so that no address in them is taken for a comment; one without an end goes to the end of its line.
# Each alternative begins with a character of its own, not with a group: what none begins with is skipped fast.
_TEXT_OR_COMMENT = re.compile(
    r'"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"?|\'[^\'\\\n\r]*(?:\\.[^\'\\\n\r]*)*\'?|`[^`\\]*(?:\\.[^`\\]*)*`?'
    r"|//[^\n\r]*|/\*.*?(?:\*/|\Z)",
    re.DOTALL,
)
_ESCAPED = re.compile(r"&(?:quot|amp|lt|gt|apos|#\d{1,5}|#x[0-9a-fA-F]{1,4});")


class StateMissing(ValueError):
    """The page does not hold the data that were looked for; the message says what that was."""


class StateUnreadable(ValueError):
    """The data are where they should be, but not in a form that is known; the message says why."""


def state_after(page: str, marker: str) -> Any:
    """Return the value that a script of the page writes after `marker`, such as ``window.stateData=``.

    `page` is a whole page, of which only the scripts count, or the text of one script. Blanks around the
    marker's ``=`` or ``:`` do not matter. Of several such places the first with an object or array in JSON, or
    with a call such as ``(function(a){return {…}}(1))``, counts, then the first with an object or array in
    JavaScript, then the first with anything else that is a literal; places in comments come after all others. What
    stands inside the value of another place is none of its own: a text in it may hold the same words.
    """
    _check_size(page)
    reasons: list[str] = []
    commented: list[int] = []
    for places in (_places(page, marker, commented), commented):
        if (found := _first_value(page, places, reasons)) is not None:
            return found[0]
    if reasons:
        raise StateUnreadable(f"{marker!r} is there, but not followed by readable data: {reasons[0]}")
    raise StateMissing(f"no {marker!r} in the page's scripts")


def state_in_attribute(page: Selector, element: str, attribute: str) -> Any:
    """Return the JSON in an attribute of an element, given as a CSS selector, such as ``#vue-container``.

    The name may be one that CSS and XPath cannot say, such as ``:results-initials``. The JSON may be
    entity-escaped once more than HTML wants.
    """
    texts = [
        found.root.attrib[attribute] for found in page.css(element) if attribute in getattr(found.root, "attrib", ())
    ]
    if not texts:
        raise StateMissing(f"no {element!r} with an attribute {attribute!r} in the page")
    return _first_readable(texts, f"the attribute {attribute!r}")


def state_in_script(page: Selector, attribute: str, value: str) -> Any:
    """Return the JSON that is the text of the ``<script>`` whose `attribute` has this value.

    For instance ``id`` and ``__NEXT_DATA__``, or ``data-component-name`` and ``ProjectSearch``.
    """
    return _first_readable(_scripts(page, attribute, value), f"the script with {attribute}={value!r}")


def nuxt_state(page: Selector, *path: str | int) -> Any:
    """Return what is at `path` in the state of a Nuxt page, of either generation.

    Nuxt 3 has ``__NUXT_DATA__`` (see `devalue.unflatten`, whose result this is: the same object can be in
    several places, and in itself); Nuxt 2 has ``window.__NUXT__=(function(a,b){return {…}}(…))``, of which
    only that form is read, and a plain object.
    """
    try:
        flat = state_in_script(page, "id", "__NUXT_DATA__")
    except StateMissing:
        scripts = [script.root.text or "" for script in page.xpath('//script[contains(., "__NUXT__")]')]
        if not scripts:
            raise StateMissing("neither __NUXT_DATA__ nor window.__NUXT__ in the page") from None
        return _at_path(state_after(";\n".join(["", *scripts]), "window.__NUXT__="), path)
    try:
        return devalue.unflatten(flat, *path)
    except devalue.PathMissing as error:
        raise StateMissing(f"{error} of __NUXT_DATA__") from None
    except ValueError as error:
        raise StateUnreadable(f"__NUXT_DATA__ is there, but not readable: {error}") from None


def vuex_state(page: Selector) -> dict[str, Any]:
    """Return the Vuex store of a Nuxt page: ``vuex`` in the state of Nuxt 3, ``state`` in that of Nuxt 2."""
    whole = nuxt_state(page)
    for key in ("vuex", "state"):
        if isinstance(whole, dict) and isinstance(store := whole.get(key), dict) and store:
            return store
    raise StateMissing("neither 'vuex' nor 'state' in the page's Nuxt state")


# extruct is not used: one script that is not JSON keeps it from reading the others, it does not see a type with
# "; charset=utf-8", nor read JSON within entities or comments; it parses the page a second time (1.4 ms of a page of
# 25 kB, where this takes 0.3 ms), takes 0.65 s to import, and brings rdflib and ten packages more. Measured with 0.18.


def job_postings(page: Selector) -> list[dict[str, Any]]:
    """Return the page's JSON-LD nodes of type ``JobPosting``, at least one, in the page's order.

    They may stand in lists, in ``@graph`` or inside other nodes. Keys come with a small first letter, as
    schema.org has them: some pages write ``Value`` or ``Identifier``. A script that cannot be read does not
    keep the others from being read.
    """
    scripts = [
        script.root.text or ""
        for script in page.xpath("//script[@type]")
        if script.root.attrib["type"].strip().lower().startswith("application/ld+json")
    ]
    found: list[dict[str, Any]] = []
    broken: list[str] = []
    for text in scripts:
        try:
            found += _postings(decode_json(text))
        except ValueError as error:
            broken.append(str(error))
    if found:
        return found
    if broken:
        raise StateUnreadable(f"{len(broken)} of {len(scripts)} JSON-LD scripts are not readable: {broken[0]}")
    raise StateMissing(f"no JobPosting in the {len(scripts)} JSON-LD scripts of the page")


def decode_json(text: str) -> Any:
    """Return the value of a text that is JSON, or was meant to be; raises `ValueError` saying why not.

    Forgiven are control characters in texts, entity escapes around the whole, comment and CDATA marks
    around it, and what JavaScript allows beyond JSON.
    """
    _check_size(text)
    try:
        return _whole_json(text)
    except ValueError as error:
        reason = error
    for _ in range(_MOST_ESCAPES):
        if not _ESCAPED.search(text):
            break
        text = html.unescape(text)
        try:
            return _whole_json(text)
        except ValueError:
            continue
    start = _end(_BEFORE_JSON, text)
    if text[start : start + 1] in ("{", "["):
        try:
            value, end = javascript.read_literal(text, start)
        except ValueError:
            raise reason from None
        if _AFTER_JSON.match(text, end):
            return value
    raise reason


def _first_value(page: str, places: Iterable[int], reasons: list[str]) -> tuple[Any] | None:
    """Return the value at one of these places that `state_after` wants, in a tuple of its own; note why not others."""
    literals: list[int] = []
    for place in places:
        try:
            if page.startswith(("(", "function"), place):
                return (javascript.read_call(page, place)[0],)
            if not page.startswith(("{", "["), place):
                literals.append(place)
                continue
            value = _JSON.raw_decode(page, place)[0]
        except (ValueError, RecursionError) as error:
            reasons.append(_reason(error))
            literals.append(place)
            continue
        around = _literal_around(page, literals, place)
        if around is None:
            return (value,)
        if isinstance(around[0], (dict, list)):
            return around
    others: list[Any] = []
    for place in literals:
        try:
            value = javascript.read_literal(page, place)[0]
        except ValueError as error:
            reasons.append(str(error))
            continue
        if isinstance(value, (dict, list)):
            return (value,)
        others.append(value)
    return (others[0],) if others else None


def _literal_around(text: str, starts: list[int], at: int) -> tuple[Any] | None:
    """Return the first literal that begins at one of `starts` and reaches beyond `at`, in a tuple of its own."""
    for start in starts:
        with suppress(ValueError):
            value, end = javascript.read_literal(text, start)
            if end > at:
                return (value,)
    return None


def _whole_json(text: str) -> Any:
    start = _end(_BEFORE_JSON, text)
    try:
        value, end = _JSON.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise ValueError(_reason(error)) from None
    if not _AFTER_JSON.match(text, end):
        raise ValueError(f"more text after the data, at character {end}")
    return value


def _end(pattern: re.Pattern[str], text: str, at: int = 0) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


def _check_size(text: str) -> None:
    if len(text) > LONGEST:
        raise StateUnreadable(f"{len(text)} characters are more than {LONGEST}")


def _places(page: str, marker: str, commented: list[int]) -> Iterator[int]:
    """Give where values begin after the marker, in scripts only; add those that seem to be comments to `commented`."""
    found = list(islice(_occurrences(page, marker), _MOST_OCCURRENCES))
    if len(found) == 1:
        # In a comment or not, no other comes before it.
        yield found[0].value
        return
    for script, occurrences in groupby(found, key=attrgetter("script")):
        comments = _comments(page, script)
        beginning, end = next(comments)
        for occurrence in occurrences:
            while end <= occurrence.start:
                beginning, end = next(comments)
            if beginning <= occurrence.start:
                commented.append(occurrence.value)
            else:
                yield occurrence.value


class _Occurrence(NamedTuple):
    """Where a marker stands and its value begins, and from where to where the script goes that it is in."""

    start: int
    value: int
    script: tuple[int, int]


def _occurrences(page: str, marker: str) -> Iterator[_Occurrence]:
    boundaries = _boundaries(page)
    part, (boundary, in_script) = 0, next(boundaries)
    for found in _marker(marker).finditer(page):
        while boundary <= found.start():
            part, (boundary, in_script) = boundary, next(boundaries)
        before = page[max(found.start() - 1, 0) : found.start()]
        if in_script and not before.isalnum() and before not in ("_", "$", ".", "\\"):
            yield _Occurrence(found.start(), found.end(), (part, boundary))


def _comments(page: str, script: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Give where each part of a script that seems to be a comment begins and ends; at last a place behind it.

    Nothing is certain without reading the whole program: to tell a regular expression from a division takes that.
    """
    for found in _TEXT_OR_COMMENT.finditer(page, *script):
        if page[found.start()] == "/":
            yield found.span()
    yield len(page) + 1, len(page) + 2


def _boundaries(page: str) -> Iterator[tuple[int, bool]]:
    """Give where each part of a page ends, and whether it is in a script; the text of one script is one part."""
    in_script = not page.startswith("<", _end(_BLANK, page))
    if not in_script:
        start = 0
        while (found := _SCRIPT_TAGS[in_script].search(page, start)) is not None:
            yield found.start(), in_script
            start, in_script = found.end(), not in_script
    yield len(page) + 1, in_script


@lru_cache(maxsize=64)
def _marker(marker: str) -> re.Pattern[str]:
    name, sign = marker.strip()[:-1].rstrip(), marker.strip()[-1:]
    if sign not in ("=", ":") or not name:
        raise TypeError(f"a marker is a name with = or : after it, not {marker!r}")
    return re.compile(rf"{re.escape(name)}\s*{sign}(?!=)\s*")


def _scripts(page: Selector, attribute: str, value: str) -> list[str]:
    scripts = page.xpath("//script[@*[name()=$name]=$value]", name=attribute, value=value)
    if not scripts:
        raise StateMissing(f"no script with {attribute}={value!r} in the page")
    return [script.root.text or "" for script in scripts]


def _first_readable(texts: list[str], what: str) -> Any:
    reasons: list[str] = []
    for text in texts:
        try:
            return decode_json(text)
        except ValueError as error:
            reasons.append(str(error))
    raise StateUnreadable(f"{what} is there, but not readable: {reasons[0]}")


def _at_path(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise StateMissing(f"no {step!r} in the state of window.__NUXT__") from None
    return value


def _postings(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
        elif isinstance(node, dict):
            if any(_is_posting(node.get(key)) for key in ("@type", "@Type", "type")):
                yield _with_small_keys(node)
            else:
                waiting.extend(reversed(node.values()))


def _is_posting(kind: object) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(name, str) and re.split("[/:#]", name)[-1] == "JobPosting" for name in kinds)


def _with_small_keys(node: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError("a JobPosting that is nested too deep")
    if isinstance(node, list):
        return [_with_small_keys(inner, depth + 1) for inner in node]
    if not isinstance(node, dict):
        return node
    small: dict[str, Any] = {}
    for key, value in node.items():
        spelled = _small(key)
        # A key that is spelled right wins over its twin.
        if spelled == key or spelled not in node:
            small[spelled] = _with_small_keys(value, depth + 1)
    return small


def _small(key: str) -> str:
    at = 1 if key.startswith("@") else 0
    return key[:at] + key[at : at + 1].lower() + key[at + 1 :]
