"""What runs wait for people with, and what people said, inside a transaction. Synchronous."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.domain.naming import bucket_of, work_id
from app.errors import Conflict, NotFound
from app.models import (
    Answer,
    Decision,
    EventKind,
    PipelineOptions,
    Question,
    Receipt,
    Request,
    Run,
    RunMode,
    RunStatus,
    StageStatus,
    Trigger,
    Work,
)
from app.services.store import claims, moves, rows
from app.services.store.base import Enqueue
from app.services.store.claims import OF_PEOPLE
from app.services.store.tables import questions, runs


def ask(connection: sa.Connection, run_id: str, question: Question) -> None:
    """Let the run wait for people; asked once."""
    run = rows.lock_run(connection, run_id)
    if _find(connection, run.ticket, question.id) is not None:
        return
    if question.plan is not None:
        question = question.model_copy(update={"version": _next_version(connection, run.ticket)})
    asked = question.model_dump(mode="json")
    row = {"ticket": run.ticket, "id": question.id, "run_id": run_id, "version": question.version}
    connection.execute(sa.insert(questions).values(**row, question=asked, asked_at=rows.now()))
    kind = EventKind.QUESTION_ASKED if question.plan is None else EventKind.PLAN_PROPOSED
    rows.append(connection, run_id, kind, asked)
    moves.move(connection, run_id, RunStatus.NEEDS_INPUT)


def answer(connection: sa.Connection, ticket: str, question_id: str, said: Answer, enqueue: Enqueue) -> Receipt:
    """Let the run go on, or an approved plan begin a run of its own: see `Store.answer`."""
    rows.lock_conversation(connection, ticket)
    decision = _still_open(connection, ticket, question_id)
    run = rows.read_run(connection, decision.run_id)
    kept = said.model_dump(mode="json")
    values = {"answer": kept, "answered_at": rows.now()}
    connection.execute(sa.update(questions).where(_is(ticket, question_id)).values(**values))
    rows.append(connection, run.id, EventKind.ANSWERED, {"question": question_id, **kept})
    if decision.question.plan is not None and said.approved:
        run_id = _follow_plan(connection, run, question_id, said, enqueue)
    else:
        run_id = _go_on(connection, run, question_id, enqueue)
    return Receipt(status="answered", ticket=ticket, run_id=run_id)


def waiting(connection: sa.Connection, tickets: Sequence[str]) -> dict[str, Decision]:
    """The question that a run waits with, of each of the tickets that has one."""
    query = sa.select(questions).join(runs, runs.c.id == questions.c.run_id).order_by(questions.c.asked_at)
    query = query.where(questions.c.ticket.in_(tickets), questions.c.answered_at.is_(None))
    found = connection.execute(query.where(runs.c.status == RunStatus.NEEDS_INPUT)).mappings()
    return {row["ticket"]: _decision(row) for row in found}


def decision(connection: sa.Connection, ticket: str, question_id: str | None) -> Decision | None:
    """A question with what became of it."""
    return None if question_id is None else _find(connection, ticket, question_id)


def decisions(connection: sa.Connection, ticket: str) -> tuple[Decision, ...]:
    """All of a conversation, oldest first."""
    query = sa.select(questions).where(questions.c.ticket == ticket).order_by(questions.c.asked_at)
    return tuple(map(_decision, connection.execute(query).mappings()))


def _go_on(connection: sa.Connection, run: Run, question_id: str, enqueue: Enqueue) -> str:
    mine = runs.c.id == run.id
    leg = connection.execute(sa.select(runs.c.leg).where(mine)).scalar_one() + 1
    values = {"leg": leg, "answering": question_id, "queued_at": rows.now()}
    connection.execute(sa.update(runs).where(mine).values(**values))
    moves.move(connection, run.id, RunStatus.QUEUED)
    enqueue(connection, Work(id=work_id(run.id, leg), bucket=bucket_of(run.ticket), priority=OF_PEOPLE))
    return run.id


def _follow_plan(connection: sa.Connection, run: Run, question_id: str, said: Answer, enqueue: Enqueue) -> str:
    outcome = f"{said.by} approved the plan."
    _end_stages(connection, run, outcome)
    moves.move(connection, run.id, RunStatus.IDLE, outcome=outcome, by=said.by)
    request = Request(
        mode=RunMode.EDITS, by=said.by, model=run.model, auto_pr=said.auto_pr, repositories=run.repositories
    )
    asked = connection.execute(sa.select(runs.c.options).where(runs.c.id == run.id)).scalar_one()
    options = PipelineOptions.model_validate(asked)
    return claims.begin(connection, run.ticket, request, Trigger.MESSAGE, options, enqueue, answering=question_id)


def _end_stages(connection: sa.Connection, run: Run, summary: str) -> None:
    """The stage that waited has done what it was for; the end of the run would only cut it short."""
    for name in [stage.name for stage in run.stages if stage.status is StageStatus.RUNNING]:
        rows.end_stage(connection, run.id, name, StageStatus.PASSED, 0, summary)
        ended = {"stage": name, "status": StageStatus.PASSED, "rounds": 0, "summary": summary}
        rows.append(connection, run.id, EventKind.STAGE_ENDED, ended)


def _still_open(connection: sa.Connection, ticket: str, question_id: str) -> Decision:
    found = _find(connection, ticket, question_id)
    if found is None:
        raise NotFound(f"There is no such question in the conversation of {ticket}.")
    if found.answer is not None:
        raise Conflict(f"{found.answer.by} answered this already.")
    if waiting(connection, [ticket]).get(ticket) != found:
        raise Conflict("Nobody waits for this answer any more: the conversation went on without it.")
    return found


def _next_version(connection: sa.Connection, ticket: str) -> int:
    known = sa.select(sa.func.max(questions.c.version)).where(questions.c.ticket == ticket)
    return (connection.execute(known).scalar() or 0) + 1


def _find(connection: sa.Connection, ticket: str, question_id: str) -> Decision | None:
    row = connection.execute(sa.select(questions).where(_is(ticket, question_id))).mappings().first()
    return None if row is None else _decision(row)


def _is(ticket: str, question_id: str) -> Any:
    return sa.and_(questions.c.ticket == ticket, questions.c.id == question_id)


def _decision(row: sa.RowMapping) -> Decision:
    return Decision.model_validate(dict(row))
