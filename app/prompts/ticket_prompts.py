"""Prompts of a ticket's run: implement, review, fix.

Text from outside stands between fences with a random word in them, so that it cannot close its own fence.
"""

import secrets

from app.models import Ticket
from app.results import Changes, CheckResult

_MOST_GUIDE_CHARS = 40_000
_MOST_TICKET_CHARS = 100_000
_MOST_FINDINGS_CHARS = 40_000


def build_implementation_prompt(ticket: Ticket, *, guides: dict[str, str], conflicts: tuple[str, ...] = ()) -> str:
    """The first prompt of a conversation. `guides` are the repository's own instructions by file name."""
    parts = [f"Implement ticket {ticket.key}.", _ticket(ticket)]
    for name, text in guides.items():
        parts.append(f"The repository's {name}, its maintainers' own instructions for work in it:")
        parts.append(fenced(name, text[:_MOST_GUIDE_CHARS]))
    if conflicts:
        parts.append(build_conflict_prompt(conflicts))
    return "\n\n".join(parts)


def build_continuation_prompt(ticket: Ticket, *, conflicts: tuple[str, ...] = ()) -> str:
    """The first prompt of a later run of a conversation, whose session knows the ticket and the code."""
    parts = [
        f"Ticket {ticket.key} was sent again. Look at the worktree as it is now, and do what the ticket asks and is "
        "missing or different there. This is its text now:",
        _ticket(ticket),
    ]
    if conflicts:
        parts.append(build_conflict_prompt(conflicts))
    return "\n\n".join(parts)


def build_conflict_prompt(conflicts: tuple[str, ...]) -> str:
    """What the author is asked when people pushed to its branch, and their change and its own touch the same lines."""
    return (
        "People pushed to this branch in the meantime. Their work and yours were brought together; these files have "
        f"conflict markers. Resolve them, keeping what both sides meant:\n{_listed(conflicts)}"
    )


def build_review_prompt(ticket: Ticket, changes: Changes) -> str:
    """What the reviewer is asked: the ticket, and the whole uncommitted change with its new files."""
    return "\n\n".join(
        (
            f"Review the change that was made for ticket {ticket.key}. It is uncommitted in your working directory.",
            _ticket(ticket),
            f"Files of the change:\n{_listed(changes.files)}",
            "The change against the base branch, new files included:",
            fenced("diff", changes.patch),
        )
    )


def build_fix_prompt(gate: str, findings: str) -> str:
    """What the author is asked when the review found something."""
    return "\n\n".join(
        (
            f"The {gate} of your change found this. Fix what is right; where you disagree, leave the code and say why.",
            fenced("findings", findings[:_MOST_FINDINGS_CHARS]),
        )
    )


def build_check_fix_prompt(gate: str, result: CheckResult, *, attempt: int, most: int) -> str:
    """What the author is asked when lint or tests failed."""
    return "\n\n".join(
        (
            f"`{result.command}` ({gate}) fails on your change. Fix the cause in the code, not the check.",
            f"It is run again afterwards (attempt {attempt} of {most}).",
            fenced("output", result.output),
        )
    )


def fenced(name: str, text: str) -> str:
    """Text from outside, between fences that it cannot know."""
    word = secrets.token_hex(4)
    return f'<{_tag(name)} fence="{word}">\n{text}\n</{_tag(name)} fence="{word}">'


def _ticket(ticket: Ticket) -> str:
    return fenced("ticket", f"{ticket.summary}\n\n{ticket.description}".strip()[:_MOST_TICKET_CHARS])


def _listed(paths: tuple[str, ...]) -> str:
    return fenced("files", "\n".join(f"- {path}" for path in paths))


def _tag(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
