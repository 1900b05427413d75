"""What people write becomes a document that Jira takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adf import to_markdown
from app.services.tracker.jira_documents import document_of

Node = dict[str, Any]

INLINE = {"text", "hardBreak"}
HOLDS = {
    "doc": {"paragraph", "heading", "bulletList", "orderedList", "blockquote", "codeBlock", "rule"},
    "paragraph": INLINE,
    "heading": INLINE,
    "bulletList": {"listItem"},
    "orderedList": {"listItem"},
    "listItem": {"paragraph", "bulletList", "orderedList", "codeBlock"},
    "blockquote": {"paragraph", "bulletList", "orderedList", "codeBlock"},
    "codeBlock": {"text"},
}
"""What Atlassian's schema lets stand in what, of the nodes that are made here."""
NEVER_EMPTY = {"bulletList", "orderedList", "listItem", "blockquote"}


def faults_of(node: Node) -> list[str]:
    """Where a document breaks the schema."""
    kind, children = node["type"], node.get("content", [])
    faults = [f"{child['type']} in {kind}" for child in children if child["type"] not in HOLDS[kind]]
    faults += [f"empty {kind}"] if kind in NEVER_EMPTY and not children else []
    faults += ["empty text"] if kind == "text" and not node["text"] else []
    marks = [mark["type"] for mark in node.get("marks", [])]
    faults += (
        [f"marks {marks}"]
        if len(set(marks)) < len(marks) or ("code" in marks and set(marks) - {"code", "link"})
        else []
    )
    return faults + [fault for child in children for fault in faults_of(child)]


def test_what_people_write_comes_back_when_it_is_shown() -> None:
    text = (
        "# Why\n\nPeople work at **night**, see [the mock](https://example.com/mock).\\\nAsk `ada` ***now***.\n\n"
        "- a toggle\n  1. first\n  2. second\n- remembered\n\n"
        "> said\n\n```python\nx = 1\n```\n\n---\n\n~~no~~"
    )
    assert to_markdown(document_of(text)) == text


def test_the_ends_of_lines_stay() -> None:
    (paragraph,) = document_of("one\ntwo")["content"]
    assert [node["type"] for node in paragraph["content"]] == ["text", "hardBreak", "text"]


@pytest.mark.parametrize(
    "text",
    ["[x](javascript:alert(1))", "![x](https://evil.example/a.png)", "<script>alert(1)</script>", "[x](/browse)"],
)
def test_what_could_do_harm_is_words(text: str) -> None:
    document = document_of(text)
    hrefs = [mark["attrs"]["href"] for node in document["content"][0]["content"] for mark in node.get("marks", [])]
    assert all(href.startswith("https://") for href in hrefs)
    assert faults_of(document) == []


def test_nothing_is_an_empty_document() -> None:
    assert document_of(" \n") == {"type": "doc", "version": 1, "content": []}


_BITS = [
    "# ", "- ", "1. ", "> ", "```", "\n", "\n\n", "    ", "a ", "**", "*", "`", "[x](https://a.b)", "![y](https://z.a)",
    "<b>", "---\n", "\\", "~~", "\t", "&lt;",
]  # fmt: skip


@given(st.lists(st.sampled_from(_BITS), max_size=25).map("".join))
def test_jira_takes_whatever_is_written(text: str) -> None:
    assert faults_of(document_of(text)) == []
