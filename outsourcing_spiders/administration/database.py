"""What the sub-commands of ``scrapy db`` do."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from rich import filesize
from scrapy.settings import BaseSettings

from outsourcing_spiders.administration.database_backup import read_backup, write_backup
from outsourcing_spiders.administration.database_export import encoder_of, opened, selected
from outsourcing_spiders.administration.database_pages import described, listed
from outsourcing_spiders.administration.database_status import rendered
from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
from outsourcing_spiders.parsing.text import printable
from outsourcing_spiders.storage.engine import Database, explained
from outsourcing_spiders.storage.expiry import prune
from outsourcing_spiders.storage.export import WrongSelection, export
from outsourcing_spiders.storage.export_file import ReaderGone, TargetExists, explained_output
from outsourcing_spiders.storage.pages import kept_page, kept_pages
from outsourcing_spiders.storage.replay import replay
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.status import UncheckedDatabase, advice, gather, is_made, spool_facts
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

logger = logging.getLogger(__name__)


def run(settings: BaseSettings, opts: argparse.Namespace) -> int:
    """Run the sub-command ``opts.db_command``; return the exit code, with one sentence on stderr where it failed.

    2 for what was asked for wrongly, 1 for what failed, 128 and the signal's number for what was stopped.
    """
    work = _Work(settings)
    commands = {
        "status": work.status,
        "psql": work.psql,
        "export": work.export,
        "backup": work.backup,
        "restore": work.restore,
        "pages": work.pages,
        "prune": work.prune,
        "upgrade": work.upgrade,
        "replay": work.replay,
    }
    try:
        _to_its_end(commands[opts.db_command](opts))
    except ReaderGone:
        # What is still buffered has nowhere to go, and Python would say so at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except StorageError as error:
        logger.debug("scrapy db %s failed", opts.db_command, exc_info=True)
        _say(str(error))
        return 2 if isinstance(error, (WrongSelection, TargetExists)) else 1
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        _say("stopped.")
        return 128 + (signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
    return work.exitcode


class _Work:
    """The sub-commands, on the database of some settings."""

    def __init__(self, settings: BaseSettings) -> None:
        self._settings = settings
        self.exitcode = 0

    async def status(self, opts: argparse.Namespace) -> None:
        """Say where the data is, and how it is."""
        status = await gather(self._url, embedded_root=self._embedded_root, spool_root=self._spool_root)
        if opts.json:
            _out(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
        else:
            _out(rendered(status))

    async def psql(self, opts: argparse.Namespace) -> None:
        """Open psql, and take its exit code."""
        async with self._unchecked() as database:
            command = shlex.split(database.psql_command)
            command += [part for statement in opts.command for part in ("--command", statement)]
            # Ctrl-C is for psql: it ends a query, not the session.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, int)
            try:
                environment = os.environ | database.psql_environment
                process = await asyncio.create_subprocess_exec(*command, env=environment)
            except FileNotFoundError:
                raise StorageError("psql is not installed; install PostgreSQL's client programs") from None
            self.exitcode = await process.wait()

    async def upgrade(self, opts: argparse.Namespace) -> None:
        """Apply the migrations that are missing."""
        async with self._unchecked() as database:
            state, revision = await database.schema_state()
            if state == "newer":
                raise StorageError(advice(state, revision) or state)
            if state == "current":
                _out(f"{database.name} is up to date: schema revision {revision}.")
                return
            with explained(database.name):
                await database.upgrade()
            _out(f"{database.name}: schema upgraded from {revision or 'nothing'} to revision {SCHEMA_REVISION}.")

    async def replay(self, opts: argparse.Namespace) -> None:
        """Store what crawls had to leave on disk."""
        if not any(self._spool_root.glob("*/*.jsonl")):
            _out(f"Nothing waits to be stored in {self._spool_root}.")
            return
        migrate = self._settings.getbool("DATABASE_MIGRATE")
        async with Database(self._url, embedded_root=self._embedded_root, migrate=migrate) as database:
            spool = Spool(self._spool_root, database.dsn)
            waiting = spool_facts(self._spool_root, database.dsn)
            rejections = len(spool.files("rejected"))
            with explained(database.name):
                done = await replay(database.engine, spool)
        unchanged = done.rows - done.new - done.changed - done.rejected
        _out(
            f"Stored {done.rows} projects from {done.files} files: {done.new} new, {done.changed} changed, "
            f"{unchanged} known already, {done.rejected} rejected; and {rejections} files of rejected items."
        )
        if done.set_aside:
            _out(f"{done.set_aside} files could not be read in whole; they are kept in {spool.folder} as *.unreadable.")
        if waiting.files_of_other_databases:
            _out(
                f"{waiting.files_of_other_databases} files in {self._spool_root} are of other databases; to store "
                "them, run this with their DATABASE_URL."
            )

    async def export(self, opts: argparse.Namespace) -> None:
        """Write a table to a file."""
        selection, make = selected(opts), encoder_of(opts)
        if not self._url and not is_made(self._embedded_root):
            raise StorageError(f"Nothing is stored yet in {self._embedded_root}: run a crawl first.")
        started = time.monotonic()
        with opened(opts) as output:
            encoder = make(output)
            async with self._unchecked() as database:
                state, revision = await database.schema_state()
                if state != "current":
                    raise StorageError(advice(state, revision) or state)
                with explained(database.name):
                    count = await export(database.engine, selection, encoder)
        for column in getattr(encoder, "as_text", ()):
            _say(f"{column} is text in this file: it holds a value that its decimal type cannot hold.")
        _say(
            f"{count:,} rows of {selection.table} written to {output.name} "
            f"({filesize.decimal(output.size)}, {time.monotonic() - started:.1f} s)"
        )

    async def backup(self, opts: argparse.Namespace) -> None:
        """Write all tables to one file."""
        if not self._url and not is_made(self._embedded_root):
            raise StorageError(f"Nothing is stored yet in {self._embedded_root}: there is nothing to back up.")
        _say(await write_backup(self._unchecked(), opts))

    async def restore(self, opts: argparse.Namespace) -> None:
        """Fill the database from a backup."""
        _out(await read_backup(self._unchecked(), opts))

    async def pages(self, opts: argparse.Namespace) -> None:
        """List the pages that ended crawls, or print one."""
        if not self._url and not is_made(self._embedded_root):
            raise StorageError(f"Nothing is stored yet in {self._embedded_root}: run a crawl first.")
        async with self._unchecked() as database:
            state, revision = await database.schema_state()
            if state != "current":
                raise StorageError(advice(state, revision) or state)
            with explained(database.name):
                async with database.engine.connect() as connection:
                    if opts.number is None:
                        _out(listed(await kept_pages(connection)))
                        return
                    page = await kept_page(connection, opts.number)
        if page is None:
            raise StorageError(f"There is no page {opts.number}; `scrapy db pages` lists them.")
        _say(described(page))
        with explained_output("standard output"):
            sys.stdout.buffer.write(page.body)
            sys.stdout.flush()

    async def prune(self, opts: argparse.Namespace) -> None:
        """Delete what terms do not let us keep."""
        if not self._url and not is_made(self._embedded_root):
            _out("Nothing is stored yet.")
            return
        async with self._unchecked() as database:
            state, revision = await database.schema_state()
            if state != "current":
                raise StorageError(advice(state, revision) or state)
            with explained(database.name):
                async with database.engine.begin() as connection:
                    count = await prune(connection)
        _out(f"{database.name}: {count} projects deleted.")

    def _unchecked(self) -> UncheckedDatabase:
        return UncheckedDatabase(self._url, embedded_root=self._embedded_root)

    @property
    def _url(self) -> str:
        url = str(self._settings.get("DATABASE_URL") or "")
        try:
            urlsplit(url)
        except ValueError as error:
            raise DatabaseUnreachable(f"DATABASE_URL is not an address ({error}); correct it.") from None
        return url

    @property
    def _embedded_root(self) -> Path:
        return Path(self._settings["EMBEDDED_POSTGRES_FOLDER"])

    @property
    def _spool_root(self) -> Path:
        return Path(self._settings["SPOOL_FOLDER"])


def _out(sentence: str) -> None:
    with explained_output("standard output"):
        sys.stdout.write(f"{sentence}\n")
        sys.stdout.flush()


def _say(sentence: str) -> None:
    sys.stderr.write(printable(f"scrapy db: {sentence}\n"))


def _to_its_end(command: Coroutine[Any, Any, None]) -> None:
    """Run a command in a loop of its own; SIGTERM cancels it, so that it cleans up as after Ctrl-C."""

    async def cancellable() -> None:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await command

    asyncio.run(cancellable())
