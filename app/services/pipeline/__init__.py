"""The pipeline: the work of a run."""

from app.services.pipeline.base import Pipeline
from app.services.pipeline.context import Hands
from app.services.pipeline.factory import get_hands, get_pipeline, make_pipeline

__all__ = ["Hands", "Pipeline", "get_hands", "get_pipeline", "make_pipeline"]
