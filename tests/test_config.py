"""Settings: what the operator decides, said in full when it is not enough, and secret where it is secret."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings, load_settings
from app.errors import ConfigurationError

ROOT = Path(__file__).parent.parent
SECRETS = {
    "database_url": "postgresql://me:p4ssw0rd-database@host/db",
    "gh_token": "ghp_aSecretOfGithub",
    "anthropic_api_key": "sk-ant-aSecretOfClaude",
    "claude_code_oauth_token": "sk-ant-oat-aSecretOfClaude",
    "webhook_secret": "aSecretOfTheWebhook",
    "admin_access_code": "aSecretOfTheOrganisation",
    "langfuse_secret_key": "sk-lf-aSecretOfLangfuse",
}
READY = {**SECRETS, "node_env": "production", "repo_url": "https://github.com/acme/widgets.git", "offline": False}


def settings_of(**given: Any) -> Settings:
    """Settings of these values alone: what a test depends on is given, whatever the machine's environment says."""
    return load_settings(_env_file=None, **given)


# Production


def test_production_with_everything_is_ready() -> None:
    settings_of(**READY).require_production_ready()


def test_production_names_all_that_is_missing_in_one_message() -> None:
    nothing = dict.fromkeys(SECRETS | {"repo_url": None})
    with pytest.raises(ConfigurationError) as refused:
        settings_of(**nothing, node_env="production", offline=True).require_production_ready()
    assert str(refused.value) == (
        "NODE_ENV=production cannot start. Set or correct: REPO_URL, ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, "
        "GH_TOKEN, WEBHOOK_SECRET, OFFLINE (must be false). See .env.example."
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"repo_url": "git@github.com:acme/widgets.git"}, r": REPO_URL \(must be an https:// URL\)\."),
        ({"repo_url": None}, r": REPO_URL\."),
        ({"gh_token": None}, r": GH_TOKEN\."),
        ({"webhook_secret": "fifteen letters"}, r": WEBHOOK_SECRET \(must have at least 16 characters\)\."),
        ({"anthropic_api_key": None, "claude_code_oauth_token": None}, r": ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOK"),
    ],
)
def test_production_refuses_what_it_cannot_work_with(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        settings_of(**{**READY, **given}).require_production_ready()


@pytest.mark.parametrize("one", ["anthropic_api_key", "claude_code_oauth_token"])
def test_production_needs_only_one_credential_of_claude(one: str) -> None:
    settings_of(**{**READY, one: None}).require_production_ready()


BEDROCK = {
    "claude_code_use_bedrock": True,
    "aws_bearer_token_bedrock": "aSecretOfBedrock",
    "claude_model": "eu.anthropic.claude-sonnet-4-6",
}


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-3-haiku-20240307-v1:0",
        "eu.anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc",
    ],
)
def test_production_with_bedrock_needs_its_key_and_a_model_of_it(model: str) -> None:
    only = {**READY, **BEDROCK, "anthropic_api_key": None, "claude_code_oauth_token": None}
    settings_of(**{**only, "claude_model": model}).require_production_ready()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"aws_bearer_token_bedrock": None}, r": AWS_BEARER_TOKEN_BEDROCK\."),
        ({"claude_model": "claude-sonnet-4-6"}, r": CLAUDE_MODEL \(must be a model's id in Bedrock"),
    ],
)
def test_production_refuses_a_bedrock_that_it_cannot_ask(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        settings_of(**{**READY, **BEDROCK, **given}).require_production_ready()


def test_development_needs_nothing() -> None:
    settings_of(**dict.fromkeys(SECRETS), repo_url=None, node_env="development").require_production_ready()


# Values


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"claude_code_api_port": "http"}, "CLAUDE_CODE_API_PORT: "),
        ({"claude_code_api_port": 70000}, "CLAUDE_CODE_API_PORT: "),
        ({"node_env": "staging"}, "NODE_ENV: Input should be 'development' or 'production'"),
        ({"dry_run": "perhaps"}, "DRY_RUN: "),
        ({"max_concurrent_runs": 0}, "MAX_CONCURRENT_RUNS: "),
        ({"claude_idle_timeout_s": 0}, "CLAUDE_IDLE_TIMEOUT_S: "),
        ({"aws_region": "evil.example/"}, "AWS_REGION: "),
        ({"webhook_rate_limit": "often"}, "WEBHOOK_RATE_LIMIT: "),
        ({"retry_after_s": "1,soon"}, "RETRY_AFTER_S: "),
        ({"repo_url": "https://me:secret@host/a/b.git"}, "REPO_URL: Value error, must not hold a user or a password"),
    ],
)
def test_a_value_that_cannot_be_understood_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        settings_of(**given)


def test_all_values_that_cannot_be_understood_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_of(dry_run="perhaps", node_env="staging", claude_max_retries=-1)
    assert all(name in str(refused.value) for name in ("DRY_RUN: ", "NODE_ENV: ", "CLAUDE_MAX_RETRIES: "))


def test_waits_between_tries_are_numbers_between_commas() -> None:
    assert settings_of(retry_after_s="0.5, 2,").retry_after_s == (0.5, 2.0)
    assert settings_of(retry_after_s="").retry_after_s == ()


