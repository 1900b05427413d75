"""The page of metrics: what this process counted, and how things stand with all workers, as the database says it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app import metrics
from app.errors import StoreUnavailable
from app.logger import get_logger
from app.services.runner.base import Runner
from app.services.runner.disk import free_bytes

_log = get_logger(__name__)

FILE = "metrics.prom"
_WRITE_EVERY_S = 15.0
_PATIENCE_S = 2.0
"""Of a page for the database, which is most wanted while that is away."""


async def metrics_page(runner: Runner, *, workspace: Path) -> bytes:
    """All metrics in Prometheus' text format. `workspace` is on the disk whose free space is told.

    Never fails: what cannot be known is left out, and `autocode_database_up` says whether that is the database's fault.
    """
    standing = runner.standing
    parked = standing.state != "open"
    moment = metrics.Moment(
        queue=await _queue(runner),
        parked=parked,
        parked_until=standing.until.timestamp() if parked and standing.until is not None else None,
        credential_refused=standing.state == "closed",
        disk_free_bytes=_free_bytes(workspace),
    )
    return metrics.page(moment)


@asynccontextmanager
async def metrics_in_file(runner: Runner, *, workspace: Path, every_s: float = _WRITE_EVERY_S) -> AsyncIterator[None]:
    """Keep the page in the file `FILE` of the workspace as long as the block lasts, for a process without a port.

    The file goes with the block, so that nobody takes it for news.
    """
    file = workspace / FILE

    async def write() -> None:
        while True:
            page = await metrics_page(runner, workspace=workspace)
            try:
                await asyncio.to_thread(_replace, file, page)
            except OSError as error:
                _log.warning("metrics not written", file=str(file), error=error.strerror)
            await asyncio.sleep(every_s)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait({writing})
        file.unlink(missing_ok=True)


async def _queue(runner: Runner) -> metrics.Queue | None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            census, workers = await asyncio.gather(runner.census(), runner.workers())
    except (StoreUnavailable, TimeoutError):
        return None
    return metrics.Queue(
        runs={status.value: count for status, count in census.runs.items()},
        queued=census.queued,
        oldest_s=census.oldest_queued_s or 0.0,
        workers=Counter(worker.state.value for worker in workers),
    )


def _free_bytes(workspace: Path) -> int | None:
    try:
        return free_bytes(workspace)
    except OSError:
        return None


def _replace(file: Path, content: bytes) -> None:
    """Readers see the old content or the new."""
    half = file.with_suffix(".part")
    half.write_bytes(content)
    half.chmod(0o644)  # whoever collects it is another user, and nothing in it is secret
    half.replace(file)
