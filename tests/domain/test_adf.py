from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adf import to_text
from app.errors import InvalidInput
from tests.builders import adf_sample

Node = dict[str, Any]


def node(kind: str, *content: Node, **attrs: object) -> Node:
    made: Node = {"type": kind}
    return made | ({"content": list(content)} if content else {}) | ({"attrs": attrs} if attrs else {})


def text(words: str, *marks: str | Node) -> Node:
    return {"type": "text", "text": words, "marks": [{"type": m} if isinstance(m, str) else m for m in marks]}


def paragraph(*words: str) -> Node:
    return node("paragraph", *(text(word) for word in words))


def item(*blocks: Node) -> Node:
    return node("listItem", *blocks)


def read(*blocks: Node) -> str:
    return to_text({"type": "doc", "version": 1, "content": list(blocks)})


def nested(kind: str, depth: int) -> Node:
    inner = paragraph("core")
    for _ in range(depth):
        inner = node(kind, inner)
    return inner


def test_a_string_is_read_as_it_is() -> None:
    assert to_text(" h1. Wiki *markup*\n") == " h1. Wiki *markup*\n"


def test_no_description_is_no_text() -> None:
    assert to_text(None) == ""
    assert read() == ""


@pytest.mark.parametrize("description", [5, 1.5, True, [], ["text"], b"text"])
def test_what_is_neither_text_nor_document_is_refused(description: object) -> None:
    with pytest.raises(InvalidInput, match=r"^issue\.fields\.description: must be a string, null or"):
        to_text(description)


def test_what_people_write_is_read() -> None:
    assert to_text(adf_sample()) == (
        "## Why\n\n"
        "People work at **night**, see the mock (https://example.com/mock)\n@Ada asked 🌙\n\n"
        "- a toggle in Settings\n- remembered per person\n\n"
        "```javascript\nsetTheme('dark')\n```\n\n"
        "- [ ] ask design\n\n"
        "[attachment: 1]\n\n"
        "still worth reading"
    )


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (["strong"], "**word** "),
        (["em"], "_word_ "),
        (["code"], "`word` "),
        (["strike"], "~~word~~ "),
        (["strong", "em"], "_**word**_ "),
        (["underline", {"type": "textColor", "attrs": {"color": "#ff0000"}}], "word "),
        ([{"type": "link", "attrs": {"href": "https://x.y/"}}], "word (https://x.y/) "),
        ([{"type": "link"}], "word "),
    ],
)
def test_marks_are_kept_where_text_can_show_them(marks: list[str | Node], expected: str) -> None:
    assert read(node("paragraph", text("word ", *marks), text("."))) == f"{expected}."


def test_a_link_that_shows_its_address_has_it_once() -> None:
    link: Node = {"type": "link", "attrs": {"href": "https://x.y/"}}
    assert read(node("paragraph", text("https://x.y/", link))) == "https://x.y/"


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        (node("hardBreak"), "a\nb"),
        (node("mention", id="1", text="@Ann"), "a@Annb"),
        (node("mention", id="557058:1"), "a@557058:1b"),
        (node("emoji", shortName=":moon:"), "a:moon:b"),
        (node("inlineCard", url="https://x.y/"), "ahttps://x.y/b"),
        (node("inlineCard", data={"url": "https://x.y/"}), "ahttps://x.y/b"),
        (node("status", text="TO DO", color="blue"), "a[TO DO]b"),
        (node("date", timestamp="1582152559000"), "a2020-02-19b"),
        (node("date", timestamp="tomorrow"), "atomorrowb"),
        (node("date", timestamp="9" * 30), f"a{'9' * 30}b"),
        (node("mediaInline", id="1", collection="", alt="log.txt"), "a[attachment: log.txt]b"),
        ({"type": "wordOfTomorrow", "text": "new"}, "anewb"),
        (node("placeholder", text="your words"), "ayour wordsb"),
        (node("inlineExtension", extensionKey="k", extensionType="t", text="ext"), "aextb"),
    ],
)
def test_inline_nodes_stay_in_their_line(inline: Node, expected: str) -> None:
    assert read(node("paragraph", text("a"), inline, text("b"))) == expected


