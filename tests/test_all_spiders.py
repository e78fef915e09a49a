"""Rules that hold for every spider, and for what the floors of the package may import."""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from _crawls import project_settings
from scrapy import Spider
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders import settings as ours
from outsourcing_spiders.debugging.fixtures import Files, find, folder_of
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.platforms.arguments import ARGUMENTS
from outsourcing_spiders.platforms.base import PlatformSpider

PACKAGE = Path(ours.__file__).parent
LOADER = SpiderLoader.from_settings(project_settings())
SPIDERS = [LOADER.load(name) for name in sorted(LOADER.list())]
EVERY_SPIDER = pytest.mark.parametrize("spider", SPIDERS, ids=lambda spider: spider.name)
SECTIONS = ("Site", "Access", "Terms", "Caveats")
MOST_LINES = 80
# Attributes of spiders that Scrapy reads no more, or will not for long; their settings go to custom_settings.
DEPRECATED = ("start_urls", "start_requests", "max_concurrent_requests", "download_delay", "download_timeout",
              "user_agent", "download_maxsize", "download_warnsize", "http_user", "handle_httpstatus_list")  # fmt: skip


def test_there_are_spiders() -> None:
    assert SPIDERS


# --- data sheets --------------------------------------------------------------------------------------------------


@EVERY_SPIDER
def test_file_spider_and_platform_share_a_name(spider: type[PlatformSpider]) -> None:
    file = Path(inspect.getfile(spider))
    assert file.parent == PACKAGE / "spiders"
    assert file.stem == spider.name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spider.name)
    assert issubclass(spider, PlatformSpider)


def test_a_file_has_one_spider() -> None:
    files = {file.stem for file in (PACKAGE / "spiders").glob("*.py")} - {"__init__"}
    assert files == {spider.name for spider in SPIDERS}


@EVERY_SPIDER
def test_the_docstring_is_a_data_sheet(spider: type[PlatformSpider]) -> None:
    text = inspect.cleandoc(spider.__dict__["__doc__"])
    found = re.findall(r"^(\w+): +\S", text, re.MULTILINE)
    assert found == list(SECTIONS)
    assert text.splitlines()[0].endswith(".")
    terms = text.split("\nTerms: ")[1].split("\nCaveats: ")[0]
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", terms), "when were the terms read?"


@EVERY_SPIDER
def test_access_and_home_are_declared(spider: type[PlatformSpider]) -> None:
    assert spider.access in ("api", "public", "permission")
    home = urlsplit(spider.home)
    assert home.scheme == "https"
    assert home.hostname
    assert (home.path, home.query, home.fragment, home.username) == ("", "", "", None)
    assert spider.narrowed_by <= {"query", "skills", "category"}


@EVERY_SPIDER
def test_only_documented_apis_are_read_without_asking_robots_txt(spider: type[PlatformSpider]) -> None:
    settings = Settings()
    settings.setmodule(ours)
    spider.update_settings(settings)
    assert settings.getbool("ROBOTSTXT_OBEY") or spider.access == "api"
    assert settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
    assert settings.getfloat("DOWNLOAD_DELAY") >= 1
    assert settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") == 1
    assert "CONTACT" not in (spider.custom_settings or {})
    assert "USER_AGENT" not in (spider.custom_settings or {})
    assert "PERMITTED_PLATFORMS" not in (spider.custom_settings or {})


@EVERY_SPIDER
def test_nothing_deprecated_is_declared(spider: type[PlatformSpider]) -> None:
    declared = {name for cls in spider.__mro__ if cls not in Spider.__mro__ for name in vars(cls)}
    assert not declared & set(DEPRECATED)
    settings = Settings()
    settings.setmodule(ours)
    unknown = [name for name in spider.custom_settings or {} if name not in settings]
    assert not unknown


@pytest.mark.parametrize("folder", ["spiders", "ways_in"])
def test_a_spider_is_short(folder: str) -> None:
    lengths = {file.name: lines_of_code(file.read_text()) for file in (PACKAGE / folder).glob("*.py")}
    assert len(lengths) > 1
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def lines_of_code(source: str) -> int:
    """Count lines that hold code: no blank ones, no comments, no docstrings."""
    no_code = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in no_code]
    docstrings = {
        node.body[0].lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and ast.get_docstring(node)
    }
    for token in tokens:
        if token.start[0] not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


@EVERY_SPIDER
def test_a_saved_answer_gives_items(spider: type[PlatformSpider]) -> None:
    # That they are what the spider makes of it, `scrapy check` looks at.
    assert any(map(Files.load_items, find(folder_of(spider.name))))


# --- arguments ----------------------------------------------------------------------------------------------------


def test_every_argument_is_documented_once_in_the_base() -> None:
    documented = re.findall(r"^``(\w+)`` +\S", inspect.cleandoc(PlatformSpider.__doc__ or ""), re.MULTILINE)
    assert documented == list(ARGUMENTS)


