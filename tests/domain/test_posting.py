"""Text that is posted says the same words, and does nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.posting import safe_line, safe_markdown


def plain(text: str) -> str:
    return text


def hushed(text: str) -> str:
    return text.replace("s3cr3t-value", "[redacted]")


@pytest.mark.parametrize(
    "text",
    [
        "ask @everyone",
        "_@ada_",
        "`@ada`",
        "```\n@ada\n```",
        "done.@ada",
        "é@ada",
        "(@acme/security)",
        "<b>@ada</b>",
        "<details><summary>@ada</summary></details>",
        "@\N{ZERO WIDTH SPACE}ada",
        "[link](https://example.com/?q=@ada)",
    ],
)
def test_nobody_is_notified(text: str) -> None:
    for clean in (safe_markdown(text, redact=plain), safe_line(text, redact=plain)):
        assert not re.search(r"(?<![A-Za-z0-9])@\w", clean)
        assert "ada" in clean or "everyone" in clean or "acme" in clean


@pytest.mark.parametrize("text", ["&#64;ada", "&#x40;ada", "&commat;ada", "&amp;#64;ada", "fixes &num;12", "&lsqb;x"])
def test_characters_that_are_written_as_entities_stay_as_written(text: str) -> None:
    clean = safe_markdown(text, redact=plain)

    assert not re.search(r"&(?:#|(?!amp;)\w+;)", clean)


@pytest.mark.parametrize(
    "text",
    [
        "Fixes #12",
        "closes: acme/widgets#3",
        "resolved GH-7",
        "fix https://github.com/acme/widgets/issues/9",
        "Fix: **https://github.com/acme/widgets/pull/9**",
        "**Closes** #12",
        "_fixes_ #12",
        "fixes\n#12",
        "fixes [#12](https://example.com)",
        "fi\N{SOFT HYPHEN}xes #12",
        "Implements #4",
        "fixes <details>#12</details>",
    ],
)
def test_nothing_is_closed(text: str) -> None:
    for clean in (safe_markdown(text, redact=plain), safe_line(text, redact=plain)):
        flat = re.sub(r"</?details>|[^A-Za-z0-9#/:.-]+", " ", clean)
        assert not re.search(r"(?i)(clos|fix|resolv|implement)\w*:? +\[?(\S*#\d|GH-\d|https://)", flat)


@pytest.mark.parametrize(
    "text",
    [
        "![pixel](https://evil.example/p.png)",
        "![pixel][1]",
        '<img src="https://evil.example/p.png">',
        "<img\nsrc=x",
        "<picture><source srcset=x></picture>",
        "<!-- hidden -->",
        "<script>alert(1)</script>",
        "<?php ?>",
        "<![CDATA[x]]>",
        "<details ontoggle=x>",
        "<details><summary>\n<img src=x></summary></details>",
    ],
)
def test_nothing_is_loaded_or_hidden(text: str) -> None:
    clean = safe_markdown(text, redact=plain)

    assert "![" not in clean
    assert not re.search(r"<(?!/?details>|summary>|/summary>)[A-Za-z/!?]", clean)


@pytest.mark.parametrize("hidden", ["\x00", "\x1b", "\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\U000e0041"])
def test_no_character_is_there_that_nobody_sees(hidden: str) -> None:
    assert safe_markdown(f"a{hidden}b", redact=plain) == "ab"
    assert safe_line(f"a{hidden}b", redact=plain) == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "mail ada@example.com",
        "see #12",
        "a < b && c > d",
        "[docs](https://example.com)",
        "fixes the bug",
        "AT&T",
        "größer — ✅ ⚠️",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "```python\nx = 1\n```",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert safe_markdown(text, redact=plain) == text


def test_folds_stay_and_have_their_lines_to_themselves() -> None:
    clean = safe_markdown("<details><summary>More</summary>**text**</details>", redact=plain)

    assert [line for line in clean.splitlines() if line] == [
        "<details>",
        "<summary>More</summary>",
        "**text**",
        "</details>",
    ]


def test_an_address_in_brackets_stays_a_link() -> None:
    assert safe_markdown("<https://example.com/a>", redact=plain) == "https://example.com/a"
    assert safe_markdown("https://example.com/@ada/x", redact=plain) == "https://example.com/%40ada/x"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("```\nopen", "\n```"),
        ("~~~~ sh\nopen", "\n~~~~"),
        ("```\nopen\n~~~", "\n```"),
        ("```", "\n```"),
        ("<details>\nopen", "\n\n</details>"),
        ("<details>\n```\nopen\n\nmore", "\n```\n\n</details>"),
    ],
)
def test_what_is_left_open_is_closed(text: str, end: str) -> None:
    assert safe_markdown(text, redact=plain).endswith(end)


def test_a_closed_block_is_not_closed_again() -> None:
    assert safe_markdown("```\nx\n```\n", redact=plain) == "```\nx\n```"


def test_secrets_are_taken_out_also_where_they_were_split_by_what_nobody_sees() -> None:
    text = "it is s3cr3t\N{ZERO WIDTH SPACE}-value"

    assert safe_markdown(text, redact=hushed) == "it is [redacted]"
    assert safe_line(text, redact=hushed) == "it is [redacted]"


def test_a_secret_is_taken_out_before_the_text_is_cut() -> None:
    assert "s3cr3t" not in safe_line("x" * 90 + " s3cr3t-value and more", redact=hushed, most=100)
    assert "s3cr3t" not in safe_markdown("x" * 90 + " s3cr3t-value and more", redact=hushed, most=100)


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    clean = safe_markdown("```\n" + "line\n" * 1_000, redact=plain, most=100)

    assert len(clean) < 130
    assert clean.endswith("line\n```\n\n… (cut)")


def test_a_line_is_one_line_and_bounded() -> None:
    assert safe_line("a\nb\t c", redact=plain) == "a b c"
    assert len(safe_line("word " * 1_000, redact=plain, most=50)) <= 50
    assert safe_line("<details>x", redact=plain) == "‹details› x"


@pytest.mark.parametrize("text", ["PROJ-2 #done", "#close", "(#comment hello)"])
def test_a_line_gives_a_tracker_no_command(text: str) -> None:
    assert "#" not in safe_line(text, redact=plain)
    assert safe_line("C# and #12", redact=plain) == "C# and #12"


@pytest.mark.parametrize("text", ["[skip ci]", "[CI skip]", "[no ci]", "[skip actions]", "[actions skip]", "[skip-ci]"])
def test_a_line_does_not_keep_the_checks_from_running(text: str) -> None:
    assert "[" not in safe_line(f"Tidy {text}", redact=plain)


@given(st.text(alphabet="@#<>!`~[]&;\\ \nafixesd12details/summary-\u200b_*", max_size=60))
def test_whatever_is_written_acts_on_nothing(text: str) -> None:
    clean = safe_markdown(text, redact=plain)

    assert not re.search(r"(?<![A-Za-z0-9])@\w|!\[|fix(?:es)?[^A-Za-z0-9]{1,9}#\d|\u200b", clean)
    assert not re.search(r"<(?!/?details>|details open>|summary>|/summary>)[A-Za-z/!?]", clean)


@pytest.mark.parametrize(
    "part", ["fix.", "fix-https://", "<a", "![", "@a ", "<details>", "```\n", "https://x/", "&#64;"]
)
def test_no_text_takes_long(part: str) -> None:
    assert len(safe_markdown(part * (100_000 // len(part)), redact=plain, most=10_000)) < 12_000
