"""Logs: JSON lines on standard output, with the run and the ticket in each line that belongs to one."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]
_PROCESSORS: list[Processor] = [*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
"""One list for the life of the process, because loggers keep the one that they met first."""


def configure(level: str, *, stream: TextIO | None = None, redact: Callable[[str], str] = lambda text: text) -> None:
    """Send everything that anybody logs through one JSON formatter, to standard output unless another stream is given.

    `level` is a level's name in lower case. `redact` takes the secrets out of every text of a line, tracebacks too.
    """

    def redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {redact(name): _each_text(value, redact) for name, value in event.items()}

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("event"),
            redacted,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    handler.setLevel(level.upper())  # a library that sets its own logger's level passes by the root's
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "alembic", "asyncio", "claude_agent_sdk", "opentelemetry", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it with a constant event name and fields."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def bind(**fields: str) -> None:
    """Say which run and ticket the current task works on."""
    structlog.contextvars.bind_contextvars(**fields)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same value as JSON has it; what JSON does not know is its `repr`, as the renderer would write it."""
    if isinstance(value, Mapping):
        return {change(str(key)): _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return change(value if isinstance(value, str) else repr(value))
