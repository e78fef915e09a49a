"""A page that notes what is read of it, by selectors and inside of what its scripts hold as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from types import FunctionType
from typing import Any

from scrapy.http import Response, TextResponse

from outsourcing_spiders.debugging.trace import Trace, traced, traced_selector
from outsourcing_spiders.parsing import embedded


@contextmanager
def replaced(names: dict[str, Any], name: str, value: Any) -> Iterator[None]:
    """Let a name stand for another value meanwhile."""
    before = {name: names[name]} if name in names else {}
    names[name] = value
    try:
        yield
    finally:
        del names[name]
        names.update(before)


@contextmanager
def noted_page(spider: Any, response: Response, trace: Trace) -> Iterator[Response]:
    """Return a page that notes what is read of it: by selectors, and in the states that scripts hold."""
    page: Any = response.copy()
    told: Any = response
    with ExitStack() as stack:
        if isinstance(response, TextResponse):
            page._cached_selector = traced_selector(told.selector, trace)
            if response.body.lstrip()[:1] in (b"{", b"["):
                with suppress(ValueError):
                    page._cached_decoded_json = traced(deepcopy(told.json()), trace)
        # Where spiders get what is JSON inside of a page.
        functions: dict[str, Any] = {
            name: found
            for name, found in vars(embedded).items()
            if isinstance(found, FunctionType) and found.__module__ == embedded.__name__ and not name.startswith("_")
        }
        for name, function in functions.items():
            for module in _modules_of(type(spider)):
                if name in module and module[name] is function:
                    stack.enter_context(replaced(module, name, _noting(module[name], trace)))
        yield page


def _noting(function: Callable[..., Any], trace: Trace) -> Callable[..., Any]:
    def read(*args: Any, **kwargs: Any) -> Any:
        before, trace.rest = trace.rest, True
        try:
            found = function(*args, **kwargs)
        finally:
            trace.rest = before
        return traced(found, trace, function.__name__)

    return read


def _modules_of(spidercls: type) -> list[dict[str, Any]]:
    names = dict.fromkeys(found.__module__ for found in spidercls.__mro__ if hasattr(found, "__module__"))
    return [vars(sys.modules[name]) for name in names if name.startswith("outsourcing_spiders.") or name in sys.modules]
