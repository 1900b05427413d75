"""Traces over Langfuse's SDK."""

import asyncio
from collections.abc import Callable
from typing import Any

from httpx import HTTPError
from langfuse import Langfuse as Sdk
from langfuse import propagate_attributes
from langfuse.api.core import ApiError
from langfuse.types import TraceContext

from app.errors import WorkFailed
from app.models import Job
from app.results import Outcome, Turn
from app.services.langfuse.base import EndTurn, Langfuse

_FLUSH_LIMIT_S = 5.0


class LangfuseClient(Langfuse):
    """One trace a run, by an id that follows from the run: a run that goes on after a crash goes on in its trace.

    `redact` takes the secrets out of all text. The SDK's own `mask` would not do: it is that of the first client that a
    process made for a key.
    """

    def __init__(
        self,
        *,
        public_key: str,
        secret_key: str,
        base_url: str,
        model: str,
        flush_limit_s: float = _FLUSH_LIMIT_S,
        redact: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._keys = {"public_key": public_key, "secret_key": secret_key, "base_url": base_url}
        self._redact = redact
        self._address = base_url
        self._model = model
        self._flush_limit_s = flush_limit_s
        self._sdk: Sdk | None = None

    async def start(self) -> None:
        self._sdk = Sdk(**self._keys)  # type: ignore[arg-type]

    async def stop(self) -> None:
        if self._sdk is not None:
            await self._in_time(self._sdk.shutdown)
            self._sdk = None

    def begin_turn(self, job: Job, name: str, prompt: str) -> EndTurn:
        if self._sdk is None:
            return lambda _turn: None
        with propagate_attributes(
            session_id=job.ticket.key, tags=[job.trigger], trace_name=f"{job.ticket.key} {job.mode}"
        ):
            generation = self._sdk.start_observation(
                trace_context=self._trace(job),
                name=name,
                as_type="generation",
                model=self._model,
                input=self._redact(prompt),
            )

        def end(turn: Turn) -> None:
            tokens = turn.tokens
            generation.update(
                output=self._redact(turn.text),
                usage_details={
                    "input": tokens.input,
                    "output": tokens.output,
                    "cache_read_input_tokens": tokens.cache_read,
                    "cache_creation_input_tokens": tokens.cache_write,
                },
                cost_details={"total": turn.cost_usd},
                metadata={"turns": turn.turns, "session": turn.session_id},
            ).end()

        return end

    async def end(self, job: Job, outcome: Outcome) -> None:
        if self._sdk is None:
            return
        with propagate_attributes(session_id=job.ticket.key, tags=[job.trigger]):
            end = self._sdk.start_observation(
                trace_context=self._trace(job),
                name="end",
                as_type="span",
                output=self._redact(outcome.model_dump(mode="json", exclude_none=True)),
            )
            end.end()
        await self._in_time(self._sdk.flush)

    async def check(self) -> str:
        sdk = Sdk(**self._keys)  # type: ignore[arg-type]
        try:
            projects = await asyncio.to_thread(sdk.api.projects.get)
        except ApiError as error:
            raise WorkFailed(
                f"Langfuse at {self._address} refused the keys (status {error.status_code}). "
                "Check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL."
            ) from error
        except HTTPError as error:
            raise WorkFailed(
                f"Langfuse at {self._address} cannot be reached ({error}). Check LANGFUSE_BASE_URL."
            ) from error
        return f"{self._address} knows the keys of {', '.join(project.name for project in projects.data)}"

    def _trace(self, job: Job) -> TraceContext:
        return TraceContext(trace_id=Sdk.create_trace_id(seed=job.run_id))

    async def _in_time(self, send: Callable[[], None]) -> None:
        """Send what is there, for at most a while: the SDK blocks as long as Langfuse is away."""
        sending = asyncio.ensure_future(asyncio.to_thread(send))
        await asyncio.wait({sending}, timeout=self._flush_limit_s)
