"""Prompts of a person's turns. The mode is said in the turn's prompt and held by the session's permissions; the system
prompt says nothing of it, so that a change of mode keeps what the model's cache knows.
"""

from collections.abc import Sequence

from app.domain.incoming import named
from app.models import Job, RunMode
from app.prompts.fences import ANSWERS, MESSAGE, PLAN, fenced
from app.prompts.ticket_prompts import Guide, News, fenced_ticket, told_guides, told_news

_LONGEST_PERSON = 100

_MODES = {
    RunMode.ASK: (
        "Mode of this turn: ask. Answer from the code; name files and lines. You can read and search, and change "
        "nothing. Answer in your last message."
    ),
    RunMode.PLAN: (
        "Mode of this turn: plan. Explore the code, then propose an implementation plan with the tool ExitPlanMode: "
        "what changes in which files and why, in which order, how it is tested, and what could go wrong. You can read "
        "and search, and change nothing. People approve the plan or ask for changes; ask them with AskUserQuestion "
        "only what the code and the ticket cannot tell you."
    ),
    RunMode.EDITS: (
        "Mode of this turn: edits. Change the files as asked. Ask people with AskUserQuestion only where a wrong "
        "choice would cost them more than the answer."
    ),
}
_FOLLOW_PLAN = "The plan was approved. Mode of this turn: edits. Implement it as it stands:"
_ADDED = "Whoever approved it added:"
_ANSWERED = "People answered what you had asked. Go on with it."
_PROPOSED = "You proposed this plan:"
_REVISE = "People want the plan changed. Revise it, and propose it again with ExitPlanMode. This is what they wrote:"


def build_message_prompt(job: Job, *, known: bool, guides: Sequence[Guide], news: Sequence[News]) -> str:
    """What the session is asked. `known`: it knows the ticket; then only what it cannot know is said."""
    parts = [] if known else [f"This is a conversation about ticket {job.ticket.key}.", fenced_ticket(job.ticket)]
    parts += told_guides(guides)
    parts += told_news(news)
    parts += _decided(job) if job.decision is not None else [_MODES[job.mode], *_asked(job)]
    return "\n\n".join(parts)


def _asked(job: Job) -> list[str]:
    if not job.request.text.strip():
        return ["Do for the ticket what this mode is for."]
    who = named(job.request.retry_of or job.request.by or "Somebody", _LONGEST_PERSON)
    return [f"{who} writes:\n{fenced(MESSAGE, job.request.text)}"]


def _decided(job: Job) -> list[str]:
    """For a session that has lost what it had asked: question and answer in words."""
    assert job.decision is not None  # noqa: S101 - the caller looked
    question, answer = job.decision.question, job.decision.answer
    if question.plan is not None:
        plan = fenced(PLAN, question.plan)
        if answer is not None and answer.approved:
            return [_FOLLOW_PLAN, plan, *([_ADDED, fenced(MESSAGE, answer.text)] if answer.text else [])]
        asked = [_MODES[RunMode.PLAN], *_asked(job), _PROPOSED, plan]
        return [*asked, _REVISE, fenced(MESSAGE, answer.text if answer else "")]
    said = [f"{asked}: {chosen}" for asked, chosen in (answer.answers if answer else {}).items()]
    if answer is not None and answer.text:
        said.append(answer.text)
    return [_MODES[job.mode], *_asked(job), _ANSWERED, fenced(ANSWERS, "\n".join(said))]
