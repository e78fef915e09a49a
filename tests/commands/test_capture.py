"""`scrapy capture` saves one answer as the spider gets it, so that it reads the same for ever."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from _crawls import project_settings
from _fixture_checks import FIXTURES, check_fixture, saved_answer, saved_items
from platforms_standins import freelancer, guru
from platforms_standins._server import StandInProcess
from scrapy.http import HtmlResponse, Request, TextResponse
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders.debugging.capture_fixture import meta_of, removed, scrub_body, scrubbed, suffix_of
from outsourcing_spiders.debugging.differences import differences, empty_fields, fell_out, filled
from outsourcing_spiders.debugging.fixtures import Meta, answer, from_json, text_of_meta, to_json
from outsourcing_spiders.items import Budget, Client, Project

Scrapy = Callable[..., subprocess.CompletedProcess[str]]
JSON = dict[str, Any]

LOADER = SpiderLoader.from_settings(project_settings())
DATE = "2026-09-21T14:00:00Z"


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Guru."""
    with guru.standin_process(projects=60, seed=3) as site:
        yield site


@pytest.fixture(scope="module")
def api() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with freelancer.standin_process(projects=120, seed=1) as api:
        yield api


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Where fixtures go."""
    return tmp_path / "fixtures"


@pytest.fixture
def capture(scrapy: Scrapy, saved: Path) -> Scrapy:
    """Run the command with a database that is down."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ended = scrapy(
            "capture", *arguments, f"--folder={saved}", DATABASE_URL="postgresql://127.0.0.1:1/x", **environment
        )
        assert "Traceback" not in ended.stderr
        return ended

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def meta(folder: Path, name: str) -> JSON:
    found: JSON = json.loads((folder / f"{name}.meta.json").read_bytes())
    return found


def spider(name: str) -> Any:
    return LOADER.load(name)


# --- live answers -------------------------------------------------------------------------------------------------


