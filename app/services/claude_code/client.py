"""Claude Code by its Agent SDK: one process a session, kept open from turn to turn, and one spare that waits ready."""

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from claude_agent_sdk import Message, ResultMessage, StreamEvent

from app.errors import ClaimLost, Overloaded, Parked, SessionLost, WorkFailed
from app.models import EventKind, Tokens
from app.results import Account, Turn
from app.services.claude_code.base import Archive, ClaudeCode, Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.drafts import Draft
from app.services.claude_code.live import LiveSession, ModelSilent
from app.services.claude_code.messages import Narrator, tokens_of
from app.services.claude_code.options import AUTHOR, REVIEWER, Role
from app.services.claude_code.permissions import EDITING
from app.services.claude_code.processes import Processes
from app.services.claude_code.results import raise_for_failure, turn_of
from app.services.claude_code.transcripts import Waiting
from app.services.claude_code.turns import Known, Resolve, Say, next_step

_MOST_RESUMES = 3
"""How often one turn is taken up again after silence or the loss of its process."""
_SET_ASIDE_LIMIT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One turn that is wanted of a session."""

    session: SessionRef
    ask: Prompt | Reply
    emit: Emit
    role: Role
    permission: Permission
    model: str


class ClaudeCodeClient(ClaudeCode):
    """Asks sessions. There are never more than `limit` processes, the spare among them where there is to be one."""

    def __init__(
        self, *, surroundings: Surroundings, limit: int, spare: bool = True, archive: Archive | None = None
    ) -> None:
        self._cli = surroundings.cli
        self._processes = Processes(
            surroundings=surroundings, limit=limit, spare_role=AUTHOR if spare else None, archive=archive
        )
        self._knows_files: set[str] = set()
        """Sessions that were asked something here, since when their files are no older than what they remember."""
        self._narrators: dict[str, Narrator] = {}
        self._overloaded: set[str] = set()
        """Sessions whose people know that the model is overloaded."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self, *, reads: tuple[Path, ...] = ()) -> None:
        await self._processes.remove_leftovers()
        self._processes.expected_reads = reads
        self._processes.refill()

    async def stop(self) -> None:
        await self._processes.stop()

    async def reserve(self) -> str:
        return self._processes.reserve()

    async def ground(self, session_id: str) -> Path | None:
        return await self._processes.ground(session_id)

    async def remembers(self, session_id: str) -> bool:
        return (await self._processes.history(session_id)).begun

    def waits(self, session_id: str) -> bool:
        return self._processes.waits(session_id)

    async def warm(self, session: SessionRef) -> None:
        async with self._locks[session.id]:
            if (await self._processes.history(session.id)).waiting is not None:
                return  # an open process would take up the call that waits
            try:
                live = await self._processes.open(session, AUTHOR)
                await live.ready()
            except WorkFailed:
                await self._processes.drop(session.id)  # the turn will meet the same, and say it

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        chosen = model or self._cli.model
        task = _Task(session=session, ask=ask, emit=emit, role=AUTHOR, permission=permission, model=chosen)
        async with self._locks[session.id]:
            return await self._turn(task)

    async def run_code_review(self, session: SessionRef, prompt: Prompt, emit: Emit, *, beside: str) -> Turn:
        async with self._locks[beside]:
            await self._processes.make_room(beside)
        return await self._single_turn(session, prompt, emit)

    async def close(self, session_id: str) -> None:
        await self._processes.leave(session_id)
        self._locks.pop(session_id, None)
        self._narrators.pop(session_id, None)
        self._overloaded.discard(session_id)
        self._knows_files.discard(session_id)

    async def sessions(self) -> tuple[str, ...]:
        return await self._processes.sessions()

    async def forget(self, session_id: str) -> None:
        await self.close(session_id)
        await self._processes.forget(session_id)

    async def check(self) -> str:
        self._cli.state.mkdir(parents=True, exist_ok=True)
        account = Account(ticket="auto-code check", run_id="")
        session = SessionRef(id=str(uuid.uuid4()), directory=self._cli.state / "check", account=account)
        session.directory.mkdir(exist_ok=True)
        prompt = Prompt(id=str(uuid.uuid4()), text="Answer with one word: ready")
        started = time.monotonic()
        turn = await self._single_turn(session, prompt, _nobody)
        return f"{self._cli.model} answered in {time.monotonic() - started:.1f} s for ${turn.session_cost_usd:.4f}"

    async def _single_turn(self, session: SessionRef, prompt: Prompt, emit: Emit) -> Turn:
        """The one turn of a session that only reads."""
        reading, model = Permission.READ, self._cli.model
        task = _Task(session=session, ask=prompt, emit=emit, role=REVIEWER, permission=reading, model=model)
        try:
            return await self._turn(task)
        finally:
            await self.close(session.id)

    async def _turn(self, task: _Task) -> Turn:
        """The turn, which others find in the archive when it returns. Its process ends with a claim that is lost."""
        try:
            turn = await self._persevere(task)
        except ClaimLost:
            await self._processes.drop(task.session.id)
            raise
        await self._processes.settle(task.session.id)
        return turn

    async def _persevere(self, task: _Task) -> Turn:
        """Ask, and take the turn up again as long as that can help."""
        started = time.monotonic()
        spent = Tokens()
        for resumes_left in reversed(range(_MOST_RESUMES + 1)):
            history = await self._processes.history(task.session.id)
            step = next_step(task.ask, history, files_behind=self._are_files_behind(task))
            if isinstance(step, Known):
                return step.turn(task.session.id, spent)
            try:
                result, spent = await self._step(step, task, spent)
            except (ModelSilent, SessionLost) as error:
                if isinstance(error, SessionLost):
                    await self._processes.drop(task.session.id)
                if not resumes_left:
                    raise SessionLost(self._gave_up(error)) from error
                reason = str(error) or f"The model said nothing for {self._cli.idle_s:.0f} s."
                await task.emit(EventKind.TURN_RESUMED, {"reason": reason, "role": task.role.name})
                continue
            raise_for_failure(result)
            if result.deferred_tool_use is not None:
                await self._processes.drop(task.session.id)  # only a new process takes the answer
            return turn_of(result, session_id=task.session.id, tokens=spent, duration_s=time.monotonic() - started)
        raise AssertionError("the last round returns or raises")

    def _are_files_behind(self, task: _Task) -> bool:
        """Whether the files may be older than what the session remembers of this turn. Told to it once."""
        may_be = task.session.restored and task.permission in EDITING and task.session.id not in self._knows_files
        self._knows_files.add(task.session.id)
        return may_be

    async def _step(self, step: Resolve | Say, task: _Task, spent: Tokens) -> tuple[ResultMessage, Tokens]:
        session, role, model = task.session, task.role, task.model
        if isinstance(step, Resolve):
            self._narrator(task).expect_answer(step.reply.question.id)
            live = await self._processes.open(session, role, model=model, reply=step.reply)
            live.allow(task.permission)
            return await self._hear(live, live.go_on(), task, spent)
        if step.set_aside is not None:
            await self._set_aside(task, step.set_aside)
        live = await self._processes.open(session, role, model=model)
        await live.prepare(task.permission, model)
        return await self._hear(live, live.ask(step.prompt_id, step.text), task, spent)

    async def _set_aside(self, task: _Task, waiting: Waiting) -> None:
        """End the session's waiting without an answer. No request is made."""
        await self._processes.drop(task.session.id)  # only a new process takes the call up
        live = await self._processes.open(task.session, task.role, model=task.model)
        taken_up = False
        try:
            async with asyncio.timeout(_SET_ASIDE_LIMIT_S):
                async for _ in live.go_on():
                    taken_up = True
        except TimeoutError:
            pass  # what the CLI does not take up, it marks as unanswered by itself
        finally:
            if not taken_up or not waiting.alone:  # it has lost what stood beside the question; its successor has not
                await self._processes.drop(task.session.id)

    async def _hear(
        self, live: LiveSession, messages: AsyncIterator[Message], task: _Task, spent: Tokens
    ) -> tuple[ResultMessage, Tokens]:
        """The turn's end. Raises what the model was refused for, where the turn failed for that."""
        live.begin(task.session.account)
        try:
            result, spent = await self._listen(live, messages, task, spent)
        finally:
            refusal = live.end()
        if result.is_error and refusal is not None:
            if isinstance(refusal, Parked):
                await self._tell_parked(task, refusal)
            raise refusal
        self._overloaded.discard(task.session.id)
        return result, spent

    async def _tell_parked(self, task: _Task, parked: Parked) -> None:
        """Once for an overload, however often it is met: what people can do about it stays the same."""
        if isinstance(parked, Overloaded):
            if task.session.id in self._overloaded:
                return
            self._overloaded.add(task.session.id)
        await task.emit(EventKind.PARKED, {"until": parked.until.isoformat(), "reason": parked.message})

    async def _listen(
        self, live: LiveSession, messages: AsyncIterator[Message], task: _Task, spent: Tokens
    ) -> tuple[ResultMessage, Tokens]:
        narrator, draft, ended = self._narrator(task), Draft(), False
        try:
            async for message in messages:
                if isinstance(message, ResultMessage):
                    ended = True
                    return message, spent + tokens_of(message.usage)
                if isinstance(message, StreamEvent):
                    self._processes.refill()  # now that this run waits for the model anyway
                    text = draft.grown(message)
                    if text is not None or draft.is_alive(message):
                        await task.emit(EventKind.WRITING, {"text": text or "", "role": task.role.name})
                for kind, payload in narrator.events(message):
                    if kind is not EventKind.NOTICE or not live.is_refused:  # which is said better once, at the end
                        await task.emit(kind, payload)
        finally:
            # Whatever ends the listening ends the turn: nothing may go on that nobody hears of.
            if not ended and not live.lost and not await asyncio.shield(live.interrupt()):
                await self._processes.drop(task.session.id)
        raise SessionLost("Claude Code ended a turn without a result.")

    def _narrator(self, task: _Task) -> Narrator:
        return self._narrators.setdefault(task.session.id, Narrator(role=task.role.name))

    def _gave_up(self, error: Exception) -> str:
        if isinstance(error, ModelSilent):
            return (
                f"The model went silent {_MOST_RESUMES + 1} times in one turn. Retry the run when Claude's API is well."
            )
        return f"{error} It was resumed {_MOST_RESUMES} times. Retry the run; its work is kept."


async def _nobody(_kind: EventKind, _payload: object) -> None:
    """Nobody listens to a check."""
