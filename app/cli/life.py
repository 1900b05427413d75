"""The beginning and the end of a process that works on tickets until it is told to end."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer

from app import logger
from app.config import Settings, get_settings
from app.domain.redaction import Redactor
from app.services.runner import Runner

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Told:
    """What the process was told: to end, and then to end at once."""

    end: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: asyncio.Event = field(default_factory=asyncio.Event)


def begin() -> Settings:
    """The settings, fit for what is to be done, with the log that they want. Raises ConfigurationError."""
    settings = get_settings()
    settings.require_production_ready()
    for name in settings.secrets:  # the Agent SDK hands this process's whole environment on
        os.environ.pop(name, None)
    logger.configure(settings.log_level, redact=Redactor(settings.secrets).redact)
    return settings


@contextmanager
def signals() -> Iterator[Told]:
    """The first Ctrl-C or SIGTERM tells to end, the second to end at once; the third one kills."""
    loop, told = asyncio.get_running_loop(), Told()

    def tell() -> None:
        if not told.end.is_set():
            told.end.set()
            return
        told.at_once.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _SIGNALS:
        loop.add_signal_handler(number, tell)
    try:
        yield told
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def drained(runner: Runner, told: Told, *, within_s: float) -> None:
    """Return when the process was told to end and the runner is ready to, or at once when it was told so.

    `within_s` is what a person at a terminal is told of the time that this may take.
    """
    await told.end.wait()
    _tell_person(runner, within_s)
    draining = asyncio.create_task(runner.drain())
    hurried = asyncio.create_task(told.at_once.wait())
    try:
        await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        draining.cancel()
        hurried.cancel()


def _tell_person(runner: Runner, within_s: float) -> None:
    if sys.stderr.isatty() and (tickets := runner.at_work):
        waits = f"Up to {within_s:.0f} seconds for {', '.join(tickets)} to end, or to come to where it can go on."
        typer.echo(f"{waits} Press Ctrl-C again to end at once; nothing is lost.", err=True)
