"""Names that leave the product: keys, branches and titles. It refuses to build a name from text that is not a key."""

import re
import uuid

from app.domain.posting import Redact, safe_line
from app.errors import InvalidInput
from app.models import Ticket

LONGEST_KEY = 64
LONGEST_TITLE = 256
"""Characters that GitHub takes in the title of a pull request."""

_KEY = re.compile(r"[A-Z][A-Z0-9_]+-[0-9]+")
_BRANCH_ROOM = "ticket/"
_IN_RUNS = uuid.UUID("5f0c2a53-6d0e-4f0b-9a55-1c8a6a0f7e11")

REVIEWER = "reviewer"
"""What the session of a run's reviewer is named by (`id_in_run`)."""


def is_ticket_key(text: str) -> bool:
    """Whether the text is a ticket's key, such as `PROJ-1`, and nothing else."""
    return len(text) <= LONGEST_KEY and _KEY.fullmatch(text) is not None


def branch_of(key: str) -> str:
    """The branch of a ticket: `ticket/proj-1`. Raises InvalidInput for what is not a key."""
    if not is_ticket_key(key):
        raise InvalidInput("issue.key", "must be a key such as PROJ-1")
    return _BRANCH_ROOM + key.lower()


def key_of_branch(branch: str) -> str | None:
    """The key of the ticket that the branch belongs to; None for other people's branches."""
    key = branch.removeprefix(_BRANCH_ROOM).upper()
    return key if is_ticket_key(key) and branch == branch_of(key) else None


def bucket_of(key: str) -> str:
    """What runs of a ticket are counted together by: its project, `PROJ` of PROJ-1."""
    return key.rpartition("-")[0]


def work_id(run_id: str, leg: int) -> str:
    """The name of one leg of a run at the engine: the run's own, then `<run>.2`, `<run>.3` and so on."""
    return run_id if leg == 1 else f"{run_id}.{leg}"


def run_of_work(work: str) -> tuple[str, int]:
    """Give run and leg back from a name of `work_id`."""
    run_id, _, leg = work.partition(".")
    return run_id, int(leg or 1)


def id_in_run(run_id: str, name: str) -> str:
    """A UUID that follows from the run and the name, so that a process that goes on knows it again."""
    return str(uuid.uuid5(_IN_RUNS, f"{run_id}/{name}"))


def pull_request_title(ticket: Ticket, *, redact: Redact) -> str:
    """`PROJ-1: summary` on one line of at most `LONGEST_TITLE` characters, which notifies nobody and closes nothing."""
    summary = safe_line(ticket.summary, redact=redact, most=LONGEST_TITLE - len(ticket.key) - len(": "))
    return f"{ticket.key}: {summary}" if summary else ticket.key
