"""The engine: durable work."""

from app.services.engine.base import Engine, Steps, Workflow
from app.services.engine.factory import get_engine, make_engine

__all__ = ["Engine", "Steps", "Workflow", "get_engine", "make_engine"]
