"""What is looked at: a file, an address, or neither, told before anything is asked of anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from scrapy.http import HtmlResponse

from outsourcing_spiders.debugging.answers import absolute, source_of
from outsourcing_spiders.outcomes import WrongArgument


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a page in it and a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("<p>")
    (tmp_path / "a page.html").write_text("<p>")
    (tmp_path / "www.guru.com").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "text", ["page.html", "./page.html", "file://{folder}/page.html", "file://{folder}/a%20page.html"]
)
def test_a_file_is_one_however_it_is_named(folder: Path, text: str) -> None:
    file, address = source_of(text.format(folder=folder))
    assert file is not None
    assert file.is_file()
    assert address is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://www.guru.com/d/jobs/", "https://www.guru.com/d/jobs/"),
        # Longer than the name of a file may be.
        ("https://www.guru.com/?q=" + "x" * 5000, "https://www.guru.com/?q=" + "x" * 5000),
        ("www.freemoa.net", "http://www.freemoa.net"),
        ("www.guru.com/jobs/a.html", "http://www.guru.com/jobs/a.html"),
        ("localhost/a", "http://localhost/a"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("data:,page", "data:,page"),
        (None, None),
    ],
)
def test_an_address_needs_no_scheme(folder: Path, text: str | None, address: str | None) -> None:
    assert source_of(text) == (None, address)


@pytest.mark.parametrize(
    "text",
    ["", "x.html", "x.json", "/x/listing.html", "./www.x.com", "~/x", "tests/fixtures/guru/x", "file:///x.html", "x"],
)
def test_what_is_neither_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(WrongArgument, match="is neither a web address nor a file"):
        source_of(text)


@pytest.mark.parametrize("text", ["www.guru.com", ".", "www.guru.com/"])
def test_a_folder_is_named_as_one(folder: Path, text: str) -> None:
    with pytest.raises(WrongArgument, match="is a folder; name a file in it"):
        source_of(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/d/jobs/pg/2/", "https://www.guru.com/d/jobs/pg/2/"),
        ("pg/2/", "https://www.guru.com/d/jobs/pg/2/"),
        ("../a.html", "https://www.guru.com/d/a.html"),
        ("?q=1.2", "https://www.guru.com/d/jobs/?q=1.2"),
        ("a.html", "https://www.guru.com/d/jobs/a.html"),
        ("search?q=node.js", "https://www.guru.com/d/jobs/search?q=node.js"),
        ("pg#v1.2", "https://www.guru.com/d/jobs/pg#v1.2"),
        ("index.php?page=2", "https://www.guru.com/d/jobs/index.php?page=2"),
        ("a.html?next=/b", "https://www.guru.com/d/jobs/a.html?next=/b"),
        ("www.guru.com?q=1.2", "http://www.guru.com?q=1.2"),
        ("//127.0.0.1:8000/a", "https://127.0.0.1:8000/a"),
        ("www.guru.com/a", "http://www.guru.com/a"),
        ("http://localhost/a", "http://localhost/a"),
        ("data:,page", "data:,page"),
    ],
)
def test_an_address_is_read_as_one_of_the_page(text: str, address: str) -> None:
    page = "https://www.guru.com/d/jobs/"
    assert absolute(text, page) == address
    based = HtmlResponse("https://www.guru.com/", body=f'<base href="{page}">'.encode())
    assert absolute(text, based) == address
