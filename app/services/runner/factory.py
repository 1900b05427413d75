"""Puts the runner together."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.database import Database
from app.domain.eligibility import Starters
from app.domain.redaction import Redactor
from app.models import PipelineOptions
from app.sandbox import Sandbox
from app.services.checks import make_checks
from app.services.claude_code import ClaudeCode, make_claude_code
from app.services.engine import Engine, get_engine, make_engine
from app.services.gateway import make_gateway
from app.services.github import make_repositories
from app.services.github.forge import Forge
from app.services.langfuse import make_langfuse
from app.services.pipeline import Hands, get_hands, make_pipeline
from app.services.runner.base import Runner
from app.services.runner.caretaking import Caretaker
from app.services.runner.client import Limits, TicketRunner
from app.services.runner.estate import Estate
from app.services.runner.housekeeping import Ages
from app.services.store import make_store
from app.services.tracker import Tracker, get_tracker, make_tracker


def make_runner(
    settings: Settings,
    *,
    claude_code: ClaudeCode | None = None,
    forge: Forge | None = None,
    tracker: Tracker | None = None,
    lock_wait_s: float = 60.0,
) -> Runner:
    """A runner with a database connection, an engine and hands of its own, as the settings want them.

    `claude_code`, `forge` and `tracker` take the place of those that the settings name. `lock_wait_s` is how long
    `start` waits for another process that works on the same database.
    """
    database = Database.of(settings)
    store, sandbox = make_store(database, secrets=settings.secrets), Sandbox.of(settings)
    gateway = make_gateway(settings, ledger=store)
    archive = store if store.shared else None
    hands = Hands(
        store=store,
        sandbox=sandbox,
        gateway=gateway,
        claude_code=claude_code or make_claude_code(settings, gateway=gateway, sandbox=sandbox, archive=archive),
        repositories=make_repositories(settings, forge=forge),
        checks=make_checks(settings, sandbox=sandbox),
        langfuse=make_langfuse(settings),
        stall_s=settings.stall_minutes * 60,
        redact=Redactor(settings.secrets).redact,
    )
    engine = make_engine(settings, database, lock_wait_s=lock_wait_s)
    return _together(settings, hands, engine, tracker or make_tracker(settings))


@lru_cache
def get_runner() -> Runner:
    """The runner of this process."""
    return _together(get_settings(), get_hands(), get_engine(), get_tracker())


def _together(settings: Settings, hands: Hands, engine: Engine, tracker: Tracker) -> Runner:
    options = PipelineOptions(
        review=settings.pipeline_review,
        lint=settings.pipeline_lint,
        tests=settings.pipeline_tests,
        dry_run=settings.dry_run,
    )
    estate = Estate.of(
        settings,
        store=hands.store,
        engine=engine,
        repositories=hands.repositories,
        claude_code=hands.claude_code,
        sandbox=hands.sandbox,
    )
    models = {settings.claude_model: settings.claude_model, **settings.claude_models}
    return TicketRunner(
        hands=hands,
        engine=engine,
        pipeline=make_pipeline(hands),
        tracker=tracker,
        options=options,
        models=models,
        limits=Limits(
            job_s=settings.max_job_minutes * 60,
            drain_s=settings.drain_seconds,
            disk=estate.disk,
        ),
        care=Caretaker(estate, ages=Ages.of(settings)),
        starters=Starters.of(settings.trigger_allowed_users),
    )
