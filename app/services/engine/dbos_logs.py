"""What DBOS logs, through the service's own handlers, and no more of it than people can read.

While a database is away, DBOS says so at each try of each of its threads: 1,458 lines in ten seconds.
"""

import logging
import re
import time
from collections.abc import Callable

from dbos import error as dbos_error

_QUIET_S = 60.0
_OF_EVERY_DAY = (
    # A run that a person stopped, or that waits for the next process, is no error.
    dbos_error.DBOSAwaitedWorkflowCancelledError,
    # The same for one that another worker has taken over, which the room itself says.
    dbos_error.DBOSWorkflowConflictIDError,
)
_AWAY = "OperationalError"
_ERROR = re.compile(r"[\w.]+(Error|Exception): ")
_ASIDE = "Asyncio task cancelled for workflow or step"


class News(logging.Filter):
    """Lets a place of DBOS's code speak once a minute in one line, of a database that is away any one of them, and none
    of what is no news.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._heard: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is news, which is cut to its first and last line."""
        if record.exc_info and isinstance(record.exc_info[1], _OF_EVERY_DAY):
            return False
        said = record.getMessage()
        if said.startswith(_ASIDE):
            return False
        about = _AWAY if _AWAY in said else f"{record.pathname}:{record.lineno}"
        now = self._clock()
        if now - self._heard.get(about, -_QUIET_S) < _QUIET_S:
            return False
        self._heard[about] = now
        record.msg, record.args = _short(said), ()
        return True


def _short(said: str) -> str:
    """DBOS writes whole tracebacks into its messages, and SQLAlchemy where to read about its errors."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "sqlalche.me" not in line]
    where, *_ = lines or [""]
    why = next((line for line in reversed(lines[1:]) if _ERROR.match(line)), None)
    return f"{where.removesuffix('Traceback (most recent call last):').strip()} {why}" if why else where


def tame() -> None:
    """Let DBOS log through the service's handlers instead of its own."""
    logger = logging.getLogger("dbos")
    logger.handlers.clear()
    logger.propagate = True
    for known in list(logger.filters):
        logger.removeFilter(known)
    logger.addFilter(News())