def test_the_first_page_is_saved_with_its_items(capture: Scrapy, site: StandInProcess, saved: Path) -> None:
    site.requests(clear=True)
    ended = capture("guru", "-a", f"base_url={site.base_url}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(saved) == ["listing.html", "listing.items.json", "listing.meta.json"]
    asked = [seen for seen in site.requests() if seen["path"] != "/robots.txt"]
    assert [seen["path"] for seen in asked] == ["/d/jobs/"]
    assert asked[0]["headers"]["user-agent"].startswith("outsourcing_spiders/")
    assert len(site.requests()) == 2, "robots.txt is asked for, too"
    found = meta(saved, "listing")
    assert found["address"] == f"{site.base_url}/d/jobs/"
    assert (found["status"], found["read_by"], found["place"]) == (200, "parse", 1)
    assert set(found["headers"]) == {"Content-Type", "Date"}
    check_fixture(spider("guru"), saved, "listing")
    items = saved_items(saved, "listing")
    assert len(items) == 20
    assert re.search(r"^  rows      20, which give 20 items$", ended.stdout, re.MULTILINE)
    assert "budget.currency: 0 of 20" in ended.stdout
    assert {item["posted_precision"] for item in items} >= {"hour"}


def test_an_address_is_asked_for_as_the_spider_does(capture: Scrapy, site: StandInProcess, saved: Path) -> None:
    ended = capture("guru", f"{site.base_url}/d/jobs/pg/2/", "--name=second", "-a", f"base_url={site.base_url}")
    assert ended.returncode == 0
    assert meta(saved, "second")["address"].endswith("/pg/2/")
    check_fixture(spider("guru"), saved, "second")
    ended = capture("guru", "--page=2", "--name=by_number", "-a", f"base_url={site.base_url}")
    assert ended.returncode == 0
    assert meta(saved, "by_number")["place"] == 2
    ids = [[item["external_id"] for item in saved_items(saved, name)] for name in ("second", "by_number")]
    assert ids[0] == ids[1]


def test_a_project_page_comes_with_what_the_listing_told(capture: Scrapy, site: StandInProcess, saved: Path) -> None:
    ended = capture("guru", "--detail", "-a", f"base_url={site.base_url}")
    assert ended.returncode == 0
    assert names(saved) == ["detail.html", "detail.items.json", "detail.meta.json"]
    (item,) = saved_items(saved, "detail")
    listed = meta(saved, "detail")["item"]
    assert (item["external_id"], item["platform"]) == (listed["external_id"], "guru")
    assert (listed["description_complete"], item["description_complete"]) == (False, True)
    check_fixture(spider("guru"), saved, "detail")
    # An address alone: what only the listing knows is not there.
    ended = capture("guru", meta(saved, "detail")["address"], "--detail", "--name=alone", "-a",
                    f"base_url={site.base_url}")  # fmt: skip
    assert ended.returncode == 0
    (alone,) = saved_items(saved, "alone")
    assert alone["description"] == item["description"]
    check_fixture(spider("guru"), saved, "alone")


def test_an_api_gets_its_headers_and_parameters(capture: Scrapy, api: StandInProcess, saved: Path) -> None:
    api.requests(clear=True)
    token = freelancer.KNOWN_TOKEN
    ended = capture("freelancer", "-a", f"base_url={api.base_url}", "-a", "query=data", FREELANCER_TOKEN=token)
    assert (ended.returncode, ended.stderr) == (0, "")
    (seen,) = api.requests()
    assert seen["headers"]["accept"] == "application/json"
    assert seen["headers"]["freelancer-oauth-v1"] == token
    assert names(saved) == ["listing.items.json", "listing.json", "listing.meta.json"]
    assert meta(saved, "listing")["arguments"] == {"base_url": api.base_url, "query": "data"}
    assert token not in "".join(path.read_text() for path in saved.iterdir()) + ended.stdout
    check_fixture(spider("freelancer"), saved, "listing")
    # What its callback needs first, such as a catalogue, is asked for first.
    ended = capture("freelancer", "--name=skills", "-a", f"base_url={api.base_url}", "-a", "skills=Python")
    assert ended.returncode == 0
    assert "jobs%5B%5D=" in meta(saved, "skills")["address"]


def test_what_cannot_be_read_is_saved_with_the_reason(capture: Scrapy, api: StandInProcess, saved: Path) -> None:
    ended = capture("freelancer", f"{api.base_url}/api/projects/0.1/nothing/", "-a", f"base_url={api.base_url}")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"scrapy capture freelancer: {api.base_url}/api/projects/0.1/noth")
    assert "listing.items.json" not in names(saved)
    assert len(names(saved)) == 2
    assert meta(saved, "listing")["outcome"] == "layout_changed"
    check_fixture(spider("freelancer"), saved, "listing")


def test_no_answer_is_told(capture: Scrapy, saved: Path) -> None:
    ended = capture("freelancer", "-a", "base_url=http://127.0.0.1:1", "-s", "RETRY_ENABLED=0")
    assert ended.returncode == 1
    assert "scrapy capture freelancer: nothing came: http://127.0.0.1:1/api/projects/" in ended.stderr
    assert not saved.exists()


# --- saved files --------------------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of Guru that somebody saved."""
    file = tmp_path / "page.html"
    shutil.copy(FIXTURES / "guru" / "listing_first.html", file)
    return file


def edit(file: Path, old: str, new: str, count: int = -1) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, count))


