"""One spelling for each skill."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsourcing_spiders.parsing import skills
from outsourcing_spiders.parsing.skills import canonical_skill, canonical_skills

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)

NAMES = st.text(st.characters(codec=None)) | st.sampled_from(["c", " C++ ", "c#", "NodeJS", "Node.js", "\0", ""])


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("python", "Python"),
        (" PostgreSQL ", "PostgreSQL"),
        ("Postgres", "PostgreSQL"),
        ("NodeJS", "Node.js"),
        ("node js", "Node.js"),
        ("NODE.JS", "Node.js"),
        ("node_js", "Node.js"),
        ("ReactJS", "React"),
        ("react.js", "React"),
        ("react-native", "React Native"),
        ("golang", "Go"),
        ("HTML5", "HTML"),
        ("k8s", "Kubernetes"),
        ("asp.net", "ASP.NET"),
        ("objective c", "Objective-C"),
        ("user interface  design", "UI Design"),
        ("Search Engine Optimisation", "SEO"),
    ],
)
def test_known_skills_have_one_spelling(written: str, canonical: str) -> None:
    assert canonical_skill(written) == canonical


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("c", "C"), ("C", "C"), ("c++", "C++"), ("C ++", "C++"), ("c#", "C#"), ("C Sharp", "C#"), ("CPlusPlus", "C++")],
)
def test_the_languages_named_c_are_kept_apart(written: str, canonical: str) -> None:
    assert canonical_skill(written) == canonical


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("Beekeeping", "Beekeeping", id="as-it-is"),
        pytest.param("  3D   Modelling\n", "3D Modelling", id="blanks"),
        pytest.param("Bee\0keeping\ud800", "Beekeeping", id="unstorable"),
        pytest.param("数据分析", "数据分析", id="other-alphabets"),
        pytest.param("+++", "+++", id="signs"),
        pytest.param("x" * 5_000, "x" * 200, id="cut-to-what-an-index-takes"),
    ],
)
def test_unknown_skills_stay_cleaned(written: str, kept: str) -> None:
    assert canonical_skill(written) == kept


def test_each_skill_comes_once_in_its_order() -> None:
    written = ["Vue", "python", "Beekeeping", "PYTHON", "vue.js", "", " \n", "\0", "C#", "C"]
    assert canonical_skills(written) == ["Vue.js", "Python", "Beekeeping", "C#", "C"]


def test_no_skills_are_no_skills() -> None:
    assert canonical_skills([]) == []


def test_the_table_has_no_two_spellings_of_one_skill() -> None:
    assert len({skills._key(name) for name in skills._CANONICAL}) == len(skills._CANONICAL)
    assert set(skills._SYNONYMS.values()) <= set(skills._CANONICAL)
    assert all(canonical_skill(name) == name for name in skills._CANONICAL)


@REPEATABLE
@given(names=st.lists(NAMES))
def test_canonical_is_final(names: list[str]) -> None:
    once = canonical_skills(names)
    assert canonical_skills(once) == once
    assert len(set(once)) == len(once)
    assert all(name and len(name) <= 200 and name.encode() and "\0" not in name for name in once)
