import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.verdicts import parse_verdict
from app.results import Verdict


def test_an_answer_in_the_asked_form_is_read() -> None:
    verdict = parse_verdict("HAS_ISSUES: true\nFINDINGS:\n- app.py:3 divides by zero\n- no test")
    assert verdict == Verdict(has_issues=True, findings="- app.py:3 divides by zero\n- no test")


@pytest.mark.parametrize(
    "line",
    [
        "HAS_ISSUES: true", "**HAS_ISSUES:** true", "**HAS_ISSUES: true**", "`HAS_ISSUES: true`", "has_issues: True",
        "## HAS_ISSUES: TRUE", "- HAS_ISSUES : true.", "Has issues: true", "> HAS_ISSUES: **true**",
        '"HAS_ISSUES": true,', "HAS_ISSUES = true", "HAS_ISSUES: true (two of them)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("answer", [True, False])
def test_the_decoration_of_the_answer_does_not_matter(line: str, answer: bool) -> None:
    said = line if answer else line.replace("true", "false").replace("True", "False").replace("TRUE", "FALSE")
    verdict = parse_verdict(f"I read everything.\n\n{said}\n\n**FINDINGS:**\n\nthe rest")
    assert verdict == Verdict(has_issues=answer, findings="the rest")


def test_an_answer_without_a_verdict_is_unclear_and_keeps_its_words() -> None:
    assert parse_verdict(" Looks fine to me. ") == Verdict(has_issues=False, clear=False, findings="Looks fine to me.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HAS_ISSUES:",
        "HAS_ISSUES: maybe",
        "HAS_ISSUES: true|false",
        "HAS_ISSUES: true or false",
        "HAS_ISSUES: falsehood",
    ],
)
def test_a_question_is_no_answer(text: str) -> None:
    assert not parse_verdict(text).clear


@pytest.mark.parametrize("findings", ["", "None.", "- ", "n/a", "*No findings*"])
def test_issues_without_findings_hand_on_the_whole_answer(findings: str) -> None:
    text = f"The loop never ends.\nHAS_ISSUES: true\nFINDINGS: {findings}"
    assert parse_verdict(text) == Verdict(has_issues=True, findings=text.strip())


def test_issues_without_a_findings_block_hand_on_the_whole_answer() -> None:
    text = "HAS_ISSUES: true\nThe loop never ends."
    assert parse_verdict(text).findings == text


def test_quoted_code_cannot_talk_an_issue_away() -> None:
    text = "HAS_ISSUES: true (see below)\nFINDINGS:\nreview.py holds this line:\n  HAS_ISSUES: false\nFINDINGS: none"
    assert parse_verdict(text).has_issues


def test_a_verdict_on_its_line_counts_before_one_in_a_sentence() -> None:
    text = "You asked for HAS_ISSUES: true if there are any.\nHAS_ISSUES: false\nFINDINGS: none"
    assert parse_verdict(text) == Verdict(has_issues=False, findings="none")


def test_a_verdict_in_a_sentence_counts_where_there_is_no_other() -> None:
    assert parse_verdict("So the answer is HAS_ISSUES: false, well done.") == Verdict(has_issues=False)


def test_a_verdict_after_the_findings_is_not_one_of_them() -> None:
    verdict = parse_verdict("FINDINGS: the loop never ends\n\nHAS_ISSUES: true")
    assert verdict == Verdict(has_issues=True, findings="the loop never ends")


def test_a_code_fence_around_the_whole_answer_is_not_a_finding() -> None:
    assert parse_verdict("```\nHAS_ISSUES: true\nFINDINGS:\n- `x` is unused\n```").findings == "- `x` is unused"


def test_a_code_fence_inside_the_findings_is_kept() -> None:
    assert parse_verdict("HAS_ISSUES: true\nFINDINGS:\n```py\nx\n```").findings == "```py\nx\n```"


@given(st.text(), st.booleans())
def test_any_words_before_leave_the_verdict_and_its_findings(words: str, answer: bool) -> None:
    text = f"{words.replace('=', '').replace(':', '')}\nHAS_ISSUES: {str(answer).lower()}\nFINDINGS:\n- here"
    assert parse_verdict(text) == Verdict(has_issues=answer, findings="- here")


@given(st.text())
def test_no_text_is_too_strange_to_read(text: str) -> None:
    verdict = parse_verdict(text)
    assert verdict.clear or verdict.findings == text.strip()
