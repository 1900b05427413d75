"""Claude Code without Claude: answers from a script, in memory. It refuses what the real one refuses."""

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from app.errors import WorkFailed
from app.models import EventKind, Model, Tokens
from app.results import Turn
from app.services.claude_code.base import ClaudeCode, Emit, Prompt, SessionRef

_COST_USD = 0.01


class Answer(Model):
    """What the stand-in does in one turn: the files that it writes (None deletes), and what it says.

    `finished` is false for a turn that is cut at its limit.
    """

    text: str = "Done."
    files: Mapping[str, str | None] = {}
    finished: bool = True


Script = Callable[[str, Path], Answer]
"""Takes the prompt and the directory."""


def nothing_to_say(_prompt: str, _directory: Path) -> Answer:
    """A script that changes nothing."""
    return Answer()


class MockClaudeCode(ClaudeCode):
    """Remembers sessions as the CLI's transcripts would: the same prompt is answered once.

    `prompts` are those that were asked, in their order; `open_sessions` have a process.
    """

    def __init__(self, *, author: Script = nothing_to_say, reviewer: Script | None = None) -> None:
        self._author = author
        self._reviewer = reviewer or (lambda _prompt, _directory: Answer(text="HAS_ISSUES: false\nFINDINGS:\n"))
        self.prompts: list[str] = []
        self._sessions: dict[str, dict[str, Turn]] = {}
        self.open_sessions: set[str] = set()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.open_sessions.clear()

    async def reserve(self) -> str:
        return str(uuid.uuid4())

    async def remembers(self, session_id: str) -> bool:
        return session_id in self._sessions

    async def warm(self, session: SessionRef) -> None:
        self.open_sessions.add(session.id)

    async def run_implementation(self, session: SessionRef, prompt: Prompt, emit: Emit) -> Turn:
        return await self._turn(session, prompt, emit, self._author, role="author")

    async def run_code_review(self, session: SessionRef, prompt: Prompt, emit: Emit, *, beside: str) -> Turn:  # noqa: ARG002
        try:
            return await self._turn(session, prompt, emit, self._reviewer, role="reviewer")
        finally:
            await self.close(session.id)

    async def close(self, session_id: str) -> None:
        self.open_sessions.discard(session_id)

    async def check(self) -> str:
        return "an offline stand-in answers"

    async def _turn(self, session: SessionRef, prompt: Prompt, emit: Emit, script: Script, *, role: str) -> Turn:
        if not session.directory.is_dir():
            raise WorkFailed(f"There is no directory {session.directory}.")
        self.open_sessions.add(session.id)
        turns = self._sessions.setdefault(session.id, {})
        if prompt.id in turns:
            return turns[prompt.id]
        self.prompts.append(prompt.text)
        answer = script(prompt.text, session.directory)
        for path, text in answer.files.items():
            await self._write(session.directory, path, text, emit, role)
        await emit(EventKind.TEXT, {"text": answer.text, "role": role})
        cost = _COST_USD * (len(turns) + 1)
        turns[prompt.id] = Turn(
            text=answer.text,
            session_id=session.id,
            turns=1 + len(answer.files),
            session_cost_usd=cost,
            tokens=Tokens(input=len(prompt.text) // 4, output=len(answer.text) // 4),
            finished=answer.finished,
        )
        return turns[prompt.id]

    @staticmethod
    async def _write(directory: Path, path: str, text: str | None, emit: Emit, role: str) -> None:
        call = {"id": f"toolu_{uuid.uuid4().hex[:12]}", "role": role}
        given = {"file_path": path} if text is None else {"file_path": path, "content": text}
        await emit(EventKind.TOOL_CALLED, {**call, "name": "Write" if text is not None else "Bash", "input": given})
        file = directory / path
        if text is None:
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        await emit(EventKind.TOOL_RETURNED, {**call, "content": f"{path} written", "failed": False})
