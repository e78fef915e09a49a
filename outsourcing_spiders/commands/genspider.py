"""`scrapy genspider` with templates by how a platform is read, beside Scrapy's own, and with what to do next."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy.commands import genspider

import outsourcing_spiders

OWN = Path(outsourcing_spiders.__path__[0]) / "templates" / "spiders"
_ABOUT = {
    "html_cards": "pages that show their listing as cards, and nowhere else",
    "embedded_json": "pages that carry their listing as JSON for their own scripts",
    "json_pages": "JSON by page number or by cursor",
    "json_api": "JSON by offset, such as a documented API",
}
_NEXT = """
Next:
  1. Terms. Read them and robots.txt of {host}, say in the docstring what they say and when you read them,
     and set access. Until then nothing is asked of the platform without PERMITTED_PLATFORMS={name}.
  2. An answer. scrapy capture {name}
     saves {page}, and what the spider makes of it. Look through it for people;
     a README.md beside it says which parts of it were seen in real answers.
  3. The hooks. Write listing_request and item, declare what the platform's words mean and what its listing is
     narrowed_by; read the answer again until all is right, and nothing empty that need not be:
     scrapy capture {name} {page} --force
  4. A stand-in that speaks the same: tests/platforms_standins/{name}.py.
  5. What holds for every platform. Say how the stand-in is looked at in a class of tests/spiders/_platforms.py, with
     what it tells as columns of the table in _columns.py, and add one of that class to PLATFORMS.
     What is the platform's own goes into tests/spiders/test_crawl_{name}.py.
  6. scrapy check {name}
     python -m pytest tests/test_all_spiders.py tests/commands/test_check.py tests/spiders -k {name}
"""


class Command(genspider.Command):
    """Make a new spider; exits with 2 when it cannot be made."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes; a template is one of ours unless Scrapy's is asked for."""
        super().add_options(parser)
        parser.set_defaults(template="html_cards")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        """Make the spider, and say what to do next."""
        if len(args) != 2 or opts.list or opts.dump or self._own(opts.template) is None:
            super().run(args, opts)
            return
        name, host = args[0], _host(args[1])
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            self._fail(f"{name!r} is no name of a platform: small letters, digits and _, such as peopleperhour")
        elif host is None:
            self._fail(f"{args[1]!r} is no host, such as www.example.com")
        elif not opts.force and self._spider_exists(name):
            self.exitcode = 2
        else:
            super().run([name, f"https://{host}"], opts)
            suffix = "json" if opts.template.startswith("json") else "html"
            page = f"tests/fixtures/{name}/listing.{suffix}"
            sys.stdout.write(_NEXT.format(name=name, host=host, page=page))

    def _generate_template_variables(self, module: str, name: str, url: str, template_name: str) -> dict[str, Any]:
        variables = super()._generate_template_variables(module, name, url, template_name)
        return variables | {"today": f"{datetime.now(UTC):%Y-%m-%d}"}

    def _find_template(self, template: str) -> Path | None:
        return self._own(template) or super()._find_template(template)

    def _own(self, template: str) -> Path | None:
        file = OWN / f"{template.removesuffix('.tmpl')}.tmpl"
        return file if file.parent == OWN and file.is_file() else None

    def _list_templates(self) -> None:
        others = sorted(file.stem for file in Path(self.templates_dir).glob("*.tmpl"))
        lines = ["By how a platform is read:", *(f"  {name:<15} {about}" for name, about in _ABOUT.items())]
        sys.stdout.write(
            "\n".join([*lines, "Scrapy's own:", *(f"  {name}" for name in others if name not in _ABOUT), ""])
        )

    def _fail(self, sentence: str) -> None:
        sys.stderr.write(f"scrapy genspider: {sentence}.\n")
        self.exitcode = 2


def _host(text: str) -> str | None:
    """Return the host of an address or of a bare name; ``None`` when there is none."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError):
        return None
    return host if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) else None
