"""Picks the engine: DBOS for the service; tests make a mock by themselves."""

from functools import lru_cache

from app.config import get_settings
from app.database import get_database
from app.services.engine.base import Engine
from app.services.engine.client import DbosEngine


@lru_cache
def get_engine() -> Engine:
    """The engine of this process."""
    settings = get_settings()
    return DbosEngine(
        database=get_database(), concurrency=settings.max_concurrent_runs, retry_after_s=settings.retry_after_s
    )
