"""The stand-in for Claude Code, played by what its prompts hold."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from app.results import Turn
from app.services.claude_code.base import Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.mock_client import Answer, MockClaudeCode

IMPLEMENT, AGAIN, REVIEW, FIX_REVIEW, FIX_SETUP, FIX_LINT, FIX_TESTS, RESOLVE, MEND = (
    "Implement ticket",
    "was sent again",
    "Review the change",
    "The review of your change",
    "(setup) fails",
    "(lint) fails",
    "(tests) fails",
    "Resolve them",
    "cannot be published as it is",
)
"""What the prompts of the turns hold."""

ASKED, PLANNED, EDITED, APPROVED, REVISED, ANSWERED = (
    "Mode of this turn: ask",
    "Mode of this turn: plan",
    "Mode of this turn: edits. Change",
    "The plan was approved",
    "People want the plan changed",
    "People answered what you had asked",
)
"""What the prompts of people's turns hold; those of a turn that goes on with an answer hold both."""

ISSUES = Answer(text="HAS_ISSUES: true\nFINDINGS:\n- theme.txt:1: no default\n")

Play = Answer | Exception


class ScriptedClaude(MockClaudeCode):
    """Plays each turn by what its prompt holds; a turn in `held` waits, having said in `begun` that it began."""

    def __init__(self, plays: Mapping[str, Play]) -> None:
        super().__init__(author=self._play, reviewer=self._play)
        self.plays: dict[str, Play] = dict(plays)
        self.held: str | None = None
        self.begun = asyncio.Event()
        self.used: list[str] = []
        self.prompt_ids: list[str] = []
        self.permissions: list[Permission] = []
        self.replies: list[Reply] = []

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        prompt = ask if isinstance(ask, Prompt) else ask.prompt
        if isinstance(ask, Reply):
            self.replies.append(ask)
        self.used.append(session.id)
        self.prompt_ids.append(prompt.id)
        self.permissions.append(permission)
        if self.held is not None and self.held in prompt.text:
            self.open_sessions.add(session.id)
            self.begun.set()
            await asyncio.Event().wait()
        return await super().run_turn(session, ask, emit, permission=permission, model=model)

    def asked(self, holds: str) -> list[str]:
        """The prompts that hold this text, in order."""
        return [prompt for prompt in self.prompts if holds in prompt]

    def _play(self, prompt: str, _directory: Path) -> Answer:
        play = next((play for holds, play in self.plays.items() if holds in prompt), Answer())
        if isinstance(play, Exception):
            raise play
        return play
