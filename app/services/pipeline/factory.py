"""Puts the pipeline together."""

from functools import lru_cache

from app.config import get_settings
from app.domain.redaction import Redactor
from app.sandbox import get_sandbox
from app.services.checks import get_checks
from app.services.claude_code import get_claude_code
from app.services.gateway import get_gateway
from app.services.github import get_repositories
from app.services.langfuse import get_langfuse
from app.services.pipeline.base import Pipeline
from app.services.pipeline.client import LocalPipeline
from app.services.pipeline.context import Hands
from app.services.store import get_store


@lru_cache
def get_hands() -> Hands:
    """The hands of this process."""
    store, sandbox = get_store(), get_sandbox()
    gateway = get_gateway(ledger=store)
    return Hands(
        store=store,
        sandbox=sandbox,
        gateway=gateway,
        claude_code=get_claude_code(gateway=gateway, sandbox=sandbox, archive=store if store.shared else None),
        repositories=get_repositories(),
        checks=get_checks(sandbox=sandbox),
        langfuse=get_langfuse(),
        stall_s=get_settings().stall_minutes * 60,
        redact=Redactor(get_settings().secrets).redact,
    )


def make_pipeline(hands: Hands) -> Pipeline:
    """A pipeline with these hands."""
    return LocalPipeline(hands=hands)


@lru_cache
def get_pipeline() -> Pipeline:
    """The pipeline of this process."""
    return make_pipeline(get_hands())
