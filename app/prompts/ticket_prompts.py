"""Prompts of a ticket's run: implement, review, fix.

Text from outside stands between fences with a random word in them, so that it cannot close its own fence.
"""

import secrets

from app.models import Changes, CheckResult, Ticket

_MOST_GUIDE_CHARS = 40_000


def build_implementation_prompt(ticket: Ticket, *, guides: dict[str, str], conflicts: tuple[str, ...] = ()) -> str:
    """The first prompt of a run. `guides` are the repository's own instructions by file name."""
    parts = [f"Implement ticket {ticket.key}."]
    body = f"{ticket.summary}\n\n{ticket.description}".strip()
    parts.append(fenced("ticket", body))
    for name, text in guides.items():
        parts.append(f"The repository's {name}, its maintainers' own instructions for work in it:")
        parts.append(fenced(name, text[:_MOST_GUIDE_CHARS]))
    if conflicts:
        listed = "\n".join(f"- {path}" for path in conflicts)
        parts.append(
            "People pushed to this branch while earlier work on it was not published yet. Both were brought together; "
            f"these files have conflict markers. Resolve them first, keeping what both sides meant:\n{listed}"
        )
    return "\n\n".join(parts)


def build_continuation_prompt(ticket: Ticket, *, changed: bool, conflicts: tuple[str, ...] = ()) -> str:
    """The first prompt of a later run of a conversation, whose session knows the ticket and the code."""
    parts = [f"Ticket {ticket.key} was sent again. Look at the worktree as it is now, and finish what is missing."]
    if changed:
        parts.append("This is the ticket's text now; do what is new or different in it:")
        parts.append(fenced("ticket", f"{ticket.summary}\n\n{ticket.description}".strip()))
    if conflicts:
        parts.append("These files have conflict markers. Resolve them first: " + ", ".join(conflicts))
    return "\n\n".join(parts)


def build_review_prompt(ticket: Ticket, changes: Changes) -> str:
    """What the reviewer is asked: the ticket, and the whole uncommitted change with its new files."""
    return "\n\n".join(
        (
            f"Review the change that was made for ticket {ticket.key}. It is uncommitted in your working directory.",
            fenced("ticket", f"{ticket.summary}\n\n{ticket.description}".strip()),
            "Files of the change:\n" + "\n".join(f"- {path}" for path in changes.files),
            "The change against the base branch, new files included:",
            fenced("diff", changes.patch),
        )
    )


def build_fix_prompt(gate: str, findings: str) -> str:
    """What the author is asked when the review found something."""
    return "\n\n".join(
        (
            f"The {gate} of your change found this. Fix what is right in it; where you disagree, leave the code and say why.",
            fenced("findings", findings),
        )
    )


def build_check_fix_prompt(gate: str, result: CheckResult, *, attempt: int, most: int) -> str:
    """What the author is asked when lint or tests failed."""
    return "\n\n".join(
        (
            f"`{result.command}` ({gate}) fails on your change. Fix the cause in the code, not the check. "
            f"It is run again afterwards (attempt {attempt} of {most}).",
            fenced("output", result.output),
        )
    )


def fenced(name: str, text: str) -> str:
    """Text from outside, between fences that it cannot know."""
    word = secrets.token_hex(4)
    return f'<{_tag(name)} fence="{word}">\n{text}\n</{_tag(name)} fence="{word}">'


def _tag(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
