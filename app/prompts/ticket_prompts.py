"""Prompts of a ticket's run: implement, review, fix. All text from outside stands between fences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.domain.incoming import cleaned, named
from app.models import RepositoryChanges, Ticket
from app.prompts.fences import COMMITS, DIFF, FILES, FINDINGS, GUIDE, OUTPUT, TICKET, fenced
from app.results import CheckResult

_LONGEST_COMMAND = 200

ALONE = "Nobody answers questions while you work, so take the choices yourself and name them in your last message."
"""Said in each prompt of a run that goes its way by itself; the session's system prompt is the same for all runs."""


class Guide(NamedTuple):
    """A repository's own instructions: the file's name, and its text."""

    name: str
    text: str


class News(NamedTuple):
    """A repository of the workspace: where it is (where there are several), and what people did in it meanwhile."""

    repository: str = ""
    directory: str = ""
    conflicts: tuple[str, ...] = ()
    arrived: tuple[str, ...] = ()


def build_implementation_prompt(ticket: Ticket, *, guides: Sequence[Guide], news: Sequence[News] = ()) -> str:
    """The first prompt of a conversation whose run goes its whole way by itself."""
    task = f"Implement ticket {ticket.key}. {ALONE}"
    return "\n\n".join([task, fenced_ticket(ticket), *told_guides(guides), *told_news(news)])


def build_continuation_prompt(ticket: Ticket, *, news: Sequence[News] = ()) -> str:
    """The first prompt of a later run of a conversation, whose session knows the ticket and the code."""
    task = (
        f"Ticket {ticket.key} was sent again. Look at the worktree as it is now, and do what the ticket asks and is "
        f"missing or different there. {ALONE} This is its text now:"
    )
    return "\n\n".join([task, fenced_ticket(ticket), *told_news(news)])


def told_guides(guides: Sequence[Guide]) -> list[str]:
    """The repositories' own instructions, as parts of a prompt."""
    parts = []
    for guide in guides:
        parts.append(f"The repository's {guide.name}, its maintainers' own instructions for work in it:")
        parts.append(fenced(GUIDE, guide.text))
    return parts


def told_news(news: Sequence[News]) -> list[str]:
    """Where the repositories are and what people did in them, as parts of a prompt; nothing where there is nothing."""
    parts = []
    if places := [f"- {each.repository}: {each.directory}" for each in news if each.repository]:
        parts.append("You work in several repositories at once, each in a worktree of its own:\n" + "\n".join(places))
    return parts + told_arrivals(news)


def told_arrivals(news: Sequence[News]) -> list[str]:
    """What people did in the repositories by itself, for a session that knows where they are."""
    parts = []
    for each in news:
        where = f" in {each.repository}" if each.repository else ""
        if each.arrived:
            said = f"People pushed to this branch{where} since you saw it; their work is in the worktree:"
            # Each by itself: what one subject begins to hide, the next does not end.
            subjects = "\n".join(named(cleaned(subject)) for subject in each.arrived)
            parts.append(f"{said}\n{fenced(COMMITS, subjects)}")
        if each.conflicts:
            parts.append(build_conflict_prompt(each.conflicts, where=where))
    return parts


def build_conflict_prompt(conflicts: tuple[str, ...], *, where: str = "") -> str:
    """What the author is asked when people pushed to its branch, and their change and its own touch the same lines."""
    return (
        f"People pushed to this branch{where} in the meantime. Their work and yours were brought together; these files "
        f"have conflict markers. Resolve them, keeping what both sides meant:\n{_listed(conflicts)}"
    )


def build_review_prompt(ticket: Ticket, changes: Sequence[RepositoryChanges], places: Mapping[str, str]) -> str:
    """What the reviewer is asked: the ticket, and the whole uncommitted change with its new files.

    `places` are the worktrees by repository.
    """
    parts = [
        f"Review the change that was made for ticket {ticket.key}. It is uncommitted in your working directory.",
        fenced_ticket(ticket),
    ]
    for each in changes:
        if len(changes) > 1:
            parts.append(f"In the repository {each.repository}, at {places[each.repository]}:")
        parts.append(f"Files of the change:\n{_listed(tuple(file.path for file in each.files))}")
        parts.append("The change against the base branch, new files included:")
        parts.append(fenced(DIFF, each.patch, share=len(changes)))
    return "\n\n".join(parts)


def build_fix_prompt(gate: str, findings: str) -> str:
    """What the author is asked when the review found something."""
    return "\n\n".join(
        (
            f"The {gate} of your change found this. Fix what is right; where you disagree, leave the code and say why.",
            fenced(FINDINGS, findings),
        )
    )


def build_check_fix_prompt(gate: str, result: CheckResult, *, attempt: int, most: int) -> str:
    """What the author is asked when lint or tests failed."""
    # The base branch names the command, and it was run: who writes it needs no fence to be kept in.
    command = named(result.command, _LONGEST_COMMAND).replace("`", "'")
    return "\n\n".join(
        (
            f"`{command}` ({gate}) fails on your change. Fix the cause in the code, not the check.",
            f"It is run again afterwards (attempt {attempt} of {most}).",
            fenced(OUTPUT, result.output),
        )
    )


def fenced_ticket(ticket: Ticket) -> str:
    """The ticket's text, fenced."""
    return fenced(TICKET, f"{ticket.summary}\n\n{ticket.description}".strip())


def _listed(paths: tuple[str, ...]) -> str:
    return fenced(FILES, "\n".join(f"- {named(path)}" for path in paths))
