"""Picks the clients: real git always; the offline forge where the settings say so."""

import asyncio
from functools import lru_cache, partial

from app.config import Settings, get_settings
from app.domain.protected import ProtectedPaths
from app.errors import ConfigurationError, TemporarilyFailed
from app.process import operator_environment
from app.services.github.base import Repositories
from app.services.github.client import CHECKOUTS_AT_ONCE, GitHubClient
from app.services.github.credential import Credential
from app.services.github.forge import Forge
from app.services.github.gh_forge import GhForge
from app.services.github.git import OPERATOR_VARIABLES
from app.services.github.inspection import Inspector
from app.services.github.mock_client import OfflineForge
from app.services.github.places import Places
from app.services.github.repositories import ConfiguredRepositories
from app.services.github.secrets import Kingfisher


def make_repositories(settings: Settings, *, forge: Forge | None = None) -> Repositories:
    """The repositories that the settings name. Pull requests go to `forge` where one is given."""
    operator = operator_environment(*OPERATOR_VARIABLES)
    credential = _credential(settings)
    places = Places(settings.workspace_dir.absolute())
    if forge is None and settings.offline:
        forge = OfflineForge()
    elif forge is None:
        forge = GhForge(operator=operator, credential=credential, directory=places.empty, config_dir=places.gh_config)
    make = partial(
        GitHubClient,
        forge=forge,
        inspector=Inspector(
            scanner=Kingfisher(settings.secrets),
            protected=ProtectedPaths(settings.protected_patterns),
            blocks=settings.protected_paths == "block",
        ),
        operator=operator,
        repo_dir=settings.repo_dir,
        credential=credential,
        checkouts=asyncio.Semaphore(CHECKOUTS_AT_ONCE),
    )
    return ConfiguredRepositories(
        make=make,
        workspace_dir=places.root,
        base_branch=settings.base_branch,
        operator=operator,
        repo_url=settings.repo_url,
        repo_dir=settings.repo_dir,
        more=settings.repositories,
        with_token=settings.gh_token is not None,
    )


def _credential(settings: Settings) -> Credential:
    def now() -> str | None:
        try:
            token = settings.gh_token_now()
        except ConfigurationError as error:  # whoever replaces the file may be in the middle of it
            raise TemporarilyFailed(error.message) from error
        return token.get_secret_value() if token else None

    return Credential(now, rotates=settings.gh_token_rotates)


@lru_cache
def get_repositories() -> Repositories:
    """The repositories of this process."""
    return make_repositories(get_settings())
