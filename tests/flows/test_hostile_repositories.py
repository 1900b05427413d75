"""Hostile repositories on real parts: what they bring along, and what a hijacked agent lays in its worktree."""

from pathlib import Path

import pytest

from tests.fakes.scripts import Reply, bash, verdict, write_file
from tests.flows import traps
from tests.flows.outside import Outside
from tests.flows.world import FILES, IMPLEMENT, REPOSITORY, REVIEW, World

def test_explore() -> None:
    turns = {REVIEW: [verdict()]}
    with World(turns) as world, Outside() as outside:
        caught = world.directory / "caught"
        inside = '"$TMPDIR/caught-claude"'
        files = {
            ".claude/settings.json": traps.settings(inside, outside.port),
            ".claude/settings.local.json": traps.settings(inside, outside.port),
            ".mcp.json": traps.servers(str(caught)),
            ".gitattributes": "* filter=trap diff=trap merge=trap\n",
        }
        world.git.commit_as_human(REPOSITORY, "main", files, "Bring traps")
        turns[IMPLEMENT] = [
            Reply("", tools=[traps.in_git(caught, outside.port)]),
            Reply("", tools=[write_file("src/toggle.txt", "toggle\n")]),
            Reply("Done."),
        ]
        with world.service() as service:
            run = service.wait(service.accept(world.ticket()))
            for event in service.events(run["id"]):
                if event["kind"] in ("tool.returned", "gate.checked"): print(event)
            print(run)
        print(world.pulls)
        print([str(p) for p in world.directory.rglob("caught*")])
        from tests.fakes.repositories import git
        print(git("ls-tree", "-r", "ticket/proj-1", cwd=world.git.path(REPOSITORY)))
        print(outside.reached)
        print(service.log.read_text()[-3000:])
        assert 0
