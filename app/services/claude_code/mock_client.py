"""Claude Code without Claude: answers from a script, in memory. It refuses what the real one refuses."""

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from app.errors import WorkFailed
from app.models import EventKind, Model, Question, Tokens
from app.results import Turn
from app.services.claude_code.base import Archive, ClaudeCode, Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.permissions import ASK, PROPOSE, Call, Places, Ruling, ruling

_COST_USD = 0.01


class Answer(Model):
    """What the stand-in does in one turn: the files that it writes (None deletes), and what it says.

    `finished` is false for a turn that is cut at its limit. With `question` it stops there, where the turn may ask.
    """

    text: str = "Done."
    files: Mapping[str, str | None] = {}
    finished: bool = True
    question: Question | None = None


Script = Callable[[str, Path], Answer]
"""Takes the prompt and the directory. Of a reply, the prompt is the one that says it in words."""


def nothing_to_say(_prompt: str, _directory: Path) -> Answer:
    """A script that changes nothing."""
    return Answer()


class MockClaudeCode(ClaudeCode):
    """Remembers sessions as the CLI's transcripts would: the same prompt, or the same reply, is answered once.

    With an `archive` they are remembered there, too, for others that have the same one. `prompts` are those that were
    asked, in their order, and `models` what each was asked of, None where nothing was chosen; `open_sessions` have a
    process.
    """

    def __init__(
        self, *, author: Script = nothing_to_say, reviewer: Script | None = None, archive: Archive | None = None
    ) -> None:
        self._archive = archive
        self._author = author
        self._reviewer = reviewer or (lambda _prompt, _directory: Answer(text="HAS_ISSUES: false\nFINDINGS:\n"))
        self.prompts: list[str] = []
        self.models: list[str | None] = []
        self._sessions: dict[str, dict[str, Turn]] = {}
        self.open_sessions: set[str] = set()

    async def start(self, *, reads: tuple[Path, ...] = ()) -> None:
        pass

    async def stop(self) -> None:
        self.open_sessions.clear()

    async def reserve(self) -> str:
        return str(uuid.uuid4())

    async def ground(self, session_id: str) -> Path | None:  # noqa: ARG002 - no process, no ground
        return None

    async def remembers(self, session_id: str) -> bool:
        return session_id in self._sessions or bool(await self._turns(session_id))

    def waits(self, session_id: str) -> bool:  # noqa: ARG002 - there is room for all
        return False

    async def warm(self, session: SessionRef) -> None:
        self.open_sessions.add(session.id)

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        return await self._turn(_Bench(session, emit, permission, role="author"), ask, self._author, model)

    async def run_code_review(self, session: SessionRef, prompt: Prompt, emit: Emit, *, beside: str) -> Turn:  # noqa: ARG002
        bench = _Bench(session, emit, Permission.READ, role="reviewer")
        try:
            return await self._turn(bench, prompt, self._reviewer, None)
        finally:
            await self.close(session.id)

    async def close(self, session_id: str) -> None:
        self.open_sessions.discard(session_id)

    async def sessions(self) -> tuple[str, ...]:
        return tuple(each for each in self._sessions if each not in self.open_sessions)

    async def forget(self, session_id: str) -> None:
        await self.close(session_id)
        self._sessions.pop(session_id, None)

    async def check(self) -> str:
        return "an offline stand-in answers"

    async def _turn(self, bench: "_Bench", ask: Prompt | Reply, script: Script, model: str | None) -> Turn:
        key, prompt = (ask.id, ask) if isinstance(ask, Prompt) else (ask.question.id, ask.prompt)
        session = bench.session
        if not session.directory.is_dir():
            raise WorkFailed(f"There is no directory {session.directory}.")
        turns = await self._turns(session.id)
        if key in turns:
            return turns[key]
        self._sessions[session.id] = turns
        self.open_sessions.add(session.id)
        self.prompts.append(prompt.text)
        self.models.append(model)
        answer = script(prompt.text, session.directory)
        await bench.work(answer)
        question = answer.question if answer.question and bench.may_ask(answer.question) else None
        if question is not None:
            self.open_sessions.discard(session.id)
        turns[key] = Turn(
            text="" if question is not None else answer.text,
            session_id=session.id,
            turns=1 + len(answer.files),
            session_cost_usd=_COST_USD * (len(turns) + 1),
            tokens=Tokens(input=len(prompt.text) // 4, output=len(answer.text) // 4),
            finished=answer.finished,
            question=question,
        )
        if self._archive is not None:
            entry = {"uuid": key, "turn": turns[key].model_dump(mode="json")}
            await self._archive.keep_entries(session.id, "", [entry])
        return turns[key]

    async def _turns(self, session_id: str) -> dict[str, Turn]:
        """The session's turns by what was asked, here and elsewhere."""
        found = self._sessions.get(session_id, {})
        archived = {} if self._archive is None else await self._archive.entries(session_id)
        return found | {each["uuid"]: Turn.model_validate(each["turn"]) for each in archived.get("", ())}


class _Bench:
    """What one turn may touch, and where it tells of it."""

    def __init__(self, session: SessionRef, emit: Emit, permission: Permission, *, role: str) -> None:
        self.session = session
        self._places = Places(worktrees=session.worktrees, state=session.directory / "no-state")
        self._emit = emit
        self._permission = permission
        self._role = role

    async def work(self, answer: Answer) -> None:
        """Write the files, and say the text as it grows and when it is whole."""
        for path, text in answer.files.items():
            await self._write(path, text)
        if answer.text:
            await self._emit(EventKind.WRITING, {"text": answer.text.split("\n")[0], "role": self._role})
            await self._emit(EventKind.TEXT, {"text": answer.text, "role": self._role})

    def may_ask(self, question: Question) -> bool:
        """Whether the turn stops for people here; where it may not, it goes on without."""
        if question.plan is None:
            return self._ruling(ASK, {}).decision == "defer"
        return self._ruling(PROPOSE, {"plan": question.plan}).decision == "defer"

    async def _write(self, path: str, text: str | None) -> None:
        call = {"id": f"toolu_{uuid.uuid4().hex[:12]}", "role": self._role}
        tool = "Bash" if text is None else "Write"
        given = {"command": f"rm -f {path}"} if text is None else {"file_path": path, "content": text}
        await self._emit(EventKind.TOOL_CALLED, {**call, "name": tool, "input": given})
        ruled = self._ruling(tool, given)
        if ruled.decision == "allow":
            _change(self.session.directory / path, text)
        content = ruled.reason or f"{path} written"
        await self._emit(EventKind.TOOL_RETURNED, {**call, "content": content, "failed": bool(ruled.reason)})

    def _ruling(self, tool: str, given: Mapping[str, str]) -> Ruling:
        call = Call(tool=tool, input=given, cwd=self.session.directory)
        return ruling(self._permission, call, self._places)


def _change(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
