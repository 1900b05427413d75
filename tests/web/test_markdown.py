"""Markdown is hostile: nothing in it may run, load, look like the page's own, or hide what it says."""

import re

import pytest

from app.web.markdown import markdown

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    '![x](x" onerror="alert(1))',
    '[x](https://a.example "t\\" onmouseover=alert(1) x=\\"")',
    '```python" onclick="alert(1)\nx\n```',
    "```x class=composer\nx\n```",
    '<a id="say" class="btn primary" hx-get="/logout" style="position:fixed" data-ticket="X">x</a>',
    '<form action="https://evil.example"><input name=code></form>',
    "<style>*{display:none}</style>",
    "<iframe src=https://evil.example></iframe>",
    "<base href=https://evil.example>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "a\x00<b onclick=x>",
    "[rel](/code-runs/PROJ-1/stop)",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
]
_TAG = re.compile(r"<(/?)([a-z0-9]+)([^>]*)>")
_ATTRIBUTE = re.compile(r'\s([a-z-]+)="([^"]*)"')
_TAGS = {
    *("a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span"),
    *("strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_VALUES = {
    "href": r"(https?://|mailto:).*",
    "title": r".*",
    "rel": r"noopener noreferrer nofollow",
    "class": r"language-[\w+#.-]+|c-\w+",
    "tabindex": r"0",
    "start": r"\d+",
}


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_is_only_text(text: str) -> None:
    html = str(markdown(text))
    for _, tag, attributes in _TAG.findall(html):
        assert tag in _TAGS
        for name, value in _ATTRIBUTE.findall(attributes):
            assert re.fullmatch(_VALUES[name], value, re.DOTALL)
        assert "=" not in _ATTRIBUTE.sub("", attributes)
    assert "<" not in _TAG.sub("", html)


def test_html_is_shown_as_it_was_written() -> None:
    assert markdown("a <b>bold</b> move") == "<p>a &lt;b&gt;bold&lt;/b&gt; move</p>\n"


def test_an_image_is_a_link_by_its_description_and_is_not_loaded() -> None:
    html = markdown("![the *chart*](https://evil.example/pixel.png)")
    assert 'href="https://evil.example/pixel.png"' in html
    assert "the *chart*</a>" in html
    assert "<img" not in html


def test_addresses_become_links_that_tell_nobody_where_one_came_from() -> None:
    link = '<a href="https://example.com/a" rel="noopener noreferrer nofollow">https://example.com/a</a>'
    assert link in markdown("See https://example.com/a for more")


@pytest.mark.parametrize("name", ["handler.py", "README.md", "lib.rs", "10.0.0.1"])
def test_a_file_name_is_no_address(name: str) -> None:
    assert markdown(f"Look at {name} first") == f"<p>Look at {name} first</p>\n"


def test_code_is_coloured_by_its_language_and_scrolls_by_keyboard() -> None:
    html = markdown("```python\ndef f(): ...\n```")
    assert '<pre tabindex="0"><code class="language-python">' in html
    assert '<span class="c-k">def</span>' in html


def test_code_in_an_unknown_language_and_a_very_long_one_stay_plain() -> None:
    assert "<span" not in markdown("```nothing-known\nif x: y\n```")
    assert "<span" not in markdown("```python\n" + "x = 1\n" * 4_000 + "```")


def test_headings_stand_below_those_of_the_page() -> None:
    html = markdown("# a\n\n## b\n\n###### c")
    assert re.findall(r"<h(\d)>", html) == ["3", "4", "6"]


def test_tables_and_strikethrough_are_known() -> None:
    html = markdown("|a|b|\n|-|-|\n|1|~~2~~|")
    assert "<th>a</th>" in html
    assert "<td><s>2</s></td>" in html


def test_terminal_codes_and_bidirectional_controls_are_gone() -> None:
    assert markdown("\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07x\x1b]8;;\x07 if \u202e\u2066admin") == (
        "<p>red x if admin</p>\n"
    )
