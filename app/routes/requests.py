"""From a form to what the runner is asked. It checks what is text; what may be asked is the runner's matter."""

import re
import uuid
from collections.abc import Mapping, Sequence

from app.api.forms import Form
from app.domain.naming import is_ticket_key
from app.errors import InvalidInput
from app.models import Answer, Question, RepositoryChoice, Request, RunMode

_MODES = {mode.value: mode for mode in (RunMode.ASK, RunMode.PLAN, RunMode.EDITS)}
_BRANCH = re.compile(r"(?!-)[^\s~^:?*\[\\\x00-\x1f\x7f]{1,250}")
"""Nearly git's rule; what it lets through, git refuses by name."""

_UP_TO_CLAUDE = "Decide this yourself, as you think best."


def ticket_in(form: Form) -> str:
    """The key that a new run is about. Raises InvalidInput."""
    key = form.value("ticket").upper()
    if not is_ticket_key(key):
        raise InvalidInput("ticket", "choose a ticket; keys look like PROJ-1")
    return key


def request_in(form: Form, *, text: str, by: str, model: str, repositories: Sequence[RepositoryChoice] = ()) -> Request:
    """What the form asks for; `text` names its field for words. Raises InvalidInput.

    `model` is the person's own; `repositories` have the bases of those that come without one.
    """
    mode = form.value("mode") or RunMode.EDITS
    if mode not in _MODES:
        raise InvalidInput("mode", "must be ask, plan or edits")
    bases = {each.name: each.base for each in repositories}
    return Request(
        mode=_MODES[mode],
        text=form.text(text),
        by=by,
        model=form.value("model") or model,
        auto_pr=mode == RunMode.EDITS and form.flag("auto_pr"),
        repositories=tuple(_choice(form, name, bases) for name in form.values("repos")),
    )


def typed_in(form: Form, *, text: str, model: str) -> Request:
    """What of a form is worth keeping when it was refused; never raises."""
    mode = _MODES.get(form.last("mode"), RunMode.EDITS)
    names = dict.fromkeys(form.every("repos"))
    return Request(
        mode=mode,
        text=form.last(text),
        model=form.last("model") or model,
        auto_pr=form.flag("auto_pr"),
        repositories=tuple(RepositoryChoice(name=name, base=form.last(f"branch:{name}")) for name in names),
    )


def message_id_in(form: Form) -> str:
    """The id that makes a message sent twice one message; a new one for a form without. Raises InvalidInput."""
    given = form.value("message_id")
    try:
        return str(uuid.UUID(given)) if given else new_message_id()
    except ValueError as error:
        raise InvalidInput("message_id", "must be a UUID") from error


def new_message_id() -> str:
    """An id for the next message."""
    return str(uuid.uuid4())


def answer_in(form: Form, question: Question, *, by: str) -> Answer:
    """What the form answers to the questions. Raises InvalidInput when it answers none."""
    if form.value("decide") == "claude":
        return Answer(by=by, text=_UP_TO_CLAUDE)
    answers = {}
    for number, asked in enumerate(question.asked):
        written = form.text(f"text-{number}")
        chosen = [*form.values(f"answer-{number}"), *([written] if written else [])]
        if chosen:
            answers[asked.question] = ", ".join(chosen)
    if not answers and not form.text("text"):
        raise InvalidInput("answer", "choose an answer, write one, or let Claude decide")
    return Answer(by=by, answers=answers, text=form.text("text"))


def _choice(form: Form, name: str, bases: Mapping[str, str]) -> RepositoryChoice:
    field = f"branch:{name}"
    base = form.value(field) or bases.get(name, "")
    if base and not _BRANCH.fullmatch(base):
        raise InvalidInput(field, "is not the name of a branch")
    return RepositoryChoice(name=name, base=base)
