"""The command line: `auto-code` serves; its commands do one thing and end.

Exit status: 0 done, 1 failed, 2 the settings or the command line do not allow it, 130 a run was
interrupted.
"""
# Each command imports what it needs when it is called, so that `--help` answers at once (the whole takes a second).
# ruff: noqa: PLC0415

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from app.errors import AutoCodeError, ConfigurationError, InvalidInput

_FAILED, _NOT_ALLOWED = 1, 2

app = typer.Typer(
    name="auto-code",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    """A ticket becomes a reviewed pull request. Without a command it serves."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Serve webhooks and the API, and work on tickets."""
    from app.cli.serve import serve as command

    _end_with(command)


@app.command()
def worker() -> None:
    """Work on tickets beside other processes of one DATABASE_URL, without serving."""
    from app.cli.worker import worker as command

    _end_with(command)


@app.command()
def demo(
    live: Annotated[bool, typer.Option("--live", help="Let the real Claude do it; needs a credential.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's directory.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave the service up with this run in it, until Ctrl-C.")
    ] = False,
) -> None:
    """Turn a sample ticket into a pull request, offline, with nothing configured."""
    from app.cli.demo import demo as command

    _end_with(lambda: command(live=live, keep=keep, serve=serve))


@app.command()
def run(
    key: Annotated[str, typer.Argument(help="The ticket's key, such as PROJ-1.")],
    title: Annotated[str, typer.Option(help="The ticket's summary.")],
    description: Annotated[str | None, typer.Option(help="The ticket's description.")] = None,
    description_file: Annotated[
        Path | None, typer.Option(help="A file with the description; - is standard input.")
    ] = None,
    repo: Annotated[
        str | None, typer.Option(help="A clone URL, or the directory of a repository. Instead of REPO_URL.")
    ] = None,
    review: Annotated[bool | None, typer.Option("--review/--no-review", help="Instead of PIPELINE_REVIEW.")] = None,
    lint: Annotated[bool | None, typer.Option("--lint/--no-lint", help="Instead of PIPELINE_LINT.")] = None,
    tests: Annotated[bool | None, typer.Option("--tests/--no-tests", help="Instead of PIPELINE_TESTS.")] = None,
    dry_run: Annotated[bool | None, typer.Option("--dry-run/--no-dry-run", help="Instead of DRY_RUN.")] = None,
) -> None:
    """Work on one ticket now, in the foreground, with your settings."""
    from app.cli.run import run as command
    from app.cli.run import ticket_of

    options = {"review": review, "lint": lint, "tests": tests, "dry_run": dry_run}

    def work() -> int:
        ticket = ticket_of(key, title=title, description=description, description_file=description_file)
        return command(ticket, repo=repo, options={name: value for name, value in options.items() if value is not None})

    _end_with(work)


@app.command()
def check(
    model: Annotated[
        bool, typer.Option("--model/--no-model", help="Ask Claude one question, for about a cent.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Try each setting, credential and tool, and say how to mend what fails."""
    from app.cli.check import check as command

    _end_with(lambda: command(ask_model=model, as_json=as_json))


@app.command()
def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Mend what was found, not only say it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Find what a crash left: processes, worktrees, sessions, runs that nobody works on."""
    from app.cli.doctor import doctor as command

    _end_with(lambda: command(mend=mend, as_json=as_json))


@app.command()
def restore(
    key: Annotated[str | None, typer.Argument(help="The ticket's key; without one, what is saved is listed.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="List what is saved, and bring nothing back.")] = False,
) -> None:
    """Bring back a ticket's unpushed work, which was saved when its worktree was removed."""
    from app.cli.restore import restore as command

    _end_with(lambda: command(key, only_list=only_list))


def main() -> None:
    """Run the command line."""
    app()


def _end_with(command: Callable[[], int | None]) -> None:
    """End the process with the command's status, or with the sentence of what went wrong."""
    try:
        status = command() or 0
    except (ConfigurationError, InvalidInput) as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(_NOT_ALLOWED) from error
    except AutoCodeError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(_FAILED) from error
    raise typer.Exit(status)
