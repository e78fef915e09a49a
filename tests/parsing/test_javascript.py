"""Literals and the one kind of call are read as a browser reads them, and nothing else is."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.javascript import DEEPEST, read_call, read_literal

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
SOURCE = st.text(st.sampled_from("{}[](),:;\"'`\\/*!+-.=0x1eEnaZ$_ \n\ud83d\u2028return function void new Date"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def refusal(read: Callable[[str], object], text: str) -> str:
    """Return why a text is refused; "" when it is read. Any other exception is a failure."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param("{'a': 'it\\'s', b: [1,], $c: {},}", {"a": "it's", "b": [1], "$c": {}}, id="quotes-and-commas"),
        pytest.param("[undefined, null, void 0, NaN]", [None, None, None, math.nan], id="nothing"),
        pytest.param("[!0, !1, true, false]", [True, False, True, False], id="truth"),
        pytest.param("[1,,2,,]", [1, None, 2, None], id="holes"),
        pytest.param(
            "[.5, 5., 1e3, -0x1F, 0b11, 12n, +7, -Infinity]", [0.5, 5.0, 1e3, -31, 3, 12, 7, -math.inf], id="n"
        ),
        pytest.param("{1: 'a', 1.5: 'b', \"c d\": 0}", {"1": "a", "1.5": "b", "c d": 0}, id="odd-keys"),
        pytest.param(r'"\x3c\u003C\u{1F600}\ud83d\ude00\v\0\/"', "<<😀😀\v\0/", id="escapes"),
        pytest.param('"a\\\nb"', "ab", id="continued-line"),
        pytest.param("`template`", "template", id="template"),
        pytest.param("/* } */ [ // ]\n 1 ]", [1], id="comments"),
        pytest.param('"};</script>" ; x', "};</script>", id="ends-of-scripts-in-texts"),
        pytest.param("new Date(1700000000000)", "2023-11-14T22:13:20.000Z", id="date-of-milliseconds"),
        pytest.param("new Date('2026-01-02')", "2026-01-02", id="date-of-text"),
        pytest.param("[new Date(NaN), new Date(9e99)]", [None, None], id="dates-that-are-none"),
        pytest.param("new Map([['a', 1], [2, {}]])", {"a": 1, 2: {}}, id="map"),
        pytest.param("new Map([[{}, 1]])", [[{}, 1]], id="map-with-odd-keys"),
        pytest.param("[new Set([1, 2]), new Set()]", [[1, 2], []], id="set"),
        pytest.param("[Object.create(null), Array(2), Object('x')]", [{}, [None, None], "x"], id="built-in"),
        pytest.param(
            'Object.create(null,{a:{writable:true,enumerable:true,value:[1]},"b-c":{value:void 0}})',
            {"a": [1], "b-c": None},
            id="object-without-a-prototype",
        ),
    ],
)
def test_literals(source: str, value: Any) -> None:
    found, _ = read_literal(source)
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("", "unexpected end", id="empty"),
        pytest.param("{a: b}", "'b' is no literal", id="name"),
        pytest.param("{a: f()}", "'f' is no literal", id="call"),
        pytest.param("[Function('x')]", "a call of 'Function'", id="dangerous-call"),
        pytest.param("{a: 1 + 2}", r"unexpected '\+'", id="expression"),
        pytest.param("{a: function(){}}", "'function' is no literal", id="function"),
        pytest.param("{a: /x/}", "unexpected '/'", id="regular-expression"),
        pytest.param("`${a}`", "template with expressions", id="template"),
        pytest.param("'a", "without end", id="open-text"),
        pytest.param("[1", "unexpected end", id="open-array"),
        pytest.param("[1 2]", "unexpected '2'", id="no-comma"),
        pytest.param("Object.create({a:1})", "inherits", id="object-with-a-prototype"),
        pytest.param("Object.create(null,[])", "inherits", id="members-in-a-list"),
        pytest.param("Object.create(null,{a:1})", "member that is not described", id="member-without-a-description"),
        pytest.param("Object.create()", "0 arguments", id="object-of-nothing"),
        pytest.param('"\\u{110000}"', "beyond Unicode", id="beyond-unicode"),
        pytest.param("[Array(999999), Array(999999)]", "empty places", id="many-holes"),
        pytest.param("[" * (DEEPEST + 1), "nested deeper", id="deep"),
        pytest.param("9" * 5000, "4300", id="long-number"),
        pytest.param("12abc", "unexpected '1'", id="number-and-letters"),
    ],
)
def test_other_things_are_refused_with_a_reason(source: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_literal(source)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param('(function(a,b){return {x:a,y:[b,a]}}("s",null));', {"x": "s", "y": [None, "s"]}, id="nuxt-2"),
        pytest.param("(function(){return [1];})()", [1], id="called-outside-of-the-brackets"),
        pytest.param("function(a){return {a:a}}(1)", {"a": 1}, id="without-brackets"),
        pytest.param("(function(a,b){return [a,b]}(1))", [1, None], id="missing-argument"),
        pytest.param(
            "(function(a){return {k:'}\"',r:a}}({b:\"{'\"}))", {"k": '}"', "r": {"b": "{'"}}, id="braces-in-texts"
        ),
        pytest.param(
            "(function(a,b){a.x=1;a['y']={z:0};a.y.z=b;b[0]=2;b[3]=3;return {a:a}}({},Array(2)))",
            {"a": {"x": 1, "y": {"z": [2, None, None, 3]}}},
            id="assignments",
        ),
    ],
)
def test_calls(source: str, value: Any) -> None:
    found, end = read_call(source)
    assert found == value
    assert source[end:] in ("", ";")


