"""Puts the runner together."""

from functools import lru_cache

from app.config import get_settings
from app.models import PipelineOptions
from app.services.engine import get_engine
from app.services.pipeline import get_hands, get_pipeline
from app.services.runner.base import Runner
from app.services.runner.client import TicketRunner


@lru_cache
def get_runner() -> Runner:
    """The runner of this process."""
    settings = get_settings()
    options = PipelineOptions(
        review=settings.pipeline_review,
        lint=settings.pipeline_lint,
        tests=settings.pipeline_tests,
        dry_run=settings.dry_run,
    )
    return TicketRunner(hands=get_hands(), engine=get_engine(), pipeline=get_pipeline(), options=options)
