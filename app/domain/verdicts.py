"""Reading a reviewer's answer. It finds the verdict in whatever decoration the model gave it, and never invents one."""

import re

from app.results import Verdict

_VERDICT = r"HAS[ _]?ISSUES[^a-zA-Z0-9\n:=]*[:=][^a-zA-Z0-9\n|]*(true|false)\b"
# "HAS_ISSUES: true|false" and "true or false" are the question and not an answer.
_ANSWER = rf"{_VERDICT}(?!\s*(?:[|/]|or\b))"
_LEADING = re.compile(rf"^[^a-zA-Z0-9\n]*{_ANSWER}.*$", re.IGNORECASE | re.MULTILINE)
_ANYWHERE = re.compile(_ANSWER, re.IGNORECASE)
_FINDINGS = re.compile(r"^[^a-zA-Z0-9\n]*FINDINGS[*_`\"' \t]*:[*_`\" \t]*", re.IGNORECASE | re.MULTILINE)
_NOTHING = frozenset({"", "none", "n/a", "-", "no issues", "no findings"})


def parse_verdict(text: str) -> Verdict:
    """The verdict of an answer that holds `HAS_ISSUES: true|false` and a `FINDINGS:` block.

    A verdict that leads its line counts before one inside a sentence. Where several of the same standing differ,
    `true` wins: an answer quotes the code it reviewed, and a quoted `HAS_ISSUES: false` must not talk an issue away,
    while a needless round of fixes is cheap. No verdict at all is `clear=False` with the whole text as findings.
    """
    answers = _LEADING.findall(text) or _ANYWHERE.findall(text)
    if not answers:
        return Verdict(has_issues=False, clear=False, findings=text.strip())
    has_issues = any(answer.lower() == "true" for answer in answers)
    findings = _findings(text)
    if has_issues and findings.strip(" .*_`").lower() in _NOTHING:
        findings = text.strip()
    return Verdict(has_issues=has_issues, findings=findings)


def _findings(text: str) -> str:
    """What follows the first `FINDINGS:`, without verdict lines; empty when there is none."""
    if (start := _FINDINGS.search(text)) is None:
        return ""
    block = _LEADING.sub("", text[start.end() :]).strip()
    # An answer that stands in a code fence as a whole leaves the end of its fence here.
    return block.removesuffix("```").rstrip() if block.count("```") % 2 else block
