"""Jira's wiki markup as pages show it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.wiki_markup import to_markdown
from tests.domain.rendered import rendered
from tests.domain.test_markdown import HOSTILE


@pytest.mark.parametrize(
    ("wiki", "expected"),
    [
        ("", ""),
        ("one\ntwo\n\nthree", "one\\\ntwo\n\nthree"),
        ("h1. Why *now*\nh6. Small", "# Why **now**\n\n###### Small"),
        ("h7. no heading", "h7. no heading"),
        ("a *b* _c_ -d- +e+ {{f *g*}}", "a **b** *c* ~~d~~ e `f *g*`"),
        ("*_both_*, {*}in{*}side", "***both***, **in**side"),
        ("2*3*4 snake_case_name 1-2-3 a * b * c", "2\\*3\\*4 snake_case_name 1-2-3 a \\* b \\* c"),
        ("a\\\\b \\*c\\*", "a\\\nb \\*c\\*"),
        ("{color:#ff0000}red *text*{color}", "red **text**"),
        ("[shown|https://x.y/a_b]", "[shown](https://x.y/a_b)"),
        ("[https://x.y|https://x.y|smart-link]", "[https://x.y](https://x.y)"),
        ("[https://x.y/] https://x.y/a_b, [mailto:a@x.y]", "<https://x.y/> <https://x.y/a_b>, <mailto:a@x.y>"),
        ("[shown|javascript:alert(1)] [shown|#anchor] [PROJ-1]", "shown shown \\[PROJ-1\\]"),
        ("[~accountid:557058:1] [~ada]", "@557058:1 @ada"),
        ("!shot one.png|width=10! [^log.txt]", "\\[attachment: shot one.png\\] \\[attachment: log.txt\\]"),
        ("!https://evil.example/a.png!", "\\[attachment: https://evil.example/a.png\\]"),
        ("Wow! this is great!", "Wow! this is great!"),
        ("----", "---"),
        ("bq. said *so*", "> said **so**"),
        ("{quote}\na\n\nb\n{quote}\nc", "> a\n>\n> b\n\nc"),
        ("{panel:title=My *title*|borderStyle=dashed}\n* a\n{panel}", "> **My \\*title\\***\n>\n> - a"),
        ("{warning}careful{warning}", "> **warning**\n>\n> careful"),
        ("{unknown:x} stays", "{unknown:x} stays"),
    ],
)
def test_markup_becomes_markdown(wiki: str, expected: str) -> None:
    assert to_markdown(wiki) == expected


@pytest.mark.parametrize(
    ("wiki", "expected"),
    [
        ("{code:java}\nint x = 1; // *no*\n{code}", "```java\nint x = 1; // *no*\n```"),
        ("{code:title=A.java|java}\nx\n{code}", "**A.java**\n\n```java\nx\n```"),
        ("{noformat}\nh1. [a|b]\n{noformat}", "```\nh1. [a|b]\n```"),
        ("see {code}x{code} there", "see\n\n```\nx\n```\n\nthere"),
        ("{code}\n{quote}\n```\n{code}", "````\n{quote}\n```\n````"),
        ("{code}\nnever closed\n*a*", "```\nnever closed\n*a*\n```"),
    ],
)
def test_code_is_what_it_was(wiki: str, expected: str) -> None:
    assert to_markdown(wiki) == expected


def test_lists_nest_and_items_go_on() -> None:
    wiki = "* one\n** deep\nmore of it\n*** deeper\n* two\n# first\n## inner\n#* mixed\n# second\n- dash"
    assert to_markdown(wiki) == (
        "- one\n  - deep\\\n    more of it\n    - deeper\n- two\n1. first\n   1. inner\n   - mixed\n1. second\n- dash"
    )


def test_an_item_without_its_parents_is_still_an_item() -> None:
    assert to_markdown("*** deep\n* flat") == "- deep\n- flat"


def test_tables_keep_links_and_code_with_bars_in_their_cells() -> None:
    wiki = "||A||B||\n|1|[x|https://x.y/]|\n|two\nlines|{{a|b}}|!i.png|thumbnail!|\nafter"
    assert to_markdown(wiki) == (
        "| A | B |  |\n|---|---|---|\n| 1 | [x](https://x.y/) |  |\n"
        "| two lines | `a\\|b` | \\[attachment: i.png\\] |\n\nafter"
    )


_BITS = (
    "*", "_", "-", "+", "{", "}", "{{", "}}", "[", "]", "|", "||", "!", "\\", "\\\\", "~", "^", "# ", "* ", "** ",
    "h1. ", "bq. ", "{code}", "{code:x|title=<b>}", "{quote}", "{panel:title=[x](https://evil.example)}", "{noformat}",
    "{color:red}", "{color}", "----", "\n", " ", "word", "!a.png!", "[~ada]", "[x|https://good.example/]",
    "[x|javascript:y]",
)  # fmt: skip


@given(st.lists(st.sampled_from([*_BITS, *HOSTILE]), max_size=12).map("".join))
def test_nothing_that_was_written_becomes_an_image_html_or_a_link_in_disguise(wiki: str) -> None:
    shown = rendered(to_markdown(wiki))
    assert not shown.kinds & {"image", "html_inline", "html_block"}
    assert all(to.startswith(("https://good.example/", "https://evil.example")) for to in shown.links)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=8), st.data())
def test_no_word_is_lost(words: list[str], data: st.DataObject) -> None:
    wiki = "".join(
        word + data.draw(st.sampled_from([" ", "\n", "\n\n", "\n* ", "\n|", " *", "* ", "\nh2. "])) for word in words
    )
    rest = rendered(to_markdown(wiki)).words
    for word in words:
        _, found, rest = rest.partition(word)
        assert found


@pytest.mark.parametrize(
    "bit",
    [
        "*a", "_a ", "-a", "[", "[a|", "[a|b|", "!a", "!a.png|", "a.b!", "{code:", "{code}", "{panel}{quote}", "{{",
        "{color:", "|", "||", "\\", "* a\n", "a\n", "https://", "`", "<a",
    ],
)  # fmt: skip
def test_hostile_text_is_read_in_the_time_of_any_other(bit: str) -> None:
    text = bit * (200_000 // len(bit))
    started = time.process_time()
    to_markdown(text)
    assert time.process_time() - started < 10  # where time grows with the square of the length it takes minutes
