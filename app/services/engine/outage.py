"""A database that is away, told in two lines however long it lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from app.logger import get_logger

_log = get_logger(__name__)


class Outage:
    """Bears with a database that fails, and says so once; once more when it is well again."""

    def __init__(self) -> None:
        self._fails = set[str]()

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Do what the database is needed for; when it fails, `what` is how that is logged."""
        try:
            yield
        except SQLAlchemyError as error:
            if not self._fails:
                _log.warning("database does not answer", what=what, error=str(error).splitlines()[0])
            self._fails.add(what)
            return
        if what in self._fails:
            self._fails.clear()
            _log.info("database answers again", what=what)
