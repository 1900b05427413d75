"""Picks the client: real git always; the offline forge where the settings say so."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.process import operator_environment
from app.services.github.base import GitHub
from app.services.github.client import GitHubClient
from app.services.github.forge import Forge
from app.services.github.gh_forge import GhForge
from app.services.github.git import OPERATOR_VARIABLES
from app.services.github.mock_client import OfflineForge


def make_github(settings: Settings) -> GitHub:
    """A client of the repository that the settings name."""
    operator = operator_environment(*OPERATOR_VARIABLES)
    token = settings.gh_token.get_secret_value() if settings.gh_token else None
    root = settings.workspace_dir.absolute()
    forge: Forge = OfflineForge()
    if not settings.offline:
        forge = GhForge(operator=operator, token=token, directory=root / ".empty", config_dir=root / ".gh")
    return GitHubClient(
        workspace_dir=root,
        base_branch=settings.base_branch,
        forge=forge,
        operator=operator,
        repo_url=settings.repo_url,
        repo_dir=settings.repo_dir,
        token=token,
    )


@lru_cache
def get_github() -> GitHub:
    """The client of this process."""
    return make_github(get_settings())
