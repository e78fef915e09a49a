"""HTML becomes the text that it shows, with its paragraphs, lines and lists."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsel import Selector

from outsourcing_spiders.parsing.markup import html_to_text, one_line
from outsourcing_spiders.parsing.text import clean_paragraphs, is_storable

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
MARKUP = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<br>", "<li>", "<ul>", "</ul>", "<ol>", "</li>", "<pre>", "<b>", "</b>", "<script>", "<td>",
         "</script>", "<!--", "-->", "<a href='", "'>", "&amp;", "&", "lt;", "&nbsp;", "<", ">", "\n", " ", "a",
         "\u200b", "\0", "\ud83d", "<?xml encoding='x'?>", "<![CDATA["]
    )
    | st.text(max_size=2),
    max_size=25,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree", id="paragraphs-and-lines"),
        pytest.param("a<br/><br />b<br><br><br>c", "a\n\nb\n\nc", id="one-empty-line-at-most"),
        pytest.param("<div>a</div><div>b</div>\n c", "a\nb\nc", id="blocks"),
        pytest.param("<h2>Title</h2>text", "Title\n\ntext", id="heading"),
        pytest.param(
            "Need:<ul><li>a</li>\n<li>b<ul><li>c</li></ul></li></ul>end", "Need:\n\n- a\n- b\n  - c\n\nend", id="ul"
        ),
        pytest.param("<ol><li><p>x</p></li><li>y</li></ol>", "1. x\n2. y", id="ol"),
        pytest.param("<ul><li>• a</li><li></li><li>- b</li></ul>", "• a\n- b", id="items-with-bullets-of-their-own"),
        pytest.param("<li>a<li>b", "- a\n- b", id="items-without-a-list"),
        pytest.param("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc", id="table"),
        pytest.param("<p>a\n   b</p>\n<p>c</p>", "a b\n\nc", id="line-breaks-of-the-source-are-blanks"),
        pytest.param("<pre>a\nb</pre><p>c\nd</p>", "a\nb\n\nc d", id="preformatted"),
        pytest.param("Hi <b>you</b>, (<i>x</i>)!<span>y</span>", "Hi you, (x)!y", id="inline"),
        pytest.param("<script>x</script>a<style>y</style>b<!-- c -->d", "abd", id="scripts-styles-comments"),
        pytest.param("<p>a&nbsp;b\xa0c\u200bd&#8203;e\ufefff</p>", "a b cdef", id="odd-blanks"),
        pytest.param("<p>👨\u200d👩 می\u200cخواهم</p>", "👨\u200d👩 می\u200cخواهم", id="joiners-stay"),
        pytest.param("<p>&laquo;x&raquo; &#8381; &#x27;</p>", "«x» ₽ '", id="entities"),
        pytest.param("<p>unclosed <b>a", "unclosed a", id="unclosed"),
        pytest.param("<?xml version='1.0' encoding='x'?><p>a</p>", "a", id="xml"),
        pytest.param("<p></p>", "", id="empty"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("a\r\n\r\nb <b>bold</b>\nc", "a\n\nb bold\nc", id="lines-without-a-tag-that-breaks-them"),
        pytest.param("Сайт &laquo;под ключ&raquo;\r\nдва", "Сайт «под ключ»\nдва", id="entities-and-lines"),
        pytest.param("a\n<br>\nb", "a\nb", id="lines-with-a-tag-that-breaks-them"),
        pytest.param("Map<String> and 3 < 4 & x", "Map<String> and 3 < 4 & x", id="what-is-no-tag"),
        pytest.param("plain  text ", "plain text", id="plain"),
        pytest.param("<", "<", id="bracket"),
    ],
)
def test_what_a_client_typed(written: str, text: str) -> None:
    assert html_to_text(written) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param("&lt;p&gt;A &amp;amp; B&lt;/p&gt;&lt;p&gt;C&lt;/p&gt;", "A & B\n\nC", id="markup"),
        pytest.param("&amp;lt;p&amp;gt;A&amp;lt;/p&amp;gt;", "A", id="markup-thrice"),
        pytest.param("a&lt;br /&gt;b", "a\nb", id="line-break"),
        pytest.param("AT&amp;amp;T", "AT&T", id="entity"),
        pytest.param("<p>AT&amp;amp;T</p>", "AT&T", id="entity-in-markup"),
        pytest.param("use &lt;p&gt; tags", "use <p> tags", id="a-tag-that-is-mentioned"),
        pytest.param("<p>use &lt;br&gt; tags</p>", "use <br> tags", id="a-tag-that-is-mentioned-in-markup"),
        pytest.param("write &amp; as &amp;amp;", "write & as &amp;", id="an-entity-that-is-mentioned"),
    ],
)
def test_what_was_escaped_twice(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "line"),
    [
        ("<b>One  <i>two</i></b>three\n four", "One twothree four"),
        ("One<br>two<br/>three", "One two three"),
        ("<p>One</p><p>two</p>three", "One two three"),
        ("<ul><li><b>One</b></li><li>two</li></ul>", "One two"),
        ("<table><tr><td>One</td><td>two</td></tr></table>", "One two"),
        ("One<!-- no --><br><!-- no -->two", "One two"),
        ("", ""),
    ],
)
def test_one_line(markup: str, line: str) -> None:
    assert one_line(Selector(text=f"<div>{markup}</div>").css("div")[0].root) == line


def test_selected_elements() -> None:
    page = Selector("<div><p class=d>a<br>b\nc<!-- x --></p>tail<p class=d>d</p><i title='x &amp; y'></i></div>")
    first = page.css("p.d")[0]
    assert html_to_text(first) == "a\nb c"
    assert html_to_text(first, keep_lines=True) == "a\nb\nc"
    assert html_to_text(page.css("p.d")) == "a\nb c\n\nd"
    assert html_to_text(page.css("p.none")) == ""
    assert html_to_text(page.css("i::attr(title)")) == "x & y"
    assert html_to_text(Selector("<p>use &lt;p&gt;\nx</p>").css("::text")) == "use <p> x"
    # The page itself is as it was.
    assert page.css("p.d")[0].get() == '<p class="d">a<br>b\nc<!-- x --></p>'


@REPEATABLE
@given(markup=MARKUP, keep_lines=st.sampled_from([None, False, True]))
def test_any_text_becomes_one_that_is_clean(markup: str, keep_lines: bool | None) -> None:
    text = html_to_text(markup, keep_lines=keep_lines)
    assert text == clean_paragraphs(text)
    assert is_storable(text) or "\\" in text
    assert not set("\u200b\ufeff\xa0") & set(text) or "&" in markup


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<div>" * 50_000, id="deep"),
        pytest.param("<ul><li>a" * 30_000, id="deep-lists"),
        pytest.param("<" * 200_000, id="brackets"),
        pytest.param("&" + "amp;" * 100_000, id="escapes"),
        pytest.param("<p " + "a " * 200_000, id="open-tag"),
        pytest.param("<p>" + " \n" * 200_000 + "x", id="blanks"),
    ],
)
def test_no_text_takes_long(markup: str) -> None:
    started = time.process_time()
    html_to_text(markup)
    assert time.process_time() - started < 10