def test_lists_nest_by_indentation_and_keep_their_numbers() -> None:
    deep = node("bulletList", item(paragraph("deep")))
    code = node("codeBlock", text("x\ny"))
    ordered = node(
        "orderedList", item(paragraph("one"), deep), item(code), item(paragraph("three"), paragraph("more")), order=9
    )
    assert read(ordered) == "9. one\n   - deep\n10. ```\n    x\n    y\n    ```\n11. three\n    more"


def test_tasks_and_decisions_are_lists() -> None:
    inner = node("taskList", node("taskItem", text("inner"), state="TODO"))
    tasks = node("taskList", node("taskItem", text("outer"), state="DONE"), inner)
    assert read(tasks, node("decisionList", node("decisionItem", text("go")))) == "- [x] outer\n  - [ ] inner\n\n- go"


def test_code_that_holds_a_fence_gets_a_longer_one() -> None:
    assert read(node("codeBlock", text("```\na\n```"))) == "````\n```\na\n```\n````"


def test_quotes_panels_and_expands_keep_what_they_are() -> None:
    quote = node("blockquote", paragraph("a"), paragraph("b"))
    panel = node("panel", paragraph("careful"), panelType="warning")
    expand = node("expand", paragraph("inside"), title="More")
    assert read(quote, panel, expand) == "> a\n>\n> b\n\n> **warning**\n> careful\n\n**More**\n\ninside"


def test_a_table_is_rows_of_one_line_each() -> None:
    head = node("tableRow", node("tableHeader", paragraph("A")), node("tableHeader", paragraph("B")))
    row = node("tableRow", node("tableCell", paragraph("1|2"), paragraph("3")), node("tableCell"))
    assert read(node("table", head, row)) == "| A | B |\n|---|---|\n| 1\\|2 3 |  |"


def test_layout_media_and_cards_keep_their_words() -> None:
    column = node("layoutSection", node("layoutColumn", paragraph("left")), node("layoutColumn", paragraph("right")))
    media = node("mediaSingle", node("media", type="file", id="1", alt="shot.png"), node("caption", text("the shot")))
    assert read(column, node("rule"), media, node("blockCard", url="https://x.y/")) == (
        "left\n\nright\n\n---\n\n[attachment: shot.png]\n\nthe shot\n\nhttps://x.y/"
    )


def test_headings_have_their_level_and_one_line() -> None:
    assert read(node("heading", text("a"), node("hardBreak"), text("b"), level=3)) == "### a b"
    assert read(node("heading", text("a"), level=99)) == "# a"


@pytest.mark.parametrize("kind", ["panel", "bulletList", "taskList", "table", "nodeOfTomorrow", "blockquote", "expand"])
def test_a_document_nested_too_deeply_is_refused(kind: str) -> None:
    assert "core" in read(nested(kind, 20))
    for depth in (60, 5_000):
        with pytest.raises(InvalidInput, match=r"^issue\.fields\.description: nested too deeply$"):
            read(nested(kind, depth))


_BLOCKS = [
    "paragraph", "heading", "bulletList", "orderedList", "taskList", "decisionList", "listItem", "taskItem",
    "blockquote", "panel", "expand", "table", "tableRow", "tableCell", "layoutSection", "mediaSingle",
    "codeBlock", "nodeOfTomorrow",
]  # fmt: skip
_words = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
_leaves = _words.map(text)
_trees = st.recursive(
    _leaves,
    lambda children: st.builds(
        lambda kind, content: node(kind, *content), st.sampled_from(_BLOCKS), st.lists(children, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


def _leaf_words(tree: Node) -> list[str]:
    return [tree["text"]] if "text" in tree else [word for child in tree["content"] for word in _leaf_words(child)]


@given(st.lists(_trees, max_size=4))
def test_no_word_is_lost_and_order_is_kept_however_nodes_are_nested(trees: list[Node]) -> None:
    rest = read(*trees)
    for word in (word for tree in trees for word in _leaf_words(tree)):
        _, found, rest = rest.partition(word)
        assert found


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "text", "attrs", "marks", "level", "order", "data", "url"])
            | st.text(max_size=3),
            inner | st.sampled_from([*_BLOCKS, "text", "date", "mention", "status", "link", "rule", "media"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["type", "content", "text", "attrs"]), _json))
def test_any_object_is_read_or_refused(document: Node) -> None:
    assert isinstance(to_text(document), str)
