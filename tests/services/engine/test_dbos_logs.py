"""What of DBOS's many lines people get to read."""

import logging

from dbos import error as dbos_error

from app.services.engine.dbos_logs import News

TRACEBACK = """Exception polling schedules: Traceback (most recent call last):
  File "base.py", line 154, in __init__
    self._dbapi_connection = engine.raw_connection()
psycopg.OperationalError: connection is bad

The above exception was the direct cause of the following exception:

sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection is bad
(Background on this error at: https://sqlalche.me/e/21/e3q8)
"""


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def record(message: str, line: int = 1, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error is not None else None
    return logging.LogRecord("dbos", logging.WARNING, "queue.py", line, message, (), info)


def test_an_outage_is_told_once_a_minute_and_in_one_line() -> None:
    clock = Clock()
    news, first = News(clock=clock), record(TRACEBACK)
    assert news.filter(first)
    shown = "Exception polling schedules: sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection is bad"
    assert first.getMessage() == shown
    assert not news.filter(record(TRACEBACK))
    assert not news.filter(record("Exception listing queues: (psycopg.OperationalError) away", line=2))
    clock.now += 61
    assert news.filter(record(TRACEBACK))


def test_other_places_are_heard_each_by_itself() -> None:
    news = News(clock=Clock())
    assert news.filter(record("one", line=1))
    assert not news.filter(record("one again", line=1))
    assert news.filter(record("100 % else", line=2))


def test_a_stopped_run_is_no_news() -> None:
    assert not News().filter(record("failed", error=dbos_error.DBOSAwaitedWorkflowCancelledError("run")))
    assert not News().filter(record("Asyncio task cancelled for workflow or step <function>"))
