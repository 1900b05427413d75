"""Finished turns and the session that they belong to, inside a transaction. Synchronous."""

import sqlalchemy as sa

from app.models import EventKind, RunMode
from app.results import Turn
from app.services.store import rows
from app.services.store.tables import conversations, runs, turns


def record(connection: sa.Connection, run_id: str, name: str, turn: Turn) -> Turn:
    """Keep a turn under its name, with the cost that is its own; the first one of that name stays."""
    rows.lock_run(connection, run_id)
    if (known := read(connection, run_id, name)) is not None:
        return known
    before = sa.select(sa.func.max(turns.c.session_cost_usd)).where(turns.c.session_id == turn.session_id)
    spent = connection.execute(before).scalar() or 0.0
    own = turn.model_copy(update={"cost_usd": round(max(0.0, turn.session_cost_usd - spent), 6)})
    row = {"run_id": run_id, "name": name, "session_id": turn.session_id, "at": rows.now()}
    result = own.model_dump(mode="json")
    connection.execute(sa.insert(turns).values(**row, session_cost_usd=turn.session_cost_usd, result=result))
    told = {"turn": name, "turns": own.turns, "duration_s": own.duration_s, "finished": own.finished}
    told |= {"cost_usd": own.cost_usd, "tokens": own.tokens.model_dump()}
    rows.append(connection, run_id, EventKind.TURN_ENDED, told)
    total = rows.add_cost(connection, run_id, own.cost_usd, own.tokens)
    rows.append(connection, run_id, EventKind.COST_UPDATED, total)
    return own


def read(connection: sa.Connection, run_id: str, name: str) -> Turn | None:
    """The finished turn of that name, if there is one."""
    query = sa.select(turns.c.result).where(turns.c.run_id == run_id, turns.c.name == name)
    found = connection.execute(query).scalar()
    return None if found is None else Turn.model_validate(found)


def last_words(connection: sa.Connection, session_id: str) -> str:
    """What the session said at the end of its newest turn that may have changed something, and said anything."""
    joined = sa.join(turns, runs, turns.c.run_id == runs.c.id)
    query = sa.select(turns.c.result).select_from(joined).where(turns.c.session_id == session_id)
    query = query.where(runs.c.mode.in_([RunMode.EDITS, RunMode.IMPLEMENT])).order_by(turns.c.at.desc())
    said = (str(result["text"]) for result in connection.execute(query).scalars())
    return next((text for text in said if text), "")


def remember_session(connection: sa.Connection, run_id: str, session_id: str) -> str:
    """The session of the run's conversation: the one that it has, else `session_id` from now on."""
    mine = conversations.c.ticket == rows.lock_run(connection, run_id).ticket
    known = connection.execute(sa.select(conversations.c.session_id).where(mine)).scalar_one()
    if known is None:
        connection.execute(sa.update(conversations).where(mine).values(session_id=session_id))
    return known or session_id
