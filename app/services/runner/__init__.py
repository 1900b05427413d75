"""The runner: when tickets are worked on."""

from app.services.runner.base import Delivery, Runner
from app.services.runner.factory import get_runner, make_runner

__all__ = ["Delivery", "Runner", "get_runner", "make_runner"]
