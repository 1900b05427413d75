"""The real CLI in its room, with Claude in Bedrock: it works, and finds no credential of AWS."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.config import load_settings
from app.errors import WorkFailed
from app.models import EventKind
from app.services.claude_code.client import ClaudeCodeClient
from tests.fakes.bedrock_api import BEDROCK_KEY, BedrockApi
from tests.fakes.scripts import Reply, bash, conversation
from tests.services.claude_code.conftest import Told, prompt, session
from tests.surroundings import surroundings

OF_AWS = {
    "AWS_BEARER_TOKEN_BEDROCK": BEDROCK_KEY,
    "AWS_ACCESS_KEY_ID": "AKIA-of-aws",
    "AWS_SECRET_ACCESS_KEY": "of-aws",
}
"""What the service's own environment holds."""
LOOK = "env; set; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; cat ~/.aws/*"


@pytest.fixture
def bedrock() -> Iterator[BedrockApi]:
    with BedrockApi() as api:
        yield api


@pytest.fixture
async def claude(
    bedrock: BedrockApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ClaudeCodeClient]:
    for name, value in OF_AWS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(
        _env_file=None,
        workspace_dir=tmp_path / "workspace",
        claude_code_use_bedrock=True,
        aws_region="eu-west-1",
        anthropic_bedrock_base_url=bedrock.url,
        claude_model="eu.anthropic.claude-sonnet-4-6",
        claude_max_retries=1,
        agent_network="none",
    )
    async with surroundings(settings) as around:
        client = ClaudeCodeClient(surroundings=around, limit=1)
        await client.start()
        yield client
        await client.stop()


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return directory


async def test_an_agent_works_and_finds_no_credential_of_aws(
    claude: ClaudeCodeClient, bedrock: BedrockApi, worktree: Path
) -> None:
    look = Reply("", tools=[bash(f"echo made > made.txt; {LOOK}")])
    bedrock.script = conversation({"look": [look, Reply("Done.")]})
    told = Told()
    result = await claude.run_implementation(session(worktree), prompt("look"), told)
    assert result.text == "Done."
    assert (worktree / "made.txt").read_text() == "made\n"
    seen = json.dumps(told.of(EventKind.TOOL_RETURNED))
    assert "CLAUDE_CODE_USE_BEDROCK=1" in seen, "the command did not even run"
    heard = seen + json.dumps([request.json for request in bedrock.requests])
    assert [name for name, value in OF_AWS.items() if value in heard] == []
    assert {(request.model, request.credential) for request in bedrock.requests} == {
        ("eu.anthropic.claude-sonnet-4-6", "right")
    }


async def test_a_refused_key_is_said_at_once(claude: ClaudeCodeClient, bedrock: BedrockApi, worktree: Path) -> None:
    bedrock.fault(403, times=None)
    with pytest.raises(WorkFailed, match="Check AWS_BEARER_TOKEN_BEDROCK"):
        await claude.run_implementation(session(worktree), prompt("hello"), Told())
    assert len([request for request in bedrock.requests if request.body != b"{}"]) == 1
