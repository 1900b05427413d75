"""Puts the pipeline together."""

from functools import lru_cache

from app.services.checks import get_checks
from app.services.claude_code import get_claude_code
from app.services.github import get_repositories
from app.services.langfuse import get_langfuse
from app.services.pipeline.base import Pipeline
from app.services.pipeline.client import LocalPipeline
from app.services.pipeline.context import Hands
from app.services.store import get_store


@lru_cache
def get_hands() -> Hands:
    """The hands of this process."""
    return Hands(
        store=get_store(),
        claude_code=get_claude_code(),
        repositories=get_repositories(),
        checks=get_checks(),
        langfuse=get_langfuse(),
    )


def make_pipeline(hands: Hands) -> Pipeline:
    """A pipeline with these hands."""
    return LocalPipeline(hands=hands)


@lru_cache
def get_pipeline() -> Pipeline:
    """The pipeline of this process."""
    return make_pipeline(get_hands())
