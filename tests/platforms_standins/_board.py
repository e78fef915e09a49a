"""Hold the projects of a stand-in: their order, how they move, what the site knows; of Wishket, Freemoa and Upwork."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from platforms_standins._server import JSON, StandIn

#: Of the newest rows so many hold each odd case once.
BLOCK = 100


class SiteProject(Protocol):
    """What a board needs of a project."""

    id: int
    applicants: int
    closed: bool
    odd: str | None


P = TypeVar("P", bound=SiteProject)


class Board(StandIn, Generic[P]):
    """Hold projects, newest first, each made from the seed alone.

    `frozen`: the site's clock stands still, so that the same seed and `now` make the same bytes at any moment.
    `odd` has the id of a project for each odd case by its name.
    """

    pace: int
    """Seconds from one project to the next."""
    odd_cases: Mapping[str, Callable[[Any, float], None]]
    layouts: tuple[str, ...]
    switches: tuple[str, ...]
    """What `change("set", …)` may set."""
    actions: tuple[str, ...] = ("add", "apply", "bend", "edit", "close", "remove")
    """What `change` may call."""

    def __init__(
        self,
        projects: int,
        seed: int,
        now: float | None,
        *,
        odd_rows: bool,
        arrivals_per_request: int,
        layout: str,
        frozen: bool,
        **options: Any,
    ) -> None:
        super().__init__(now=now, **options)
        self.seed = seed
        self.frozen = frozen
        self.arrivals_per_request = arrivals_per_request
        self.odd: dict[str, int] = {}
        self._use_layout(layout)
        self._latest = int(self.now) - 60.0
        rng = random.Random(f"{seed}:pace")
        first = self._latest - self.pace * (projects - 1)
        # Each is posted in its own stretch of time, the newest at its end.
        last = projects - 1
        moments = [
            first + self.pace * serial - rng.randrange(self.pace) * (serial < last) for serial in range(projects)
        ]
        self._rows = [self.make(serial, moment) for serial, moment in enumerate(moments)][::-1]
        self._next = projects
        self._by_id = {project.id: project for project in self._rows}
        if odd_rows:
            places = random.Random(f"{seed}:odd").sample(range(1, BLOCK), len(self.odd_cases))
            for name, place in zip(self.odd_cases, places, strict=True):
                if place < projects:
                    self._bend(self._rows[place], name)

    # --- what a site fills in ---------------------------------------------------------------------------------

    def make(self, serial: int, posted: float) -> P:
        """Return the `serial`-th project; `posted` in Unix seconds."""
        raise NotImplementedError

    def keep_open(self, project: P) -> None:
        """Move the deadline of a project ahead, when it is over."""
        raise NotImplementedError

    def told(self, project: P) -> JSON:
        """Return what a perfect reader stores of a project that it saw in the listing."""
        raise NotImplementedError

    def _bend(self, project: P, name: str) -> None:
        # An odd case is seen for what it is only while the project is open.
        self.keep_open(project)
        self.odd_cases[name](project, self.clock())
        project.odd = name
        self.odd[name] = project.id

    def _use_layout(self, name: str) -> None:
        if name not in self.layouts:
            raise ValueError(f"no such layout: {name}; known: {', '.join(self.layouts)}")
        self.layout = name

    # --- what the site knows ----------------------------------------------------------------------------------

    @property
    def projects(self) -> list[JSON]:
        """Return what a perfect reader stores of the listing, newest first: the fields of `Project`, by name."""
        return [self.told(project) for project in self._rows]

    def row(self, project_id: int) -> P:
        """Return a project as the site holds it; KeyError when there is none."""
        return self._by_id[project_id]

    def listed_ids(self) -> list[int]:
        """Return the ids of all projects, newest first."""
        return [project.id for project in self._rows]

    def latest(self) -> float:
        """Return the newest project's time in Unix seconds."""
        return self._latest

    def clock(self) -> float:
        """Return the site's present in Unix seconds."""
        return max(self.now, self._latest) if self.frozen else super().clock()

    def limited(self, path: str) -> bool:
        """Tell whether the rate limit governs a path; without one the site says nothing of it."""
        return self.enforce_rate_limit

    # --- how it moves -----------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """Let the projects arrive that come before each listing answer."""
        if self.arrivals_per_request:
            self.add(self.arrivals_per_request)

    def add(self, n: int = 1, odd: str | None = None) -> list[int]:
        """Post `n` new projects, bent into the case `odd`; return their ids, newest first."""
        made = []
        for _ in range(n):
            self._latest = max(self._latest + 1, int(self.now))
            project = self.make(self._next, self._latest)
            self._next += 1
            if odd:
                self._bend(project, odd)
            self._rows.insert(0, project)
            self._by_id[project.id] = project
            made.append(project.id)
        return made[::-1]

    def apply(self, project_id: int, count: int = 1) -> int:
        """Let `count` more people apply; return how many there are then."""
        project = self._by_id[project_id]
        project.applicants += count
        return project.applicants

    def bend(self, project_id: int, odd: str) -> None:
        """Make a project one of `odd_cases`."""
        self._bend(self._by_id[project_id], odd)

    def edit(self, project_id: int, **fields: Any) -> None:
        """Replace fields of a project."""
        project = self._by_id[project_id]
        for name, value in fields.items():
            getattr(project, name)
            setattr(project, name, value)

    def close(self, project_id: int) -> None:
        """Close a project: it stays in the listing, marked."""
        self._by_id[project_id].closed = True

    def remove(self, project_id: int) -> None:
        """Take a project off the site."""
        self._rows.remove(self._by_id.pop(project_id))

    def change(self, action: str, **values: Any) -> Any:
        """Carry out one of `actions`, choose a `layout` (`name`), or `set` one of `switches`."""
        if action == "layout":
            return self._use_layout(**values)
        if action == "set":
            for name in values:
                if name not in self.switches:
                    raise ValueError(f"no such switch: {name}")
            self.__dict__.update(values)
            return None
        if action not in self.actions:
            raise ValueError(f"no such change: {action}")
        return getattr(self, action)(**values)

    def state(self) -> JSON:
        """Return ids newest first, odd ones by name, and `projects` with times and amounts as texts."""
        return {
            "total": len(self._rows),
            "ids": self.listed_ids(),
            "odd": self.odd,
            "now": self.clock(),
            "layout": self.layout,
            "projects": json.loads(json.dumps(self.projects, default=str)),
        }
