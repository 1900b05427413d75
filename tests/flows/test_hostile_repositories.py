"""Hostile repositories on real parts: what they bring along, and what a hijacked agent does to its worktree."""

from pathlib import Path

from tests.contracts.github_worlds import made_up_token
from tests.fakes.messages_api import API_KEY
from tests.fakes.repositories import git
from tests.fakes.scripts import Reply, bash, verdict, write_file
from tests.flows import traps
from tests.flows.outside import Outside
from tests.flows.service import ACCESS_CODE, WEBHOOK_SECRET
from tests.flows.world import FILES, IMPLEMENT, REPOSITORY, REVIEW, TOKEN, World

AGAIN = "was sent again"
LINKED, WARNED = OPENED = ("ticket/proj-1", "ticket/proj-3")
OF_HOME, OF_ANOTHER = "a-secret-in-the-operators-home", "work-of-another-ticket"
HONEST = write_file("src/toggle.txt", "toggle\n")
INSTALL = "env >environment.txt; cat /proc/[0-9]*/environ ~/.netrc >>environment.txt; true\n"
ONLY_PUBLISHING = {"PIPELINE_REVIEW": "false", "PIPELINE_LINT": "false", "PIPELINE_TESTS": "false"}


def caught(world: World) -> list[str]:
    """What the traps left."""
    return [str(path) for path in world.directory.rglob("caught*")]


def files(world: World, branch: str) -> dict[str, str]:
    """What is on a branch at the forge: the modes by path."""
    lines = git("ls-tree", "-r", branch, cwd=world.git.path(REPOSITORY)).splitlines()
    return {line.partition("\t")[2]: line.split()[0] for line in lines}


def kept(world: World) -> list[str]:
    """What the service stores, as text."""
    return [path.read_bytes().decode(errors="replace") for path in world.workspace.glob("auto-code.db*")]


def test_no_trap_of_a_repository_or_of_an_agent_runs_and_the_honest_change_is_published() -> None:
    turns: dict[str, list[Reply]] = {AGAIN: [Reply("", tools=[bash("true")]), Reply("Done.")], REVIEW: [verdict()]}
    with World(turns) as world, Outside() as outside:
        brought = {
            ".claude/settings.json": traps.settings(outside.port),
            ".claude/settings.local.json": traps.settings(outside.port),
            ".mcp.json": traps.servers(),
            ".gitattributes": "* filter=trap diff=trap merge=trap\n",
            "install.sh": INSTALL,
            "WORKFLOW.md": FILES["WORKFLOW.md"].replace("lint:", "setup: sh install.sh\nlint:"),
        }
        world.git.commit_as_human(REPOSITORY, "main", brought, "Bring traps")
        outer = world.directory / "caught"
        laid = [traps.in_git(outer, outside.port), traps.in_the_state_of_claude_code(outer, outside.port)]
        turns[IMPLEMENT] = [*(Reply("", tools=[trap]) for trap in laid), Reply("", tools=[HONEST]), Reply("Done.")]
        with world.service() as service:
            first = service.wait(service.accept(world.ticket(timestamp=1)))
        with world.service(**ONLY_PUBLISHING) as service:  # a new process of Claude Code goes on with the conversation
            again = service.wait(service.accept(world.ticket(timestamp=2)))
            shown = f"{service.events(first['id'])}{service.events(again['id'])}{world.pulls}{service.log.read_text()}"

        assert (first["status"], again["status"]) == ("pr_opened", "pr_opened"), (first["error"], again["error"])
        assert caught(world) == []
        assert outside.reached == []
        assert {request.model for request in world.model.requests} == {"claude-sonnet-4-6"}
        assert not any("trap" in tool for request in world.model.requests for tool in request.tools)
        (pull,) = world.pulls
        changed = files(world, pull.head).items() - files(world, "main").items()
        honest = {"src/toggle.txt", "vendor/inner/inner.txt", "vendor/bare/bare.txt", "environment.txt"}
        assert honest <= {path for path, _ in changed}
        assert {mode for _, mode in changed} == {"100644", "100755"}
        assert not any(part == ".git" for path, _ in changed for part in Path(path).parts)
        environment = world.git.file(REPOSITORY, pull.head, "environment.txt") or ""
        assert "PATH=" in environment
        for secret in (TOKEN, API_KEY, WEBHOOK_SECRET, ACCESS_CODE):
            assert secret not in f"{shown}{environment}"

        (evil,) = (world.workspace / "claude").glob("*/tmp/evil/.git")
        git(f"--git-dir={evil}", f"--work-tree={world.git.root}", "status", cwd=world.git.root)
        assert caught(world), "the traps do not work at all"


