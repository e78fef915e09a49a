"""Keep secrets, and what commands terminals, out of what a process prints: its log, and errors that end it."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies

from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from outsourcing_spiders.parsing.redaction import Secret, redact, redact_values, secrets_of
from outsourcing_spiders.parsing.text import printable

_secrets: tuple[Secret, ...] = ()


class LogRedaction:
    """Protect crawls that no command of this project started, such as those of a script."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the extension, which has no more to do."""
        protect(crawler.settings)
        return cls()


def protect(settings: BaseSettings) -> None:
    """Hide the secrets of `settings` from now on in all that this process logs, and spell out what commands terminals.

    Done where a log record turns into text, not in a handler: Scrapy replaces its handlers whenever a crawler is made,
    and others may come with a tool around it. A handler that sends a record's parts on, unformatted, is
    not covered. May be called again: secrets are added.
    """
    logging.setLogRecordFactory(RedactedRecord)
    _add(secrets_of({**_values(settings), **_proxies()}))


def add_secrets(values: Mapping[str, str]) -> None:
    """Hide what became known in mid-crawl as well, such as renewed tokens; names end as those of secret settings do."""
    _add(secrets_of(values))


def _add(secrets: Iterable[Secret]) -> None:
    global _secrets
    found = dict.fromkeys(_secrets) | dict.fromkeys(secrets)
    if not found:
        return
    is_first = not _secrets
    _secrets = tuple(sorted(found, key=lambda secret: -len(secret.value)))
    if is_first:
        _cover_hooks()


def hide(text: str) -> str:
    """Return `text` without the secrets of this process."""
    return redact(text, _secrets) if _secrets else text


def shown(text: str) -> str:
    """Return `text` as a terminal may get it: without secrets, and nothing that strangers wrote commands it."""
    return printable(hide(text))


def hide_in(value: Any) -> Any:
    """Return a JSON value without the secrets of this process, in any of its texts."""
    return redact_values(value, _secrets) if _secrets else value


class RedactedRecord(logging.LogRecord):
    """A log record that shows neither a secret nor what commands a terminal, whoever formats it."""

    _exception_text: str | None = None
    _stack_text: str | None = None

    def getMessage(self) -> str:  # noqa: N802 - the name is logging's
        """Return the message without secrets; one that does not fit its arguments is shown as it is."""
        try:
            return shown(super().getMessage())
        except Exception as error:
            # Else logging would print the arguments itself.
            return shown(f"{self.msg} {self.args!r} (cannot be formatted: {error!r})")

    # Formatters keep here what they make of `exc_info` and `stack_info`.
    @property
    def exc_text(self) -> str | None:
        """The traceback, once a formatter made it."""
        return self._exception_text

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._exception_text = text and shown(text)

    @property
    def stack_info(self) -> str | None:
        """The stack, where one was asked for."""
        return self._stack_text

    @stack_info.setter
    def stack_info(self, text: str | None) -> None:
        self._stack_text = text and shown(text)


def _values(settings: BaseSettings) -> Mapping[str, Any]:
    return {str(name): settings[name] for name in settings}


def _proxies() -> Mapping[str, str]:
    # Those of the environment, which Scrapy takes, too.
    return {f"{scheme.upper()}_PROXY": url for scheme, url in getproxies().items()}


def _cover_hooks() -> None:
    """Hide secrets in what Python itself prints about errors; those that hold none go the way they went before."""
    on_error, on_thread, on_unraisable = sys.excepthook, threading.excepthook, sys.unraisablehook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not _told(error):
            on_error(kind, error, trace)

    def tell_thread(arguments: threading.ExceptHookArgs) -> None:
        if not _told(arguments.exc_value, f"Exception in thread {getattr(arguments.thread, 'name', '')}:\n"):
            on_thread(arguments)

    def tell_unraisable(arguments: sys.UnraisableHookArgs) -> None:
        if not _told(arguments.exc_value, f"{arguments.err_msg or 'Exception ignored in'}: {arguments.object!r}\n"):
            on_unraisable(arguments)

    sys.excepthook, threading.excepthook, sys.unraisablehook = tell, tell_thread, tell_unraisable


def _told(error: BaseException | None, heading: str = "") -> bool:
    said = heading + ("" if error is None else "".join(traceback.format_exception(error)))
    if (hidden := shown(said)) == said or sys.stderr is None:
        return False
    sys.stderr.write(hidden)
    return True
