"""Picks Claude Code: the CLI, or its offline stand-in where the settings say so."""

from functools import lru_cache
from typing import TYPE_CHECKING

from app.config import Settings, get_settings
from app.sandbox import Sandbox
from app.services.claude_code.base import Archive, ClaudeCode
from app.services.claude_code.mock_client import MockClaudeCode

if TYPE_CHECKING:
    from app.services.claude_code.doors import Gateway


def make_claude_code(
    settings: Settings, *, gateway: "Gateway", sandbox: Sandbox, archive: Archive | None = None
) -> ClaudeCode:
    """Claude Code as the settings want it. Its processes ask the model through `gateway`, kept in by `sandbox`.

    With an `archive` its sessions can go on on another machine that has the same one.
    """
    if settings.offline:
        return MockClaudeCode(archive=archive)
    # Here, because the SDK takes half a second to import, which the offline demo can do without.
    from app.services.claude_code.client import ClaudeCodeClient  # noqa: PLC0415
    from app.services.claude_code.doors import Surroundings  # noqa: PLC0415
    from app.services.claude_code.options import CliSettings  # noqa: PLC0415

    around = Surroundings(cli=CliSettings.of(settings), gateway=gateway, sandbox=sandbox)
    return ClaudeCodeClient(
        surroundings=around, limit=settings.max_concurrent_runs, spare=settings.claude_spare, archive=archive
    )


@lru_cache
def get_claude_code(*, gateway: "Gateway", sandbox: Sandbox, archive: Archive | None = None) -> ClaudeCode:
    """Claude Code of this process."""
    return make_claude_code(get_settings(), gateway=gateway, sandbox=sandbox, archive=archive)
