"""What commands do before Scrapy sets its process up; called from their ``process_options``."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scrapy.settings import BaseSettings
from scrapy.utils.misc import load_object

from outsourcing_spiders.extensions.log_lines import make_readable
from outsourcing_spiders.extensions.log_redaction import protect


def store_nothing(settings: BaseSettings | None) -> None:
    """Turn storing off, and alarms and metrics, before the command line is read: ``-s`` has the last word.

    Those are of crawls: a look at a page neither alarms anybody nor takes the port of one.

    Not in ``default_settings`` of a command: the project's own settings would win over them.
    """
    assert settings is not None
    settings.setdict({"STORAGE_ENABLED": False, "METRICS_PORT": "", "SPIDERMON_ENABLED": False}, priority="project")


def tolerate_broken_spiders(settings: BaseSettings | None) -> None:
    """Let a spider that cannot be imported keep nobody from looking at the others."""
    assert settings is not None
    loader = "outsourcing_spiders.debugging.spider_loader.TolerantSpiderLoader"
    settings.set("SPIDER_LOADER_CLASS", loader, priority="project")


def only_look(settings: BaseSettings | None) -> None:
    """Store nothing, tolerate broken spiders, and let answers through that are no page of the platform, with a warning.

    A developer wants to look at them.
    """
    store_nothing(settings)
    tolerate_broken_spiders(settings)
    assert settings is not None
    settings.set("BLOCK_GUARD", False, priority="project")


@contextmanager
def printing() -> Iterator[None]:
    """Print whatever the locale can show, for as long as somebody reads: ``| head -1`` is no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def prepare(settings: BaseSettings | None) -> BaseSettings:
    """Make the log safe and readable, and the event loop ready, after the command line was read."""
    assert settings is not None
    protect(settings)
    make_readable(settings)
    if path := settings["ASYNCIO_EVENT_LOOP"]:
        # Scrapy would make one of asyncio's own first and drop it, which ends in an "Exception ignored" when
        # the interpreter collects it late.
        asyncio.set_event_loop(load_object(path)())
    return settings
