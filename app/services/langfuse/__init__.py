"""Langfuse: traces of Claude's work."""

from app.services.langfuse.base import Langfuse
from app.services.langfuse.factory import get_langfuse, make_langfuse

__all__ = ["Langfuse", "get_langfuse", "make_langfuse"]
