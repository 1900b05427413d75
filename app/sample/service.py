"""A service around the sample: real git, checks, database and engine; a scripted Claude, and a forge in memory."""

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config import Settings
from app.sample.repository import make_repository
from app.sample.turns import author, reviewer
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.github.mock_client import OfflineForge
from app.services.runner import Runner, make_runner


class _SampleSettings(Settings):
    """Settings that are only what they are given: no environment, no `.env`."""

    model_config = SettingsConfigDict(env_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def sample_settings(workspace: Path, repository: Path, **lent: Any) -> Settings:
    """Settings of a service that knows the sample's repository and nothing of the operator but what is `lent`."""
    usual = {"pipeline_review": True, "pipeline_lint": True, "pipeline_tests": True, "offline": True}
    return _SampleSettings(workspace_dir=workspace, repo_url=str(repository), **{**usual, **lent})


async def sample_runner(directory: Path, **lent: Any) -> Runner:
    """A runner with the sample's repository, both in `directory`. Raises WorkFailed when git is missing."""
    repository = directory / "whisk"
    repository.mkdir()
    await make_repository(repository)
    return make_runner(
        sample_settings(directory / "workspace", repository, **lent),
        claude_code=MockClaudeCode(author=author, reviewer=reviewer),
        forge=OfflineForge(),
    )
