"""Data in pages are found and read, and *not there* is told from *not readable*.

The pages are of our own making, in the shapes of platforms; captured answers of those are read too, where they are
at hand. Nobody has saved a whole ``__NUXT_DATA__`` or ``__NUXT__`` of Upwork: those follow the writers' formats.
"""

from __future__ import annotations

import html
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsel import Selector

from outsourcing_spiders.parsing import embedded
from outsourcing_spiders.parsing.embedded import (
    StateMissing,
    StateUnreadable,
    decode_json,
    job_postings,
    nuxt_state,
    state_after,
    state_in_attribute,
    state_in_script,
)

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
REPOSITORY = Path(__file__).parents[2]
TEXT_OR_COMMENT = embedded._TEXT_OR_COMMENT
HARD = {"id": 1, "text": "a }; \"b\" </script> 'c' \\ \u2028 é 위시켓", "none": None}


def script_json(value: object) -> str:
    """Write JSON as a page does that must not end its script."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def captured(*names: str) -> str:
    folder = Path(os.environ.get("OUTSOURCING_CAPTURES", REPOSITORY.parent / "shared" / "captures"))
    if not folder.is_dir():
        pytest.skip("the captured answers are not beside this checkout (OUTSOURCING_CAPTURES names their folder)")
    return folder.joinpath(*names).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "marker", "value"),
    [
        pytest.param(
            f"<p>x</p><script>window.App={{}};window.App.state={script_json(HARD)};window.App.data={{f:x}};</script>",
            "window.App.state=",
            HARD,
            id="between-other-things",
        ),
        pytest.param('<script>window.s \n=\t {"a":1}</script>', "window.s=", {"a": 1}, id="blanks"),
        pytest.param('<SCRIPT>window.s={"a":1}</SCRIPT>', "window.s=", {"a": 1}, id="capital-tags"),
        pytest.param('window.s={"a":1};window.s.b=2', "window.s=", {"a": 1}, id="text-of-one-script"),
        pytest.param('<script>var x={"b":{"wants" : [1]}}</script>', '"wants":', [1], id="key-within-an-object"),
        pytest.param('<script>x={"wants":"0","y":{"wants":[1]}}</script>', '"wants":', [1], id="number-before-list"),
        pytest.param("<script>s={a:undefined,'b':[1,],}</script>", "s=", {"a": None, "b": [1]}, id="javascript"),
        pytest.param('<script>s=(function(a){return {x:a}}("v"));</script>', "s=", {"x": "v"}, id="call"),
        pytest.param("<script>s.time='1789584228635';</script>", "s.time=", "1789584228635", id="text"),
        pytest.param('<script>s=s||{};s={"a":1}</script>', "s=", {"a": 1}, id="default-before"),
        pytest.param('<script>if(s=={})s={"a":1}</script>', "s=", {"a": 1}, id="comparison-before"),
        pytest.param('<script>s=null;s={"a":1}</script>', "s=", {"a": 1}, id="null-before"),
        pytest.param('<script>this.s={"b":2};s={"a":1}</script>', "s=", {"a": 1}, id="longer-name-before"),
        pytest.param('<p>s={"b":2}</p><script>s={"a":1}</script>', "s=", {"a": 1}, id="decoy-in-the-text"),
        pytest.param('<script>t={"d":"s={\'b\':2}"};s={"a":1}</script>', "s=", {"a": 1}, id="decoy-in-a-description"),
        pytest.param(
            '<script>t={"d":"\\"wants\\":[2]"};x={"wants":[1]}</script>',
            '"wants":',
            [1],
            id="quoted-key-in-a-description",
        ),
        pytest.param(
            '<script>s=(function(a){return {t:"see s={} there"}}(1));</script>',
            "s=",
            {"t": "see s={} there"},
            id="decoy-inside-a-call",
        ),
        pytest.param(
            '<script>s={t:"see s={} there"};</script>', "s=", {"t": "see s={} there"}, id="decoy-inside-javascript"
        ),
        pytest.param('<script>s="see s={}";s={"a":1}</script>', "s=", {"a": 1}, id="decoy-inside-a-text"),
        pytest.param(
            '<script>s=(function(a){return {a:a}}(1));</script><script>x={"d":"s={}"}</script>',
            "s=",
            {"a": 1},
            id="decoy-after-a-call",
        ),
        pytest.param('<script>\n// s={"no":1}\ns={"a":1}</script>', "s=", {"a": 1}, id="line-comment-before"),
        pytest.param('<script>/* don\'t:\n s={"no":1} */s={a:1}</script>', "s=", {"a": 1}, id="comment-before"),
        pytest.param("<script>//s={}\ns=(function(a){return {a:a}}(1))</script>", "s=", {"a": 1}, id="before-a-call"),
        pytest.param('<script>/* state */s={"a":1}; // s={"no":1}</script>', "s=", {"a": 1}, id="comments-around"),
        pytest.param(
            '<script>u="http://x/*";v=\'//\';w=`\n//`;s={"a":1};</script><script>s={"no":1}</script>',
            "s=",
            {"a": 1},
            id="what-looks-like-comments-in-texts",
        ),
        pytest.param('<script>x=/"/.test(y);s={"a":1};//"\ns={"no":1}</script>', "s=", {"a": 1}, id="open-text-before"),
        pytest.param('<script>//</script><script>s={"a":1};s={"no":1}</script>', "s=", {"a": 1}, id="another-script"),
        pytest.param('<script>// s={"a":1}\n</script>', "s=", {"a": 1}, id="only-in-a-comment"),
        pytest.param('<script>// s={"a":1}\n// s={"no":1}\n</script>', "s=", {"a": 1}, id="only-in-comments"),
        pytest.param('<script>/*s={}*/ //s={}\ns={"a":1};//s={}</script>', "s=", {"a": 1}, id="between-comments"),
        pytest.param('<script>/* s={}</script><script>s={"a":1}</script>', "s=", {"a": 1}, id="open-comment-before"),
        pytest.param('<script>/*/ s={}*/s={"a":1}</script>', "s=", {"a": 1}, id="comment-that-begins-as-it-ends"),
        pytest.param('<script>s=(window.x);s={"a":1}</script>', "s=", {"a": 1}, id="expression-before"),
        pytest.param('<script>s={"a":"x\ny"}</script>', "s=", {"a": "x\ny"}, id="control-character"),
    ],
)
def test_state_after_a_marker(page: str, marker: str, value: object) -> None:
    assert state_after(page, marker) == value


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("", id="empty"),
        pytest.param("<h1>Just a moment...</h1>", id="challenge"),
        pytest.param('<p>window.s={"a":1}</p>', id="outside-of-scripts"),
        pytest.param('<!-- window.s={"a":1} --><script>x=1</script>', id="comment"),
        pytest.param('<script>Xwindow.s={"a":1};window.s=={}</script>', id="other-names"),
    ],
)
def test_no_marker_is_told(page: str) -> None:
    with pytest.raises(StateMissing, match=r"no 'window\.s='"):
        state_after(page, "window.s=")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param('{"a":"SECRET', "Unterminated string", id="cut-in-a-text"),
        pytest.param('{"a":1', "Expecting ',' delimiter", id="cut"),
        pytest.param("{a:SECRET()}", "Expecting property name", id="expression"),
        pytest.param("load()", "'load' is no literal", id="call-of-the-page"),
        pytest.param("[" * 200_000, "nested too deep", id="deep"),
    ],
)
def test_an_unreadable_state_is_told_without_quoting_it(written: str, reason: str) -> None:
    with pytest.raises(StateUnreadable, match=reason) as caught:
        state_after(f"<script>window.s={written}</script>", "window.s=")
    assert "SECRET" not in str(caught.value).replace("SECRET()", "")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("marker", ["", "=", "window.s"])
def test_a_marker_ends_in_a_sign(marker: str) -> None:
    with pytest.raises(TypeError, match="a marker is a name"):
        state_after("<p>", marker)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_json_in_an_attribute_whatever_its_name_and_escapes(layers: int) -> None:
    written = json.dumps(HARD, ensure_ascii=False)
    for _ in range(layers):
        written = html.escape(written)
    page = Selector(
        f"<div><search :results-initials='{written}' class=x></search><div id=v data='{written}'></div></div>"
    )
    assert state_in_attribute(page, "search", ":results-initials") == HARD
    assert state_in_attribute(page, "#v", "data") == HARD


@pytest.mark.parametrize(
    ("page", "error"),
    [
        pytest.param("<p>", StateMissing, id="no-element"),
        pytest.param("<search>", StateMissing, id="no-attribute"),
        pytest.param("<search :data='{&quot;a&quot;:'>", StateUnreadable, id="cut"),
        pytest.param("<search :data=''>", StateUnreadable, id="empty"),
        pytest.param("<search :data='[1] [2]'>", StateUnreadable, id="more-than-one"),
    ],
)
def test_attributes_without_json(page: str, error: type[ValueError]) -> None:
    with pytest.raises(error, match="':data'"):
        state_in_attribute(Selector(page), "search", ":data")


@pytest.mark.parametrize(
    "tag",
    [
        '<script id="__NEXT_DATA__" type="application/json" crossorigin="anonymous">',
        "<script type=application/json crossorigin id=__NEXT_DATA__>",
        '<script class="a b" data-component-name="ProjectSearch" id=\'__NEXT_DATA__\'>',
    ],
)
def test_json_in_a_script_however_its_attributes_stand(tag: str) -> None:
    page = Selector(f'<script id="other">{{}}</script>{tag}\n{script_json(HARD)}\n</script>')
    assert state_in_script(page, "id", "__NEXT_DATA__") == HARD
    if "data-component-name" in tag:
        assert state_in_script(page, "data-component-name", "ProjectSearch") == HARD


def test_of_several_scripts_the_first_readable_one_counts() -> None:
    page = Selector('<script data-n="a">{"x":</script><script data-n="a">{"x":1}</script>')
    assert state_in_script(page, "data-n", "a") == {"x": 1}


def test_scripts_without_json() -> None:
    with pytest.raises(StateMissing, match="no script with id='a'"):
        state_in_script(Selector("<script id=b>{}</script>"), "id", "a")
    with pytest.raises(StateUnreadable, match="id='a' is there, but not readable"):
        state_in_script(Selector("<script id=a></script>"), "id", "a")


JOBS = [{"uid": "1", "title": "Build a </script> page"}, {"uid": "2", "title": "é"}]
NUXT_3 = [["ShallowReactive", 1], {"vuex": 2}, {"jobsSearch": 3}, {"jobs": 4}, [5, 7],
          {"uid": 6, "title": 9}, "1", {"uid": 8, "title": 10}, "2", JOBS[0]["title"], JOBS[1]["title"]]  # fmt: skip
NUXT_2 = (
    'window.__NUXT__=(function(a,b){b.uid="2";b.title=a;return {state:{jobsSearch:{jobs:[{uid:"1",'
    'title:"Build a \\u003C/script> page"},b]}}}}("\\xe9",{}));'
)


def test_both_generations_of_nuxt() -> None:
    page = Selector(
        f'<script type="application/json" data-ssr="true" id="__NUXT_DATA__">{script_json(NUXT_3)}</script>'
        "<script>window.__NUXT__={};window.__NUXT__.config={public:{}}</script>"
    )
    assert nuxt_state(page, "vuex", "jobsSearch", "jobs") == JOBS
    assert nuxt_state(page) == {"vuex": {"jobsSearch": {"jobs": JOBS}}}
    with pytest.raises(StateMissing, match="no 'data' in the state of __NUXT_DATA__"):
        nuxt_state(page, "data")
    older = Selector(f"<script>other()</script><script>{NUXT_2}</script>")
    assert nuxt_state(older, "state", "jobsSearch", "jobs") == JOBS
    with pytest.raises(StateMissing, match=r"no 'data' in the state of window\.__NUXT__"):
        nuxt_state(older, "state", "data")


@pytest.mark.parametrize(
    ("page", "error"),
    [
        pytest.param("<p>", StateMissing, id="none"),
        pytest.param("<script id=__NUXT_DATA__>[{}</script>", StateUnreadable, id="cut"),
        pytest.param('<script id=__NUXT_DATA__>[["Symbol","x"]]</script>', StateUnreadable, id="unknown-type"),
        pytest.param("<script>window.__NUXT__=(function(a){a();return {}}(1))</script>", StateUnreadable, id="program"),
        pytest.param("<script>load(__NUXT__)</script>", StateMissing, id="mention"),
    ],
)
def test_pages_without_a_nuxt_state(page: str, error: type[ValueError]) -> None:
    with pytest.raises(error):
        nuxt_state(Selector(page))


POSTING = {"@context": "https://schema.org", "@type": "JobPosting", "title": "Site"}


def ld_json(*texts: str) -> Selector:
    return Selector("".join(f'<script type="application/ld+json">{text}</script>' for text in texts))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(POSTING), id="plain"),
        pytest.param(json.dumps([{"@type": "BreadcrumbList"}, POSTING]), id="list"),
        pytest.param(json.dumps({"@graph": [{"@type": "WebPage"}, POSTING]}), id="graph"),
        pytest.param(json.dumps({"@type": "WebPage", "mainEntity": [{"item": POSTING}]}), id="nested"),
        pytest.param(html.escape(json.dumps(POSTING)), id="entities"),
        pytest.param(html.escape(html.escape(json.dumps(POSTING))), id="entities-twice"),
        pytest.param(f"\n//<![CDATA[\n{json.dumps(POSTING)}\n//]]>\n", id="cdata"),
        pytest.param(f"<!-- {json.dumps(POSTING)} -->", id="comment"),
        pytest.param(f"/* <![CDATA[ */{json.dumps(POSTING)};/* ]]> */", id="cdata-in-comments"),
        pytest.param(json.dumps(POSTING)[:-1] + ",}", id="trailing-comma"),
    ],
)
def test_job_postings_wherever_they_stand(text: str) -> None:
    assert job_postings(ld_json(text)) == [POSTING]


def test_job_postings_as_odd_as_platforms_write_them() -> None:
    # The spelling of Guru, a line break within a text, and a type that is a list of addresses.
    # Of "Value" and "value" the one that is spelled right counts, whichever comes last.
    text = (
        '{"@type":["https://schema.org/JobPosting"],"Identifier":{"@type":"PropertyValue","Value":"7","value":"8"},'
        '"url":"/1","Url":"/2",'
        '"baseSalary":{"Value":{"minValue":"250"}},"description":"a\n\tb"}'
    )
    (posting,) = job_postings(ld_json(text))
    assert posting["identifier"] == {"@type": "PropertyValue", "value": "8"}
    assert posting["url"] == "/1"
    assert posting["baseSalary"]["value"]["minValue"] == "250"
    assert posting["description"] == "a\n\tb"


def test_a_broken_script_does_not_hide_the_others() -> None:
    second = {**POSTING, "title": "Shop"}
    page = ld_json('{"@type":"JobPosting","title":"a "quoted" word"}', json.dumps(POSTING), "", json.dumps(second))
    assert [posting["title"] for posting in job_postings(page)] == ["Site", "Shop"]


def test_pages_without_a_job_posting() -> None:
    with pytest.raises(StateMissing, match="in the 0 JSON-LD"):
        job_postings(Selector("<script type=text/javascript>{}</script>"))
    with pytest.raises(StateMissing, match="in the 1 JSON-LD"):
        job_postings(ld_json('{"@type":"Organization"}'))
    with pytest.raises(StateUnreadable, match="1 of 2 JSON-LD"):
        job_postings(ld_json('{"@type":"Organization"}', '{"@type":'))
    deep = json.dumps(POSTING)[:-1] + ',"x":' + "[" * 300 + "]" * 300 + "}"
    with pytest.raises(StateUnreadable, match="nested too deep"):
        job_postings(ld_json(deep))


def test_what_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LONGEST", 100)
    with pytest.raises(StateUnreadable, match="more than 100"):
        decode_json("[" + " " * 200 + "]")
    with pytest.raises(StateUnreadable, match="more than 100"):
        state_after("<p>" + " " * 200, "s=")


MARKUP = st.lists(
    st.sampled_from(
        ["<script", ">", "</script>", " id=__NUXT_DATA__", ' type="application/ld+json"', "s=", "s :", "Ref",
         "window.__NUXT__=", "(function(a){", "return ", "}(1))", "{", "}", "[", "]", '"', "'", ":", ",", "1", "@type",
         "JobPosting", "&quot;", "<!--", "-->", "<search :d='", "\\", "\ud83d", "\0"]
    )
    | st.text(max_size=2),
    max_size=25,
).map("".join)  # fmt: skip
READERS: list[Callable[[str], Any]] = [
    lambda page: state_after(page, "s="),
    lambda page: state_after(page, "s:"),
    lambda page: state_after(f"<script>s={page}", "s="),
    decode_json,
    lambda page: state_in_attribute(Selector(page), "search", ":d"),
    lambda page: state_in_script(Selector(f"<script id=a>{page}"), "id", "a"),
    lambda page: nuxt_state(Selector(page), "a"),
    lambda page: nuxt_state(Selector(f"<script id=__NUXT_DATA__>{page}")),
    lambda page: job_postings(Selector(f'<script type="application/ld+json">{page}')),
]


@REPEATABLE
@given(page=MARKUP)
def test_any_page_is_read_or_refused(page: str) -> None:
    for read in READERS:
        with suppress(ValueError):
            read(page)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<p>s={</p>" * 50_000, id="markers-outside-of-scripts"),
        pytest.param("<script>" + "s={" * 100_000, id="markers-in-a-script"),
        pytest.param("<script>" + "s= " * 100_000 + " " * 300_000, id="blanks"),
        pytest.param("<script>s={" + '"a":"' * 60_000, id="open-texts"),
        pytest.param("<script>s=" + "[" * 300_000, id="depth"),
        pytest.param("<script>" + '\\"' * 200_000 + "s=[", id="open-texts-before"),
        pytest.param("<script>" + "/*s=[" * 80_000, id="open-comments"),
    ],
)
def test_no_page_takes_long(page: str) -> None:
    started = time.process_time()
    with pytest.raises((StateMissing, StateUnreadable)):
        state_after(page, "s=")
    assert time.process_time() - started < 10


class _Reader:
    """What reads comments, and counts the steps that it was asked for."""

    def __init__(self) -> None:
        self.steps = 0

    def finditer(self, page: str, start: int, end: int) -> Iterator[re.Match[str]]:
        for found in TEXT_OR_COMMENT.finditer(page, start, end):
            self.steps += 1
            yield found


@pytest.mark.parametrize(
    ("places", "steps"), [pytest.param(1, 0, id="alone"), pytest.param(16, 16 * 100, id="several")]
)
def test_a_script_is_read_for_comments_once_if_at_all(places: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _Reader()
    monkeypatch.setattr(embedded, "_TEXT_OR_COMMENT", reader)
    script = ('"t";' * 100 + "s=load();") * places
    with pytest.raises(StateUnreadable):
        state_after(f"<script>{script}</script>", "s=")
    assert reader.steps == steps


def test_a_long_page_takes_milliseconds() -> None:
    records = {str(number): {**HARD, "text": HARD["text"] * 40} for number in range(400)}
    page = f"<p>x</p><script>window.s={script_json(records)};</script>"
    assert len(page) > 500_000
    started = time.process_time()
    assert len(state_after(page, "window.s=")) == 400
    # It takes 8 ms on a slow core; the bound is for a machine that does much else.
    assert time.process_time() - started < 1


def test_captured_states() -> None:
    pph = json.loads(captured("peopleperhour", "pph-sample.json"))["raw"]
    state = state_after(pph, "window.PPHReact.initialState=")
    assert {row["id"] for row in state["freelanceJobs"]["main"]["data"]} == set(state["entities"]["projects"])
    assert int(state_after(pph, "window.PPHReact.serverTime=")) > 1_700_000_000_000
    kwork = captured("kwork", "stateData_2026-04_shape.html")
    assert state_after(kwork, "window.stateData=")["wants"] == state_after(kwork, '"wants":')
    assert state_after(captured("kwork", "stateData_wants_from_tests_2026-10.html"), '"wants":')[0]["id"]
    assert state_after(captured("guru", "listing_p1_head_and_card.html"), "window.__pageData=")["TotalResults"] == 221


def test_captured_attributes_and_scripts() -> None:
    workana = Selector(captured("workana", "results_initials_shape.html"))
    assert state_in_attribute(workana, "search", ":results-initials")["pagination"]["pages"] == 50
    crowdworks = Selector(captured("crowdworks", "search_page_min.html"))
    assert len(state_in_attribute(crowdworks, "#vue-container", "data")["searchResult"]["job_offers"]) == 6
    freelancermap = Selector(captured("freelancermap", "list.html"))
    assert len(state_in_script(freelancermap, "data-component-name", "ProjectSearch")["initialResults"]) == 3


def test_captured_job_postings() -> None:
    (guru,) = job_postings(Selector(captured("guru", "detail_2101732_jsonld.html")))
    assert guru["identifier"]["value"] == "2101732"
    assert guru["baseSalary"]["value"]["maxValue"] == "500"
    (wishket,) = job_postings(Selector(captured("wishket", "detail_min_jsonld.html")))
    assert wishket["validThrough"] == "2026-09-07T23:59"
