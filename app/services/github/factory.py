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
from app.services.github.repository import Places


def make_github(settings: Settings, *, forge: Forge | None = None) -> GitHub:
    """A client of the repository that the settings name. Pull requests go to `forge` where one is given."""
    operator = operator_environment(*OPERATOR_VARIABLES)
    token = settings.gh_token.get_secret_value() if settings.gh_token else None
    places = Places(settings.workspace_dir.absolute())
    if forge is None and settings.offline:
        forge = OfflineForge()
    elif forge is None:
        forge = GhForge(operator=operator, token=token, directory=places.empty, config_dir=places.gh_config)
    return GitHubClient(
        workspace_dir=places.root,
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
