"""The egg that ``scrapyd-deploy`` builds holds the package, all of it, and nothing else."""

from __future__ import annotations

import zipfile
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from conftest import REPOSITORY
from deployment._scrapyd import needs_scrapyd

pytestmark = needs_scrapyd


def test_it_holds_the_package_and_nothing_else(egg: Path) -> None:
    with zipfile.ZipFile(egg) as file:
        held = {PurePosixPath(name) for name in file.namelist()}
    ours = {path for path in held if path.parts[0] != "EGG-INFO"}
    # Compared with the copy: others may be at work in the tree.
    expected = {path.relative_to(egg.parent) for path in (egg.parent / "outsourcing_spiders").rglob("*")}
    assert ours == {PurePosixPath(path) for path in expected if (egg.parent / path).is_file()}
    assert len(ours) > 80


def test_it_says_what_it_is_and_what_it_needs(egg: Path) -> None:
    (found,) = Distribution.discover(path=[str(egg)])
    assert found.metadata["Name"] == "outsourcing-spiders"
    (settings,) = found.entry_points.select(group="scrapy", name="settings")
    assert settings.value == "outsourcing_spiders.settings"
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    assert len(found.requires or []) == len([line for line in lines if line and not line.startswith("#")])


def test_no_module_asks_for_a_file_of_its_own(egg: Path) -> None:
    """In a zip there is none: `importlib.resources` reads both. Crawls from the egg are in `test_scrapyd`."""
    with zipfile.ZipFile(egg) as file:
        asking = [name for name in file.namelist() if name.endswith(".py") and b"__file__" in file.read(name)]
    assert asking == []
