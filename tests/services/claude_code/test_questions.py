"""Waiting for people, with the real CLI: for days, without a process, and answered once."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.models import Answer, EventKind
from app.results import Turn
from app.services.claude_code.base import Permission, Reply, SessionRef
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.options import CliSettings
from tests.fakes import scripts
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ask_people, conversation, propose_plan, read_file, write_file, write_plan
from tests.services.claude_code.conftest import Told, children_in, prompt, session, tool_results, without_marks

READ, PLAN, EDIT = Permission.READ, Permission.PLAN, Permission.EDIT

Service = Callable[[], AbstractAsyncContextManager[ClaudeCodeClient]]


@pytest.fixture
def service(around: Surroundings) -> Service:
    """A service that runs for a while; each one finds what the one before left on disk."""

    @asynccontextmanager
    async def run() -> AsyncIterator[ClaudeCodeClient]:
        client = ClaudeCodeClient(surroundings=around, limit=1)
        try:
            yield client
        finally:
            await client.stop()

    return run


@pytest.fixture
def author(worktree: Path) -> SessionRef:
    return session(worktree)


def reply(turn: Turn, **answer: Any) -> Reply:
    assert turn.question is not None
    return Reply(question=turn.question, answer=Answer(by="Ada", **answer), prompt=prompt("They said something."))


WHICH = [
    scripts.Reply("I have a question.", tools=[ask_people("Which colour?", "Red", "Blue")]),
    scripts.Reply("", tools=[write_file("colour.txt", "blue\n")]),
    scripts.Reply("Painted."),
]


async def test_a_question_waits_without_a_process_and_its_answer_is_the_calls_result(
    service: Service, model: MessagesApi, author: SessionRef, told: Told
) -> None:
    model.script = conversation({"paint": WHICH})
    asked = prompt("paint it")
    async with service() as before:
        waiting = await before.run_turn(author, asked, told, permission=EDIT)
        assert children_in(author.directory) == []
    assert waiting.question is not None
    (one,) = waiting.question.asked
    assert (one.question, [choice.label for choice in one.choices]) == ("Which colour?", ["Red", "Blue"])

    async with service() as after:
        await after.warm(author)  # must not take the question up
        assert (await after.run_turn(author, asked, told, permission=EDIT)).question == waiting.question
        assert len(model.requests) == 1
        answer = reply(waiting, answers={"Which colour?": "Blue"}, text="Navy, if you can.")
        done = await after.run_turn(author, answer, told, permission=EDIT)
        again = await after.run_turn(author, answer, told, permission=EDIT)

    assert (done.text, again.text, done.question) == ("Painted.", "Painted.", None)
    assert (author.directory / "colour.txt").read_text() == "blue\n"
    assert len(model.requests) == 3
    (result,) = tool_results(model.requests[1])
    assert result["tool_use_id"] == waiting.question.id
    assert '"Which colour?"="Blue" notes: Navy, if you can.' in result["content"]
    assert [call["name"] for call in told.of(EventKind.TOOL_CALLED)] == ["Write"]
    assert len(told.of(EventKind.TOOL_RETURNED)) == 1


async def test_a_plan_is_revised_and_approved_in_one_session_and_then_followed(
    service: Service, model: MessagesApi, author: SessionRef, told: Told
) -> None:
    model.script = conversation(
        {
            "plan": [
                scripts.Reply("", tools=[write_plan("# Paint it red\n")]),
                scripts.Reply("", tools=[propose_plan()]),
                scripts.Reply("", tools=[write_file("too-early.txt", "x\n"), write_plan("# Paint it blue\n")]),
                scripts.Reply("", tools=[propose_plan()]),
                scripts.Reply("", tools=[write_file("colour.txt", "blue\n")]),
                scripts.Reply("Painted."),
            ]
        }
    )
    async with service() as claude:
        first = await claude.run_turn(author, prompt("plan it"), told, permission=PLAN)
        assert first.question is not None
        second = await claude.run_turn(author, reply(first, text="Blue, please."), told, permission=PLAN)
        assert second.question is not None
        approval = reply(second, approved=True, text="Mind the edges.")
        done = await claude.run_turn(author, approval, told, permission=EDIT)

    assert (first.question.plan, second.question.plan) == ("# Paint it red\n", "# Paint it blue\n")
    assert done.text == "Painted."
    assert {path.name for path in author.directory.iterdir()} == {"colour.txt"}
    (wanted,), (approved,) = tool_results(model.requests[2]), tool_results(model.requests[4])
    assert "Blue, please." in wanted["content"]
    assert "Mind the edges." in approved["content"]
    assert {request.session_id for request in model.requests} == {author.id}


async def test_an_answer_that_reached_the_session_is_not_given_twice_when_its_process_dies(
    service: Service, model: MessagesApi, cli: CliSettings, author: SessionRef, told: Told
) -> None:
    model.script = conversation({"paint": WHICH})
    async with service() as before:
        waiting = await before.run_turn(author, prompt("paint it"), told, permission=EDIT)
        answer = reply(waiting, answers={"Which colour?": "Blue"})
        with model.gate(lambda request: bool(tool_results(request))) as gate:
            turn = asyncio.create_task(before.run_turn(author, answer, told, permission=EDIT))
            await asyncio.to_thread(gate.wait)
            await kept(cli, author, "have been answered")
            (pid,) = children_in(author.directory)
            os.kill(pid, signal.SIGKILL)
            turn.cancel()
            await asyncio.wait({turn})
    async with service() as after:
        done = await after.run_turn(author, answer, told, permission=EDIT)

    assert done.text == "Painted."
    assert (author.directory / "colour.txt").read_text() == "blue\n"
    everything = json.dumps(model.requests[-1].messages)
    assert everything.count("have been answered") == 1
    assert answer.prompt.text not in everything


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another call"])
async def test_a_person_may_write_something_else_instead_of_answering(
    beside: bool, service: Service, model: MessagesApi, author: SessionRef, told: Told
) -> None:
    (author.directory / "a.txt").write_text("a\n")
    calls = [*([read_file("a.txt")] if beside else []), ask_people("Which colour?", "Red", "Blue")]
    model.script = conversation(
        {
            "paint": [scripts.Reply("", tools=[read_file("a.txt")]), scripts.Reply("", tools=calls)],
            "never mind": [scripts.Reply("As you like.")],
            "what now": [scripts.Reply("Nothing.")],
        }
    )
    async with service() as claude:
        waiting = await claude.run_turn(author, prompt("paint it"), told, permission=EDIT)
        assert waiting.question is not None
        turn = await claude.run_turn(author, prompt("never mind"), told, permission=READ)
        await claude.close(author.id)
        last = await claude.run_turn(author, prompt("what now"), told, permission=READ)

    assert (turn.text, turn.question, last.text) == ("As you like.", None, "Nothing.")
    assert len(model.requests) == 4
    before, after = (without_marks(request.messages) for request in model.requests[-2:])
    assert after[: len(before)] == before
    assert "result missing" not in json.dumps(after)
    assert told.of(EventKind.TURN_RESUMED) == []


async def test_an_answer_to_a_question_beside_another_call_is_said_in_words(
    service: Service, model: MessagesApi, author: SessionRef, told: Told
) -> None:
    (author.directory / "a.txt").write_text("a\n")
    question = ask_people("Which colour?", "Red", "Blue")
    model.script = conversation(
        {
            "paint": [scripts.Reply("", tools=[read_file("a.txt")]), scripts.Reply("", tools=[question, question])],
            "they said": [scripts.Reply("I see.")],
        }
    )
    async with service() as claude:
        waiting = await claude.run_turn(author, prompt("paint it"), told, permission=EDIT)
        answer = reply(waiting, answers={"Which colour?": "Blue"})
        turn = await claude.run_turn(author, answer, told, permission=EDIT)
        again = await claude.run_turn(author, answer, told, permission=EDIT)

    assert (turn.text, again.text) == ("I see.", "I see.")
    assert model.requests[-1].prompt == answer.prompt.text
    assert "asked something else in this message" in json.dumps(model.requests[-1].messages)


async def kept(cli: CliSettings, author: SessionRef, text: str) -> None:
    """Return when the CLI has written it down, which it does a moment after the fact."""
    for _ in range(1000):
        if any(text in file.read_text() for file in cli.config_directory(author.id).glob("projects/*/*.jsonl")):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"No transcript holds {text!r}.")
