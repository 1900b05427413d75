"""What a crash left between the store and the engine: runs that nobody works on, and works that nobody wants.

Other workers go on meanwhile, so that both are looked at twice: what has just begun or ended is no leftover.
"""

from app.domain.naming import run_of_work
from app.errors import Conflict, NotFound
from app.logger import get_logger
from app.models import RunStatus
from app.services.engine.base import Engine
from app.services.store.base import Store

_log = get_logger(__name__)

_LOST = "The service ended again and again while it worked on this run. Look at its log, then retry it."


async def left_over(*, store: Store, engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of such runs, and such works."""
    before = await store.in_work()
    unfinished = await engine.unfinished()
    after = set(await store.in_work())
    runs = [each for each in before if each in after and each[1] not in unfinished]
    wanted = {work for _, work in (*before, *after)}
    # A worker that is in the middle of one ends it by itself.
    works = [work for work, worker in unfinished.items() if worker is None and work not in wanted]
    unwanted = [work for work in works if not await _is_wanted(work, store)]
    return tuple(run_id for run_id, _ in runs), tuple(unwanted)


async def reconcile(*, store: Store, engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """End both; the runs that were failed, and the works that were ended."""
    runs, works = await left_over(store=store, engine=engine)
    await _end(works, engine)
    return await _fail(runs, store), works


async def _fail(runs: tuple[str, ...], store: Store) -> tuple[str, ...]:
    failed = []
    for run_id in runs:
        try:
            await store.move(run_id, RunStatus.FAILED, error=_LOST)
        except Conflict:  # somebody stopped it in this moment
            continue
        _log.error("run without work", run=run_id)
        failed.append(run_id)
    return tuple(failed)


async def _end(works: tuple[str, ...], engine: Engine) -> None:
    for work in works:
        _log.warning("work without run", work=work)
        await engine.cancel(work)


async def _is_wanted(work: str, store: Store) -> bool:
    """Whether the run waits for it: claims come in all the time."""
    run_id, leg = run_of_work(work)
    try:
        job = await store.job(run_id)
    except NotFound:
        return False
    return job.leg == leg and job.status in {RunStatus.QUEUED, RunStatus.RUNNING}
