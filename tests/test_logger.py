"""Log lines are JSON, and hold no secret wherever somebody puts one."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from app import logger
from app.domain.redaction import Redactor

SECRET = "Zk3-9vQ_w8Lr2XyT7b"
LEFT = "[redacted: GH_TOKEN]"


class Log:
    """What was logged since it began."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        logger.configure("info", stream=self._stream, redact=Redactor({"GH_TOKEN": SECRET}).redact)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def line(self) -> dict[str, Any]:
        """The one line of it."""
        line: dict[str, Any] = json.loads(self.text)
        return line


@pytest.fixture
def log() -> Iterator[Log]:
    """The process's log, for one test."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield Log()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


def test_a_line_tells_its_event_level_logger_and_fields(log: Log) -> None:
    logger.get_logger("test_logger.fields").info("cloned", seconds=1.5, files=[1, None, True])
    line = log.line
    assert (line["event"], line["level"], line["logger"]) == ("cloned", "info", "test_logger.fields")
    assert (line["seconds"], line["files"]) == (1.5, [1, None, True])


class Remote:
    """Something that says its secret where it is shown."""

    def __repr__(self) -> str:
        return f"Remote({SECRET})"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (f"with {SECRET}", f"with {LEFT}"),
        ({"headers": [("token", SECRET)], SECRET: 1}, {"headers": [["token", LEFT]], LEFT: 1}),
        (Path("/x") / SECRET, f"PosixPath('/x/{LEFT}')"),
        (Remote(), f"Remote({LEFT})"),
        ({Remote()}, f"{{Remote({LEFT})}}"),
    ],
)
def test_no_field_of_a_line_holds_a_secret(log: Log, value: object, left: object) -> None:
    logger.get_logger("test_logger.values").warning("pushed", value=value)
    assert log.line["value"] == left


def test_no_traceback_holds_a_secret(log: Log) -> None:
    try:
        raise ValueError(f"cannot reach https://x:{SECRET}@host")
    except ValueError:
        logger.get_logger("test_logger.traceback").exception("failed")
    assert f"ValueError: cannot reach https://x:{LEFT}@host" in log.line["exception"]
    assert SECRET not in log.text


def test_no_line_of_a_library_holds_a_secret(log: Log) -> None:
    logging.getLogger("library").warning("GET %s %r", f"/x?token={SECRET}", Remote())
    assert log.line["event"] == f"GET /x?token={LEFT} Remote({LEFT})"


def test_what_is_bound_to_a_task_holds_no_secret(log: Log) -> None:
    with structlog.contextvars.bound_contextvars():
        logger.bind(ticket=SECRET)
        logger.get_logger("test_logger.bound").info("began")
    assert log.line["ticket"] == LEFT
