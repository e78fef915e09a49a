"""Which pages came whole: those without the end tag that HTML lets them leave out, and those that were cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from outsourcing_spiders.parsing.challenges import Kind, judge
from outsourcing_spiders.parsing.truncation import breaks_off, has_end

REPOSITORY = Path(__file__).parents[2]
CAPTURES = REPOSITORY.parent / "shared" / "captures"
FIXTURES = sorted((REPOSITORY / "tests" / "fixtures").rglob("*.html"))

WHOLE = [
    "<!doctype html><title>Jobs</title><p>One<p>Two</p>",
    "<!doctype html><title>Jobs</title><ul><li>One<li>Two</ul>",
    "<!doctype html><table><thead><tr><th>Job<tbody><tr><td>One<td>Two</table>",
    "<!DOCTYPE html><html><head><title>Jobs</title></head><body><main>One</main></body>",
    "<!DOCTYPE html><html><body><main>One<br><img src=a></main>\n<!-- 3 ms -->\n",
    "<!DOCTYPE html><html><body><job-card>One</job-card><svg><path/></svg><script>a('<div>')</script>",
    # Tags that overlap, and such as close nothing.
    "<!DOCTYPE html><html><body><b>One<i>Two</b>Three</i></p></div>",
    "<HTML><BODY><DIV>One</DIV>",
    "<!DOCTYPE html><dl><dt>One<dd>Two</dl><select><option>One<option>Two</select>",
    # Elements and words after the end, whatever stood open before it; two pages in one.
    "<!DOCTYPE html><html><body><div>One</body></html><img src=a><div></div>",
    "<!DOCTYPE html><html><body><div>One</body></HTML>\n3 ms",
    "<!DOCTYPE html><html><body><div>One</body></html><!-- cached -->\n3 ms",
    "<!DOCTYPE html><html><body><div>One</body></html><SCRIPT>late()</SCRIPT>OK",
    "<!DOCTYPE html><html><body><div>One</html><!-- as </html> says -->",
    "<!DOCTYPE html><html><body>One</body></html><html><body>Two</body>",
]
CUT = [
    "<!DOCTYPE html><html><head><title>Jobs</title><script src=a></script>",
    "<!DOCTYPE html><html><body><main>",
    "<!DOCTYPE html><html><body><main><p>One</p>\n",
    "<!DOCTYPE html><html><body><main>One</main><p>Tw",
    "<!DOCTYPE html><html><body><p>One</p><a hre",
    "<!DOCTYPE html><html><body><ul><li>One</li>",
    "<!DOCTYPE html><html><body><table><tr><td>One</td></tr>",
    "<!DOCTYPE html><html><body><script>let a = '<p>One</p>",
    "<!DOCTYPE html><html><body><textarea><p>One</p>",
    "<!DOCTYPE html><html><body>" + "<div>" * 5000 + ">",
]
# The tag that ends a page stands in them, and does not end them.
QUOTING = [
    '<!DOCTYPE html><html><body><script>var t="<html></html>";</script><div><ul><li>One',
    '<!DOCTYPE html><html><body><script>var t="<html></html>";</script><div><ul><li>One</li>',
    '<!DOCTYPE html><html><body><script>var t="<html></html> and wor',
    '<!DOCTYPE html><html><body><script>{"text":"end with </HTML>","id":7},',
    '<!DOCTYPE html><html><body><div><iframe srcdoc="<html>ad</html>"></iframe>',
    "<!DOCTYPE html><html><body><textarea><p>One</p></html><p>Two</p>",
    "<!DOCTYPE html><html><body>One</body></html><html><body><ul><li>Two</li>",
    "<!DOCTYPE html><html><body>One</body></html><script>let a = '<p>One</p>",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_end_tags_may_be_left_out(encoding: str) -> None:
    for page in WHOLE:
        assert not breaks_off(page.encode(encoding)), page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_must_be_closed_and_is_not_was_cut(encoding: str) -> None:
    for page in CUT:
        assert breaks_off(page.encode(encoding)), page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_page_that_quotes_its_end_tag_does_not_end_with_it(encoding: str) -> None:
    for page in QUOTING:
        body = page.encode(encoding)
        assert not has_end(body), page
        assert breaks_off(body), page


def test_comments_and_scripts_may_follow_the_end() -> None:
    page = "<!DOCTYPE html><html><body></body></HTML >\n" + "<!-- served in 3 ms -->\n<script>late()</script>\n" * 100
    for encoding in ("utf-8", "utf-16"):
        assert has_end(page.encode(encoding))
    assert not has_end(page.encode() + b" " * 20_000)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_saved_page_is_whole_and_a_part_of_it_is_none(path: Path) -> None:
    page = path.read_bytes()
    assert has_end(page)
    assert not breaks_off(page)
    body = page.lower().index(b"<body")
    whole = page.lower().rindex(b"</body>")
    for size in range(body + 1, whole, max(1, (whole - body) // 40)):
        # What stands directly in the body leaves no trace when it is missing.
        assert breaks_off(page[:size]) or page[size:whole].lstrip()[:1] in (b"<", b""), page[size - 80 : size]


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured answers are not here")
def test_no_captured_page_is_taken_for_a_part() -> None:
    pages = sorted(CAPTURES.rglob("*.html"))
    assert pages
    for path in pages:
        found = judge(
            status=200, headers=(), body=path.read_bytes(), url="https://x.example", asked_url="https://x.example",
            marker="<",
        )  # fmt: skip
        assert found.kind is Kind.GOOD, path
