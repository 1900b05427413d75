"""The sandbox: rooms that the agent's programs are kept in."""

from app.sandbox.entry.statuses import CANNOT_ENTER, CANNOT_START, NOT_FOUND
from app.sandbox.leftovers import Leftover, Leftovers
from app.sandbox.rooms import Room, Sandbox, get_sandbox

__all__ = ["CANNOT_ENTER", "CANNOT_START", "NOT_FOUND", "Leftover", "Leftovers", "Room", "Sandbox", "get_sandbox"]
