"""What a service that was just started still needs, as the first page says it."""

from app.config import Settings
from app.services.runner import Runner
from app.web.presenters.home import SetupFact


def setup_facts(settings: Settings, runner: Runner) -> tuple[SetupFact, ...]:
    """What is there and what is missing; nothing once Claude can work on a repository."""
    claude = settings.offline or settings.claude_credential is not None
    repositories = () if settings.sample_only else runner.repositories()
    if repositories and claude:
        return ()
    token, tracker = settings.offline or settings.gh_token is not None, runner.tracker
    return (
        SetupFact(
            done=bool(repositories),
            title="A repository",
            hint=", ".join(each.name for each in repositories) or "Set REPO_URL, or start auto-code inside of a clone.",
        ),
        SetupFact(
            done=claude,
            title="Claude",
            hint="A credential is set."
            if claude
            else f"Set {settings.claude_credential_wanted}. Until then a script answers, and nothing is kept.",
        ),
        SetupFact(
            done=token,
            title="Pull requests",
            hint="GH_TOKEN is set." if token else "Set GH_TOKEN, so that branches can be pushed.",
        ),
        SetupFact(
            done=tracker is not None,
            title="Tickets",
            hint=f"{tracker} is connected." if tracker else "Set JIRA_SITE_URL, or create tickets here.",
        ),
    )
