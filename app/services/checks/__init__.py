"""The checks: a repository's own commands."""

from app.services.checks.base import Checks
from app.services.checks.factory import get_checks, make_checks

__all__ = ["Checks", "get_checks", "make_checks"]
