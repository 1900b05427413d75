"""One ticket worked on in this process, while a person watches."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from app.cli.progress import Progress
from app.errors import Conflict
from app.models import PipelineOptions, Run, Ticket, Trigger
from app.services.runner import Runner

LOG_LEVEL = "error"
"""What is less is told by the run's own events, which are on the screen."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptions() -> Iterator[asyncio.Event]:
    """Set by the first Ctrl-C or SIGTERM. The second one is Python's own again, and ends the process."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()

    def restore() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def interrupt() -> None:
        restore()
        interrupted.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        restore()


@asynccontextmanager
async def started(runner: Runner) -> AsyncIterator[None]:
    """The runner at work; stopped at the end, and when its start fails half-way."""
    try:
        await runner.start()
        yield
    finally:
        await runner.stop()


async def work_on(
    ticket: Ticket,
    *,
    runner: Runner,
    progress: Progress,
    interrupted: asyncio.Event,
    options: PipelineOptions | None = None,
) -> Run:
    """Have the runner work on the ticket, show how it goes, and return the run as it ended.

    A ticket that is being worked on already is followed from the beginning of its run. When `interrupted` is set the
    run is stopped, and its work kept.
    """
    receipt = await runner.handle_ticket(ticket, trigger=Trigger.COMMAND, options=options)
    if receipt.run_id is None:
        raise Conflict(receipt.reason or f"{ticket.key} was not taken.")
    with progress:
        following = asyncio.create_task(progress.follow(runner.follow(receipt.run_id)))
        waiting = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                await _stopped(runner, receipt.run_id)
            await following  # ends with the run
        finally:
            following.cancel()
            waiting.cancel()
    return await runner.run(receipt.run_id)


async def _stopped(runner: Runner, run_id: str) -> None:
    try:
        await runner.stop_run(run_id, by="you")
    except Conflict:
        return  # it ended by itself in the meantime