LINKS = """\
rm -rf src tools; ln -s {workspace}/worktrees/ticket/proj-9 src; ln -s {home} tools; ln -s {workspace} state
for name in CLAUDE.md WORKFLOW.md AGENTS.md; do rm -f $name; ln -s {home}/.netrc $name; done
"""
UNLINK = """\
rm src tools state AGENTS.md CLAUDE.md WORKFLOW.md; mkdir src tools
echo light > src/theme.txt; echo toggle > src/toggle.txt; echo '# Themes' > CLAUDE.md
"""
WORKFLOW = write_file(".github/workflows/build.yml", "on: push\njobs: {}\n")


def test_links_secrets_and_workflows_are_held_back_and_the_honest_change_is_published() -> None:
    token = made_up_token()
    turns: dict[str, list[Reply]] = {
        "ticket PROJ-2": [Reply("", tools=[HONEST, write_file("src/config.txt", f"key={token}\n")]), Reply("Done.")],
        "ticket PROJ-3": [Reply("", tools=[HONEST, WORKFLOW]), Reply("Done.")],
        "ticket PROJ-4": [Reply("", tools=[HONEST, WORKFLOW]), Reply("Done.")],
    }
    with World(turns) as world:
        home, other = Path(world.service().env["HOME"]), world.workspace / "worktrees" / "ticket" / "proj-9"
        (home / ".netrc").write_text(f"machine github.com password {OF_HOME}\n")
        other.mkdir(parents=True)
        (other / "theme.txt").write_text(OF_ANOTHER)
        link = LINKS.replace("{workspace}", str(world.workspace)).replace("{home}", str(home))
        turns["ticket PROJ-1"] = [Reply("", tools=[bash(link)]), Reply("Done.")]
        turns["a symbolic link out of"] = [Reply("", tools=[bash(UNLINK)]), Reply("Mended.")]
        with world.service(**ONLY_PUBLISHING) as service:
            asked = [service.accept(world.ticket(f"PROJ-{number}")) for number in (1, 2, 3)]
            linked, secret, workflow = (service.wait(run_id) for run_id in asked)
            seen = "".join(str(service.events(run_id)) for run_id in asked)
        with world.service(**ONLY_PUBLISHING, PROTECTED_PATHS="block") as service:
            blocked = service.wait(service.accept(world.ticket("PROJ-4")))
            seen += f"{service.events(blocked['id'])}{service.log.read_text()}{world.pulls}{kept(world)}"

        by_branch = {pull.head: pull for pull in world.pulls}
        assert by_branch.keys() | {"main"} == world.git.heads(REPOSITORY).keys() == {"main", *OPENED}
        assert (linked["status"], by_branch[LINKED].draft) == ("pr_opened", False), linked["error"]
        assert "a symbolic link out of the repository at AGENTS.md, CLAUDE.md" in by_branch[LINKED].body
        assert files(world, LINKED) == dict.fromkeys(
            ("CLAUDE.md", "README.md", "src/theme.txt", "src/toggle.txt"), "100644"
        )
        assert secret["status"] == "failed"
        assert "what looks like a secret at src/config.txt:1 (github pat)" in secret["error"]
        assert (workflow["status"], by_branch[WARNED].draft) == ("pr_opened", True)
        assert "> - `.github/workflows/build.yml`" in by_branch[WARNED].body
        assert blocked["status"] == "failed"
        assert "a protected path at .github/workflows/build.yml" in blocked["error"]
        assert [value for value in (token, OF_HOME, OF_ANOTHER, TOKEN, API_KEY) if value in seen] == []
        assert "github pat" in seen
        assert (other / "theme.txt").read_text() == OF_ANOTHER
