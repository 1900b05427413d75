"""What GhForge asks gh, and what it makes of odd answers; gh is a script that says what a test wants."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.errors import WorkFailed
from app.services.github.credential import Credential
from app.services.github.gh_forge import GhForge
from app.services.github.remote import Remote, parse_remote

BRANCH = "ticket/proj-1"
TOKEN = "ghs_scripted"
GITHUB = parse_remote("https://github.com/octo/widgets.git", with_token=True)
ENTERPRISE = parse_remote("https://ghe.test/octo/widgets.git", with_token=True)

_GH = """#!/bin/sh
env > {root}/environment
echo "$@" > {root}/arguments
[ "$1" = --version ] && echo "gh version 2.23.0 (2023-02-08)" || cat {root}/answer
"""


@dataclass
class Scripted:
    """A machine on which gh says `answer`."""

    root: Path

    def forge(self, answer: Any = None, *, token: str | None = TOKEN, **operator: str) -> GhForge:
        (self.root / "answer").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        path = f"{self.root}/bin:/usr/bin:/bin"
        return GhForge(
            operator={"PATH": path, **operator},
            credential=Credential(lambda: token),
            directory=self.root / "empty",
            config_dir=self.root / "config",
        )

    @property
    def environment(self) -> dict[str, str]:
        lines = (self.root / "environment").read_text().splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    @property
    def arguments(self) -> str:
        return (self.root / "arguments").read_text()


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text(_GH.format(root=tmp_path))
    (tmp_path / "bin/gh").chmod(0o755)
    return Scripted(tmp_path)


def _pull(repository: str | None) -> dict[str, Any]:
    head = {"ref": BRANCH, "repo": {"full_name": repository} if repository else None}
    url = "https://github.com/octo/widgets/pull/7"
    return {"number": 7, "title": "T", "body": None, "html_url": url, "head": head, "base": {"ref": "main"}}


@pytest.mark.parametrize(
    ("repository", "number"), [("octo/widgets", 7), ("Octo/Widgets", 7), ("octo/widgets-fork", None), (None, None)]
)
async def test_only_a_pull_request_of_the_very_repository_counts(
    scripted: Scripted, repository: str | None, number: int | None
) -> None:
    found = await scripted.forge([_pull(repository)]).find(GITHUB, BRANCH)

    assert (found.pull_request.number if found else None) == number


@pytest.mark.parametrize(
    ("remote", "operator", "host", "variable"),
    [
        (GITHUB, {}, "github.com", "GH_TOKEN"),
        (ENTERPRISE, {}, "ghe.test", "GH_ENTERPRISE_TOKEN"),
        (GITHUB, {"GH_HOST": "proxy.test"}, "proxy.test", "GH_ENTERPRISE_TOKEN"),
    ],
)
async def test_the_token_is_in_the_variable_of_its_host_and_nowhere_else(
    scripted: Scripted, remote: Remote, operator: dict[str, str], host: str, variable: str
) -> None:
    await scripted.forge([], **operator).find(remote, BRANCH)

    assert [name for name, value in scripted.environment.items() if value == TOKEN] == [variable]
    assert f"--hostname {host}" in scripted.arguments
    assert TOKEN not in scripted.arguments


@pytest.mark.parametrize(("token", "own"), [(TOKEN, True), (None, False)])
async def test_the_operators_configuration_counts_unless_the_token_is_ours(
    scripted: Scripted, token: str | None, own: bool
) -> None:
    await scripted.forge([], token=token).find(GITHUB, BRANCH)
    assert ("GH_CONFIG_DIR" in scripted.environment) is own

    await scripted.forge([], token=token, GH_CONFIG_DIR="/theirs").find(GITHUB, BRANCH)
    assert scripted.environment["GH_CONFIG_DIR"] == "/theirs"


async def test_an_answer_that_is_no_json_says_what_to_check(scripted: Scripted) -> None:
    with pytest.raises(WorkFailed, match="REPO_URL"):
        await scripted.forge("<html>").find(GITHUB, BRANCH)


async def test_a_machine_without_gh_says_what_to_install(scripted: Scripted) -> None:
    (scripted.root / "bin/gh").unlink()

    with pytest.raises(WorkFailed, match=r"install GitHub's command line, gh 2\.82\.1"):
        await scripted.forge([], PATH=str(scripted.root / "bin")).find(GITHUB, BRANCH)


async def test_a_repository_at_no_forge_has_no_pull_requests(scripted: Scripted) -> None:
    with pytest.raises(WorkFailed, match="set REPO_URL"):
        await scripted.forge([]).find(parse_remote("/srv/widgets.git", with_token=True), BRANCH)


async def test_check_says_when_gh_is_old(scripted: Scripted) -> None:
    found = await scripted.forge({"permissions": {"push": True}}).check(GITHUB)

    assert found == "gh 2.23.0 (old: install 2.82.1 or later), may push to octo/widgets"