_WRONG: list[tuple[str, Any]] = [
    ("query", ""), ("query", "  "), ("skills", ""), ("category", " "),
    ("max_pages", "0"), ("max_pages", "-1"), ("max_pages", "many"), ("max_pages", "1.5"), ("max_pages", ""),
    ("max_pages", "٣"),
    ("since", "yesterday"), ("since", ""), ("since", "2h ago"), ("since", "2999-01-01"), ("since", "99999999999w"),
    ("full", "maybe"), ("full", "2"),
    ("base_url", "localhost"), ("base_url", "ftp://localhost"), ("base_url", "http://"), ("base_url", ""),
    ("base_url", "http://[broken"), ("base_url", "http://localhost:port"),
    ("querry", "x"), ("start_urls", "x"), ("name", "x"), ("custom_settings", "x"),
]  # fmt: skip


@EVERY_SPIDER
@pytest.mark.parametrize(("name", "value"), _WRONG, ids=str)
def test_a_wrong_argument_is_named_in_one_sentence(spider: type[PlatformSpider], name: str, value: Any) -> None:
    with pytest.raises(WrongArgument) as raised:
        spider.check_arguments({name: value}) if name == "name" else spider(**{name: value})
    said = str(raised.value)
    assert re.search(rf"\b{name}\b", said)
    assert "\n" not in said
    assert len(said) < 300
    assert "password" not in said


@EVERY_SPIDER
def test_what_cannot_be_narrowed_by_is_refused(spider: type[PlatformSpider]) -> None:
    for name in {"query", "skills", "category"} - spider.narrowed_by:
        with pytest.raises(WrongArgument, match=f"narrowed by {name}"):
            spider(**{name: "x"})


@EVERY_SPIDER
@pytest.mark.parametrize(
    ("arguments", "attribute", "value"),
    [
        ({}, "full", False),
        ({"full": "1"}, "full", True),
        ({"full": "Yes"}, "full", True),
        ({"full": "off"}, "full", False),
        ({"max_pages": " 3 "}, "max_pages", 3),
        ({"base_url": "http://localhost:8000/mirror"}, "base_url", "http://localhost:8000/mirror/"),
        ({"_job": "scrapyd's own"}, "full", False),
    ],
    ids=str,
)
def test_good_arguments_are_read(
    spider: type[PlatformSpider], arguments: dict[str, str], attribute: str, value: object
) -> None:
    assert getattr(spider(**arguments), attribute) == value


# --- settings -----------------------------------------------------------------------------------------------------


def test_every_setting_of_our_own_is_read_somewhere() -> None:
    known = set(Settings())
    made_of = {"CONTACT"}  # a part of USER_AGENT
    own = {name for name in vars(ours) if name.isupper()} - known - made_of
    # Those are read by scrapy-playwright, whose handler ours is made of.
    own = {name for name in own if not name.startswith("PLAYWRIGHT_")}
    text = "\n".join(file.read_text() for file in PACKAGE.rglob("*.py") if file.name != "settings.py")
    assert {name for name in own if f'"{name}"' not in text} <= {"COMMANDS_MODULE"}
    assert "DATABASE_URL" in own


def test_every_setting_that_is_read_exists() -> None:
    settings = Settings()
    settings.setmodule(ours)
    pattern = re.compile(r"""settings(?:\.get\w*\(|\[)["']([A-Z_]+)["']""")
    for file in PACKAGE.rglob("*.py"):
        # Spidermon's own are taken from the environment as they are.
        unknown = [name for name in pattern.findall(file.read_text()) if name not in settings]
        assert not [name for name in unknown if not name.startswith("SPIDERMON_")], file


def test_only_the_settings_read_the_environment() -> None:
    # A terminal is no setting; a server that we start is given an environment.
    exceptions = {"extensions/progress.py", "storage/embedded.py", "storage/embedded_host.py",
                  "administration/database.py", "administration/deployment.py"}  # fmt: skip
    readers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if re.search(r"\bos\.environ\b|\bgetenv\b|import environ\b", file.read_text())
    }
    assert readers - exceptions == {"settings.py"}


@pytest.mark.parametrize("kind", ["ITEM_PIPELINES", "SPIDER_MIDDLEWARES", "DOWNLOADER_MIDDLEWARES", "EXTENSIONS"])
def test_every_component_that_is_named_can_be_loaded(kind: str) -> None:
    from scrapy.utils.misc import load_object

    for path in getattr(ours, kind):
        assert load_object(path)


# --- floors -------------------------------------------------------------------------------------------------------


def imports(file: Path) -> Iterator[str]:
    """Yield the absolute names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""


GROUND = [*(PACKAGE / "parsing").rglob("*.py"), *(PACKAGE / "storage").rglob("*.py"),
          PACKAGE / "items.py", PACKAGE / "outcomes.py"]  # fmt: skip


@pytest.mark.parametrize("file", GROUND, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_ground_floor_knows_no_scrapy(file: Path) -> None:
    forbidden = re.compile(
        r"(scrapy|twisted|itemadapter)(\.|$)"
        r"|outsourcing_spiders\.(spiders|platforms|middlewares|pipelines|extensions|commands|settings)(\.|$)"
        r"|outsourcing_spiders\.(administration|debugging)(\.|$)"
    )
    assert not [name for name in imports(file) if forbidden.match(name)]


def test_parsing_knows_no_storage() -> None:
    for file in (PACKAGE / "parsing").rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("outsourcing_spiders.storage")]


def test_nothing_imports_spiders() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("outsourcing_spiders.spiders")], file


def test_no_module_imports_a_reactor() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("twisted.internet.reactor")], file
