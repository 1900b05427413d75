"""The runner is tested on the whole pipeline of stand-ins."""

from tests.services.pipeline.conftest import new_world, world

__all__ = ["new_world", "world"]
