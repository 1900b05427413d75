"""The tracker: finding, showing and creating tickets."""

from app.services.tracker.base import Tracker
from app.services.tracker.factory import get_tracker, make_tracker

__all__ = ["Tracker", "get_tracker", "make_tracker"]
