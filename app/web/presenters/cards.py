"""What stands in a conversation and is never folded away: messages, plans, questions, pull requests, failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from app.models import Answer, Asked, PullRequest, Question
from app.web.presenters.wording import first_line, short_name, web_link


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The line above a turn."""

    words: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Somebody's words, as Markdown; of a person with a name to make initials of."""

    by: str
    at: datetime
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What people decided, in one line, who and when; `good` when the work may go on as proposed.

    Nobody and never, where the words say that it was left open.
    """

    words: str
    by: str = ""
    at: datetime | None = None
    good: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class PlanCard:
    """A plan to review, or one that was. `action` is where its forms go."""

    action: str
    version: int
    text: str
    title: str
    at: datetime
    decided: Decided | None = None


@dataclass(frozen=True, kw_only=True)
class QuestionCard:
    """Questions with answers to choose from. `given` are the answers by question, once there are some."""

    action: str
    asked: tuple[Asked, ...]
    at: datetime
    decided: Decided | None = None
    given: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class PullRequestCard:
    """A pull request at the forge; `href` is None where its address leads nowhere on the web."""

    title: str
    repository: str
    number: int
    href: str | None
    draft: bool


@dataclass(frozen=True, kw_only=True)
class FailureCard:
    """What went wrong in `run`. `action` is where its button goes, None once it is too late for it."""

    run: str
    title: str
    message: str
    at: datetime
    action: str | None
    repository: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One line of what else happened."""

    words: str
    at: datetime
    icon: str = "hand"


def question_card(key: str, question: Question, at: datetime) -> PlanCard | QuestionCard:
    """A plan to review, or questions."""
    name = quote(question.id, safe="")
    if question.plan is None:
        return QuestionCard(action=f"/code-runs/{key}/questions/{name}/answer", asked=question.asked, at=at)
    return PlanCard(
        action=f"/code-runs/{key}/plan/{name}",
        version=question.version,
        text=question.plan,
        title=first_line(question.plan.lstrip("# ")),
        at=at,
    )


def decided(question: Question | None, answer: Answer, at: datetime) -> Decided:
    """What an answer says, in a few words."""
    if question is not None and question.plan is not None:
        words = "Approved" if answer.approved else "Changes asked"
    elif answer.answers:
        words = "; ".join(first_line(each) for each in answer.answers.values())
    else:
        words = first_line(answer.text) or "Claude decides"
    return Decided(words=words, by=answer.by, at=at, good=answer.approved, text=answer.text)


def given(asked: tuple[Asked, ...], answers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The answers in the order of the questions."""
    return tuple((each.question, answers[each.question]) for each in asked if each.question in answers)


def pull_request_card(pull_request: PullRequest) -> PullRequestCard:
    """A pull request that was opened or brought up to date."""
    kind = "Draft pull request" if pull_request.draft else "Pull request"
    return PullRequestCard(
        title=f"{kind} {'opened' if pull_request.created else 'updated'}",
        repository=short_name(pull_request.repository),
        number=pull_request.number,
        href=web_link(pull_request.url),
        draft=pull_request.draft,
    )
