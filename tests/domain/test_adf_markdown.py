"""A document as pages show it. What all readers of documents share is in test_adf."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adf import to_markdown
from app.errors import InvalidInput
from tests.builders import adf_sample
from tests.domain.rendered import rendered, said
from tests.domain.test_adf import item, node, paragraph, text
from tests.domain.test_markdown import texts

Node = dict[str, Any]


def read(*blocks: Node) -> str:
    return to_markdown({"type": "doc", "version": 1, "content": list(blocks)})


def link(href: str) -> Node:
    return {"type": "link", "attrs": {"href": href}}


def test_what_people_write_is_read() -> None:
    assert to_markdown(adf_sample()) == (
        "## Why\n\n"
        "People work at **night**, see [the mock](https://example.com/mock)\\\n@Ada asked 🌙\n\n"
        "- a toggle in Settings\n- remembered per person\n\n"
        "```javascript\nsetTheme('dark')\n```\n\n"
        "- [ ] ask design\n\n"
        "\\[attachment: 1\\]\n\n"
        "still worth reading"
    )


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (["strong"], "**word** "),
        (["em"], "*word* "),
        (["strike"], "~~word~~ "),
        (["code"], "`word` "),
        (["code", "strong"], "**`word`** "),
        (["em", "strong", "strike"], "***~~word~~*** "),
        (["underline", {"type": "textColor", "attrs": {"color": "#ff0000"}}], "word "),
        ([link("https://x.y/")], "[word](https://x.y/) "),
        (["strong", link("https://x.y/")], "[**word**](https://x.y/) "),
        ([link("mailto:ada@x.y")], "[word](mailto:ada@x.y) "),
        ([link("javascript:alert(1)")], "word "),
        ([link("data:text/html,x")], "word "),
        ([link("https://x.y/a) [b](https://evil")], "word "),
        ([link("https://x.y/a)(b<c>&lt;")], "[word](https://x.y/a%29%28b%3Cc%3E&amp;lt;) "),
        ([{"type": "link"}], "word "),
    ],
)
def test_marks_are_kept_and_links_go_to_the_web_or_to_mail(marks: list[str | Node], expected: str) -> None:
    assert read(node("paragraph", text("word ", *marks), text("."))) == f"{expected}."


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        (node("hardBreak"), "a\\\nb"),
        (node("mention", id="1", text="@Ann*"), "a@Ann\\*b"),
        (node("emoji", shortName=":moon:"), "a:moon:b"),
        (node("inlineCard", url="https://x.y/a)"), "a<https://x.y/a%29>b"),
        (node("inlineCard", url="javascript:alert(1)"), "ajavascript:alert(1)b"),
        (node("inlineCard", data={"url": "https://x.y/"}), "a<https://x.y/>b"),
        (node("status", text="TO DO", color="blue"), "a\\[TO DO\\]b"),
        (node("date", timestamp="1582152559000"), "a2020-02-19b"),
        (node("mediaInline", id="1", alt="log](https://x.y/).txt"), "a\\[attachment: log\\](https://x.y/).txt\\]b"),
        (text("see https://x.y/a_b."), "asee <https://x.y/a_b>.b"),
        ({"type": "wordOfTomorrow", "text": "<new>"}, "a\\<new>b"),
    ],
)
def test_inline_nodes_stay_in_their_line(inline: Node, expected: str) -> None:
    assert read(node("paragraph", text("a"), inline, text("b"))) == expected


def test_a_link_after_an_exclamation_mark_is_no_image() -> None:
    shown = rendered(read(node("paragraph", text("Look!"), text("here", link("https://x.y/a.png")))))
    assert "image" not in shown.kinds
    assert (shown.words, shown.links) == ("Look!here", ["https://x.y/a.png"])


def test_a_link_that_shows_another_address_is_one_link() -> None:
    shown = rendered(read(node("paragraph", text("https://x.y/", link("https://z.y/")))))
    assert (shown.words, shown.links) == ("https://x.y/", ["https://z.y/"])


def test_lists_nest_and_paragraphs_in_them_stay_apart() -> None:
    deep = node("bulletList", item(paragraph("deep")))
    ordered = node("orderedList", item(paragraph("one"), deep), item(paragraph("two"), paragraph("more")), order=9)
    assert read(ordered) == "9. one\n   - deep\n10. two\n\n    more"


def test_a_list_that_begins_beyond_1_is_still_a_list_inside_of_an_item() -> None:
    inner = node("orderedList", item(paragraph("seven")), order=7)
    assert read(node("bulletList", item(paragraph("a"), inner))) == "- a\n\n  7. seven"


def test_tasks_nest() -> None:
    inner = node("taskList", node("taskItem", text("inner"), state="TODO"))
    tasks = node("taskList", node("taskItem", text("outer"), state="DONE"), inner)
    assert read(tasks) == "- [x] outer\n  - [ ] inner"
    assert {"bullet_list"} <= rendered(read(tasks)).kinds


def test_quotes_panels_and_expands_keep_what_they_are() -> None:
    quote = node("blockquote", paragraph("a"), paragraph("b"))
    panel = node("panel", paragraph("careful"), panelType="warning")
    expand = node("expand", paragraph("inside"), title="More\n# <b>")
    assert read(quote, panel, expand) == "> a\n>\n> b\n\n> **warning**\n>\n> careful\n\n**More # \\<b>**\n\ninside"


def test_a_table_keeps_all_of_its_cells() -> None:
    head = node("tableRow", node("tableHeader", paragraph("A")))
    code = node("tableCell", node("paragraph", text("x|y", "code")))
    row = node("tableRow", node("tableCell", paragraph("1|2\\"), node("bulletList", item(paragraph("3")))), code)
    shown = rendered(read(node("table", head, row)))
    assert {"table", "code_inline"} <= shown.kinds
    assert shown.words == "A 1|2\\ - 3 x|y"


def test_code_is_never_escaped_and_its_language_is_a_word() -> None:
    assert read(node("codeBlock", text("**a** <b>\n```"), language="c++\n# x")) == "````c++#x\n**a** <b>\n```\n````"


def test_a_document_nested_too_deeply_is_refused() -> None:
    inner = paragraph("core")
    for _ in range(60):
        inner = node("panel", inner)
    with pytest.raises(InvalidInput, match="nested too deeply"):
        read(inner)


_KINDS = [
    "paragraph", "heading", "bulletList", "orderedList", "taskList", "listItem", "taskItem", "blockquote", "panel",
    "expand", "table", "tableRow", "tableCell", "mediaSingle", "codeBlock", "nodeOfTomorrow",
]  # fmt: skip
_MARKS = [[], ["strong"], ["em", "strike"], ["code"], [link("https://good.example/")], [link("javascript:alert(1)")]]
_leaves = st.builds(lambda words, marks: text(words, *marks), texts, st.sampled_from(_MARKS)) | st.builds(
    lambda kind, words: node(kind, text=words, url=words, alt=words),
    st.sampled_from(["mention", "emoji", "status", "inlineCard", "blockCard", "media", "hardBreak", "date"]),
    texts,
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.builds(
        lambda kind, title, content: node(kind, *content, title=title, panelType=title, language=title),
        st.sampled_from(_KINDS),
        texts,
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(st.lists(_trees, max_size=3))
def test_nothing_that_was_written_becomes_an_image_html_or_another_link(trees: list[Node]) -> None:
    shown = rendered(read(*trees))
    assert not shown.kinds & {"image", "html_inline", "html_block"}
    assert all(to.startswith(("https://good.example/", "https://evil.example")) for to in shown.links)


@given(st.lists(texts.filter(lambda words: "://" not in words), min_size=1, max_size=4))
def test_every_word_of_every_paragraph_is_seen(words: list[str]) -> None:
    shown = rendered(read(*map(paragraph, words)))
    assert shown.words == said(" ".join(words))
