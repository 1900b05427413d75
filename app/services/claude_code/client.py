"""Claude Code by its Agent SDK: one process a session, kept open from turn to turn, and one spare that waits ready."""

import asyncio
import time
import uuid
from collections import defaultdict

from claude_agent_sdk import ResultMessage, StreamEvent

from app.errors import SessionLost, WorkFailed
from app.models import EventKind, Tokens
from app.results import Turn
from app.services.claude_code.base import ClaudeCode, Emit, Prompt, SessionRef
from app.services.claude_code.live import LiveSession, ModelSilent
from app.services.claude_code.messages import Narrator, tokens_of
from app.services.claude_code.options import AUTHOR, REVIEWER, CliSettings, Role
from app.services.claude_code.processes import Processes
from app.services.claude_code.results import raise_for_failure, raise_for_refusal
from app.services.claude_code.transcripts import GO_ON

_MOST_RESUMES = 3
"""How often one turn is taken up again after silence or the loss of its process."""


class ClaudeCodeClient(ClaudeCode):
    """Asks sessions. There are never more than `limit` processes, the spare among them."""

    def __init__(self, *, cli: CliSettings, limit: int) -> None:
        self._cli = cli
        self._processes = Processes(cli=cli, limit=limit, spare_role=AUTHOR)
        self._narrators: dict[str, Narrator] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        self._processes.refill()

    async def stop(self) -> None:
        await self._processes.stop()

    async def reserve(self) -> str:
        return self._processes.reserve()

    async def remembers(self, session_id: str) -> bool:
        return await asyncio.to_thread(self._processes.transcript(session_id).exists)

    async def warm(self, session: SessionRef) -> None:
        async with self._locks[session.id]:
            try:
                live = await self._processes.open(session, AUTHOR)
                await live.ready()
            except WorkFailed:
                await self._processes.drop(session.id)  # the turn will meet the same, and say it

    async def run_implementation(self, session: SessionRef, prompt: Prompt, emit: Emit) -> Turn:
        async with self._locks[session.id]:
            return await self._turn(session, prompt, emit, AUTHOR)

    async def run_code_review(self, session: SessionRef, prompt: Prompt, emit: Emit, *, beside: str) -> Turn:
        async with self._locks[beside]:
            await self._processes.make_room(beside)
        try:
            return await self._turn(session, prompt, emit, REVIEWER)
        finally:
            await self._processes.drop(session.id)

    async def close(self, session_id: str) -> None:
        await self._processes.drop(session_id)
        self._locks.pop(session_id, None)
        self._narrators.pop(session_id, None)

    async def check(self) -> str:
        self._cli.state.mkdir(parents=True, exist_ok=True)
        session = SessionRef(id=str(uuid.uuid4()), directory=self._cli.state)
        prompt = Prompt(id=str(uuid.uuid4()), text="Answer with one word: ready")
        started = time.monotonic()
        try:
            turn = await self._turn(session, prompt, _nobody, REVIEWER)
        finally:
            await self._processes.drop(session.id)
        return f"{self._cli.model} answered in {time.monotonic() - started:.1f} s for ${turn.session_cost_usd:.4f}"

    async def _turn(self, session: SessionRef, prompt: Prompt, emit: Emit, role: Role) -> Turn:
        """Ask, and take the turn up again as long as that can help."""
        started = time.monotonic()
        spent = Tokens()
        for resumes_left in reversed(range(_MOST_RESUMES + 1)):
            asked = self._processes.transcript(session.id).asked(prompt.id)
            if asked is not None and asked.answer is not None:
                return Turn(text=asked.answer, session_id=session.id, session_cost_usd=asked.cost_usd, tokens=spent)
            text, prompt_id = (prompt.text, prompt.id) if asked is None else (GO_ON, None)
            try:
                live = await self._processes.open(session, role)
                result, spent = await self._ask(live, prompt_id, text, emit, role, spent)
            except (ModelSilent, SessionLost) as error:
                if isinstance(error, SessionLost):
                    await self._processes.drop(session.id)
                if not resumes_left:
                    raise SessionLost(self._gave_up(error)) from error
                reason = str(error) or f"The model said nothing for {self._cli.idle_s:.0f} s."
                await emit(EventKind.TURN_RESUMED, {"reason": reason, "role": role.name})
                continue
            raise_for_failure(result, credential=self._credential_name)
            return Turn(
                text=result.result or "",
                session_id=session.id,
                turns=result.num_turns,
                session_cost_usd=result.total_cost_usd or 0.0,
                tokens=spent,
                duration_s=round(time.monotonic() - started, 3),
                finished=result.subtype != "error_max_turns",
            )
        raise AssertionError("the last round returns or raises")

    async def _ask(
        self, live: LiveSession, prompt_id: str | None, text: str, emit: Emit, role: Role, spent: Tokens
    ) -> tuple[ResultMessage, Tokens]:
        narrator, ended = self._narrators.setdefault(live.id, Narrator(role=role.name)), False
        try:
            async for message in live.ask(prompt_id, text):
                if isinstance(message, ResultMessage):
                    ended = True
                    return message, spent + tokens_of(message.usage)
                if isinstance(message, StreamEvent):
                    self._processes.refill()  # now that this run waits for the model anyway
                raise_for_refusal(message, credential=self._credential_name)
                for kind, payload in narrator.events(message):
                    await emit(kind, payload)
        finally:
            # Whatever ends the listening ends the turn: nothing may go on that nobody hears of.
            if not ended and not live.lost and not await asyncio.shield(live.interrupt()):
                await self._processes.drop(live.id)
        raise SessionLost("Claude Code ended a turn without a result.")

    @property
    def _credential_name(self) -> str:
        return self._cli.credential[0] if self._cli.credential else "ANTHROPIC_API_KEY"

    def _gave_up(self, error: Exception) -> str:
        if isinstance(error, ModelSilent):
            return (
                f"The model went silent {_MOST_RESUMES + 1} times in one turn. Retry the run when Claude's API is well."
            )
        return f"{error} It was resumed {_MOST_RESUMES} times. Retry the run; its work is kept."


async def _nobody(_kind: EventKind, _payload: object) -> None:
    """Nobody listens to a check."""
