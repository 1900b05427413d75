"""`auto-code demo`: a sample ticket becomes a pull request in a temporary directory, with nothing configured.

Git, the checks, the database and the durable engine are the real ones. Claude follows a script, unless the real one is
asked for; pull requests stay in memory. Nothing of the operator's settings reaches a demo, but for the port of
`--serve` and what `--live` needs.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from app import logger
from app.cli.foreground import LOG_LEVEL, interruptions, started, work_on
from app.cli.progress import Progress
from app.cli.result import show_ended, show_needs, show_patch, show_proposal
from app.cli.terminal import Lines, make_console
from app.config import Settings, load_settings
from app.errors import ConfigurationError
from app.models import Run, RunStatus
from app.process import operator_environment
from app.sample import BRANCH, TICKET, author, make_repository, reviewer, sample_settings
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.github.git import environment, run_git
from app.services.github.mock_client import OfflineForge
from app.services.runner import Runner, make_runner

_PREFIX = "auto-code-demo-"
_PULL_REQUEST_OPENED, _NO_PULL_REQUEST = 0, 1

_OF_LIVE_CLAUDE = (
    "anthropic_api_key", "claude_code_oauth_token", "anthropic_base_url", "claude_code_use_bedrock",
    "aws_bearer_token_bedrock", "aws_region", "anthropic_bedrock_base_url", "claude_model", "claude_cli",
    "claude_idle_timeout_s", "claude_max_retries",
)  # fmt: skip


def demo(*, live: bool, keep: bool, serve: bool) -> int:
    """Show a ticket's way to its pull request; 0 when one was opened. Raises ConfigurationError, WorkFailed."""
    operator = _operator_settings(needed=live or serve)
    if live and (operator is None or operator.claude_credential is None):
        raise ConfigurationError(
            "The real Claude needs a credential: set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN."
        )
    logger.configure(LOG_LEVEL, stream=sys.stderr)
    with _directory(keep=keep) as directory:
        demo = _Demo(directory, operator=operator, live=live, keep=keep)
        run = asyncio.run(demo.run(serve=serve))
    return _PULL_REQUEST_OPENED if run.status is RunStatus.PR_OPENED else _NO_PULL_REQUEST


def _operator_settings(*, needed: bool) -> Settings | None:
    try:
        return load_settings()
    except ConfigurationError:
        if needed:
            raise
        return None


@contextmanager
def _directory(*, keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(mkdtemp(prefix=_PREFIX))
        return
    with TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name)


class _Demo:
    """One demo in its directory."""

    def __init__(self, directory: Path, *, operator: Settings | None, live: bool, keep: bool) -> None:
        self._lines = Lines(make_console())
        self._repository = directory / "whisk"
        self._directory = directory
        self._operator = operator
        self._live = live
        self._keep = keep
        self._settings = self._demo_settings(directory / "workspace")
        self._forge = OfflineForge()

    async def run(self, *, serve: bool) -> Run:
        """The ticket's run, and what it made; with `serve` the service stays up until it is interrupted."""
        self._introduce()
        self._repository.mkdir()
        await make_repository(self._repository)
        scripted = None if self._live else MockClaudeCode(author=author, reviewer=reviewer)
        runner = make_runner(self._settings, claude_code=scripted, forge=self._forge)
        with interruptions() as interrupted:
            async with self._serving(runner) if serve else started(runner):
                progress = Progress(self._lines.console, worktree=self._settings.workspace_dir / "worktrees" / BRANCH)
                run = await work_on(TICKET, runner=runner, progress=progress, interrupted=interrupted)
                await self._show_result(run)
                if serve and not interrupted.is_set():
                    self._show_addresses(run)
                    await interrupted.wait()
        return run

    def _demo_settings(self, workspace: Path) -> Settings:
        operator = self._operator
        lent = {name: getattr(operator, name) for name in _OF_LIVE_CLAUDE} if self._live else {}
        lent["offline"] = not self._live  # the forge is an offline one in any case
        if operator is not None:
            lent["claude_code_api_port"] = operator.claude_code_api_port
        return sample_settings(workspace, self._repository, log_level=LOG_LEVEL, **lent)

    def _introduce(self) -> None:
        who = "the real Claude" if self._live else "a Claude that follows a script (its costs are made up)"
        self._lines.line(("auto-code demo", "bold"))
        self._lines.paragraphs(
            f"A ticket becomes a pull request: real git, checks and database, {who}, and a GitHub that stays offline. "
            f"Everything is in {self._directory}{'' if self._keep else ', which is removed at the end'}.",
            style="dim",
        )
        self._lines.section(f"{TICKET.key}: {TICKET.summary}")
        self._lines.paragraphs(TICKET.description)
        self._lines.section("The run")

    async def _show_result(self, run: Run) -> None:
        show_ended(self._lines, run)
        if run.status is RunStatus.PR_OPENED:
            env = environment(operator_environment())
            done = await run_git("diff", f"main...{BRANCH}", cwd=self._repository, env=env)
            show_patch(self._lines, done.text)
            show_proposal(self._lines, self._forge.proposals[-1])
        show_needs(self._lines, self._operator)
        if self._keep:
            look = f"git -C {self._repository} log -p {BRANCH}"
            self._lines.line(f"\nKept: {self._directory}. See the change with: {look}")

    @asynccontextmanager
    async def _serving(self, runner: Runner) -> AsyncIterator[None]:
        from app.cli.serve import serving  # noqa: PLC0415 - half a second to import, for those who serve

        async with serving(self._settings, runner):
            # The service's own start sends its log to standard output, where the progress is shown.
            logger.configure(LOG_LEVEL, stream=sys.stderr)
            yield

    def _show_addresses(self, run: Run) -> None:
        port = self._settings.claude_code_api_port
        self._lines.line("\nThe service is up with this run in it. Ctrl-C ends it.")
        for path in ("/api/v1/runs", f"/api/v1/runs/{run.id}/events", "/health", "/openapi.json"):
            self._lines.line(("http://127.0.0.1:", "dim"), f"{port}{path}", indent=1)
