"""The queue of people's messages, inside a transaction. Each becomes a run when its turn comes. Synchronous."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from app.errors import Conflict, NotFound
from app.models import Answer, Decision, EventKind, Message, PipelineOptions, Receipt, Request, Trigger
from app.services.store import claims, moves, questions, rows
from app.services.store.base import Claim, Enqueue
from app.services.store.tables import messages

_QUEUED, _DELIVERED, _WITHDRAWN = "queued", "delivered", "withdrawn"


def send(connection: sa.Connection, claim: Claim, enqueue: Enqueue, message_id: str) -> Receipt:
    """Take a message: see `Store.send`."""
    key, request = claim.ticket.key, claim.request
    known = connection.execute(sa.select(messages).where(messages.c.id == message_id)).mappings().first()
    if known is not None:
        _check_same(known, claim)
        return Receipt(status="duplicate", ticket=known["ticket"], run_id=known["run_id"], reason="it was sent already")
    claims.keep_ticket(connection, claim.ticket)
    # To open a pull request is asked without words, and is no answer.
    if request.text and (asked := questions.waiting(connection, [key]).get(key)) is not None:
        return _as_answer(connection, claim, enqueue, message_id, asked)
    _insert(connection, claim, message_id)
    run_id = claims.active_run(connection, key)
    if run_id is None:
        run_id = advance(connection, key, enqueue)
        if _is_delivered(connection, message_id):
            return Receipt(status="accepted", ticket=key, run_id=run_id)
    rows.tell(connection, key, EventKind.MESSAGE_QUEUED, {"id": message_id, **_told(request)})
    return Receipt(status="queued", ticket=key, run_id=run_id, reason=f"{key} is being worked on; it waits its turn")


def advance(connection: sa.Connection, ticket: str, enqueue: Enqueue) -> str | None:
    """Let the first message of the queue become a run; None when there is none. No run of the ticket may be active."""
    row = connection.execute(_queue_of([ticket]).limit(1)).mappings().first()
    if row is None:
        return None
    request, options = Request.model_validate(row["request"]), PipelineOptions.model_validate(row["options"])
    run_id = claims.begin(connection, ticket, request, Trigger.MESSAGE, options, enqueue)
    delivered = {"status": _DELIVERED, "run_id": run_id}
    connection.execute(sa.update(messages).where(messages.c.id == row["id"]).values(**delivered))
    return run_id


def withdraw(connection: sa.Connection, message_id: str, by: str) -> str:
    """Take a message out of the queue; the return is its ticket. Raises NotFound or Conflict."""
    ticket = _still_queued(connection, message_id)
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(status=_WITHDRAWN))
    rows.tell(connection, ticket, EventKind.MESSAGE_WITHDRAWN, {"id": message_id, "by": by})
    return ticket


def send_now(connection: sa.Connection, message_id: str, enqueue: Enqueue, by: str) -> tuple[str, str | None]:
    """Deliver a message before all others; the return is its ticket, and the work that was stopped for it."""
    ticket = _still_queued(connection, message_id)
    first = sa.select(sa.func.min(messages.c.position)).where(messages.c.ticket == ticket)
    place = connection.execute(first).scalar_one() - 1
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(position=place))
    stopped = None
    if (active := claims.active_run(connection, ticket)) is not None:
        outcome = f"Interrupted by {by}, who had something to say first. The work so far is kept."
        _, stopped = moves.stop(connection, active, outcome=outcome, by=by)
    advance(connection, ticket, enqueue)
    return ticket, stopped


def queues(connection: sa.Connection, tickets: Sequence[str]) -> Mapping[str, Sequence[Message]]:
    """The messages that wait, by ticket, in order of delivery."""
    found: defaultdict[str, list[Message]] = defaultdict(list)
    for row in connection.execute(_queue_of(tickets)).mappings():
        found[row["ticket"]].append(_message(row))
    return found


def _queue_of(tickets: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    waiting = messages.c.ticket.in_(tickets), messages.c.status == _QUEUED
    return sa.select(messages).where(*waiting).order_by(messages.c.position)


def _message(row: sa.RowMapping) -> Message:
    return Message(id=row["id"], at=row["at"], request=Request.model_validate(row["request"]))


def _as_answer(connection: sa.Connection, claim: Claim, enqueue: Enqueue, message_id: str, asked: Decision) -> Receipt:
    answer = Answer(by=claim.request.by or "somebody", text=claim.request.text)
    receipt = questions.answer(connection, claim.ticket.key, asked.question.id, answer, enqueue)
    _insert(connection, claim, message_id, status=_DELIVERED, run_id=receipt.run_id)
    return receipt


def _insert(
    connection: sa.Connection, claim: Claim, message_id: str, *, status: str = _QUEUED, run_id: str | None = None
) -> None:
    key = claim.ticket.key
    last = sa.select(sa.func.max(messages.c.position)).where(messages.c.ticket == key)
    place = (connection.execute(last).scalar() or 0) + 1
    row = {"id": message_id, "ticket": key, "position": place, "status": status, "run_id": run_id, "at": rows.now()}
    request, options = claim.request.model_dump(mode="json"), claim.options.model_dump()
    connection.execute(sa.insert(messages).values(**row, request=request, options=options))


def _check_same(known: sa.RowMapping, claim: Claim) -> None:
    """A page that a browser brings back sends other words with the id of those that were sent from it before."""
    if known["ticket"] != claim.ticket.key or known["request"]["text"] != claim.request.text:
        raise Conflict("Something else was sent from this page before. Reload the page, and send this again.")


def _is_delivered(connection: sa.Connection, message_id: str) -> bool:
    status = connection.execute(sa.select(messages.c.status).where(messages.c.id == message_id)).scalar()
    return status == _DELIVERED


def _still_queued(connection: sa.Connection, message_id: str) -> str:
    query = sa.select(messages.c.ticket, messages.c.status).where(messages.c.id == message_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound("There is no such message.")
    rows.lock_conversation(connection, row["ticket"])
    status = connection.execute(query).mappings().one()["status"]
    if status != _QUEUED:
        raise Conflict(f"The message was {status} already.")
    return str(row["ticket"])


def _told(request: Request) -> dict[str, object]:
    return {"text": request.text, "by": request.by, "mode": request.mode}