def test_a_saved_file_is_read_without_asking(capture: Scrapy, page: Path, saved: Path) -> None:
    ended = capture("guru", str(page), f"--date={DATE}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert names(saved) == ["page.html", "page.items.json", "page.meta.json"]
    assert (saved / "page.html").read_bytes() == page.read_bytes()
    assert meta(saved, "page")["headers"]["Date"] == "Mon, 21 Sep 2026 14:00:00 GMT"
    check_fixture(spider("guru"), saved, "page")
    # As it was: nothing is asked, nothing is told to have changed, and no --force is needed.
    before = (saved / "page.items.json").read_bytes()
    ended = capture("guru", str(saved / "page.html"))
    assert ended.returncode == 0
    assert "  as before 20 items" in ended.stdout
    assert (saved / "page.items.json").read_bytes() == before


def test_a_broken_layout_is_told_field_by_field(capture: Scrapy, page: Path, saved: Path) -> None:
    assert capture("guru", str(page), f"--date={DATE}").returncode == 0
    shutil.copy(saved / "page.items.json", page.with_suffix(".before"))
    classes = set(re.findall(r'class="[^"]*budget[^"]*"', page.read_text(), re.IGNORECASE))
    for found in classes:
        edit(page, found, 'class="renamed"')
    ended = capture("guru", str(page), f"--date={DATE}")
    assert ended.returncode == 2
    assert "nothing was written" in ended.stderr
    assert "  broken?   budget" in ended.stdout
    assert re.search(r"budget: 0 of 20, was \d+ of 20$", ended.stdout, re.MULTILINE)
    assert (saved / "page.items.json").read_bytes() == page.with_suffix(".before").read_bytes()
    ended = capture("guru", str(page), f"--date={DATE}", "--force")
    assert ended.returncode == 0
    assert re.search(r"budget\.minimum: \d+ of 20, such as \d+: '[\d.]+' -> None$", ended.stdout, re.MULTILINE)
    check_fixture(spider("guru"), saved, "page")


def test_people_and_secrets_are_removed_and_changed_items_told(capture: Scrapy, page: Path, saved: Path) -> None:
    text = page.read_text()
    word = next(item["description"] for item in saved_items(FIXTURES / "guru", "listing_first"))[:30]
    assert text.count(word) >= 1
    edit(page, word, f"Write to jane.doe@firm.example or +44 20 7946 0958. {word}", 1)
    edit(page, "</body>", '<script>var auth = {"accessToken": "abcdef123456"}</script></body>')
    ended = capture("guru", str(page), f"--date={DATE}")
    assert ended.returncode == 0
    kept = "".join(path.read_text() for path in saved.iterdir())
    for gone in ("jane.doe", "7946", "abcdef123456"):
        assert gone not in kept + ended.stdout
    assert "  removed   1 secret, 1 e-mail address, 1 telephone number" in ended.stdout
    assert re.search(r"  changed   by what was removed: description: 1 of 20, such as \d+$", ended.stdout, re.MULTILINE)
    check_fixture(spider("guru"), saved, "page")


def test_an_api_of_korea_keeps_no_people(capture: Scrapy, tmp_path: Path, saved: Path) -> None:
    answer = json.loads((FIXTURES / "freemoa" / "listing.json").read_bytes())
    first, second, third, *_ = answer["DATA"]["PROJECT"]["LIST"]
    first["txt"] = "담당자 연락처\r\nkim@corp.co.kr\r\n010-1234-5678"
    first["client_id"], second["client_id"], third["client_id"] = "hong123", "KAKAO_998877", "lee@corp.co.kr"
    # As PHP writes it: in ASCII.
    page = json.dumps(answer).replace("/", "\\/").replace("lee@", "lee\\u0040")
    file = tmp_path / "page.json"
    file.write_text(page)
    ended = capture("freemoa", str(file), f"--date={DATE}")
    assert (ended.returncode, ended.stderr) == (0, "")
    for told, shown in {
        "kim@corp.co.kr": "[e-mail]", "lee\\u0040corp.co.kr": "[e-mail]", "010-1234-5678": "[phone]",
        "hong123": "[private]", "KAKAO_998877": "[private]",
    }.items():  # fmt: skip
        assert told in page
        page = page.replace(told, shown)
    assert (saved / "page.json").read_text() == page
    assert "  removed   2 e-mail addresses, 1 telephone number, 2 private values" in ended.stdout
    assert saved_items(saved, "page")[0]["description"] == "담당자 연락처\n[e-mail]\n[phone]"
    check_fixture(spider("freemoa"), saved, "page")


def test_what_terms_say_of_copies_is_told(capture: Scrapy, tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "upwork" / "api.json", tmp_path)
    saved_meta = json.loads((FIXTURES / "upwork" / "api.meta.json").read_text())
    now = datetime.now(UTC).replace(microsecond=0)
    for age, then in ((timedelta(), "delete it by then"), (timedelta(days=2), "that is over: delete it")):
        saved_meta["headers"]["Date"] = format_datetime(now - age, usegmt=True)
        (tmp_path / "api.meta.json").write_text(json.dumps(saved_meta))
        ended = capture("upwork", str(tmp_path / "api.json"), "--force")
        assert ended.returncode == 0, ended.stderr
        until = f"{now - age + timedelta(hours=24):%Y-%m-%d %H:%M} UTC"
        assert f"  note      its terms let copies be kept until {until}: {then}\n" in ended.stdout


def test_a_page_of_another_shape_is_told(capture: Scrapy, tmp_path: Path, saved: Path) -> None:
    file = tmp_path / "other.html"
    file.write_text("<html><body>nothing</body></html>")
    ended = capture("guru", str(file), f"--date={DATE}", "--name=other-1")
    assert ended.returncode == 1
    assert names(saved) == ["other-1.html", "other-1.meta.json"]
    assert ended.stderr.startswith("scrapy capture guru: https://www.guru.com/d/jobs/ ")


# --- wrong arguments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gru"], "there is no spider 'gru'; did you mean guru?"),
        (["guru", "https://guru.com.example.org/?www.guru.com"], "is not on www.guru.com"),
        (["guru", "no_such_file.html"], "'no_such_file.html' is neither a web address nor a file"),
        (["guru", "-a", "since=yesterday"], "since: 'yesterday'"),
        (["guru", "--page=two"], "--page 'two' is no number"),
        (["guru", "--page=2", "--detail"], "give one of them"),
        (["guru", "--name=../x"], "--name '../x' is no name"),
        (["guru", str(FIXTURES / "guru" / "listing_first.html"), "--date=2026-09-21"], "--date '2026-09-21' is no tim"),
        (["freelancer", "--detail"], "freelancer reads no pages of single projects"),
        ([], "Usage"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    capture: Scrapy, saved: Path, arguments: list[str], said: str
) -> None:
    ended = capture(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr + ended.stdout
    assert not saved.exists()


def test_a_fixture_is_overwritten_only_by_force(capture: Scrapy, site: StandInProcess, saved: Path) -> None:
    saved.mkdir()
    (saved / "listing.html").write_text("mine")
    site.requests(clear=True)
    ended = capture("guru", "-a", f"base_url={site.base_url}")
    assert ended.returncode == 2
    assert "listing.html exists; --force overwrites it" in ended.stderr
    assert (saved / "listing.html").read_text() == "mine"
    assert site.requests() == []
    assert capture("guru", "-a", f"base_url={site.base_url}", "--force").returncode == 0
    check_fixture(spider("guru"), saved, "listing")


# --- the parts ----------------------------------------------------------------------------------------------------


def test_every_captured_fixture_of_the_project_reads_as_it_did() -> None:
    for file in sorted(FIXTURES.glob("*/*.meta.json")):
        check_fixture(spider(file.parent.name), file.parent, file.name.removesuffix(".meta.json"))


def test_all_that_reading_needs_is_kept(tmp_path: Path) -> None:
    request = Request("https://x.example/list", method="POST", body="page=2&api_key=12345678", cb_kwargs={"place": 2},
                      meta={"render": {"wait_for": "li"}})  # fmt: skip
    headers = {"Content-Type": "text/html; charset=euc-kr", "Set-Cookie": "sid=1", "Link": '<?p=3>; rel="next"'}
    response = HtmlResponse(request.url, headers=headers, body="<p>서울</p>".encode("euc-kr"), request=request)
    found = meta_of(response, arguments={"query": "x"}, date="Mon, 21 Sep 2026 14:00:00 GMT", item=None, detail=False)
    (tmp_path / "a.meta.json").write_text(text_of_meta(scrubbed(found, project_settings())))
    (tmp_path / "a.html").write_bytes(response.body)
    again = saved_answer(tmp_path, "a")
    assert isinstance(again, HtmlResponse)
    assert again.text == "<p>서울</p>"
    assert again.headers["Date"] == b"Mon, 21 Sep 2026 14:00:00 GMT"
    assert again.headers["Link"] == b'<?p=3>; rel="next"'
    assert "Set-Cookie" not in again.headers
    assert again.request is not None
    assert (again.request.method, again.cb_kwargs, again.meta["render"]) == ("POST", {"place": 2}, {"wait_for": "li"})
    assert again.request.body == b"page=2&api_key=[hidden]"


@pytest.mark.parametrize(
    ("body", "encoding", "clean"),
    [
        (b'{"a": "x@y.example", "n": 1}', "utf-8", b'{"a": "[e-mail]", "n": 1}'),
        (b'{"token": "abc\\"def123", "n": "1"}', "utf-8", b'{"token": "[hidden]", "n": "1"}'),
        ("서울 a@b.example".encode("euc-kr"), "euc-kr", "서울 [e-mail]".encode("euc-kr")),
        (b"\xff\xfe broken \xc3 a@b.example", "utf-8", b"\xff\xfe broken \xc3 [e-mail]"),
        (b"\xef\xbb\xbf<a href='tel:+4420794609'>", "utf-8", b"\xef\xbb\xbf<a href='tel:[phone]'>"),
        (b"nothing\r\nat all\n", "utf-8", b"nothing\r\nat all\n"),
        (rb'{"a": "\uc11c\nabc@x.kr"}', "cp1252", rb'{"a": "\uc11c\n[e-mail]"}'),
        # What cannot be removed without breaking the JSON has it written anew, in ASCII.
        (rb'{"a":"\uc11c <a href=\"?token=abc\">","owner":"hong"}', "cp1252",
         rb'{"a": "\uc11c <a href=\"?token=[hidden]\">", "owner": "[private]"}'),
        ('{"a":"é\\uc11c\\ud800 <a href=\\"?token=abc\\">","owner":null}'.encode("cp1252"), "cp1252",
         rb'{"a": "\u00e9\uc11c\ud800 <a href=\"?token=[hidden]\">", "owner": null}'),
    ],
    ids=repr,
)  # fmt: skip
def test_a_page_stays_byte_for_byte_but_for_what_is_removed(body: bytes, encoding: str, clean: bytes) -> None:
    assert scrub_body(body, encoding, project_settings(), ("owner",)) == clean


def test_what_was_removed_is_counted() -> None:
    assert removed(b"[e-mail]", b"[e-mail] [e-mail] [hidden] [GURU_TOKEN]") == {"secret": 2, "e-mail address": 1}


@pytest.mark.parametrize(
    ("body", "suffix"),
    [(b' {"a": 1}', ".json"), (b"[1]", ".json"), (b"<html>", ".html"), (b'<?xml version="1.0"?><rss>', ".xml"),
     (b'<?xml version="1.0"?>\n<HTML>', ".html"), (b"plain", ".html"), (b"", ".html")],
    ids=repr,
)  # fmt: skip
def test_a_page_is_named_by_what_it_is(body: bytes, suffix: str) -> None:
    assert suffix_of(TextResponse("https://x.example", body=body)) == suffix


def test_a_meta_file_leaves_out_what_is_not_used() -> None:
    meta = Meta(read_by="parse", address="https://x.example/?token=abc123456", status=200, headers={"Date": "d"})
    assert json.loads(text_of_meta(scrubbed(meta, project_settings()))) == {
        "read_by": "parse", "address": "https://x.example/?token=[hidden]", "status": 200, "headers": {"Date": "d"},
    }  # fmt: skip
    assert answer(meta, b"").status == 200


def project_of(number: int, **fields: Any) -> Project:
    return Project(platform="x", external_id=str(number), url=f"https://x.example/{number}", title="A", **fields)


def test_items_go_into_a_fixture_and_come_back() -> None:
    item = project_of(1, budget=Budget(currency="USD"), client=Client(country="KR"), extra={"a": [1]})
    assert from_json(to_json([item])[0]) == item


def test_reports_name_what_is_empty_and_what_fell_out() -> None:
    before = to_json([project_of(1, bid_count=3, budget=Budget(currency="USD")), project_of(2, skills=["a"])])
    after = to_json([project_of(1, budget=Budget(currency="EUR")), project_of(3)])
    assert filled(before)["bid_count"] == filled(before)["budget"] == filled(before)["budget.currency"] == 1
    assert {"client", "budget.minimum", "skills", "work_mode"} <= set(empty_fields(after))
    assert not {"client.country", "budget", "budget.currency", "platform", "budget.minimum_usd"} & set(
        empty_fields(after)
    )
    assert fell_out(before, after) == ["skills: 0 of 2, was 1 of 2", "bid_count: 0 of 2, was 1 of 2"]
    assert list(differences(before, after)) == [
        "1 of 2 items gone, such as 2",
        "1 of 2 items new, such as 3",
        "budget.currency: 1 of 1, such as 1: 'USD' -> 'EUR'",
        "bid_count: 1 of 1, such as 1: 3 -> None",
    ]
    assert list(differences(before, before)) == []
    assert list(differences(before, before[::-1])) == ["the items came in another order"]
