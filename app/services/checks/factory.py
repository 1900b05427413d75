"""Picks the checks: programs of this machine, offline too; tests make a mock by themselves."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.services.checks.base import Checks
from app.services.checks.client import ChecksClient


def make_checks(settings: Settings) -> Checks:
    """Checks as the settings want them."""
    return ChecksClient(limit_s=settings.check_timeout_s)


@lru_cache
def get_checks() -> Checks:
    """The checks of this process."""
    return make_checks(get_settings())
