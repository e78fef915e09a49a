"""A spider that cannot be imported is named with the reason, and keeps nobody from the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scrapy.settings import Settings

from outsourcing_spiders import spiders
from outsourcing_spiders.debugging.one_page import NothingCame, spider_named
from outsourcing_spiders.debugging.spider_loader import TolerantSpiderLoader
from outsourcing_spiders.outcomes import WrongArgument

GOOD = "import scrapy\n\n\nclass Good(scrapy.Spider):\n    name = 'good'\n"


@pytest.mark.parametrize(
    ("number", "text", "why"),
    [
        (1, "from nowhere_at_all import Request\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (2, "class Bad(\n", r"SyntaxError: '\(' was never closed \(bad.py, line 1\)"),
        (3, "home = hom\n", "NameError: name 'hom' is not defined"),
    ],
)
def test_a_broken_spider(number: int, text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / f"spiders_{number}"
    package.mkdir()
    for name, source in (("__init__", ""), ("bad", text), ("good", GOOD)):
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    loader = TolerantSpiderLoader(Settings({"SPIDER_MODULES": [package.name]}))
    assert loader.list() == ["good"]
    assert re.match(why, loader.broken["bad"])
    assert spider_named(loader, "good").name == "good"
    with pytest.raises(NothingCame, match=f"bad cannot be imported: {why}"):
        spider_named(loader, "bad")
    with pytest.raises(WrongArgument, match="did you mean good"):
        spider_named(loader, "goood")


def test_the_spiders_of_the_project_are_all_there() -> None:
    loader = TolerantSpiderLoader(Settings({"SPIDER_MODULES": ["outsourcing_spiders.spiders"]}))
    assert set(loader.list()) == {file.stem for file in Path(spiders.__path__[0]).glob("[!_]*.py")}
    assert loader.broken == {}
