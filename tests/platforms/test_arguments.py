"""What platforms declare about the arguments of a crawl."""

from __future__ import annotations

import pytest

from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.platforms.arguments import Either, InAddresses, Matching, OneOf, OneOnly, Rule, Without

APART = Either("query", ("skills", "category"))
NUMBER = Matching("category", "[0-9]+", "give the number")


@pytest.mark.parametrize(
    ("rule", "arguments", "said"),
    [
        (APART, {}, None),
        (APART, {"query": "x"}, None),
        (APART, {"skills": "x", "category": "y"}, None),
        (APART, {"query": " ", "skills": "x"}, None),
        (APART, {"query": "x", "category": "y"}, "query and category exclude each other"),
        (APART, {"query": "x", "skills": "y", "category": "z"}, "query and skills exclude each other"),
        (Either("skills", "category"), {"skills": "x", "category": "y"}, "skills and category exclude each other"),
        (OneOnly("skills"), {"skills": "PHP"}, None),
        (OneOnly("skills"), {"skills": "PHP, "}, None),
        (OneOnly("skills"), {"skills": "PHP,C"}, "skills: this platform takes one at a time"),
        (OneOf("category", ("design", "etc")), {"category": " Design"}, None),
        (OneOf("category", ("design", "etc")), {"category": "art"}, "no 'art'; it has design, etc"),
        (NUMBER, {"category": "531"}, None),
        (NUMBER, {"category": 531}, None),
        (NUMBER, {"category": "Art"}, "category='Art': give the number"),
        (NUMBER, {"category": "٣"}, "give the number"),
        (Without("query", "&+"), {"query": "C#"}, None),
        (Without("query", "&+"), {"query": "a+b&c"}, "query: '&' cannot be asked for"),
        (InAddresses("skills", "category"), {"category": "Design & Art/Logos", "skills": "C"}, None),
        (InAddresses("skills", "category"), {"category": "Design/&"}, "category='Design/&' has no letters or digits"),
    ],
)  # fmt: skip
def test_what_a_platform_cannot_serve_is_refused(rule: Rule, arguments: dict[str, object], said: str | None) -> None:
    if said is None:
        rule.check(arguments)
        return
    with pytest.raises(WrongArgument) as raised:
        rule.check(arguments)
    assert str(raised.value).startswith(said) or said in str(raised.value)
    assert "\n" not in str(raised.value)
