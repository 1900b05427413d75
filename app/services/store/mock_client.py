"""A store in memory. It keeps what the real one keeps, and refuses what it refuses."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.domain.run_state import ACTIVE, has_ended, may_move
from app.errors import Conflict, NotFound, StoreUnavailable
from app.models import (
    Event,
    EventKind,
    Job,
    PipelineOptions,
    PullRequest,
    Receipt,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
)
from app.results import Turn
from app.services.store import stages
from app.services.store.base import Claim, Enqueue, Store
from app.services.store.following import follow
from app.services.store.payloads import without_null
from app.services.store.signals import Signals


@dataclass
class _Kept:
    number: int
    run: Run
    options: PipelineOptions
    events: list[Event] = field(default_factory=list)
    once: set[str] = field(default_factory=set)
    turns: dict[str, Turn] = field(default_factory=dict)


class MockStore(Store):
    """`away` makes it fail as a database that does not answer.

    A transaction is a list of what to call when it commits.
    """

    def __init__(self) -> None:
        self.away = False
        self._signals = Signals()
        self._tickets: dict[str, Ticket] = {}
        self._sessions: dict[str, str] = {}
        self._deliveries: dict[str, tuple[str, datetime]] = {}
        self._runs: dict[str, _Kept] = {}

    async def start(self) -> None:
        await self.check()

    async def stop(self) -> None:
        pass

    async def check(self) -> None:
        if self.away:
            raise StoreUnavailable("The database did not answer: it is away. Try again in a moment.")

    async def claim(self, claim: Claim, enqueue: Enqueue) -> Receipt:
        await self.check()
        if (known := self._delivered(claim)) is not None:
            return claim.refused_as_delivered(known)
        ticket, run_id = claim.ticket, str(uuid.uuid4())
        if (known := self._active_run(ticket.key)) is not None:
            if self._tickets[ticket.key] != ticket:
                self._append(known, EventKind.TICKET_UPDATED, {"summary": ticket.summary})
            self._keep(claim, known)
            return claim.refused_as_active(known)
        committed: list[Callable[[], None]] = []
        enqueue(committed, run_id)  # before anything is kept: what it raises rolls back
        self._insert(run_id, claim)
        self._keep(claim, run_id)
        for call in committed:
            call()
        return Receipt(status="accepted", ticket=ticket.key, run_id=run_id)

    async def run(self, run_id: str) -> Run:
        await self.check()
        return self._of(run_id).run

    async def runs(self, wanted: RunFilter) -> RunPage:
        await self.check()
        found = [kept for kept in reversed(self._runs.values()) if _is_wanted(kept, wanted)]
        page = found[: wanted.limit]
        more = len(found) > wanted.limit
        return RunPage(runs=tuple(kept.run for kept in page), next=page[-1].number if more else None)

    async def job(self, run_id: str) -> Job:
        await self.check()
        kept = self._of(run_id)
        run = kept.run
        return Job(
            run_id=run_id,
            ticket=self._tickets[run.ticket],
            mode=run.mode,
            trigger=run.trigger,
            options=kept.options,
            session_id=self._sessions.get(run.ticket),
            status=run.status,
        )

    async def active(self) -> tuple[str, ...]:
        await self.check()
        return tuple(run_id for run_id, kept in self._runs.items() if kept.run.status in ACTIVE)

    async def move(
        self,
        run_id: str,
        to: RunStatus,
        *,
        outcome: str | None = None,
        error: str | None = None,
        by: str | None = None,
    ) -> bool:
        await self.check()
        run = self._of(run_id).run
        if run.status == to:
            return False
        if not may_move(run.status, to):
            raise Conflict(f"Run {run_id} is {run.status}; it cannot become {to}.")
        values: dict[str, Any] = {"status": to, "outcome": outcome, "error": error}
        if run.started_at is None and to is RunStatus.RUNNING:
            values["started_at"] = _now()
        if has_ended(to):
            cut = stages.cut_short(run.stages, StageStatus.FAILED if error else StageStatus.WARNED, at=_now())
            values |= {"ended_at": _now(), "stages": cut}
        self._change(run_id, **values)
        if error is not None:
            self._append(run_id, EventKind.ERROR, {"message": error})
        payload = {"status": to, "reason": outcome, "by": by}
        self._append(run_id, EventKind.RUN_STATUS, {k: v for k, v in payload.items() if v is not None})
        return True

    async def remember_session(self, run_id: str, session_id: str) -> str:
        await self.check()
        return self._sessions.setdefault(self._of(run_id).run.ticket, session_id)

    async def append(
        self, run_id: str, kind: EventKind, payload: Mapping[str, Any], *, once: str | None = None
    ) -> int | None:
        await self.check()
        return self._append(run_id, kind, payload, once)

    async def stage_started(self, run_id: str, stage: StageName, *, visit: int = 1) -> None:
        await self.check()
        if self._append(run_id, EventKind.STAGE_STARTED, {"stage": stage}, f"{stage} started {visit}") is not None:
            self._change(run_id, stages=stages.started(self._of(run_id).run.stages, stage, at=_now()))

    async def stage_ended(
        self,
        run_id: str,
        stage: StageName,
        status: StageStatus,
        *,
        visit: int = 1,
        rounds: int = 0,
        summary: str = "",
    ) -> None:
        await self.check()
        payload = {"stage": stage, "status": status, "rounds": rounds, "summary": summary}
        if self._append(run_id, EventKind.STAGE_ENDED, payload, f"{stage} ended {visit}") is not None:
            known = self._of(run_id).run.stages
            self._change(run_id, stages=stages.ended(known, stage, status, rounds=rounds, summary=summary, at=_now()))

    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        await self.check()
        kept = self._of(run_id)
        if name in kept.turns:
            return kept.turns[name]
        own = turn.model_copy(update={"cost_usd": round(max(0.0, turn.session_cost_usd - self._spent(turn)), 6)})
        kept.turns[name] = own
        told = {"turn": name, "turns": own.turns, "duration_s": own.duration_s, "finished": own.finished}
        told |= {"cost_usd": own.cost_usd, "tokens": own.tokens.model_dump()}
        self._append(run_id, EventKind.TURN_ENDED, told)
        cost_usd, tokens = round(kept.run.cost_usd + own.cost_usd, 6), kept.run.tokens + own.tokens
        self._change(run_id, cost_usd=cost_usd, tokens=tokens)
        self._append(run_id, EventKind.COST_UPDATED, {"cost_usd": cost_usd, "tokens": tokens.model_dump()})
        return own

    async def turn(self, run_id: str, name: str) -> Turn | None:
        await self.check()
        kept = self._runs.get(run_id)
        return None if kept is None else kept.turns.get(name)

    async def add_pull_request(self, run_id: str, pull_request: PullRequest) -> None:
        await self.check()
        known = self._of(run_id).run.pull_requests
        if all(other.url != pull_request.url for other in known):
            self._change(run_id, pull_requests=(*known, pull_request))
            self._append(run_id, EventKind.PULL_REQUEST, pull_request.model_dump(mode="json"))

    async def events(self, run_id: str, *, after: int = 0, limit: int = 200) -> Sequence[Event]:
        await self.check()
        return tuple(self._of(run_id).events[after : after + limit])

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        return follow(self, self._signals, run_id, after=after)

    def _of(self, run_id: str) -> _Kept:
        if run_id not in self._runs:
            raise NotFound(f"There is no run {run_id}.")
        return self._runs[run_id]

    def _change(self, run_id: str, **values: Any) -> None:
        kept = self._of(run_id)
        kept.run = kept.run.model_copy(update=values)

    def _append(self, run_id: str, kind: EventKind, payload: Mapping[str, Any], once: str | None = None) -> int | None:
        kept, stored = self._of(run_id), json.loads(json.dumps(without_null(payload)))
        if once in kept.once:
            return None
        if once is not None:
            kept.once.add(once)
        kept.events.append(Event(seq=len(kept.events) + 1, kind=kind, at=_now(), payload=stored))
        self._signals.wake(run_id)
        return len(kept.events)

    def _spent(self, turn: Turn) -> float:
        turns = (other for kept in self._runs.values() for other in kept.turns.values())
        return max((other.session_cost_usd for other in turns if other.session_id == turn.session_id), default=0.0)

    def _active_run(self, key: str) -> str | None:
        found = (kept.run for kept in self._runs.values() if kept.run.ticket == key)
        return next((run.id for run in found if run.status in ACTIVE), None)

    def _delivered(self, claim: Claim) -> str | None:
        for name, since in claim.deliveries:
            run_id, at = self._deliveries.get(name, (None, None))
            if run_id is None or at is None:
                continue
            if since is None or (at >= since and self._runs[run_id].run.status is not RunStatus.FAILED):
                return run_id
        return None

    def _keep(self, claim: Claim, run_id: str) -> None:
        self._tickets[claim.ticket.key] = claim.ticket
        self._deliveries |= {name: (run_id, _now()) for name, _ in claim.deliveries}

    def _insert(self, run_id: str, claim: Claim) -> None:
        run = Run(
            id=run_id,
            ticket=claim.ticket.key,
            status=RunStatus.QUEUED,
            mode=claim.mode,
            trigger=claim.trigger,
            created_at=_now(),
        )
        self._runs[run_id] = _Kept(number=len(self._runs) + 1, run=run, options=claim.options)
        self._append(run_id, EventKind.RUN_STATUS, {"status": RunStatus.QUEUED, "trigger": claim.trigger})


def _is_wanted(kept: _Kept, wanted: RunFilter) -> bool:
    run = kept.run
    return (
        wanted.ticket in (None, run.ticket)
        and wanted.status in (None, run.status)
        and wanted.trigger in (None, run.trigger)
        and (wanted.before is None or kept.number < wanted.before)
    )


def _now() -> datetime:
    return datetime.now(UTC)
