"""What `auto-code check` tries: each setting, credential and tool on its own, and within a limit.

A trial gives one line on what was found, or raises: `WorkFailed` or `ConfigurationError` with what to mend, `Absent`
for what is not there and need not be.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.config import Settings
from app.database import Database
from app.errors import AutoCodeError, ConfigurationError, WorkFailed
from app.process import operator_environment, run
from app.sandbox import Sandbox
from app.services.claude_code import make_claude_code
from app.services.gateway import Forgetful, make_gateway
from app.services.github import make_repositories
from app.services.langfuse import make_langfuse
from app.services.store import make_store

_LEAST_FREE_BYTES = 1 << 30
_QUICK_S, _NETWORK_S, _MODEL_S = 10.0, 60.0, 90.0

_TOOLCHAINS = ("node", "npm", "pnpm", "yarn", "bun", "python3", "uv", "poetry", "tox", "cargo", "go", "make")


class Mark(StrEnum):
    """How a trial ended."""

    OK = "ok"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True)
class Finding:
    """One line of the check."""

    name: str
    mark: Mark
    found: str


class Absent(AutoCodeError):
    """The thing is not there, and a run can do without it."""


@dataclass(frozen=True)
class Trial:
    """Something to try, and for how many seconds."""

    name: str
    attempt: Callable[[], Awaitable[str]]
    limit_s: float = _QUICK_S

    async def finding(self) -> Finding:
        """What came of it."""
        try:
            async with asyncio.timeout(self.limit_s):
                return Finding(self.name, Mark.OK, await self.attempt())
        except Absent as error:
            return Finding(self.name, Mark.ABSENT, error.message)
        except AutoCodeError as error:
            return Finding(self.name, Mark.FAILED, error.message)
        except TimeoutError:
            return Finding(self.name, Mark.FAILED, f"gave no answer within {self.limit_s:.0f} s; try again later.")
        except OSError as error:
            return Finding(self.name, Mark.FAILED, f"the system refused: {error.strerror or error}.")


async def findings_of(trials: Iterable[Trial]) -> AsyncIterator[Finding]:
    """Findings in the order of their trials, which run side by side, because each waits for something else."""
    tasks = {trial.name: asyncio.create_task(trial.finding()) for trial in trials}
    for name, task in tasks.items():
        await asyncio.wait({task})
        if (error := task.exception()) is None:
            yield task.result()
        else:  # the other findings are still worth having
            yield Finding(name, Mark.FAILED, f"broke with {type(error).__name__}: {error}; please report this.")


def trials(settings: Settings, *, ask_model: bool) -> Iterator[Trial]:
    """Everything worth trying with these settings, in the order in which it is told."""
    yield Trial("production", lambda: _production(settings))
    yield Trial("webhook", lambda: _webhook(settings))
    yield Trial("workspace", lambda: _workspace(settings.workspace_dir.absolute()))
    yield Trial("database", lambda: _database(settings))
    yield from tool_trials(offline=settings.offline)
    yield Trial("sandbox", lambda: _sandbox(settings))
    yield Trial("repository", lambda: _repository(settings), _NETWORK_S)
    yield Trial("claude", lambda: _claude(settings, ask=ask_model), _MODEL_S)
    yield Trial("langfuse", lambda: _langfuse(settings), _NETWORK_S)


def tool_trials(*, offline: bool) -> Iterator[Trial]:
    """Programs, which can be tried whatever the settings are."""
    yield Trial("git", lambda: _tool("git", "install git 2.38 or later."))
    yield Trial("gh", lambda: _gh(offline=offline))
    yield Trial("setpriv", _setpriv)
    yield Trial("toolchains", _toolchains)


async def _production(settings: Settings) -> str:
    if settings.production:
        settings.require_production_ready()
        return "everything that NODE_ENV=production requires is set"
    try:
        settings.model_copy(update={"node_env": "production"}).require_production_ready()
    except ConfigurationError as error:
        raise Absent(f"development; {error.message}") from error
    return "development; ready for NODE_ENV=production too"


async def _webhook(settings: Settings) -> str:
    if settings.webhook_secret is None:
        raise Absent("WEBHOOK_SECRET is not set: in development anybody may send tickets")
    code = (
        "" if settings.admin_access_code else "; ADMIN_ACCESS_CODE is not set, so the API is open in development only"
    )
    return f"takes {settings.webhook_rate_limit} with WEBHOOK_SECRET{code}"


async def _workspace(directory: Path) -> str:
    return await asyncio.to_thread(_written, directory)


def _written(directory: Path) -> str:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            free = shutil.disk_usage(directory).free
    except OSError as error:
        message = f"{directory} cannot be written: {error.strerror}. Set WORKSPACE_DIR to a directory that can."
        raise ConfigurationError(message) from error
    if free < _LEAST_FREE_BYTES:
        raise ConfigurationError(f"{directory} has only {free >> 20:,} MiB free; make room for clone and worktrees.")
    return f"{directory} can be written, {free / (1 << 30):,.0f} GiB free"


async def _database(settings: Settings) -> str:
    database = Database.of(settings)
    store = make_store(database)
    try:
        await store.check()
    finally:
        await store.stop()
        database.close()
    return str(database.file) if database.file else "Postgres at DATABASE_URL answers"


async def _repository(settings: Settings) -> str:
    return await make_repositories(settings).check()


async def _claude(settings: Settings, *, ask: bool) -> str:
    if settings.claude_credential is None and not settings.offline:
        raise ConfigurationError(f"no credential: set {settings.claude_credential_wanted}.")
    if not ask:
        raise Absent("not asked (--no-model)")
    # One try: a person waits for the answer, and a refusal is the answer.
    settings = settings.model_copy(update={"claude_max_retries": 0})
    async with AsyncExitStack() as opened:
        sandbox = Sandbox.of(settings)
        await sandbox.start()
        opened.push_async_callback(sandbox.stop)
        gateway = make_gateway(settings, ledger=Forgetful())
        await gateway.start()
        opened.push_async_callback(gateway.stop)
        claude_code = make_claude_code(settings, gateway=gateway, sandbox=sandbox)
        opened.push_async_callback(claude_code.stop)
        return await claude_code.check()


async def _sandbox(settings: Settings) -> str:
    if settings.agent_sandbox == "off":
        raise Absent("AGENT_SANDBOX=off, as was said: what Claude runs can read whatever this user can")
    sandbox = Sandbox.of(settings.model_copy(update={"node_env": "production"}))  # which goes on with no other one
    await sandbox.start()
    await sandbox.stop()
    return f"{settings.agent_sandbox} keeps in what Claude and the repository run; network: {settings.agent_network}"


async def _langfuse(settings: Settings) -> str:
    if bool(settings.langfuse_public_key) != bool(settings.langfuse_secret_key):
        raise ConfigurationError("one key alone does nothing: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.")
    if not settings.tracing:
        raise Absent("tracing is off: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set")
    return await make_langfuse(settings).check()


async def _gh(*, offline: bool) -> str:
    if offline and shutil.which("gh") is None:
        raise Absent("not found, and not needed while OFFLINE is set")
    return await _tool("gh", "install GitHub's command line, gh 2.82.1 or later.")


async def _setpriv() -> str:
    if shutil.which("setpriv") is None:
        raise Absent("not found: programs would outlive a killed service; on Linux install util-linux")
    return "programs end with the service, even when it is killed"


async def _toolchains() -> str:
    there = [name for name in _TOOLCHAINS if shutil.which(name)]
    missing = [name for name in _TOOLCHAINS if name not in there]
    return (
        f"{', '.join(there) or 'none'}; not found: {', '.join(missing) or 'none'} (needed where a repository uses it)"
    )


async def _tool(name: str, mend: str) -> str:
    try:
        done = await run((name, "--version"), cwd=Path.cwd(), env=operator_environment(), limit_s=_QUICK_S)
    except FileNotFoundError as error:
        raise WorkFailed(f"not found: {mend}") from error
    if not done.ok:
        raise WorkFailed(f"cannot be run ({done.error_text.strip()[:200]}): {mend}")
    return done.text.splitlines()[0]
