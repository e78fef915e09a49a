"""What the arguments of a crawl may be: how each is read, and what platforms declare about theirs."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.parsing.dates import parse_since
from outsourcing_spiders.parsing.text import slug

NARROWING = ("query", "skills", "category")
ARGUMENTS = (*NARROWING, "max_pages", "since", "full", "base_url")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")

Arguments = Mapping[str, Any]


# --- what a platform declares -----------------------------------------------------------------------------------


class Rule(ABC):
    """What a platform wants of arguments beyond what all do; it is asked before anything is asked of the platform."""

    @abstractmethod
    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument`, in one sentence that names the argument."""


class Either(Rule):
    """Groups of arguments that are filters, or listings, of their own: what is in one goes with none of another."""

    def __init__(self, *groups: str | tuple[str, ...]) -> None:
        self._groups = [(group,) if isinstance(group, str) else group for group in groups]

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` where arguments of two groups are given."""
        given = [name for group in self._groups for name in [_first_given(group, arguments)] if name]
        if len(given) > 1:
            raise WrongArgument(f"{' and '.join(given)} exclude each other on this platform; give one of them")


@dataclass(frozen=True, slots=True)
class OneOnly(Rule):
    """An argument that may name several elsewhere, and one here."""

    name: str

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` for several."""
        if len(_parts(_given(arguments, self.name))) > 1:
            raise WrongArgument(f"{self.name}: this platform takes one at a time; give one")


@dataclass(frozen=True, slots=True)
class OneOf(Rule):
    """An argument whose values are known, in lower case."""

    name: str
    values: Collection[str]

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` for any other value."""
        given = _given(arguments, self.name).casefold()
        if given and given not in self.values:
            raise WrongArgument(f"{self.name}: the platform has no {given!r}; it has {', '.join(self.values)}")


@dataclass(frozen=True, slots=True)
class Matching(Rule):
    """An argument of a certain form, such as the platform's number of it."""

    name: str
    pattern: str
    advice: str
    """What to give instead."""

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` for any other form."""
        given = _given(arguments, self.name)
        if given and not re.fullmatch(self.pattern, given):
            raise WrongArgument(f"{self.name}={given!r}: {self.advice}")


@dataclass(frozen=True, slots=True)
class Without(Rule):
    """An argument in which some characters cannot be asked for."""

    name: str
    characters: str

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` for one of them."""
        if unsure := set(self.characters).intersection(_given(arguments, self.name)):
            raise WrongArgument(f"{self.name}: {min(unsure)!r} cannot be asked for on this platform; leave it out")


class InAddresses(Rule):
    """Arguments that become parts of an address (`slug`); slashes part category and sub-category."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def check(self, arguments: Arguments) -> None:
        """Raise `WrongArgument` where nothing is left of one."""
        for name in self._names:
            given = _given(arguments, name)
            if given and not all(map(slug, given.split("/"))):
                raise WrongArgument(f"{name}={given!r} has no letters or digits of the platform's addresses")


def check_names(platform: str, arguments: Arguments, narrowed_by: Collection[str]) -> None:
    """Raise `WrongArgument` for an argument that no spider takes, or that the platform's listing does not know."""
    # Scrapyd adds arguments of its own, which begin with an underscore.
    for name in (name for name in arguments if not name.startswith("_")):
        if name not in ARGUMENTS:
            near = difflib.get_close_matches(name, ARGUMENTS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ARGUMENTS)}"
            raise WrongArgument(f"{platform} takes no argument {name!r}; {hint}")
        if name in NARROWING and name not in narrowed_by:
            raise WrongArgument(f"{platform} cannot be narrowed by {name}; leave it out")


def _given(arguments: Arguments, name: str) -> str:
    return str(arguments.get(name) or "").strip()


def _first_given(names: tuple[str, ...], arguments: Arguments) -> str | None:
    return next((name for name in names if _given(arguments, name)), None)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# --- how each is read -------------------------------------------------------------------------------------------


def read_text(arguments: Arguments, name: str) -> str | None:
    """Return a text that is not blank, ``None`` where the argument is not given."""
    value = arguments.get(name)
    if value is None:
        return None
    text = str(value).strip()
    if not text:
        raise WrongArgument(f"{name} is empty; give it a value or leave it out")
    return text


def read_list(arguments: Arguments, name: str) -> list[str]:
    """Return what commas separate; at least one where the argument is given."""
    text = read_text(arguments, name)
    if text is not None and not text.strip(" ,"):
        raise WrongArgument(f"{name}={text!r} names none; separate them by commas")
    return _parts(text or "")


def read_positive(arguments: Arguments, name: str) -> int | None:
    """Return a whole number above 0."""
    text = read_text(arguments, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise WrongArgument(f"{name}={text!r} is no whole number above 0")
    return int(text)


def read_since(arguments: Arguments, name: str) -> datetime | None:
    """Return a bound in the past; aware, UTC."""
    text = read_text(arguments, name)
    try:
        return None if text is None else parse_since(text, now=datetime.now(UTC))
    except ValueError as error:
        raise WrongArgument(f"{name}: {error}") from None


def read_switch(arguments: Arguments, name: str) -> bool:
    """Return whether something is turned on."""
    text = str(arguments.get(name, "")).strip().lower()
    if text not in _TRUE + _FALSE:
        raise WrongArgument(f"{name}={text!r} is neither of {', '.join(_TRUE)} nor of {', '.join(_FALSE[:-1])}")
    return text in _TRUE


def read_address(arguments: Arguments, name: str) -> str | None:
    """Return the address of a host, with or without a path."""
    text = read_text(arguments, name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    # A password would be logged, and stored with the run.
    if not is_address or parts.query or parts.fragment or parts.username is not None:
        raise WrongArgument(
            f"{name} is no web address such as https://www.example.com, without user name, query and fragment"
        )
    return text
