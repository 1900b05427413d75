import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.excerpts import SHORTEST_LIMIT, excerpt

lines = st.lists(st.text(alphabet="abc \t%é\x1b[3m\r", max_size=80), max_size=200)
limits = st.integers(min_value=SHORTEST_LIMIT, max_value=3_000)


def numbered(count: int) -> str:
    return "\n".join(f"line {number}" for number in range(count))


def test_a_short_text_is_kept_as_it_is() -> None:
    assert excerpt("a.py:1: error\n\n  1 | x\n") == "a.py:1: error\n\n  1 | x"


def test_head_and_tail_are_kept_and_the_middle_is_counted() -> None:
    kept = excerpt(numbered(1_000), limit_chars=500).split("\n")
    note = next(line for line in kept if line.startswith("…"))
    left_out = int(note.removeprefix("… ").split()[0].replace(",", ""))
    assert kept[0] == "line 0"
    assert kept[-1] == "line 999"
    assert len(kept) - 1 + left_out == 1_000
    assert re.fullmatch(r"… [\d,]+ lines left out …", note)


def test_more_is_kept_of_the_tail_than_of_the_head() -> None:
    head, tail = re.split(r"\n….*\n", excerpt(numbered(1_000), limit_chars=900))
    assert len(tail) > 1.5 * len(head)


def test_a_line_repeated_is_shown_once_and_counted() -> None:
    assert excerpt("start\n" + "warning: x\n" * 58 + "end") == "start\nwarning: x\n… 58 times\nend"


def test_a_line_twice_is_left_alone_and_blank_lines_are_folded_to_one() -> None:
    assert excerpt("}\n}\n\n\n\n\nend") == "}\n}\n\nend"


def test_a_progress_bar_is_shown_as_it_ended() -> None:
    assert excerpt("fetch\n10%\r50%\r100%\ndone\r\nok") == "fetch\n100%\ndone\nok"


@pytest.mark.parametrize(
    "coloured",
    [
        "\x1b[1;31merror\x1b[0m", "\x1b[2K\x1b[1Gerror", "\x1b]0;title\x07error", "\x1b]8;;https://x\x1b\\error",
        "\x1b(Berror", "\x9b31merror", "err\x00\x08or", "\u202eerror\u2066", "e\u200brror", "error\x1b",
        "\x1b[?25lerror\x1b[?25h",
    ],
)  # fmt: skip
def test_what_only_a_terminal_acts_on_is_removed(coloured: str) -> None:
    assert excerpt(coloured) == "error"


def test_words_stay_apart_where_an_unusual_space_was() -> None:
    assert excerpt("a\u00a0b\u2028c\x0cd") == "a b c d"


def test_a_line_that_is_too_long_keeps_its_start_and_its_end() -> None:
    kept = excerpt("first\n" + "a" * 50_000 + "z" * 50_000 + "\nlast").split("\n")
    assert kept[0] == "first"
    assert kept[2] == "last"
    assert re.fullmatch(r"a{900,}… 98,[\d]{3} characters left out …z{900,}", kept[1])


def test_nothing_but_noise_is_empty() -> None:
    assert excerpt("\n \n\x1b[0m\n") == ""


@pytest.mark.parametrize("limit", range(SHORTEST_LIMIT, SHORTEST_LIMIT + 50))
def test_an_excerpt_of_many_lines_fills_its_room_and_no_more(limit: int) -> None:
    assert limit - 60 <= len(excerpt(numbered(100_000), limit)) <= limit


@given(st.text() | lines.map("\n".join), limits)
def test_an_excerpt_never_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(excerpt(text, limit)) <= limit


@given(lines.map("\n".join), limits)
def test_an_excerpt_of_an_excerpt_is_the_same(text: str, limit: int) -> None:
    once = excerpt(text, limit)
    assert excerpt(once, limit) == once


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=30), min_size=1, max_size=300), limits)
def test_the_first_line_is_kept_and_the_last_or_its_count(parts: list[str], limit: int) -> None:
    kept = excerpt("\n".join(parts), limit).split("\n")
    assert kept[0] == parts[0]
    assert kept[-1] == parts[-1] or kept[-1].startswith("… ")


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=8), max_size=200, unique=True))
def test_lines_that_are_kept_stay_in_their_order(parts: list[str]) -> None:
    kept = [line for line in excerpt("\n".join(parts), SHORTEST_LIMIT).split("\n") if line and "…" not in line]
    assert kept == [part for part in parts if part in set(kept)]