def test_the_oauth_token_wins_over_the_api_key() -> None:
    both = settings_of(anthropic_api_key="key", claude_code_oauth_token="token")
    assert both.claude_credential == ("CLAUDE_CODE_OAUTH_TOKEN", SecretStr("token"))
    key = settings_of(anthropic_api_key="key", claude_code_oauth_token=None)
    assert key.claude_credential == ("ANTHROPIC_API_KEY", SecretStr("key"))


def test_bedrock_wins_over_the_other_credentials_once_it_is_chosen() -> None:
    others = {"anthropic_api_key": "key", "claude_code_oauth_token": "token"}
    wanted = ("AWS_BEARER_TOKEN_BEDROCK", SecretStr("aSecretOfBedrock"))
    assert settings_of(**others, **BEDROCK).claude_credential == wanted
    assert settings_of(**others, **{**BEDROCK, "aws_bearer_token_bedrock": None}).claude_credential is None
    unused = settings_of(**others, **{**BEDROCK, "claude_code_use_bedrock": False})
    assert unused.claude_credential == ("CLAUDE_CODE_OAUTH_TOKEN", SecretStr("token"))


@pytest.mark.parametrize(("public", "secret", "on"), [("pk", "sk", True), ("pk", None, False), (None, "sk", False)])
def test_tracing_needs_both_keys(public: str | None, secret: str | None, on: bool) -> None:
    assert settings_of(langfuse_public_key=public, langfuse_secret_key=secret).tracing is on


# Secrets


def test_no_secret_is_ever_shown() -> None:
    settings = settings_of(**READY)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert [name for name, value in SECRETS.items() if value in shown] == []


def test_no_secret_is_part_of_a_message() -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_of(**{**SECRETS, "gh_token": ["ghp_aSecretOfGithub"], "node_env": "staging"})
    assert "GH_TOKEN: Input should be a valid string" in str(refused.value)
    assert [name for name, value in SECRETS.items() if value in str(refused.value)] == []
    assert refused.value.__suppress_context__  # pydantic's own message holds the values


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ghp_aSecretOfGithub\n")
    (tmp_path / ".env").write_text(f"GH_TOKEN_FILE={tmp_path / 'token'}\n")
    length = str(len("ghp_aSecretOfGithub"))
    assert read_by_a_process(tmp_path, {})[3] == length
    assert read_by_a_process(tmp_path, {"GH_TOKEN_FILE": str(tmp_path / "token")})[3] == length
    assert read_by_a_process(tmp_path, {"GH_TOKEN": "four"})[3] == "4"


def test_a_secrets_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"WEBHOOK_SECRET_FILE: .*nowhere cannot be read"):
        settings_of()


def test_a_credential_in_a_file_counts_as_soon_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sk-ant-old")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "key"))
    settings = settings_of()
    (tmp_path / "key").write_text("sk-ant-new")
    assert settings.claude_credential_now() == ("ANTHROPIC_API_KEY", SecretStr("sk-ant-new"))


def test_the_secrets_are_known_by_their_names() -> None:
    assert settings_of(**READY).secrets == {name.upper(): value for name, value in SECRETS.items()}


# Environment and .env


def read_by_a_process(directory: Path, environment: dict[str, str]) -> list[str]:
    """What a service that is started there takes for its base branch, its dry run and the length of its token."""
    program = (
        "from app.config import get_settings as s; print(s().base_branch, s().dry_run, s().log_level,"
        " s().gh_token and len(s().gh_token.get_secret_value()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_the_environment_wins_over_the_env_file_and_empty_means_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BASE_BRANCH=develop\nDRY_RUN=true\nGH_TOKEN=\nLOG_LEVEL=debug\nUNKNOWN=1\n")
    assert read_by_a_process(tmp_path, {"BASE_BRANCH": "trunk", "LOG_LEVEL": ""}) == ["trunk", "True", "debug", "None"]


# .env.example


def documented() -> dict[str, str]:
    """The variables of .env.example and what it sets them to."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = (line.lstrip("# ").partition("=") for line in lines if re.fullmatch(r"#? ?[A-Z][A-Z0-9_]+=.*", line))
    return {name: value for name, _, value in given}


def test_the_example_documents_every_setting_and_nothing_else() -> None:
    assert sorted(documented()) == sorted(name.upper() for name in Settings.model_fields)


def test_the_readme_names_every_setting() -> None:
    _, _, after = (ROOT / "README.md").read_text().partition("\n## Settings\n")
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", after.partition("\n## ")[0]))
    assert {name.upper() for name in Settings.model_fields} - named == set()


def test_each_variable_of_the_example_has_words_above_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    bare = [
        line for above, line in zip(["", *lines], lines, strict=False) if "=" in line and not above.startswith("# ")
    ]
    assert bare == []


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert read_by_a_process(tmp_path, {})[0] == "main"


def test_the_example_turns_all_gates_on_and_leaves_the_rest_at_its_default() -> None:
    defaults = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    others = {
        name: value
        for name, value in documented().items()
        if value and not name.startswith("PIPELINE_") and not _same(value, defaults[name])
    }
    assert others == {}
    assert {value for name, value in documented().items() if name.startswith("PIPELINE_")} == {"true"}


def _same(text: str, default: object) -> bool:
    shown = str(default)
    if isinstance(default, tuple):
        shown = ",".join(f"{part:g}" for part in default)
    if isinstance(default, dict):
        shown = ",".join(f"{name}={value}" for name, value in default.items())
    return text in {shown, shown.lower()}
