"""Production URLs, a token, and the real git and gh; only who answers is on loopback."""

import base64
import contextlib
import os
import sys
from pathlib import Path

import pytest

from app.errors import TemporarilyFailed, WorkFailed
from tests.fakes.git_server import TOKEN
from tests.fakes.github_api import GitHubRequest
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, GADGETS, REPOSITORY, URL, Machine
from tests.unguarded import unguarded

BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

_LOGGING_GIT = """#!/bin/sh
echo "argv: $*" >> {log}
echo "env of $1 $2: $(env | tr '\\n' ' ')" >> {log}
exec {git} "$@"
"""


async def test_a_run_by_production_urls_publishes_and_opens_the_pull_request(machine: Machine) -> None:
    client = machine.client()

    workspace = await machine.pushed(client)
    opened = await client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Why.\n", draft=False, guard=unguarded
    )

    assert machine.server.file(REPOSITORY, BRANCH, "new.txt") == "1\n"
    [pull] = machine.api[REPOSITORY].pulls
    assert (opened.url, opened.number, opened.repository) == (pull.url, pull.number, REPOSITORY)
    assert (pull.title, pull.body, pull.head, pull.base, pull.draft) == (
        "PROJ-1: Widgets",
        "Why.\n",
        BRANCH,
        "main",
        False,
    )
    # No request without the token first: half of them, and no second place that knows it.
    assert {request.credential for request in machine.server.requests} == {"right"}


async def test_the_token_is_on_no_disk_in_no_argument_and_only_in_the_environment_of_network_commands(
    machine: Machine,
) -> None:
    log, spy = machine.root / "calls.log", machine.root / "bin/git"
    spy.parent.mkdir()
    real = os.environ["PATH"]
    spy.write_text(_LOGGING_GIT.format(log=log, git=git("--exec-path", cwd=machine.root) + "/git"))
    spy.chmod(0o755)
    client = machine.client(more={"PATH": f"{spy.parent}:{Path(sys.executable).parent}:{real}"})

    workspace = await machine.pushed(client)
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)
    await client.remove(workspace)

    calls = log.read_text().splitlines()
    assert {line.split()[2] for line in calls if BASIC in line} == {"fetch", "ls-remote", "push"}
    assert all("GH_PROMPT_DISABLED" in line for line in calls if TOKEN in line)  # gh's own calls
    assert not [line for line in calls if line.startswith("argv:") and (TOKEN in line or BASIC in line)]
    for path in (machine.root / "workspace").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert BASIC.encode() not in content, path


async def test_a_wrong_token_says_what_to_check_and_asks_no_helper_of_the_operator(machine: Machine) -> None:
    asked = machine.root / "asked"
    config = machine.root / "gitconfig"
    helper = f"!touch {asked};"
    config.write_text(f'{config.read_text()}[credential]\n\thelper = "{helper}"\n')
    config.write_text(f'{config.read_text()}[credential "{machine.server.url}"]\n\thelper = "{helper}"\n')

    with pytest.raises(WorkFailed, match="GH_TOKEN") as caught:
        await machine.client(token="ghs_mistyped").refresh()

    assert not isinstance(caught.value, TemporarilyFailed)
    assert "ghs_mistyped" not in caught.value.message
    assert not asked.exists()


async def test_without_a_token_the_operators_own_helper_is_asked(machine: Machine) -> None:
    config = machine.root / "gitconfig"
    helper = f"!f() {{ echo username=x-access-token; echo password={TOKEN}; }}; f"
    config.write_text(f'{config.read_text()}[credential]\n\thelper = "{helper}"\n')

    await machine.client(token=None).refresh()


async def test_the_token_follows_the_operators_rewriting_and_no_push_address_of_theirs(machine: Machine) -> None:
    config = machine.root / "gitconfig"
    ssh = '[url "ssh://git@127.0.0.1:1/"]\n\tpushInsteadOf = https://github.com/\n'
    config.write_text(config.read_text() + ssh)

    await machine.pushed(machine.client())

    assert any(request.is_push for request in machine.server.requests)


@pytest.mark.parametrize("fault", [500, 503, "cut_before_headers", "cut_mid_stream"])
async def test_trouble_of_the_git_server_may_pass(machine: Machine, fault: int | str) -> None:
    machine.server.fault(fault)
    client = machine.client()

    with pytest.raises(TemporarilyFailed):
        await client.refresh()
    await client.refresh()


async def test_a_push_whose_answer_was_lost_is_finished_by_the_next(machine: Machine) -> None:
    client = machine.client()
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("1\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    machine.server.fault("cut_after_work", when=lambda request: request.is_push)

    with contextlib.suppress(TemporarilyFailed):  # unless curl itself tries again, and is refused then
        await client.push(workspace, commit, guard=unguarded)
    await client.push(workspace, commit, guard=unguarded)

    assert machine.server.heads(REPOSITORY)[BRANCH] == commit


async def test_a_second_call_updates_the_pull_request(machine: Machine) -> None:
    client = machine.client()
    workspace = await machine.pushed(client)

    first = await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded)
    again = await client.open_pull_request(workspace, title="PROJ-1: Better", body="Two.", draft=False, guard=unguarded)
    requests = len(machine.api.requests)
    same = await client.open_pull_request(workspace, title="PROJ-1: Better", body="Two.", draft=False, guard=unguarded)

    [pull] = machine.api[REPOSITORY].pulls
    assert (pull.title, pull.body, pull.draft) == ("PROJ-1: Better", "Two.", True)
    assert (first.created, again.created, same.created) == (True, False, False)
    assert first.number == again.number == same.number
    assert again.draft
    assert len(machine.api.requests) == requests + 1


