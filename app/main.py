"""The service: doors in front of the runner."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from app import logger
from app.api import error_handlers
from app.api.gate import Gate
from app.api.headers import SecurityHeaders
from app.api.identity import make_reception
from app.api.proofs import Secret
from app.api.rate_limit import make_limiter
from app.config import Settings, get_settings
from app.domain.redaction import Redactor
from app.routes import actions, code_runs, conversation, health, jira, metrics, people, pickers, runs, streams, tickets
from app.routes.conversation import options_of
from app.routes.live import Audience
from app.sample import TICKET, sample_runner
from app.services.runner import Runner, get_runner
from app.web.assets import Assets
from app.web.presenters.pages import error_page
from app.web.rendering import Rendering


def create_app(settings: Settings | None = None, runner: Runner | None = None) -> FastAPI:
    """The service with these settings (the environment's by default) and this runner (the factory's by default).

    Nothing is opened before its lifespan begins.
    """
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logger.configure(settings.log_level, redact=Redactor(settings.secrets).redact)
        settings.require_production_ready()
        async with AsyncExitStack() as opened:
            opened.push_async_callback(app.state.reception.close)
            if runner is None and settings.sample_only:
                directory = opened.enter_context(TemporaryDirectory(prefix="auto-code-", ignore_cleanup_errors=True))
                app.state.runner = await sample_runner(Path(directory), log_level=settings.log_level)
                app.state.demo_ticket = TICKET
            else:
                app.state.runner = runner or get_runner()
            app.state.audience = Audience(
                runner=app.state.runner, rendering=app.state.rendering, options=options_of(settings)
            )
            await app.state.runner.start()
            opened.push_async_callback(app.state.runner.stop)
            yield

    app = FastAPI(
        title="auto-code",
        summary="A ticket becomes a reviewed pull request.",
        lifespan=lifespan,
        # Their pages run scripts of another host, which could then act as whoever reads them.
        docs_url=None,
        redoc_url=None,
        # The redirect would go to whatever host the request names.
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.limiter = make_limiter()
    app.state.lines = runs.Lines()
    app.state.reception = make_reception(settings)
    app.state.webhook_secret = Secret(settings.webhook_secret.get_secret_value()) if settings.webhook_secret else None
    app.state.demo_ticket = None
    app.state.assets, app.state.rendering = _pages()
    _open_doors(app, settings)
    return app


@lru_cache
def _pages() -> tuple[Assets, Rendering]:
    """The pages' files and templates, which are read once in a process."""
    assets = Assets()
    return assets, Rendering(assets=assets)


def _open_doors(app: FastAPI, settings: Settings) -> None:
    rendering: Rendering = app.state.rendering

    def draw_error(status: int, message: str) -> str:
        return rendering.page("error.html", shell=None, error=error_page(status, message))

    # The last one that is added stands before all others.
    app.add_middleware(Gate, reception=app.state.reception, webhooks_prove=app.state.webhook_secret is not None)
    # A long conversation's page is nine times smaller, for half a millisecond. Streams are left as they are.
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    app.add_middleware(SecurityHeaders, https=settings.production)
    error_handlers.install(app, draw=draw_error)
    app.include_router(jira.make_router(app.state.limiter, settings.webhook_rate_limit))
    app.include_router(runs.router)
    app.include_router(metrics.router)
    app.include_router(people.router)
    # What has an address of its own under a key goes before the routes of the key.
    for router in (streams.router, code_runs.router, conversation.router, actions.router, tickets.router):
        app.include_router(router)
    app.include_router(pickers.router)
    app.include_router(health.router)
    app.mount(Assets.path, app.state.assets)


def __getattr__(name: str) -> Any:
    """`uvicorn app.main:app` makes the service when it asks for it, not whoever imports this module."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
