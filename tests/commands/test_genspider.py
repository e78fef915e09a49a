"""A new spider is made of a template by how the platform is read, and keeps the rules of all spiders at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TEMPLATES = sorted(file.stem for file in (REPOSITORY / "outsourcing_spiders" / "templates" / "spiders").glob("*.tmpl"))
RULES = "test_all_spiders.py"


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python in the copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(project),
            "OUTSOURCING_SPIDERS_DATA": "/proc/nowhere",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, for spiders to be made in."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copytree(
        REPOSITORY / "outsourcing_spiders", copy / "outsourcing_spiders", ignore=shutil.ignore_patterns("__pycache__")
    )
    for file in ("scrapy.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / file, copy)
    # Without it, the type checker reads all of Scrapy anew.
    if (cache := REPOSITORY / ".mypy_cache").is_dir():
        shutil.copytree(cache, copy / ".mypy_cache", copy_function=_copy_what_is_there)
    (copy / "tests").mkdir()
    for file in (RULES, "_crawls.py"):
        shutil.copy(REPOSITORY / "tests" / file, copy / "tests")
    return copy


def _copy_what_is_there(source: str, target: str) -> None:
    # Another type checker may be at work in that folder.
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def made(project: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """A spider of each template, with a name of one word and of several."""
    return {name: run(project, "scrapy", "genspider", "-t", name, f"new_{name}", address)
            for name, address in zip(TEMPLATES, _ADDRESSES, strict=True)}  # fmt: skip


_ADDRESSES = ("www.example.com", "https://jobs.example.co.uk/find?page=1", "example.org", "WWW.Bücher.example")


def test_each_way_of_reading_has_a_template() -> None:
    assert TEMPLATES == ["embedded_json", "html_cards", "json_api", "json_pages"]


def test_the_new_spiders_are_there(made: dict[str, subprocess.CompletedProcess[str]], project: Path) -> None:
    for name, ended in made.items():
        assert (ended.returncode, ended.stderr) == (0, "")
        assert f"scrapy capture new_{name}" in ended.stdout
        assert f"tests/platforms_standins/new_{name}.py" in ended.stdout
    listed = run(project, "scrapy", "list")
    assert {f"new_{name}" for name in TEMPLATES} < set(listed.stdout.split())
    homes = {
        name: next(
            line.partition("= ")[2].strip('"')
            for line in (project / "outsourcing_spiders" / "spiders" / f"new_{name}.py").read_text().splitlines()
            if line.startswith("    home = ")
        )
        for name in TEMPLATES
    }
    assert list(homes.values()) == [
        "https://www.example.com", "https://jobs.example.co.uk", "https://example.org",
        "https://www.xn--bcher-kva.example",
    ]  # fmt: skip


def test_the_steps_are_those_of_the_readme(project: Path) -> None:
    told = re.findall(
        r"^\$ (scrapy genspider .*)\n((?:.*\n)*?)```$", (REPOSITORY / "README.md").read_text(), re.MULTILINE
    )
    ((typed, shown),) = told
    try:
        assert run(project, *typed.split()).stdout == shown
    finally:
        (project / "outsourcing_spiders" / "spiders" / "example.py").unlink()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "check",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--follow-imports=silent"]],
    ids=["linter", "formatter", "types"],
)
def test_linters_have_nothing_to_say(project: Path, check: list[str]) -> None:
    ended = run(project, *check, *(f"outsourcing_spiders/spiders/new_{name}.py" for name in TEMPLATES))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.usefixtures("made")
def test_the_new_spiders_keep_the_rules_of_all_spiders(project: Path) -> None:
    # But for an answer of the platform, which is asked for next.
    ended = run(project, "pytest", f"tests/{RULES}", "-q", "-k", "new_ and not saved_answer", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr
    assert " passed" in ended.stdout


@pytest.mark.usefixtures("made")
def test_nothing_is_asked_of_a_platform_whose_terms_were_not_read(project: Path, tmp_path: Path) -> None:
    ended = run(project, "scrapy", "capture", "new_json_api", f"--folder={tmp_path}")
    assert ended.returncode == 1
    assert ended.stderr.startswith("scrapy capture new_json_api: new_json_api is not read without the platform's perm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["New-Site", "www.example.com"], 2, "'New-Site' is no name of a platform"),
        (["new site", "www.example.com"], 2, "'new site' is no name of a platform"),
        (["nohost", "localhost"], 2, "'localhost' is no host"),
        (["nohost", "http://[x"], 2, "'http://[x' is no host"),
        (["nohost", "a b.example"], 2, "'a b.example' is no host"),
        (["freelancer", "www.example.com"], 2, "already exists"),
        (["onlyname"], 2, "Usage"),
        (["-t", "nothing", "some", "www.example.com"], 0, "Unable to find template"),
        (["-t", "../../setup", "some", "www.example.com"], 0, "Unable to find template"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_told(project: Path, arguments: list[str], code: int, said: str) -> None:
    before = sorted((project / "outsourcing_spiders" / "spiders").glob("*.py"))
    ended = run(project, "scrapy", "genspider", *arguments)
    assert ended.returncode == code
    assert said in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted((project / "outsourcing_spiders" / "spiders").glob("*.py")) == before


def test_scrapys_own_templates_are_there_beside_ours(project: Path) -> None:
    ended = run(project, "scrapy", "genspider", "--list")
    assert ended.returncode == 0
    names = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith("  ")]
    assert sorted(names[:4]) == TEMPLATES
    assert names[4:] == ["basic", "crawl", "csvfeed", "xmlfeed"]
    dumped = run(project, "scrapy", "genspider", "--dump", "basic")
    assert "scrapy.Spider" in dumped.stdout
    assert "HtmlCardsSpider" in run(project, "scrapy", "genspider", "--dump", "html_cards").stdout


def test_an_existing_spider_is_overwritten_only_by_force(project: Path) -> None:
    file = project / "outsourcing_spiders" / "spiders" / "again.py"
    try:
        assert run(project, "scrapy", "genspider", "again", "one.example").returncode == 0
        assert run(project, "scrapy", "genspider", "again", "two.example").returncode == 2
        assert "https://one.example" in file.read_text()
        assert run(project, "scrapy", "genspider", "--force", "again", "two.example").returncode == 0
        assert "https://two.example" in file.read_text()
    finally:
        file.unlink(missing_ok=True)
