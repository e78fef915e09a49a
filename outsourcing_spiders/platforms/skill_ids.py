"""Platforms whose listing is narrowed by the ids of skills: names are looked up in the platform's catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from typing import Any, ClassVar, NamedTuple

from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.outcomes import LayoutChanged, WrongArgument
from outsourcing_spiders.parsing.fields import at
from outsourcing_spiders.platforms.arguments import Either
from outsourcing_spiders.platforms.json_api import JsonApiSpider, Row

__all__ = ["Row", "Skill", "SkillIdsSpider", "find_ids"]


class Skill(NamedTuple):
    """A skill as the platform knows it."""

    id: int
    name: str
    category: str | None


class SkillIdsSpider(JsonApiSpider):
    """A JSON API that wants skills, and categories as all of their skills, by id; `skill_ids` has them."""

    catalogue_path: ClassVar[str]
    """Path of all skills that the platform knows, in its API."""
    catalogue_at: ClassVar[tuple[str | int, ...]] = ()
    """Keys that lead to them in its answer."""
    argument_rules = (Either("skills", "category"),)
    skill_ids: tuple[int, ...] = ()

    def catalogue_request(self) -> Request:
        """Return the request for all skills that the platform knows."""
        return self.api_request(self.catalogue_path)

    def catalogue(self, answer: Any) -> Iterable[Skill]:
        """Return the skills in its answer, each with ``id``, ``name`` and the ``name`` of its ``category``."""
        for skill in reduce(getitem, self.catalogue_at, answer):
            yield Skill(skill["id"], skill["name"] or "", at(skill, "category", "name"))

    async def start(self) -> AsyncIterator[Any]:
        """Look names up if there are any, then ask for the first page."""
        if self.category or not all(map(_is_id, self.skills)):
            yield self.catalogue_request().replace(callback=self.parse_catalogue)
            return
        self.skill_ids = tuple(map(int, self.skills))
        for request in self.first_pages():
            yield request

    def parse_catalogue(self, response: Response) -> Iterator[Request]:
        """Find the ids, then ask for the first page."""
        answer = self.answer(response)
        try:
            skills = list(self.catalogue(answer))
        except (KeyError, TypeError, AttributeError) as error:
            raise LayoutChanged(f"{response.url} holds no skills where they were: {error!r}") from error
        self.skill_ids = tuple(find_ids(skills, self.skills, self.category))
        yield from self.first_pages()


def find_ids(skills: list[Skill], names: list[str], category: str | None) -> Iterator[int]:
    """Yield the ids of skills by name or id, and of all skills of a category; raises `WrongArgument`."""
    by_name = {skill.name.strip().casefold(): skill.id for skill in skills}
    for name in names:
        if _is_id(name):
            yield int(name)
        elif name.casefold() in by_name:
            yield by_name[name.casefold()]
        else:
            near = get_close_matches(name.casefold(), by_name, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else "see the skills on the platform's own pages"
            raise WrongArgument(f"skills: the platform knows no skill {name!r}; {hint}")
    if category:
        found = [skill.id for skill in skills if (skill.category or "").casefold() == category.casefold()]
        if not found:
            known = ", ".join(sorted({skill.category for skill in skills if skill.category}))
            raise WrongArgument(f"category: the platform knows no category {category!r}; it has {known}")
        yield from found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
