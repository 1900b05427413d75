"""Picks the store: a database for the service; tests make a mock by themselves."""

from functools import lru_cache

from app.database import Database, get_database
from app.services.store.base import Store
from app.services.store.client import DatabaseStore


def make_store(database: Database) -> Store:
    """A store in the database."""
    return DatabaseStore(database=database)


@lru_cache
def get_store() -> Store:
    """The store of this process."""
    return make_store(get_database())
