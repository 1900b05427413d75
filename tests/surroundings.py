"""What Claude Code's processes have around them in tests: a real gateway to the fake model, and a real sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.config import Settings
from app.sandbox import Sandbox
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.options import CliSettings
from app.services.gateway import make_gateway
from app.services.store.mock_client import MockStore
from tests.fakes.messages_api import API_KEY, MessagesApi


def settings_for(model: MessagesApi, workspace: Path, **more: object) -> Settings:
    """Settings of a service whose model is the fake one."""
    usual = {
        "workspace_dir": workspace,
        "anthropic_api_key": API_KEY,
        "anthropic_base_url": model.url,
        "claude_max_retries": 1,
        "claude_idle_timeout_s": 30,
        "agent_network": "none",
    }
    return Settings(_env_file=None, **{**usual, **more})  # type: ignore[arg-type]


def no_sandbox(workspace: Path) -> Sandbox:
    """A sandbox that keeps nothing in, for work that starts no program."""
    return Sandbox.of(Settings(_env_file=None, workspace_dir=workspace, agent_sandbox="off", agent_network="none"))


@asynccontextmanager
async def surroundings(settings: Settings) -> AsyncIterator[Surroundings]:
    """They stand while it is entered."""
    store, sandbox = MockStore(), Sandbox.of(settings)
    gateway = make_gateway(settings, ledger=store)
    await store.start()
    await sandbox.start()
    await gateway.start()
    try:
        yield Surroundings(cli=CliSettings.of(settings), gateway=gateway, sandbox=sandbox)
    finally:
        await gateway.stop()
        await sandbox.stop()
        await store.stop()
