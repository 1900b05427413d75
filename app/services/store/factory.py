"""Picks the store: a database for the service; tests make a mock by themselves."""

from functools import lru_cache

from app.database import get_database
from app.services.store.base import Store
from app.services.store.client import DatabaseStore


@lru_cache
def get_store() -> Store:
    """The store of this process."""
    return DatabaseStore(database=get_database())
