"""Flat arrays become what they stand for; the forms are those of devalue's own writer, versions 4 and 5."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing.devalue import PathMissing, unflatten

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)
RAW = st.recursive(
    st.none() | st.integers(-8, 6) | st.text(max_size=3),
    lambda inner: (
        st.lists(
            inner | st.sampled_from(["Ref", "Map", "Set", "null", "Date", "BigInt", "EmptyRef", "Object", "RegExp"]),
            max_size=4,
        )
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=20,
)


def flattened(value: object) -> Any:
    """Write a value as devalue does: each distinct text, number or container once, the rest by place."""
    flat: list[object] = []
    places: dict[object, int] = {}

    def place(inner: object) -> int:
        if isinstance(inner, float) and math.isinf(inner):
            return -4 if inner > 0 else -5
        if isinstance(inner, float) and inner == 0 and math.copysign(1, inner) < 0:
            return -6
        key = (type(inner), id(inner) if isinstance(inner, (list, dict)) else inner)
        if key in places:
            return places[key]
        at = places[key] = len(flat)
        flat.append(inner)
        if isinstance(inner, list):
            flat[at] = [place(member) for member in inner]
        elif isinstance(inner, dict):
            flat[at] = {name: place(member) for name, member in inner.items()}
        return at

    whole = place(value)
    return flat if whole == 0 else whole


@pytest.mark.parametrize(
    ("flat", "value"),
    [
        pytest.param(-1, None, id="undefined-alone"),
        pytest.param([{"a": 1}, "x"], {"a": "x"}, id="object"),
        pytest.param([[1, 1, 2], "x", 5], ["x", "x", 5], id="array"),
        pytest.param([[]], [], id="empty-array"),
        pytest.param([[-1, -2, -3, -4, -5, -6]], [None, None, math.nan, math.inf, -math.inf, -0.0], id="constants"),
        pytest.param([["ShallowReactive", 1], {"a": 2}, ["Ref", 3], ["Reactive", 4], [5], 1], {"a": [1]}, id="vue"),
        pytest.param([["ShallowRef", -1]], None, id="wrapped-nothing"),
        pytest.param([["NuxtError", 1], {"statusCode": 2}, 404], {"statusCode": 404}, id="type-of-the-page"),
        pytest.param([[1, 3, 5], ["EmptyRef", 2], '""', ["EmptyShallowRef", 4], "_", ["EmptyRef", 6], "0n"],
                     ["", None, 0], id="empty-refs"),
        pytest.param([["Date", "2026-10-01T00:00:00.000Z"]], "2026-10-01T00:00:00.000Z", id="date"),
        pytest.param([["Date", ""]], None, id="invalid-date"),
        pytest.param([["Set", 1, 2], 1, "a"], [1, "a"], id="set"),
        pytest.param([["Map", 1, 2, 3, 4], "k", "v", 7, None], {"k": "v", 7: None}, id="map"),
        pytest.param([["Map", 1, 2], {"a": 2}, 5], [[{"a": 5}, 5]], id="map-with-odd-keys"),
        pytest.param([["null", "k", 1], 5], {"k": 5}, id="object-without-prototype"),
        pytest.param([["BigInt", "12345678901234567890"]], 12345678901234567890, id="bigint"),
        pytest.param([["RegExp", "a+", "gi"]], "/a+/gi", id="regular-expression"),
        pytest.param([["URL", "https://example.com/"]], "https://example.com/", id="url"),
        pytest.param([["Object", "boxed"]], "boxed", id="boxed"),
        pytest.param([{"a": 1, "b": 2}, ["Object", 2], 5], {"a": None, "b": 5}, id="boxed-number-or-place-of-one"),
        pytest.param([["Temporal.Instant", "2026-10-01T00:00:00Z"]], "2026-10-01T00:00:00Z", id="instant"),
        pytest.param([["Uint8Array", "AQI="]], "AQI=", id="bytes-of-version-4"),
        pytest.param([["Uint8Array", 1], ["ArrayBuffer", "AQI="]], "AQI=", id="bytes-of-version-5"),
        pytest.param([{"a": 1, "b": 3}, ["Uint8Array", 2, 1, 2], ["ArrayBuffer", "AQIDBA=="], 5], {"a": None, "b": 5},
                     id="part-of-a-buffer"),
        pytest.param([[-7, 4, 1, 1], "x"], [None, "x", None, None], id="sparse-array"),
    ],
)  # fmt: skip
def test_forms(flat: object, value: object) -> None:
    assert repr(unflatten(flat)) == repr(value)


@pytest.mark.parametrize(
    ("flat", "reason"),
    [
        pytest.param({}, "not dict", id="object"),
        pytest.param([], "not list", id="empty"),
        pytest.param("x", "not str", id="text"),
        pytest.param(5, "neither a place nor a constant", id="number"),
        pytest.param([[9]], "place 9 is behind the end", id="far-place"),
        pytest.param([[-9]], "-9 is neither", id="unknown-constant"),
        pytest.param([{"a": "b"}], "whole number, not str", id="place-that-is-a-text"),
        pytest.param([{"a": True}], "whole number, not bool", id="place-that-is-a-truth"),
        pytest.param([["Symbol", "x"]], "unknown devalue type 'Symbol'", id="unknown-type"),
        pytest.param([["Date", []]], "unknown form of the devalue type 'Date'", id="odd-date"),
        pytest.param([["Object", {}]], "unknown form of the devalue type 'Object'", id="boxed-object"),
        pytest.param([["Uint8Array", 1, 2], ["ArrayBuffer", ""]], "unknown form of the devalue", id="half-a-part"),
        pytest.param([["BigInt", "9" * 5000]], "5000 digits", id="long-bigint"),
        pytest.param([["BigInt", "x"]], "no whole number", id="bigint-of-letters"),
        pytest.param([["Map", 1], "k"], "not made of pairs", id="odd-map"),
        pytest.param([["Ref", 0]], "'Ref' wraps itself", id="wrapper-of-itself"),
        pytest.param([["Ref", 1], ["Reactive", 0]], "wraps itself", id="wrappers-of-each-other"),
        pytest.param([["EmptyRef", 1], "{"], "EmptyRef", id="broken-empty-ref"),
        pytest.param([[-7, 10**9]], "more than 1000000 places", id="sparse-array-of-a-billion"),
        pytest.param([[-7, 1, 5, 0]], "outside", id="sparse-array-with-a-far-member"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(flat: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unflatten(flat)


def test_shared_values_are_one_object_and_circles_close() -> None:
    state = unflatten([{"a": 1, "b": 1, "me": 0}, [2, 0], "x"])
    assert state["a"] is state["b"]
    assert state["me"] is state
    assert state["a"][1] is state


def test_depth_and_length_are_no_matter() -> None:
    depth = 50_000
    chain: list[object] = [[place + 1] for place in range(depth)]
    value = unflatten([*chain, "end"])
    for _ in range(depth):
        (value,) = value
    assert value == "end"
    wrappers: list[object] = [["Ref", place + 1] for place in range(depth)]
    assert unflatten([*wrappers, "end"]) == "end"
    maps: list[object] = [["Map", place + 1, place + 1] for place in range(depth)]
    assert len(unflatten([*maps, "end"])) == 1
    # All of them lead through the same long chain, which is walked once.
    started = time.process_time()
    assert (
        unflatten([[1 + place for place in range(depth)], *[["Ref", 2 + place] for place in range(depth)], 7])[0] == 7
    )
    assert time.process_time() - started < 10


PAGE = [
    ["ShallowReactive", 1],
    {"vuex": 2, "broken": 9},
    ["Reactive", 3],
    {"jobsSearch": 4},
    ["null", "jobs", 5],
    [6, 7],
    {"uid": 8},
    {"uid": 8},
    "1",
    ["Symbol", "x"],
]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("vuex", "jobsSearch", "jobs"), [{"uid": "1"}, {"uid": "1"}], id="list"),
        pytest.param(("vuex", "jobsSearch", "jobs", 1, "uid"), "1", id="member"),
        pytest.param(("vuex", "jobsSearch"), {"jobs": [{"uid": "1"}, {"uid": "1"}]}, id="object"),
    ],
)
def test_a_path_makes_only_what_lies_there(path: tuple[str | int, ...], value: object) -> None:
    assert unflatten(PAGE, *path) == value


@pytest.mark.parametrize(
    "path",
    [
        ("data",),
        ("vuex", "jobs"),
        ("vuex", 0),
        ("vuex", "jobsSearch", "jobs", 2),
        ("vuex", "jobsSearch", "jobs", "uid"),
    ],
)
def test_a_path_that_leads_nowhere(path: tuple[str | int, ...]) -> None:
    with pytest.raises(PathMissing, match=repr(path[-1])):
        unflatten(PAGE, *path)
    with pytest.raises(ValueError, match="Symbol"):
        unflatten(PAGE)


@REPEATABLE
@given(value=VALUES)
def test_round_trip(value: object) -> None:
    flat = json.loads(json.dumps(flattened(value)))
    assert repr(unflatten(flat)) == repr(value)


@REPEATABLE
@given(flat=st.lists(RAW, max_size=8) | RAW, path=st.lists(st.text(max_size=2) | st.integers(-1, 3), max_size=3))
def test_any_json_is_read_or_refused(flat: object, path: list[str | int]) -> None:
    with suppress(ValueError):
        unflatten(flat, *path)