def test_what_occurs_twice_is_one_object_and_may_hold_itself() -> None:
    state, _ = read_call("(function(a){a.me=a;return {one:a,two:a}}({}))")
    assert state["one"] is state["two"]
    assert state["one"]["me"] is state["one"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("{}", "no function call", id="no-call"),
        pytest.param("(() => ({}))()", "no function call", id="arrow"),
        pytest.param("(function(){alert(1);return {}}())", "'alert' is no parameter", id="statement"),
        pytest.param("(function(){return {}", "has no end", id="cut"),
        pytest.param('(function(){return "', "unexpected", id="cut-in-a-text"),
        pytest.param("(function(a){a.b.c=1;return a}({}))", "not there", id="assignment-to-nothing"),
        pytest.param("(function(a){a.b=1;return a}(5))", "cannot be made", id="assignment-to-a-number"),
        pytest.param("(function(a){a[99999999]=1;return a}([]))", "empty places", id="far-assignment"),
        pytest.param("(function(a){return a}(document))", "'document' is no literal", id="argument-of-the-page"),
        pytest.param("(function(){if(1){return {}}}())", "'if' is no parameter", id="branch"),
    ],
)
def test_other_functions_are_refused_with_a_reason(source: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_call(source)


@REPEATABLE
@given(value=JSON)
def test_json_is_javascript(value: object) -> None:
    for source in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        found, end = read_literal(source)
        assert (repr(found), end) == (repr(json.loads(source)), len(source))


@REPEATABLE
@given(source=SOURCE)
def test_any_text_is_read_or_refused(source: str) -> None:
    for text in (source, "{a:" + source, "(function(a){" + source + "return {a:a}}(" + source + "))"):
        for read in (read_literal, read_call):
            assert len(refusal(read, text)) < 200


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("(function" + " " * 200_000 + "x", id="blanks"),
        pytest.param("1" * 200_000 + "x", id="digits"),
        pytest.param('["' + '\\"' * 200_000, id="escaped-quotes"),
        pytest.param('(function(){"' + '\\"' * 200_000, id="escaped-quotes-in-a-function"),
        pytest.param("(function(){" + "/*" * 200_000, id="open-comments"),
        pytest.param("[" + " /**/" * 100_000, id="comments"),
        pytest.param("[" + "A" * 200_000, id="name"),
    ],
)
def test_no_text_takes_long(source: str) -> None:
    started = time.process_time()
    for read in (read_literal, read_call):
        with pytest.raises(ValueError, match=r"at character|no end|digits"):
            read(source)
    assert time.process_time() - started < 10
