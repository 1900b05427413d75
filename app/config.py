"""Settings: every variable that the service reads, with its unit and meaning.

The names are fixed by what people have in their `.env`; a field is its variable in lower case.
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import ConfigurationError
from app.secret_files import SecretFiles, content_of
from app.setting_types import Numbers, Pairs, Paths, Ports, Rate, Texts, Url, Urls

SHORTEST_SECRET = 16
"""Characters that `WEBHOOK_SECRET` must have in production."""

PROTECTED = (
    "/.github/workflows/", "/.github/actions/", "/.gitlab-ci.yml", "/.circleci/", "/Jenkinsfile",
    "/azure-pipelines.yml", "/.buildkite/", "/bitbucket-pipelines.yml", "CODEOWNERS", ".claude/", ".mcp.json",
    ".husky/", ".githooks/", ".pre-commit-config.yaml", "lefthook.yml", ".gitattributes", ".gitmodules",
    "/.github/secret_scanning.yml",
)  # fmt: skip
"""What runs with more rights than the change should have, or decides who must look at it."""


_IN_BEDROCK = re.compile(r"(^|\.)anthropic\.|^arn:aws")
"""What a model's id in Bedrock is known by: its vendor, or that it is the ARN of an inference profile."""


class Settings(BaseSettings):
    """What the operator decided. Frozen: a process has one set of settings for its life."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    # The service
    claude_code_api_port: int = Field(3001, ge=1, le=65535, description="Port of the HTTP service.")
    node_env: Literal["development", "production"] = Field(
        "development", description="`production` refuses to start while a required setting is missing."
    )
    workspace_dir: Path = Field(
        Path("/workspace"), description="Volume root: the clone, the worktrees and the embedded database."
    )
    database_url: SecretStr | None = Field(
        None,
        description="Postgres, e.g. `postgresql://user:password@host/db`. Unset: one SQLite file in WORKSPACE_DIR.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    # The repository
    repo_url: Url | None = Field(None, description="HTTPS clone URL of the repository. Required in production.")
    repo_dir: Path = Field(
        Path(),
        description="Development only, when REPO_URL is unset: an existing local repository. Current directory.",
    )
    base_branch: str = Field("main", description="Branch that pull requests go to.")
    repositories: Urls = Field(
        (),
        description="HTTPS clone URLs, between commas, of more repositories that conversations may choose. "
        "`#branch` after one is its base where that is not BASE_BRANCH.",
    )
    gh_token: SecretStr | None = Field(
        None, description="GitHub token for clone, push and pull request. Required in production."
    )

    # Claude
    anthropic_api_key: SecretStr | None = Field(
        None, description="Claude API key. Production needs this or CLAUDE_CODE_OAUTH_TOKEN, without Bedrock."
    )
    claude_code_oauth_token: SecretStr | None = Field(
        None, description="Claude subscription token (`claude setup-token`). Wins over ANTHROPIC_API_KEY."
    )
    anthropic_base_url: str | None = Field(None, description="Another address of the Messages API, e.g. a gateway.")
    claude_code_use_bedrock: bool = Field(
        False, description="Ask Claude in AWS Bedrock. Wins over the credentials above."
    )
    aws_bearer_token_bedrock: SecretStr | None = Field(
        None, description="Bedrock API key. Production needs it with CLAUDE_CODE_USE_BEDROCK."
    )
    aws_region: str = Field("us-east-1", pattern="^[a-z0-9-]+$", description="Region of Bedrock.")
    anthropic_bedrock_base_url: str | None = Field(
        None, description="Another address of Bedrock's runtime, e.g. of a VPC endpoint."
    )
    claude_model: str = Field(
        "claude-sonnet-4-6",
        description="Model of the author and the reviewer. With Bedrock its id there, e.g. "
        "`eu.anthropic.claude-sonnet-4-6`.",
    )
    claude_models: Pairs = Field(
        {"claude-sonnet-4-6": "Sonnet 4.6", "claude-opus-4-8": "Opus 4.8"},
        description="Models that people may choose, as `id=name` between commas. CLAUDE_MODEL is the default.",
    )
    claude_cli: Path | None = Field(None, description="Another Claude Code CLI than the one inside the Agent SDK.")
    max_concurrent_runs: int = Field(
        4,
        ge=1,
        le=64,
        description="Claude Code processes at once, and so the runs worked on at once, in one worker.",
    )
    max_concurrent_runs_total: int | None = Field(
        None, ge=1, description="Runs worked on at once by all workers of one database together."
    )
    max_concurrent_runs_per_bucket: int | None = Field(
        None, ge=1, description="Runs of one project (`PROJ` of PROJ-1) worked on at once by all workers together."
    )
    claude_spare: bool = Field(
        True,
        description="A process of Claude Code waits ready for the next ticket. Without it that takes 0.4 s longer, "
        "and an idle machine has 200 MB more.",
    )
    claude_idle_timeout_s: float = Field(
        300,
        gt=0,
        description="Seconds of silence of the model after which the turn is interrupted and resumed.",
    )
    claude_max_retries: int = Field(
        5,
        ge=0,
        le=10,
        description="How often one model request is tried again after 429, 5xx or a lost connection.",
    )
    claude_patience_s: float = Field(
        900, ge=0, description="Seconds that a turn waits for a model that is overloaded or away, before the run fails."
    )
    max_cost_usd_per_ticket: float = Field(
        15, gt=0, description="US dollars that the model may cost for one ticket, over all its runs."
    )
    max_cost_usd_per_day: float | None = Field(
        None, gt=0, description="US dollars that the model may cost in one day (UTC), for all tickets together."
    )

    # What the agent's programs may reach
    agent_sandbox: Literal["landlock", "bwrap", "off"] = Field(
        "landlock",
        description="How Claude Code and the repository's commands are kept in: by the kernel's Landlock, by "
        "bubblewrap, or `off`, said aloud.",
    )
    agent_network: Literal["none", "registries", "open"] = Field(
        "registries", description="What they may connect to beside the model: nothing, package registries, anything."
    )
    agent_network_hosts: Texts = Field(
        (), description="More hosts, between commas, that `registries` allows; `*.example.com` has the hosts below it."
    )
    agent_ports: Ports = Field(
        (),
        description="TCP ports and ranges, between commas, that they may connect to besides, e.g. `5432,8000-8099` for "
        "tests with a server. On every host: what keeps them in knows ports only.",
    )
    agent_local_sockets: bool = Field(
        False, description="Whether they may make sockets of this machine (AF_UNIX), which reach every server on it."
    )
    agent_reads: Paths = Field(
        (), description="More directories, between colons, that they may read, e.g. of toolchains."
    )
    agent_writes: Paths = Field((), description="More directories, between colons, that they may write.")
    agent_cache_dir: Path | None = Field(
        None,
        description="Package caches that all conversations share. Unset: each has its own, which no other can poison.",
    )
    agent_memory_mb: int = Field(4096, ge=256, description="Memory of one conversation's programs together, in MiB.")
    agent_max_processes: int = Field(256, ge=16, description="Processes of one conversation at once.")

    # The pipeline
    retry_after_s: Numbers = Field(
        (1, 5, 20), description="Seconds before each new try of a step that met a passing fault, e.g. of the network."
    )
    pipeline_review: bool = Field(False, description="Review the change in a second session, and fix what it finds.")
    pipeline_lint: bool = Field(False, description="Run the repository's linter, and fix what it finds.")
    pipeline_tests: bool = Field(False, description="Run the repository's tests, and fix what fails.")
    check_timeout_s: float = Field(1800, gt=0, description="Seconds that one setup, lint or test command may take.")
    dry_run: bool = Field(False, description="Stop before commit, push and pull request, and leave the worktree.")
    protected_paths: Literal["draft", "block"] = Field(
        "draft",
        description="A change of a protected path makes the pull request a draft with a warning, or is not published.",
    )
    protected_patterns: Texts = Field(
        PROTECTED,
        description="Paths, between commas, whose change needs a person: as in a .gitignore file.",
    )

    # Operation
    drain_seconds: float = Field(
        30, ge=0, description="Seconds that runs may still work after SIGTERM; the rest goes on at the next start."
    )
    stall_minutes: float = Field(
        10, gt=0, description="Minutes without any event after which a turn is interrupted, and resumed once."
    )
    max_job_minutes: float = Field(90, gt=0, description="Minutes of work that one run may take, waiting not counted.")
    min_free_gb: float = Field(2, ge=0, description="GB free in WORKSPACE_DIR below which nothing new begins.")
    worktree_ttl_days: float = Field(
        14, gt=0, description="Days after a conversation's last run until its worktree goes; unpushed work is saved."
    )
    events_ttl_days: float = Field(
        180, gt=0, description="Days after its last run until a conversation's events are forgotten; its runs stay."
    )
    transcripts_ttl_days: float = Field(
        30, gt=0, description="Days after its last run until a conversation's Claude session is forgotten."
    )

    # Doors
    webhook_secret: SecretStr | None = Field(
        None,
        description="What X-Webhook-Token must be, or the key of X-Hub-Signature. 16 characters in production.",
    )
    webhook_rate_limit: Rate = Field("10/minute", description="Webhook requests that one address may send.")
    trigger_allowed_users: Texts = Field(
        (),
        description="Who may start runs from Jira, between commas: account ids, `group:NAME`, `role:NAME` (of the "
        "project). Unset: everybody but a service desk's customers.",
    )
    admin_access_code: SecretStr | None = Field(
        None,
        description="The organisation's code for the pages and, as a bearer token, for the JSON API. "
        "Unset: open in development, closed in production.",
    )
    cf_access_team_domain: str | None = Field(
        None, description="With CF_ACCESS_AUD: Cloudflare Access names the person, e.g. `team.cloudflareaccess.com`."
    )
    cf_access_aud: str | None = Field(None, description="Audience tag of the Access application.")
    cf_access_certs_url: str | None = Field(
        None, description="Where Access publishes its keys. Unset: where the team's domain has them."
    )

    # The tracker
    jira_site_url: str | None = Field(None, description="Jira's address, e.g. `https://acme.atlassian.net`.")
    jira_email: str | None = Field(None, description="Jira account of the service; needed with JIRA_SITE_URL.")
    jira_token: SecretStr | None = Field(None, description="Its API token; needed with JIRA_SITE_URL.")
    jira_cloud_id: str | None = Field(
        None, description="For a token with scopes: Jira is then asked through api.atlassian.com."
    )

    # Tracing
    langfuse_public_key: str | None = Field(None, description="With LANGFUSE_SECRET_KEY: tracing on.")
    langfuse_secret_key: SecretStr | None = Field(None, description="With LANGFUSE_PUBLIC_KEY: tracing on.")
    langfuse_base_url: str = Field("https://cloud.langfuse.com", description="Address of Langfuse.")

    # Without a network
    offline: bool = Field(
        False,
        description="Replace Claude and GitHub's API by their offline stand-ins (demo, development). Git stays real.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - for a directory, which nobody names here
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Overrides, the environment, `.env`, and the files that one of these two names."""
        files = SecretFiles(settings_cls, env_settings, dotenv_settings)
        return init_settings, env_settings, dotenv_settings, files

    @property
    def production(self) -> bool:
        """The process serves real tickets: required settings are required, doors are closed by default."""
        return self.node_env == "production"

    @property
    def sample_only(self) -> bool:
        """Nothing is configured that Claude could work with: the pages then offer the sample."""
        return not self.production and not self.offline and self.claude_credential is None

    @property
    def claude_credential(self) -> tuple[str, SecretStr] | None:
        """Variable and value of the one credential that Claude gets: Bedrock's, else the OAuth token or the API key."""
        if self.claude_code_use_bedrock:
            token = self.aws_bearer_token_bedrock
            return ("AWS_BEARER_TOKEN_BEDROCK", token) if token is not None else None
        if self.claude_code_oauth_token is not None:
            return "CLAUDE_CODE_OAUTH_TOKEN", self.claude_code_oauth_token
        if self.anthropic_api_key is not None:
            return "ANTHROPIC_API_KEY", self.anthropic_api_key
        return None

    @property
    def claude_credential_wanted(self) -> str:
        """The variables one of which must hold Claude's credential."""
        if self.claude_code_use_bedrock:
            return "AWS_BEARER_TOKEN_BEDROCK"
        return "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN"

    def claude_credential_now(self) -> tuple[str, SecretStr] | None:
        """The same; its file is read again, so that a new credential counts without a restart."""
        known = self.claude_credential
        if known is not None and (file := os.environ.get(f"{known[0]}_FILE")):
            return known[0], SecretStr(content_of(Path(file), known[0]))
        return known

    @property
    def gh_token_rotates(self) -> bool:
        """GH_TOKEN is in a file, where somebody may put a fresh one at any time."""
        return self.gh_token is not None and bool(os.environ.get("GH_TOKEN_FILE"))

    def gh_token_now(self) -> SecretStr | None:
        """GH_TOKEN; its file is read again, because a token of a GitHub App is valid for an hour.

        Raises ConfigurationError when the file cannot be read.
        """
        if self.gh_token_rotates:
            return SecretStr(content_of(Path(os.environ["GH_TOKEN_FILE"]), "gh_token"))
        return self.gh_token

    @property
    def secrets(self) -> dict[str, str]:
        """The values that nobody may see, by their variables."""
        fields = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name.upper(): value.get_secret_value() for name, value in fields if isinstance(value, SecretStr)}

    @property
    def tracing(self) -> bool:
        """Both keys of Langfuse are set."""
        return self.langfuse_public_key is not None and self.langfuse_secret_key is not None

    def require_production_ready(self) -> None:
        """Raise ConfigurationError naming everything that production lacks; nothing in development."""
        if not self.production:
            return
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        lacks = [
            (not self.repo_url, "REPO_URL"),
            (
                bool(self.repo_url) and not str(self.repo_url).startswith("https://"),
                "REPO_URL (must be an https:// URL)",
            ),
            (
                not all(url.startswith("https://") for url in self.repositories),
                "REPOSITORIES (must be https:// URLs)",
            ),
            (self.claude_credential is None, self.claude_credential_wanted),
            (
                self.claude_code_use_bedrock and _IN_BEDROCK.search(self.claude_model) is None,
                "CLAUDE_MODEL (must be a model's id in Bedrock, e.g. eu.anthropic.claude-sonnet-4-6)",
            ),
            (self.gh_token is None, "GH_TOKEN"),
            (not secret, "WEBHOOK_SECRET"),
            (
                0 < len(secret) < SHORTEST_SECRET,
                f"WEBHOOK_SECRET (must have at least {SHORTEST_SECRET} characters)",
            ),
            (self.offline, "OFFLINE (must be false)"),
        ]
        if missing := [name for wanting, name in lacks if wanting]:
            message = f"NODE_ENV=production cannot start. Set or correct: {', '.join(missing)}. See .env.example."
            raise ConfigurationError(message)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`; `overrides` win.

    Raises ConfigurationError naming each variable that cannot be understood. Values are never part of the message.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        message = f"Settings cannot be understood. {'; '.join(faults)}. See .env.example."
        raise ConfigurationError(message) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f".env cannot be read: {error}. Mend the file, or take it away.") from error


@lru_cache
def get_settings() -> Settings:
    """The settings of this process."""
    return load_settings()
