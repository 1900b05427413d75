"""Claude Code: sessions, prompts, turns."""

from app.services.claude_code.base import Archive, ClaudeCode, Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.factory import get_claude_code, make_claude_code

__all__ = [
    "Archive",
    "ClaudeCode",
    "Emit",
    "Permission",
    "Prompt",
    "Reply",
    "SessionRef",
    "get_claude_code",
    "make_claude_code",
]
