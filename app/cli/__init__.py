"""The command line: `auto-code` serves; its commands do one thing and end."""

import typer

from app.cli.serve import serve

app = typer.Typer(
    name="auto-code",
    help="A ticket becomes a reviewed pull request.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    """Serve, when no command is given."""
    if context.invoked_subcommand is None:
        serve()


def main() -> None:
    """Run the command line."""
    app()
