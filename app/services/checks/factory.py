"""Picks the checks: programs of this machine, offline too; tests make a mock by themselves."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.sandbox import Sandbox
from app.services.checks.base import Checks
from app.services.checks.client import ChecksClient


def make_checks(settings: Settings, *, sandbox: Sandbox) -> Checks:
    """Checks as the settings want them, in the rooms of a sandbox."""
    return ChecksClient(limit_s=settings.check_timeout_s, sandbox=sandbox)


@lru_cache
def get_checks(*, sandbox: Sandbox) -> Checks:
    """The checks of this process."""
    return make_checks(get_settings(), sandbox=sandbox)
