"""Sub-commands of a command, such as ``scrapy db status``: declared and read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from scrapy.commands import ScrapyHelpFormatter


class SubCommands:
    """The sub-commands of ``scrapy COMMAND``; `opts` has the chosen one's name as `dest`, ``None`` for none."""

    def __init__(self, command: str, parser: argparse.ArgumentParser, *, dest: str) -> None:
        self._command = command
        self._dest = dest
        self._names = parser.add_subparsers(dest=dest, metavar="COMMAND", title="Commands", prog=f"scrapy {command}")
        self._parsers: dict[str, argparse.ArgumentParser] = {}

    def add(self, name: str, help_text: str, description: str = "") -> argparse.ArgumentParser:
        """Declare a sub-command; the parser that is returned takes its arguments."""
        # Knows nothing, so that all that follows the name is left to `read`.
        self._names.add_parser(name, help=help_text, add_help=False, allow_abbrev=False)
        self._parsers[name] = _Parser(
            f"{self._command} {name}",
            description=description or f"{help_text}.",
            epilog="Scrapy's global options (-s NAME=VALUE, -L LEVEL, ...) may follow, too.",
            formatter_class=ScrapyHelpFormatter,
        )
        return self._parsers[name]

    def read(
        self, words: Sequence[str], opts: argparse.Namespace, add_global: Callable[[argparse.ArgumentParser], None]
    ) -> None:
        """Read what follows the name into `opts`; exits with 2 for what nobody knows.

        `add_global` declares Scrapy's options. They are read first, wherever they stand: an argument that may be left
        out would take their values for its own.
        """
        name = getattr(opts, self._dest)
        called = f"{self._command} {name or ''}".strip()
        scrapys = _Parser(called, add_help=False)
        add_global(scrapys)
        _, unknown = scrapys.parse_known_args(words, opts)
        if name is not None:
            _, unknown = self._parsers[name].parse_known_args(unknown, opts)
        if unknown:
            refuse(self._command, f"unknown argument {unknown[0]!r}; see: scrapy {called} -h")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence; `called` is the command line up to its options, without ``scrapy``."""

    def __init__(self, called: str, **options: Any) -> None:
        super().__init__(prog=f"scrapy {called}", allow_abbrev=False, **options)
        self._command = called.partition(" ")[0]

    def error(self, message: str) -> NoReturn:
        refuse(self._command, f"{message}; see: {self.prog} -h")


def refuse(command: str, sentence: str) -> NoReturn:
    """Say what is wrong with the command line, and exit with 2."""
    sys.stderr.write(f"scrapy {command}: {sentence}\n")
    sys.exit(2)
