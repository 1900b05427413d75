"""Directories of sessions that no conversation will ask again: of reviewers, and of spares of earlier processes."""

import asyncio

from app.domain.naming import REVIEWER, id_in_run
from app.sandbox import Leftovers
from app.services.claude_code.base import ClaudeCode
from app.services.store.base import Store


async def stray_sessions(*, store: Store, claude_code: ClaudeCode, leftovers: Leftovers) -> tuple[str, ...]:
    """Their ids. A session that a program is in is none, nor is a reviewer whose run is worked on.

    What this machine has is asked first: whatever begins afterwards is not looked at.
    """
    here = await claude_code.sessions()
    busy = await asyncio.to_thread(leftovers.rooms)
    reviewers = {id_in_run(run_id, REVIEWER) for run_id, _ in await store.in_work()}
    wanted = busy | reviewers | await store.sessions()
    return tuple(sorted(set(here) - wanted))
