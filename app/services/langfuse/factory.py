"""Picks tracing: Langfuse when both of its keys are set."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.domain.redaction import Redactor
from app.services.langfuse.base import Langfuse
from app.services.langfuse.mock_client import MockLangfuse


def make_langfuse(settings: Settings) -> Langfuse:
    """Tracing as the settings want it."""
    if settings.langfuse_public_key is None or settings.langfuse_secret_key is None:
        return MockLangfuse()
    from app.services.langfuse.client import LangfuseClient  # noqa: PLC0415 - 0.7 s to import, for those who trace

    return LangfuseClient(
        public_key=settings.langfuse_public_key,
        secret_key=settings.langfuse_secret_key.get_secret_value(),
        base_url=settings.langfuse_base_url,
        model=settings.claude_model,
        redact=Redactor(settings.secrets).redact,
    )


@lru_cache
def get_langfuse() -> Langfuse:
    """Tracing of this process."""
    return make_langfuse(get_settings())
