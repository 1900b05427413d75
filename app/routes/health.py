"""The doors for whoever watches the process. They are open to all, and say nothing that is worth hiding."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.api.dependencies import RunnerDep
from app.api.gate import HEALTH, LIVE, READY
from app.errors import StoreUnavailable
from app.results import WorkerState

router = APIRouter(tags=["health"])


@router.get(LIVE)
async def live() -> Mapping[str, str]:
    """200 while the process answers at all, whatever else is away: if this fails, start it again."""
    return {"status": "live"}


@router.get(HEALTH, response_model=None)
async def health(runner: RunnerDep) -> JSONResponse:
    """200 while new work can be taken, else 503 with the reason. What a draining process still takes is worked off by
    others, or by its next start.
    """
    if runner.state is WorkerState.DRAINING:
        return _unavailable({"status": "draining"})
    try:
        await runner.check()
    except StoreUnavailable as error:
        return _unavailable({"status": "unavailable", "reason": error.message})
    return JSONResponse({"status": "ok"})


@router.get(READY, response_model=None)
async def ready(runner: RunnerDep) -> JSONResponse:
    """200 while this process can begin a run, else 503 with the reasons. Tickets are taken all the same."""
    hindrances = await runner.hindrances()
    if hindrances:
        return _unavailable({"status": "unready", "reasons": dict(hindrances)})
    return JSONResponse({"status": "ready"})


def _unavailable(said: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(said, status_code=503)
