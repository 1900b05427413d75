"""What is shown after a run: how it ended, its change, its pull request, and what a real one would need."""

import re

from rich.console import Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from app.cli.progress import dollars, took
from app.cli.terminal import Lines, cut, one_line, printable
from app.config import Settings
from app.models import Run, RunStatus
from app.services.github.forge import Proposal

_MOST_LINES_OF_PATCH = 150
_STYLES = (
    (("diff --git", "index ", "--- ", "+++ ", "new file", "deleted file", "rename ", "similarity "), "bold"),
    (("@@",), "cyan"),
    (("+",), "green"),
    (("-",), "red"),
)
_SUMMARY = re.compile(r"<summary>(.*?)</summary>")
_TAG = re.compile(r"</?(?:details|sub)>")

_NEEDED = (
    ("REPO_URL", "https://github.com/… of the repository to work on"),
    ("GH_TOKEN", "may push to it and open pull requests"),
    ("ANTHROPIC_API_KEY", "or CLAUDE_CODE_OAUTH_TOKEN, for Claude"),
    ("WEBHOOK_SECRET", "16 characters or more, which Jira sends along"),
)
_CHECK = ("auto-code check", "bold")


def show_ended(lines: Lines, run: Run) -> None:
    """One line: how the run ended, after how long, at what cost."""
    mark, style = {
        RunStatus.PR_OPENED: ("✓", "green"),
        RunStatus.FAILED: ("✗", "red"),
    }.get(run.status, ("–", "yellow"))
    spent = f"{took((run.ended_at - run.started_at).total_seconds())} · " if run.ended_at and run.started_at else ""
    said = one_line(run.outcome or (f"{run.ticket} failed" if run.error else run.status))
    lines.blank()
    lines.line((mark, f"bold {style}"), (f" {said}  ", "bold"), (f"{spent}{dollars(run.cost_usd)}", "dim"))


def show_patch(lines: Lines, patch: str) -> None:
    """The change, in the colours that git gives it."""
    lines.section("The change")
    for line in cut(printable(patch), most_lines=_MOST_LINES_OF_PATCH).splitlines():
        style = next((style for starts, style in _STYLES if line.startswith(starts)), "")
        lines.line((line, style))


def show_proposal(lines: Lines, proposal: Proposal) -> None:
    """The pull request as it was written: rendered for a person, as it is in a pipe."""
    lines.section("The draft pull request" if proposal.draft else "The pull request")
    lines.line((printable(proposal.title), "bold"))
    lines.blank()
    body = printable(proposal.body)
    if lines.console.is_terminal:
        lines.console.print(Markdown(_TAG.sub("", _SUMMARY.sub(r"**\1**", body))))
    else:
        lines.paragraphs(body)


def show_needs(lines: Lines, operator: Settings | None) -> None:
    """What a real run would need, and what of it is set already. None: the settings cannot be understood."""
    table = Table.grid(padding=(0, 1))
    for name, meaning in _NEEDED:
        there = operator is not None and _is_set(operator, name)
        mark = Text("✓", "green") if there else Text("✗", "red")
        table.add_row(mark, Text(name, "bold"), Text("is set", "dim") if there else Text(meaning))
    understood = "" if operator else "Your settings cannot be understood. "
    hint = Text.assemble((understood, "red"), "Set them in .env (see .env.example), then ask ", _CHECK, ".")
    lines.blank()
    lines.console.print(
        Panel(Group(table, "", hint), title="What a real run would need", title_align="left", border_style="dim")
    )


def _is_set(settings: Settings, name: str) -> bool:
    if name == "ANTHROPIC_API_KEY":
        return settings.claude_credential is not None
    return bool(getattr(settings, name.lower()))
