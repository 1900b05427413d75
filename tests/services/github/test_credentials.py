"""A token that expires and is replaced while the service runs, and workers that write at the forge at once."""

import asyncio
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import TemporarilyFailed, WorkFailed
from app.services.github.client import GitHubClient
from app.services.github.credential import Credential
from app.services.github.gh_forge import GhForge
from tests.fakes.git_server import TOKEN
from tests.fakes.github_api import GitHubRequest
from tests.services.github.conftest import BRANCH, REPOSITORY, Machine
from tests.unguarded import unguarded

NEW = "ghs_the.next.one"


class File:
    """A file that holds the token, as the factory reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(TOKEN)

    def credential(self) -> Credential:
        return Credential(self.path.read_text, rotates=True)


def client_of(machine: Machine, credential: Credential) -> GitHubClient:
    forge = GhForge(
        operator=machine.operator,
        credential=credential,
        directory=machine.root / "workspace/.empty",
        config_dir=machine.root / "unused",
    )
    return machine.client(forge=forge, credential=credential)


def expire(machine: Machine) -> None:
    """From now on only the new token counts."""
    machine.server.token = machine.api.token = NEW


async def test_each_write_takes_the_token_that_counts_by_then(machine: Machine, tmp_path: Path) -> None:
    file = File(tmp_path / "token")
    client = client_of(machine, file.credential())
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("1\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    expire(machine)

    with pytest.raises(TemporarilyFailed, match="GH_TOKEN_FILE"):
        await client.push(workspace, commit, guard=unguarded)
    with pytest.raises(TemporarilyFailed, match="GH_TOKEN_FILE"):
        await client.open_pull_request(workspace, title="T", body="B", draft=False, guard=unguarded)
    file.path.write_text(NEW)
    await client.push(workspace, commit, guard=unguarded)
    opened = await client.open_pull_request(workspace, title="T", body="B", draft=False, guard=unguarded)

    assert machine.server.heads(REPOSITORY)[BRANCH] == commit
    assert opened.number == 1


async def test_a_token_that_nobody_replaces_is_refused_for_good(machine: Machine) -> None:
    client = client_of(machine, Credential(lambda: TOKEN))
    expire(machine)

    with pytest.raises(WorkFailed, match="GH_TOKEN") as caught:
        await client.refresh()

    assert not isinstance(caught.value, TemporarilyFailed)


def test_the_file_of_the_token_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("ghs_first\n")
    monkeypatch.setenv("GH_TOKEN_FILE", str(file))
    settings = Settings()
    file.write_text("ghs_second\n")

    token = settings.gh_token_now()

    assert settings.gh_token_rotates
    assert token
    assert token.get_secret_value() == "ghs_second"


async def test_two_workers_open_one_pull_request(machine: Machine) -> None:
    first, second = machine.client(), machine.client(root=machine.root / "second")
    workspaces = await machine.pushed(first), await second.prepare(BRANCH)

    opened = await asyncio.gather(
        *(
            client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)
            for client, workspace in zip((first, second), workspaces, strict=True)
        )
    )

    assert {each.number for each in opened} == {1}
    assert len(machine.api[REPOSITORY].pulls) == 1


@pytest.mark.parametrize("fault", [502, "secondary_limit", "cut_after_work"])
async def test_an_update_that_met_trouble_is_made_by_the_next_call(machine: Machine, fault: int | str) -> None:
    def updates(request: GitHubRequest) -> bool:
        return request.method == "PATCH"

    client = machine.client()
    workspace = await machine.pushed(client)
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=False, guard=unguarded)
    machine.api.fault(fault, when=updates)

    with pytest.raises(TemporarilyFailed, match="update pull request 1"):
        await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Two.", draft=False, guard=unguarded)
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Two.", draft=False, guard=unguarded)

    [pull] = machine.api[REPOSITORY].pulls
    assert pull.body == "Two."
