"""One CLI process that holds one session."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeSDKClient,
    ClaudeSDKError,
    CLIConnectionError,
    CLINotFoundError,
    Message,
    ResultMessage,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from app.errors import SessionLost, WorkFailed
from app.services.claude_code.options import CliSettings, Role, options_of

_CLOSE_LIMIT_S = 10.0
_INTERRUPT_LIMIT_S = 10.0
_STDERR_LINES = 20


class ModelSilent(Exception):
    """The model said nothing for the time it is given, and no tool was at work."""


class LiveSession:
    """Opens, asks, interrupts, closes. One question at a time; not to be used again once `lost`."""

    def __init__(self, *, cli: CliSettings, session_id: str, directory: Path, resume: bool, role: Role) -> None:
        self.id = session_id
        self._cli = cli
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self.directory = directory
        self._client = ClaudeSDKClient(
            options_of(role, cli, session_id, directory, resume=resume, on_stderr=self._stderr.append)
        )
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

    async def move_to(self, directory: Path) -> None:
        """Make a session that was not asked anything yet work in another directory, as if it had begun there.

        The CLI has this as a control request ("set_cwd") that the Python SDK does not offer by a name of its own.
        Trust in the directory says nothing here, because no settings are read from it.
        """
        await self.ready()
        request = {"subtype": "set_cwd", "path": str(directory)}
        answer = await self._control(request)
        if answer.get("status") == "needs_trust":
            trusted = {"trust_accepted": True, "trusted_directory": answer.get("directory")}
            answer = await self._control({**request, **trusted})
        if answer.get("status") != "ok":
            self.lost = True
            raise SessionLost(f"The spare Claude Code process could not move to {directory}: {answer}.")
        self.directory = directory

    async def ask(self, prompt_id: str | None, text: str) -> AsyncIterator[Message]:
        """The messages of one turn, ended by its ResultMessage.

        Raises ModelSilent after the time of silence that the settings give, SessionLost when the process ends.
        """
        await self.ready()
        tools: set[str] = set()
        try:
            await self._client.query(_one(prompt_id, text, self.id))
            messages = aiter(self._client.receive_response())
            while True:
                try:
                    # A tool may be quiet for as long as it takes; it has a limit of its own.
                    async with asyncio.timeout(None if tools else self._cli.idle_s):
                        message = await anext(messages)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise ModelSilent from None
                _follow_tools(message, tools)
                yield message
        except ClaudeSDKError as error:
            self.lost = True
            raise SessionLost(f"Claude Code ended in the middle of a turn: {self._last_words(error)}") from error

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

    async def _open(self) -> None:
        self._cli.config_directory(self.id).joinpath("tmp").mkdir(parents=True, exist_ok=True)
        if not os.access(self._cli.cli, os.X_OK):
            raise WorkFailed(f"There is no Claude Code at {self._cli.cli}. Install auto-code's dependencies again.")
        try:
            await self._client.connect()
            self._pid = ((await self._client.get_server_info()) or {}).get("pid")
        except CLINotFoundError as error:
            raise WorkFailed(
                f"Claude Code could not be started: {error}. Install auto-code's dependencies again."
            ) from error
        except (CLIConnectionError, ClaudeSDKError) as error:
            self.lost = True
            raise SessionLost(f"Claude Code ended while it started: {self._last_words(error)}") from error

    async def _control(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            query = self._client._query  # noqa: SLF001 - see `move_to`
            answer: dict[str, Any] = await query._send_control_request(request) if query else {}  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - the SDK raises bare exceptions for refused control requests
            return {"status": str(error)}
        return answer

    def _last_words(self, error: BaseException) -> str:
        said = " ".join(line.strip() for line in self._stderr if line.strip())
        return (said or str(error))[-500:]


async def _one(prompt_id: str | None, text: str, session_id: str) -> AsyncIterator[dict[str, Any]]:
    message = {"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None}
    # The CLI keeps this id in its transcript, and takes no message twice.
    yield {**message, "session_id": session_id, **({"uuid": prompt_id} if prompt_id else {})}


def _follow_tools(message: Message, at_work: set[str]) -> None:
    """Keep which tools were called and have not answered."""
    if isinstance(message, AssistantMessage) and message.parent_tool_use_id is None:
        at_work.update(block.id for block in message.content if isinstance(block, ToolUseBlock))
    elif isinstance(message, UserMessage) and isinstance(message.content, list):
        at_work.difference_update(b.tool_use_id for b in message.content if isinstance(b, ToolResultBlock))