async def test_a_ticket_has_a_pull_request_of_its_own_in_each_repository(machine: Machine) -> None:
    client = machine.client()
    other = machine.client(root=machine.root / "other", repo_url=f"https://github.com/{GADGETS}.git")

    for each in (client, other):
        await each.open_pull_request(
            await machine.pushed(each), title="PROJ-1: Widgets", body="Why.", draft=True, guard=unguarded
        )

    urls = [pull.url for name in (REPOSITORY, GADGETS) for pull in machine.api[name].pulls]
    assert urls == [f"https://github.com/{REPOSITORY}/pull/1", f"https://github.com/{GADGETS}/pull/1"]
    assert machine.server.file(GADGETS, BRANCH, "new.txt") == "1\n"


async def test_another_base_than_before_is_given_to_the_pull_request(machine: Machine) -> None:
    machine.server.commit_as_human(REPOSITORY, "release/2", {"released.txt": "1\n"}, "Release")
    client = machine.client()
    workspace = await machine.pushed(client)
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded)

    workspace = await client.prepare(BRANCH, base="release/2")
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded)

    [pull] = machine.api[REPOSITORY].pulls
    assert (pull.base, pull.body) == ("release/2", "One.")
    assert await client.branches() == ("main", "release/2")


async def test_a_closed_pull_request_and_that_of_a_fork_are_not_taken(machine: Machine) -> None:
    forge = machine.api[REPOSITORY]
    forge.add_pull(head=BRANCH).state = "closed"
    forge.add_pull(head=BRANCH, head_owner="somebody")
    client = machine.client()

    opened = await client.open_pull_request(
        await machine.pushed(client), title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded
    )

    assert opened.number == 3
    assert opened.created


async def test_where_there_are_no_drafts_it_is_no_draft(machine: Machine) -> None:
    machine.api[REPOSITORY].drafts = False
    client = machine.client()

    opened = await client.open_pull_request(
        await machine.pushed(client), title="PROJ-1: Widgets", body="Why.", draft=True, guard=unguarded
    )

    assert not opened.draft
    assert len(machine.api[REPOSITORY].pulls) == 1


@pytest.mark.parametrize("drafts", [True, False])
async def test_a_pull_request_that_needs_a_person_is_turned_into_a_draft_where_there_are_drafts(
    machine: Machine, drafts: bool
) -> None:
    client = machine.client()
    workspace = await machine.pushed(client)
    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)
    machine.api[REPOSITORY].drafts = drafts

    held = await client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Look.", draft=False, hold=True, guard=unguarded
    )
    again = await client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Look.", draft=False, guard=unguarded
    )

    [pull] = machine.api[REPOSITORY].pulls
    assert (pull.body, pull.draft) == ("Look.", drafts)
    assert (held.draft, again.draft) == (drafts, drafts)


async def test_a_pull_request_whose_answer_was_lost_is_found(machine: Machine) -> None:
    machine.api.fault("cut_after_work", when=lambda request: request.opens_pull)
    client = machine.client()

    opened = await client.open_pull_request(
        await machine.pushed(client), title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded
    )

    assert opened.number == 1
    assert len(machine.api[REPOSITORY].pulls) == 1


@pytest.mark.parametrize("fault", [502, 503, "secondary_limit", "cut_before_headers"])
@pytest.mark.parametrize("step", ["find", "open"])
async def test_trouble_of_the_api_may_pass(machine: Machine, fault: int | str, step: str) -> None:
    def at_step(request: GitHubRequest) -> bool:
        return request.opens_pull if step == "open" else request.method == "GET"

    client = machine.client()
    workspace = await machine.pushed(client)
    machine.api.fault(fault, when=at_step, times=None)

    with pytest.raises(TemporarilyFailed, match="pull request"):
        await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)

    machine.api.mend()
    assert (
        await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)
    ).number == 1


async def test_a_branch_without_commits_of_its_own_says_so(machine: Machine) -> None:
    client = machine.client()
    workspace = await client.prepare(BRANCH)

    with pytest.raises(WorkFailed, match="No commits between main and"):
        await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Why.", draft=False, guard=unguarded)


async def test_a_body_beyond_the_limit_is_cut(machine: Machine) -> None:
    client = machine.client()

    await client.open_pull_request(
        await machine.pushed(client),
        title="PROJ-1:\nWidgets " + "x" * 300,
        body="ö" * 70_000,
        draft=False,
        guard=unguarded,
    )

    [pull] = machine.api[REPOSITORY].pulls
    assert len(pull.body) == 65_536
    assert pull.title.startswith("PROJ-1: Widgets xxx")
    assert len(pull.title) == 256


async def test_check_reaches_repository_and_api(machine: Machine) -> None:
    found = await machine.client().check()

    assert machine.server.heads(REPOSITORY)["main"][:12] in found
    assert "gh 2." in found
    assert REPOSITORY in found


@pytest.mark.parametrize(
    ("broken", "message"),
    [("base", "BASE_BRANCH"), ("token", "GH_TOKEN"), ("permission", "write access"), ("repository", "REPO_URL")],
)
async def test_check_says_what_to_mend(machine: Machine, broken: str, message: str) -> None:
    machine.api[REPOSITORY].permission = "read" if broken == "permission" else "write"
    client = machine.client(
        base_branch="develop" if broken == "base" else "main",
        token="ghs_mistyped" if broken == "token" else TOKEN,
        repo_url="https://github.com/octo/nothing.git" if broken == "repository" else URL,
    )

    with pytest.raises(WorkFailed, match=message):
        await client.check()
