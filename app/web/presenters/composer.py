"""The box in which people write: a new run's, and a conversation's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.models import RepositoryChoice, Request, RunMode, Ticket
from app.web.presenters.wording import MODE_ICONS, MODES, model_name, short_name

MOST_CHARS = 8_000
MOST_REPOSITORIES = 6

_MODES = {
    RunMode.ASK: "Questions about the code. Read-only: no plan, no edits.",
    RunMode.EDITS: "Claude may change files in its own workspace.",
    RunMode.PLAN: "Explore and write a plan for you to approve. Nothing is edited.",
}


@dataclass(frozen=True)
class Choice:
    """One of several to choose from."""

    value: str
    label: str
    chosen: bool
    hint: str = ""
    icon: str = ""


@dataclass(frozen=True, kw_only=True)
class RepositoryOption:
    """A repository to work in, and the base of its pull request."""

    name: str
    label: str
    base: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Composer:
    """The box with what is chosen in it. `ticket` is set where it is given; `fixed` when it cannot be changed.

    `message_id` names what will be sent, so that it is taken once however often it arrives.
    """

    action: str
    message_id: str
    modes: tuple[Choice, ...]
    models: tuple[Choice, ...]
    auto_pr: bool
    text: str
    draft: str
    repositories: tuple[RepositoryOption, ...] = ()
    ticket: Ticket | None = None
    fixed: bool = False
    most_chars: int = MOST_CHARS
    most_repositories: int = MOST_REPOSITORIES

    @property
    def mode(self) -> Choice:
        """The mode that is chosen."""
        return next(mode for mode in self.modes if mode.chosen)

    @property
    def model(self) -> Choice | None:
        """The model that is chosen."""
        return next((model for model in self.models if model.chosen), None)


def new_run_composer(
    *,
    repositories: Sequence[RepositoryChoice],
    models: Mapping[str, str],
    request: Request,
    message_id: str,
    ticket: Ticket | None = None,
    fixed: bool = False,
) -> Composer:
    """The box of a new run. `request` is what is chosen in it, after a mistake too; `repositories` all there are."""
    chosen = {each.name: each.base for each in request.repositories}
    known = {each.name: each.base for each in repositories} | chosen
    options = tuple(
        RepositoryOption(name=name, label=short_name(name), base=base, chosen=name in chosen)
        for name, base in known.items()
    )
    draft = f"new:{ticket.key}" if ticket else "new"
    box = _composer("/code-runs", request, models, draft, message_id)
    return replace(box, repositories=options, ticket=ticket, fixed=fixed)


def message_composer(key: str, *, models: Mapping[str, str], request: Request, message_id: str) -> Composer:
    """The box of a conversation; `request` has the mode and the model of its last turn, or what was typed."""
    return _composer(f"/code-runs/{key}/messages", request, models, f"say:{key}", message_id)


def _composer(action: str, request: Request, models: Mapping[str, str], draft: str, message_id: str) -> Composer:
    mode = request.mode if request.mode in _MODES else RunMode.EDITS
    names = dict(models)
    if request.model:
        names.setdefault(request.model, model_name(request.model, models))
    model = request.model or next(iter(names), None)
    return Composer(
        action=action,
        message_id=message_id,
        modes=tuple(Choice(each, MODES[each], each is mode, hint, MODE_ICONS[each]) for each, hint in _MODES.items()),
        models=tuple(Choice(id_, name, id_ == model) for id_, name in names.items()),
        auto_pr=request.auto_pr,
        text=request.text,
        draft=draft,
    )
