"""What a turn may do is held by code, with the real CLI: whatever the model tries, and however turns follow."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from app.models import EventKind
from app.services.claude_code.base import Permission, SessionRef
from app.services.claude_code.client import ClaudeCodeClient
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import Reply, ToolUse, agent, ask_people, bash, conversation, edit_file, read_file, write_file
from tests.services.claude_code.conftest import Told, children_in, prompt, session, without_marks

READ, PLAN, EDIT, ALONE = Permission.READ, Permission.PLAN, Permission.EDIT, Permission.ALONE

MEDDLING = [
    Reply("", tools=[read_file("kept.txt"), read_file("tracked.txt")]),
    Reply(
        "",
        tools=[
            edit_file("kept.txt", "kept", "edited"),
            write_file("written.txt", "w\n"),
            bash("echo x > echoed.txt"),
            bash("sed -i s/old/new/ tracked.txt"),
            bash("git checkout -q -b other"),
            ToolUse("NotebookEdit", {"notebook_path": "book.ipynb", "new_source": "x"}),
            agent("Be a sub-agent who meddles."),
        ],
    ),
    Reply("I tried."),
]
SUB_AGENT = [Reply("", tools=[write_file("by-sub-agent.txt", "s\n"), bash("touch touched.txt")]), Reply("Tried, too.")]


@pytest.fixture
def repository(worktree: Path) -> Path:
    """A git repository with a change in it."""
    (worktree / "tracked.txt").write_text("old\n")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=worktree, check=True)
    (worktree / "kept.txt").write_text("kept\n")
    return worktree


@pytest.mark.parametrize("permission", [READ, PLAN, EDIT])
async def test_only_a_turn_that_edits_changes_files_whatever_the_model_tries(
    permission: Permission, claude: ClaudeCodeClient, model: MessagesApi, repository: Path, told: Told
) -> None:
    model.script = conversation({"sub-agent": SUB_AGENT, "meddle": MEDDLING})
    before = contents(repository)
    turn = await claude.run_turn(session(repository), prompt("meddle"), told, permission=permission)

    assert turn.text == "I tried."
    names = {call["id"]: call["name"] for call in told.of(EventKind.TOOL_CALLED)}
    refused = [names[returned["id"]] for returned in told.of(EventKind.TOOL_RETURNED) if returned["failed"]]
    if permission is EDIT:
        assert refused == ["NotebookEdit"]
        changed = {path for path, text in contents(repository).items() if before.get(path) != text}
        assert {"kept.txt", "written.txt", "echoed.txt", "tracked.txt", ".git/HEAD"} < changed
        assert {"by-sub-agent.txt", "touched.txt"} < changed
    else:
        assert contents(repository) == before
        assert sorted(refused) == ["Bash", "Bash", "Bash", "Bash", "Edit", "NotebookEdit", "Write", "Write"]
    (sub_agent,) = (call["id"] for call in told.of(EventKind.TOOL_CALLED) if call["name"] == "Agent")
    by_it = [call["name"] for call in told.of(EventKind.TOOL_CALLED) if call.get("parent") == sub_agent]
    assert by_it == ["Write", "Bash"]


async def test_modes_and_models_switched_in_mid_conversation_loosen_nothing_and_keep_the_requests_beginning(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    turns = {"one": EDIT, "two": READ, "three": PLAN, "four": READ, "five": EDIT, "six": ALONE}
    model.script = conversation(
        {
            name: [Reply("", tools=[write_file(f"{name}.txt", "x\n"), bash(f"touch {name}.sh")]), Reply(f"{name}.")]
            for name in turns
        }
    )
    author = session(worktree)
    for name, permission in turns.items():
        chosen = "claude-opus-4-8" if name == "six" else None
        await claude.run_turn(author, prompt(name), told, permission=permission, model=chosen)

    assert len(children_in(worktree)) == 1
    assert {path.stem for path in worktree.iterdir()} == {"one", "five", "six"}
    bodies = [request.json for request in model.requests]
    assert [body["model"] for body in bodies] == ["claude-sonnet-4-6"] * 10 + ["claude-opus-4-8"] * 2
    of_one_model = bodies[:10]  # each model has a cache of its own, and texts that are made for it
    assert len({json.dumps([body["system"], body["tools"]]) for body in of_one_model}) == 1
    for before, after in pairwise(of_one_model):
        kept = without_marks(after["messages"][: len(before["messages"])])
        assert kept == without_marks(before["messages"])


async def test_a_session_of_several_worktrees_works_in_all_of_them_and_nowhere_else(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, tmp_path: Path, told: Told
) -> None:
    other, elsewhere = tmp_path / "other", tmp_path / "elsewhere"
    other.mkdir()
    elsewhere.mkdir()
    tries = [
        write_file(str(other / "a.txt"), "a\n"),
        write_file(str(elsewhere / "a.txt"), "a\n"),
        bash(f"cd {other}"),
        write_file("b.txt", "b\n"),
    ]
    model.script = conversation({"both": [*(Reply("", tools=[each]) for each in tries), Reply("Done.")]})
    await claude.warm(first := session(worktree))
    author = SessionRef(id=first.id, directory=worktree, others=(other,))
    await claude.run_turn(author, prompt("both"), told, permission=EDIT)

    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/?.txt")}
    assert written == {"other/a.txt", "other/b.txt"}


async def test_a_turn_that_nobody_watches_is_refused_its_question_and_goes_on(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    model.script = conversation({"choose": [Reply("", tools=[ask_people("Which?", "A", "B")]), Reply("I took A.")]})
    turn = await claude.run_turn(session(worktree), prompt("choose"), told, permission=ALONE)

    assert (turn.text, turn.question) == ("I took A.", None)
    assert "Nobody is there to answer" in json.dumps(model.requests[-1].messages[-1])


def contents(directory: Path) -> dict[str, str]:
    """Every file below, but for what git notes of its own reading."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "index")
    return {path.relative_to(directory).as_posix(): path.read_text(errors="replace") for path in files}
