"""Picks the store: a database for the service; tests make a mock by themselves."""

from collections.abc import Mapping
from functools import lru_cache

from app.config import get_settings
from app.database import Database, get_database
from app.domain.redaction import Redactor
from app.services.store.base import Store
from app.services.store.client import DatabaseStore


def make_store(database: Database, *, secrets: Mapping[str, str] | None = None) -> Store:
    """A store in the database, which keeps none of the `secrets`, name to value: those of the settings."""
    return DatabaseStore(database=database, redactor=Redactor(secrets or {}))


@lru_cache
def get_store() -> Store:
    """The store of this process."""
    return make_store(get_database(), secrets=get_settings().secrets)
