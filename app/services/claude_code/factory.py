"""Picks Claude Code: the CLI, or its offline stand-in where the settings say so."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.services.claude_code.base import ClaudeCode
from app.services.claude_code.mock_client import MockClaudeCode


def make_claude_code(settings: Settings) -> ClaudeCode:
    """Claude Code as the settings want it."""
    if settings.offline:
        return MockClaudeCode()
    # Here, because the SDK takes half a second to import, which the offline demo can do without.
    from app.services.claude_code.client import ClaudeCodeClient  # noqa: PLC0415
    from app.services.claude_code.options import CliSettings  # noqa: PLC0415

    return ClaudeCodeClient(cli=CliSettings.of(settings), limit=settings.max_concurrent_runs)


@lru_cache
def get_claude_code() -> ClaudeCode:
    """Claude Code of this process."""
    return make_claude_code(get_settings())
