"""One CLI process that holds one session."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    CLIConnectionError,
    CLINotFoundError,
    Message,
    ProcessError,
    ResultMessage,
    SystemMessage,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from app.errors import SessionLost, WorkFailed
from app.results import Account
from app.sandbox import Room
from app.services.claude_code.base import Permission, Reply, SessionRef
from app.services.claude_code.doors import Door, Surroundings
from app.services.claude_code.gate import Gate
from app.services.claude_code.options import PASSED, Opening, environment_of, options_of, settings_of, way_of
from app.services.claude_code.permissions import Places
from app.services.claude_code.results import end_in_words

_CLOSE_LIMIT_S = 10.0
_INTERRUPT_LIMIT_S = 10.0
_STDERR_LINES = 20
_OUR_WORDS = "auto-code: "
"""How a line begins that the room's supervisor says."""
_NOBODY = Account(ticket="", run_id="")


class ModelSilent(Exception):
    """The model said nothing for the time it is given, and no tool was at work."""


class LiveSession:
    """Opens, asks, interrupts, closes. One question at a time; not to be used again once `lost`."""

    def __init__(self, *, surroundings: Surroundings, opening: Opening, reply: Reply | None = None) -> None:
        self.session = opening.session
        self._around = surroundings
        self._cli = surroundings.cli
        self._opening_as = opening
        self._settings = settings_of(opening.session, opening.model)
        self._planning = opening.planning
        waiting = opening.history.waiting
        call = waiting.question.id if waiting is not None else None
        self._gate = Gate(places=self._places(), waiting=call, reply=reply)
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._room = self._make_room(opening)
        self._door: Door | None = None
        self._account: Account | None = None
        self._client = ClaudeSDKClient()
        self._pid: int | None = None
        self._opening: asyncio.Task[None] | None = None
        self.lost = False

    def open_soon(self) -> None:
        """Begin to open; `ready` waits for it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())

    async def ready(self) -> None:
        """Return when the session can be asked. Raises WorkFailed when there is no CLI, SessionLost when it ended."""
        self.open_soon()
        if self._opening is not None:
            await asyncio.shield(self._opening)

    def can_work_at(self, session: SessionRef) -> bool:
        """Whether its room lets it work where the session does."""
        reaches = self._around.sandbox.covers
        return set(session.reads) <= set(self._room.reads) and all(
            reaches(self._room, each) for each in session.worktrees
        )

    async def move_to(self, session: SessionRef) -> None:
        """Work where `session` does. Another directory only before the first prompt, as if it had begun there."""
        await self.ready()
        if session.directory != self.session.directory:
            await self._set_directory(str(session.directory))
        self.session = session

    def begin(self, account: Account | None) -> None:
        """A turn begins: what it asks of the model is charged to `account`. It may begin while the process opens."""
        self._account = account or _NOBODY
        if self._door is not None:
            self._door.begin(self._account)

    @property
    def is_refused(self) -> bool:
        """The model was not asked in this turn, or refuses everybody."""
        return self._door is not None and self._door.refusal() is not None

    def end(self) -> WorkFailed | None:
        """The turn has ended, and nothing is asked of the model any more. Why the model was not asked, where so."""
        self._account = None
        if self._door is None:
            return None
        self._door.end()
        return self._door.refusal()

    async def prepare(self, permission: Permission, model: str) -> None:
        """Be ready for a turn that may do this, with that model. Neither changes what its requests begin with."""
        self.allow(permission)
        await self.ready()
        if (settings := settings_of(self.session, model)) != self._settings:
            # Not "set_model", which asks the model a question of its own before it answers.
            await self._control({"subtype": "apply_flag_settings", "settings": settings})
            self._settings = settings
        if (planning := permission is Permission.PLAN) != self._planning:
            # Only in its plan mode does the CLI tell of a plan file and take a plan.
            await self._control({"subtype": "set_permission_mode", "mode": "plan" if planning else "default"})
            self._planning = planning

    def allow(self, permission: Permission) -> None:
        """Hold the calls from now on to what a turn may do."""
        self._gate.begin(permission, self._places())

    async def ask(self, prompt_id: str | None, text: str) -> AsyncIterator[Message]:
        """The messages of one turn, ended by its ResultMessage.

        Raises ModelSilent after the time of silence that the settings give, SessionLost when the process ends.
        """
        await self.ready()
        with self._loss_told():
            await self._client.query(_one(prompt_id, text, self.session.id))
        async for message in self.go_on():
            yield message

    async def go_on(self) -> AsyncIterator[Message]:
        """The messages of the turn that opening took up again, likewise."""
        await self.ready()
        tools: set[str] = set()
        messages = aiter(self._client.receive_response())
        while True:
            try:
                # A tool may be quiet for as long as it takes; it has a limit of its own.
                with self._loss_told():
                    async with asyncio.timeout(None if tools else self._cli.idle_s):
                        message = await anext(messages)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ModelSilent from None
            self._follow(message, tools)
            yield message

    async def interrupt(self) -> bool:
        """Stop the turn, and take in its end; False when the process did not obey and was ended instead."""
        try:
            async with asyncio.timeout(_INTERRUPT_LIMIT_S):
                await self._client.interrupt()
                async for message in self._client.receive_response():
                    if isinstance(message, ResultMessage):
                        return True
        except (TimeoutError, ClaudeSDKError):
            pass
        await self.close()
        return False

    async def close(self) -> None:
        """End the process and what it started."""
        self.lost = True
        try:
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                if self._opening is not None:
                    await asyncio.wait({self._opening})  # the SDK cannot be cancelled half-way through its connect
                await self._client.disconnect()
        except (TimeoutError, ClaudeSDKError):
            if self._pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGTERM)
        finally:
            if self._door is not None:
                await self._door.close()

    async def _open(self) -> None:
        self._cli.config_directory(self.session.id).mkdir(parents=True, exist_ok=True)
        if not os.access(self._cli.cli, os.X_OK):
            raise WorkFailed(f"There is no Claude Code at {self._cli.cli}. Install auto-code's dependencies again.")
        self._door = await self._around.gateway.open(self.session.id)
        if self._account is not None:
            self._door.begin(self._account)
        self._client = ClaudeSDKClient(self._options(self._door))
        try:
            await self._client.connect()
            self._pid = self._started()
        except CLINotFoundError as error:
            raise WorkFailed(
                f"Claude Code could not be started: {error}. Install auto-code's dependencies again."
            ) from error
        except (CLIConnectionError, ClaudeSDKError) as error:
            self.lost = True
            raise SessionLost(f"Claude Code ended while it started: {self._last_words(error)}") from error

    def _started(self) -> int | None:
        """The process that the SDK started: not the CLI itself, whose own number may be of another namespace."""
        started = getattr(self._client._transport, "_process", None)  # noqa: SLF001
        return None if started is None else started.pid

    def _make_room(self, opening: Opening) -> Room:
        """The room, but for the port of its door."""
        session, own = opening.session, self._cli.config_directory(opening.session.id)
        writes, reads = (session.worktrees, ()) if opening.role.writes else ((), session.worktrees)
        return self._around.sandbox.room(
            session.id, writes=(own, *writes), reads=(self._cli.cli, *session.reads, *reads)
        )

    def _options(self, door: Door) -> ClaudeAgentOptions:
        sandbox, opening = self._around.sandbox, self._opening_as
        self._room = replace(self._room, ports=(door.port,))
        way = way_of(self._cli, url=door.url, token=door.token)
        own = {**environment_of(self._cli, opening.session.id), **way.environment}
        entrance = sandbox.entrance(
            self._room,
            env={**sandbox.environment(self._room), **own},
            program=(self._cli.cli,),
            passes=PASSED,
            handed=way.handed,
        )
        return options_of(
            opening,
            self._gate,
            launcher=sandbox.launcher,
            env=entrance,
            config=self._cli.config_directory(opening.session.id),
            on_stderr=self._stderr.append,
        )

    async def _set_directory(self, path: str) -> None:
        # Trust in the directory says nothing here, because no settings are read from it.
        request = {"subtype": "set_cwd", "path": path}
        answer = await self._control(request)
        if answer.get("status") == "needs_trust":
            trusted = {"trust_accepted": True, "trusted_directory": answer.get("directory")}
            answer = await self._control({**request, **trusted})
        if answer.get("status") != "ok":
            self.lost = True
            raise SessionLost(f"The Claude Code process could not move to {path}: {answer}.")

    async def _control(self, request: dict[str, Any]) -> dict[str, Any]:
        """One of the CLI's control requests; the Python SDK has no names of its own for all of them."""
        try:
            query = self._client._query  # noqa: SLF001
            answer: dict[str, Any] = await query._send_control_request(request) if query else {}  # noqa: SLF001
        except Exception as error:  # the SDK raises bare exceptions for refused control requests
            self.lost = True
            raise SessionLost(f"Claude Code refused {request['subtype']}: {self._last_words(error)}") from error
        return answer

    def _places(self) -> Places:
        state = self._cli.config_directory(self.session.id)
        return Places(worktrees=self.session.worktrees, state=state)

    def _follow(self, message: Message, at_work: set[str]) -> None:
        """Keep which tools are at work, and the CLI's mode, which an approved plan changes."""
        if isinstance(message, AssistantMessage) and message.parent_tool_use_id is None:
            at_work.update(block.id for block in message.content if isinstance(block, ToolUseBlock))
        elif isinstance(message, UserMessage) and isinstance(message.content, list):
            at_work.difference_update(b.tool_use_id for b in message.content if isinstance(b, ToolResultBlock))
        elif isinstance(message, SystemMessage) and message.data.get("permissionMode"):
            self._planning = message.data["permissionMode"] == "plan"

    @contextlib.contextmanager
    def _loss_told(self) -> Iterator[None]:
        try:
            yield
        except ClaudeSDKError as error:
            self.lost = True
            raise SessionLost(f"Claude Code ended in the middle of a turn: {self._last_words(error)}") from error

    def _last_words(self, error: BaseException) -> str:
        """What is known of the end, as one sentence's second half."""
        said = " ".join(line.strip().removeprefix(_OUR_WORDS) for line in self._stderr if line.strip())
        if not said and isinstance(error, ProcessError) and error.exit_code is not None:
            said = end_in_words(error.exit_code)
        return f"{(said or ' '.join(str(error).split()))[-500:].rstrip('.')}."


async def _one(prompt_id: str | None, text: str, session_id: str) -> AsyncIterator[dict[str, Any]]:
    message = {"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None}
    # The CLI keeps this id in its transcript, and takes no message twice.
    yield {**message, "session_id": session_id, **({"uuid": prompt_id} if prompt_id else {})}
