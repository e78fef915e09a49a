"""``scrapy db``: look at the database, bring its schema up to date, take the data out, back it up."""

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
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from rich import filesize
from scrapy.commands import ScrapyCommand, ScrapyHelpFormatter
from scrapy.utils.log import configure_logging

from outsourcing_spiders.commands._db_backup import (
    BACKUP_HELP,
    RESTORE_HELP,
    add_backup_arguments,
    add_restore_arguments,
    read_backup,
    write_backup,
)
from outsourcing_spiders.commands._db_export import EXPORT_HELP, add_arguments, encoder_of, opened, selected
from outsourcing_spiders.commands._db_pages import described, listed
from outsourcing_spiders.commands._db_status import rendered
from outsourcing_spiders.outcomes import DatabaseUnreachable, StorageError
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


class Command(ScrapyCommand):
    """Serve the sub-commands of ``scrapy db``; exits with 2 for a wrong command line, 1 for the rest."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        """Return what follows the command's name."""
        return "<status|psql|export|backup|restore|pages|prune|upgrade|replay> [options]"

    def short_desc(self) -> str:
        """Say in one line what it does."""
        return "Look at the database, upgrade its schema, export the data, back it up"

    def long_desc(self) -> str:
        """Say what there is."""
        return (
            "Look at the database (status), ask it anything (psql), write a table to a file (export), write all of it "
            "to a file (backup) and read that again (restore), look at the pages that ended crawls (pages), delete "
            "what terms do not let us keep (prune), bring its schema up to date (upgrade), store what a crawl had to "
            "leave on disk (replay). 'scrapy db <name> -h' says more of each."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the sub-commands."""
        super().add_options(parser)
        self._parser = parser
        commands = parser.add_subparsers(
            dest="db_command", metavar="COMMAND", title="Commands", prog="scrapy db", parser_class=_Parser
        )

        def add(name: str, help_text: str, description: str = "") -> argparse.ArgumentParser:
            return commands.add_parser(
                name,
                help=help_text,
                description=description or f"{help_text}.",
                epilog="Scrapy's global options (-s NAME=VALUE, -L LEVEL, ...) may follow, too.",
                formatter_class=ScrapyHelpFormatter,
                allow_abbrev=False,
            )

        status = add("status", "Say where the data is, how much there is, and what waits to be done")
        status.add_argument("--json", action="store_true", help="as one JSON object")
        psql = add("psql", "Open psql on the database; the embedded server runs as long as it is open")
        psql.add_argument("-c", "--command", action="append", default=[], metavar="SQL", help="run this and leave")
        pages = add("pages", "List the pages that ended crawls, or print one of them")
        pages.add_argument("number", nargs="?", type=int, help="print the body of this one")
        add("prune", "Delete the projects that terms do not let us keep; every crawl does it, too")
        add("upgrade", "Apply the migrations that are missing")
        add("replay", "Store the rows that a crawl had to leave on disk")
        add_arguments(add("export", "Write a table to a file", EXPORT_HELP))
        add_backup_arguments(add("backup", "Write all tables to one file", BACKUP_HELP))
        add_restore_arguments(add("restore", "Fill the database from a backup", RESTORE_HELP))

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        """Read Scrapy's global options behind the sub-command, too; exits for what nobody knows."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        super().add_options(parser)
        _, unknown = parser.parse_known_args(args, opts)
        if unknown:
            _refuse(f"unknown argument {unknown[0]!r}; see: scrapy db {opts.db_command or ''} -h".replace("  ", " "))
        args.clear()
        super().process_options(args, opts)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Run the sub-command, and say in one sentence what went wrong."""
        assert self.settings is not None
        if opts.loglevel or opts.logfile:
            configure_logging(self.settings)
        commands = {
            "status": self._status,
            "psql": self._psql,
            "export": self._export,
            "backup": self._backup,
            "restore": self._restore,
            "pages": self._pages,
            "prune": self._prune,
            "upgrade": self._upgrade,
            "replay": self._replay,
        }
        if opts.db_command is None:
            self._parser.print_help()
            return
        try:
            _run(commands[opts.db_command](opts))
        except ReaderGone:
            # What is still buffered has nowhere to go, and Python would say so at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except StorageError as error:
            logger.debug("scrapy db %s failed", opts.db_command, exc_info=True)
            self._say(str(error))
            self.exitcode = 2 if isinstance(error, (WrongSelection, TargetExists)) else 1
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            self._say("stopped.")
            self.exitcode = 128 + (signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)

    async def _status(self, opts: argparse.Namespace) -> None:
        status = await gather(self._url, embedded_root=self._embedded_root, spool_root=self._spool_root)
        if opts.json:
            _out(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
        else:
            _out(rendered(status))

    async def _psql(self, opts: argparse.Namespace) -> None:
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

    async def _upgrade(self, opts: argparse.Namespace) -> None:
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

    async def _replay(self, opts: argparse.Namespace) -> None:
        if not any(self._spool_root.glob("*/*.jsonl")):
            _out(f"Nothing waits to be stored in {self._spool_root}.")
            return
        assert self.settings is not None
        migrate = self.settings.getbool("DATABASE_MIGRATE")
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

    async def _export(self, opts: argparse.Namespace) -> None:
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
            self._say(f"{column} is text in this file: it holds a value that its decimal type cannot hold.")
        self._say(
            f"{count:,} rows of {selection.table} written to {output.name} "
            f"({filesize.decimal(output.size)}, {time.monotonic() - started:.1f} s)"
        )

    async def _backup(self, opts: argparse.Namespace) -> None:
        if not self._url and not is_made(self._embedded_root):
            raise StorageError(f"Nothing is stored yet in {self._embedded_root}: there is nothing to back up.")
        self._say(await write_backup(self._unchecked(), opts))

    async def _restore(self, opts: argparse.Namespace) -> None:
        _out(await read_backup(self._unchecked(), opts))

    async def _pages(self, opts: argparse.Namespace) -> None:
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
        self._say(described(page))
        with explained_output("standard output"):
            sys.stdout.buffer.write(page.body)
            sys.stdout.flush()

    async def _prune(self, opts: argparse.Namespace) -> None:
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
        assert self.settings is not None
        url = str(self.settings.get("DATABASE_URL") or "")
        try:
            urlsplit(url)
        except ValueError as error:
            raise DatabaseUnreachable(f"DATABASE_URL is not an address ({error}); correct it.") from None
        return url

    @property
    def _embedded_root(self) -> Path:
        assert self.settings is not None
        return Path(self.settings["EMBEDDED_POSTGRES_FOLDER"])

    @property
    def _spool_root(self) -> Path:
        assert self.settings is not None
        return Path(self.settings["SPOOL_FOLDER"])

    def _say(self, sentence: str) -> None:
        sys.stderr.write(f"scrapy db: {sentence}\n")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        _refuse(f"{message}; see: {self.prog} -h")


def _out(sentence: str) -> None:
    with explained_output("standard output"):
        sys.stdout.write(f"{sentence}\n")
        sys.stdout.flush()


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"scrapy db: {sentence}\n")
    sys.exit(2)


def _run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command in a loop of its own; SIGTERM cancels it, so that it cleans up as after Ctrl-C."""

    async def cancellable() -> None:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await command

    asyncio.run(cancellable())
