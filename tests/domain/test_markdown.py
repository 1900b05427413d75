"""Words stay words, whatever they look like and wherever they stand."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.domain import markdown
from tests.domain.rendered import rendered, said

HOSTILE = (
    "[x](https://evil.example)", "![x](https://evil.example/a.png)", "<img src=x onerror=alert(1)>", "<script>",
    "<!-- -->", "<https://evil.example>", "[x]: https://evil.example", "[x][y]", "&lt;b&gt;", "&#60;", "**bold**",
    "_em_", "__b__", "`code`", "```", "~~~", "~~no~~", "# h", "===", "---", "* a", "- a", "+ a", "1. a", "2) b", "> q",
    "    code", "\tcode", "| a | b |\n|---|---|\n| c | d |", "a\\", "\\*", "***", "a\rb", "a\r\n# b", "!", "snake_case",
)  # fmt: skip
texts = st.lists(
    st.sampled_from([*HOSTILE, "\n", "\r", "\n\n", " ", "!", "[", "]", "(", "<", ">", "&", "\\", "word"])
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6),
    max_size=8,
).map("".join)


@settings(max_examples=300)
@given(texts)
@example("\\\nword")
@example("!\\")
def test_a_paragraph_is_its_words_and_nothing_else(text: str) -> None:
    shown = rendered(markdown.paragraph(markdown.escaped(text)))
    assert shown.kinds <= {"paragraph", "inline", "text", "text_special", "hardbreak"}
    assert shown.words == said(text)


@given(texts, st.sampled_from(["heading", "cell", "quote", "item"]))
def test_words_stay_words_inside_of_every_block(text: str, place: str) -> None:
    block = {
        "heading": lambda words: markdown.heading(2, markdown.paragraph(words)),
        "cell": lambda words: markdown.table([[markdown.paragraph(words), "b"], ["c", markdown.paragraph(words)]]),
        "quote": lambda words: markdown.quoted(markdown.paragraph(words)),
        "item": lambda words: markdown.prefixed(markdown.paragraph(words), "12. ", "    "),
    }[place](markdown.escaped(text))
    shown = rendered(block)
    assert not shown.kinds & {"link", "image", "html_inline", "html_block", "em", "strong", "s", "code_inline", "fence"}
    assert said(text) in shown.words


@given(texts)
def test_code_is_what_it_was_wherever_it_stands(code: str) -> None:
    for block in (markdown.fenced(code, "py`\nthon"), markdown.quoted(markdown.fenced(code))):
        shown = rendered(block)
        assert shown.kinds <= {"fence", "blockquote"}
        assert shown.words == said(code)
    span = rendered(f"a {markdown.code_span(code)} b")
    assert span.kinds <= {"paragraph", "inline", "text", "code_inline"}
    assert span.words == said(f"a {code} b")


@given(texts, texts)
def test_a_link_goes_where_it_should_and_shows_what_it_should(shown: str, rest: str) -> None:
    address = f"https://good.example/{rest}"
    label = markdown.label(shown)
    page = rendered(
        markdown.paragraph(markdown.inline(["!", markdown.link(label, address), markdown.autolink(address)]))
    )
    assert not page.kinds & {"image", "html_inline", "em", "strong"}
    assert all(link.startswith("https://good.example/") for link in page.links)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//x.y", "/browse", "x.y", ""]
)
def test_only_addresses_of_web_and_mail_are_links(address: str) -> None:
    assert markdown.link("shown", address) == "shown"
    assert rendered(markdown.autolink(address)).links == []
    assert markdown.link("shown", "mailto:ada@x.y") == "[shown](mailto:ada@x.y)"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://x.y/a_b*c?d=1&copy=2#e, and", ["https://x.y/a_b*c?d=1&copy=2#e"]),
        ("(https://x.y/a).", ["https://x.y/a"]),
        ("<https://x.y/><http://z>", ["https://x.y/", "http://z"]),
        ("[shown](https://x.y/)", ["https://x.y/"]),
        ("xhttps://x.y javascript:https", []),
    ],
)
def test_an_address_in_prose_links_to_itself(text: str, links: list[str]) -> None:
    shown = rendered(markdown.prose(text))
    assert shown.links == links
    assert shown.words == text


def test_a_sign_at_the_end_of_a_heading_is_seen() -> None:
    assert rendered(markdown.heading(2, "C #")).words == "C #"


def test_cells_beyond_the_head_are_not_lost() -> None:
    assert markdown.table([["a"], ["b", "c"]]) == "| a |  |\n|---|---|\n| b | c |"
    assert markdown.table([]) == ""
