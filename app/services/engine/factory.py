"""Picks the engine: DBOS for the service; tests make a mock by themselves."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.database import Database, get_database
from app.domain.redaction import Redactor
from app.services.engine.base import Engine, Patience
from app.services.engine.client import LOCK_WAIT_S, DbosEngine


def make_engine(settings: Settings, database: Database, *, lock_wait_s: float = LOCK_WAIT_S) -> Engine:
    """An engine on the database. It waits `lock_wait_s` seconds for another process to let go of an embedded one."""
    return DbosEngine(
        database=database,
        concurrency=settings.max_concurrent_runs,
        total=settings.max_concurrent_runs_total,
        per_bucket=settings.max_concurrent_runs_per_bucket,
        lock_wait_s=lock_wait_s,
        patience=Patience(retry_after_s=settings.retry_after_s, overload_s=settings.claude_patience_s),
        redact=Redactor(settings.secrets).redact,
    )


@lru_cache
def get_engine() -> Engine:
    """The engine of this process."""
    return make_engine(get_settings(), get_database())
