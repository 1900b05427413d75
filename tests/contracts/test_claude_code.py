"""What every Claude Code keeps, the offline stand-in as the real CLI: sessions, answers, permissions, questions."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.errors import WorkFailed
from app.models import Answer, Asked, Choice, EventKind, Question
from app.services.claude_code.base import ClaudeCode, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.mock_client import Answer as Said
from app.services.claude_code.mock_client import MockClaudeCode
from tests.fakes import scripts
from tests.fakes.messages_api import MessagesApi
from tests.services.claude_code.shelf import Shelf
from tests.surroundings import settings_for, surroundings

READ, PLAN, EDIT, ALONE = Permission.READ, Permission.PLAN, Permission.EDIT, Permission.ALONE

Turns = Mapping[str, Said]
"""What the model does in each turn, by a word of its prompt."""

Make = Callable[[Turns], ClaudeCode]


class Heard:
    """What turns told. Text is told while it grows, too, which is not kept here."""

    def __init__(self) -> None:
        self.events: list[tuple[EventKind, Mapping[str, Any]]] = []

    async def __call__(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        if kind is not EventKind.WRITING:
            self.events.append((kind, payload))

    @property
    def kinds(self) -> list[EventKind]:
        """The kinds, in the order in which they were told."""
        return [kind for kind, _ in self.events]


@pytest.fixture(params=["mock", "cli"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def make(kind: str, model: MessagesApi, shelf: Shelf, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes Claude Code whose model does what it is told to."""
    async with machine(kind, model, shelf, tmp_path) as make:
        yield make


@pytest.fixture
async def make_elsewhere(kind: str, model: MessagesApi, shelf: Shelf, tmp_path: Path) -> AsyncIterator[Make]:
    """The same on another machine, which has the archive and nothing else of the first."""
    async with machine(kind, model, shelf, tmp_path / "elsewhere") as make:
        yield make


@asynccontextmanager
async def machine(kind: str, model: MessagesApi, shelf: Shelf, workspace: Path) -> AsyncIterator[Make]:
    """A place with a workspace of its own."""
    made: list[ClaudeCode] = []
    opened = AsyncExitStack()
    around = None if kind == "mock" else await opened.enter_async_context(surroundings(settings_for(model, workspace)))

    def mock(turns: Turns) -> ClaudeCode:
        def said(prompt: str, _directory: Path) -> Said:
            return next((answer for word, answer in turns.items() if word in prompt), Said(text="OK"))

        return MockClaudeCode(author=said, reviewer=said, archive=shelf)

    def real(turns: Turns) -> ClaudeCode:
        model.script = scripts.conversation({word: _replies(answer) for word, answer in turns.items()})
        assert around is not None
        return ClaudeCodeClient(surroundings=around, limit=2, archive=shelf)

    def make(turns: Turns) -> ClaudeCode:
        made.append(mock(turns) if kind == "mock" else real(turns))
        return made[-1]

    yield make
    for each in made:
        await each.stop()
    await opened.aclose()


@pytest.fixture
def session(tmp_path: Path) -> SessionRef:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return SessionRef(id=str(uuid.uuid4()), directory=directory)


WRITES = Said(text="Written.", files={"src/toggle.txt": "on\n", "old.txt": None})
QUESTION = Question(
    id="toolu_1", asked=(Asked(question="Which?", header="Choice", choices=(Choice(label="A"), Choice(label="B"))),)
)


def prompt_of(text: str) -> Prompt:
    return Prompt(id=str(uuid.uuid5(uuid.NAMESPACE_OID, text)), text=text)


async def test_a_turn_writes_files_and_tells_what_it_does(make: Make, session: SessionRef) -> None:
    (session.directory / "old.txt").write_text("old\n")
    claude_code, heard = make({"implement": WRITES}), Heard()
    turn = await claude_code.run_implementation(session, prompt_of("implement"), heard)
    assert (turn.text, turn.session_id, turn.finished, turn.question) == ("Written.", session.id, True, None)
    assert {file.name for file in session.directory.rglob("*.txt")} == {"toggle.txt"}
    assert heard.kinds == [EventKind.TOOL_CALLED, EventKind.TOOL_RETURNED] * 2 + [EventKind.TEXT]


@pytest.mark.parametrize("permission", [READ, PLAN])
async def test_a_turn_that_may_not_write_is_refused_and_goes_on(
    permission: Permission, make: Make, session: SessionRef
) -> None:
    (session.directory / "old.txt").write_text("old\n")
    claude_code, heard = make({"look": WRITES}), Heard()
    turn = await claude_code.run_turn(session, prompt_of("look"), heard, permission=permission)
    assert turn.text == "Written."
    assert [file.name for file in session.directory.rglob("*")] == ["old.txt"]
    refused = [payload["content"] for kind, payload in heard.events if kind is EventKind.TOOL_RETURNED]
    assert len(refused) == 2
    assert all("and changes nothing" in reason for reason in refused)


async def test_a_prompt_that_was_answered_is_not_asked_again_and_costs_add_up(make: Make, session: SessionRef) -> None:
    claude_code, heard = make({"implement": Said(text="Done."), "fix": Said(text="Fixed.")}), Heard()
    assert not await claude_code.remembers(session.id)
    first = await claude_code.run_implementation(session, prompt_of("implement"), heard)
    await claude_code.close(session.id)
    assert await claude_code.remembers(session.id)
    again = await claude_code.run_implementation(session, prompt_of("implement"), heard)
    second = await claude_code.run_implementation(session, prompt_of("fix"), heard)
    assert (first.text, again.text, second.text) == ("Done.", "Done.", "Fixed.")
    assert 0 < first.session_cost_usd < second.session_cost_usd
    assert heard.kinds == [EventKind.TEXT] * 2


async def test_a_question_stops_the_turn_and_its_answer_lets_it_go_on_once(make: Make, session: SessionRef) -> None:
    claude_code, heard = make({"choose": Said(text="Hm.", question=QUESTION)}), Heard()
    waiting = await claude_code.run_turn(session, prompt_of("choose"), heard, permission=EDIT)
    assert waiting.question is not None
    assert waiting.question.asked[0].question == "Which?"
    assert waiting.text == ""

    given = Answer(by="Ada", answers={"Which?": "A"})
    reply = Reply(question=waiting.question, answer=given, prompt=prompt_of("they said A"))
    done = await claude_code.run_turn(session, reply, heard, permission=EDIT)
    told = list(heard.kinds)
    again = await claude_code.run_turn(session, reply, heard, permission=EDIT)
    assert (done.question, again.text) == (None, done.text)
    assert heard.kinds == told == [EventKind.TEXT] * 2


async def test_a_plan_is_proposed_only_where_one_is_wanted(make: Make, session: SessionRef) -> None:
    plan = Said(text="Here it is.", question=Question(id="toolu_2", plan="# Plan\n"))
    claude_code = make({"plan": plan, "think": plan})
    told_to_plan = await claude_code.run_turn(session, prompt_of("plan"), Heard(), permission=PLAN)
    assert told_to_plan.question is not None
    assert told_to_plan.question.plan == "# Plan\n"
    told_to_think = await claude_code.run_turn(session, prompt_of("think"), Heard(), permission=READ)
    assert (told_to_think.question, told_to_think.text) == (None, "Here it is.")


async def test_where_nobody_is_there_a_question_stops_nothing(make: Make, session: SessionRef) -> None:
    claude_code = make({"choose": Said(text="I took A.", question=QUESTION)})
    turn = await claude_code.run_implementation(session, prompt_of("choose"), Heard())
    assert (turn.text, turn.question) == ("I took A.", None)


async def test_a_session_that_knows_nothing_of_the_question_is_asked_the_prompt_instead(
    make: Make, session: SessionRef
) -> None:
    claude_code = make({"they said": Said(text="I see.")})
    reply = Reply(question=QUESTION, answer=Answer(by="Ada", text="A"), prompt=prompt_of("they said A"))
    turn = await claude_code.run_turn(session, reply, Heard(), permission=EDIT)
    assert turn.text == "I see."


async def test_a_reviewer_answers_in_a_session_of_its_own_and_changes_nothing(make: Make, session: SessionRef) -> None:
    claude_code = make({"review": Said(text="HAS_ISSUES: false", files={"a.txt": "a\n"})})
    await claude_code.warm(session)
    reviewer = SessionRef(id=str(uuid.uuid4()), directory=session.directory)
    turn = await claude_code.run_code_review(reviewer, prompt_of("review"), Heard(), beside=session.id)
    assert "HAS_ISSUES: false" in turn.text
    assert list(session.directory.iterdir()) == []
    assert not await claude_code.remembers(session.id)


async def test_a_session_is_remembered_on_another_machine_with_the_same_archive(
    make: Make, make_elsewhere: Make, session: SessionRef, tmp_path: Path
) -> None:
    turns = {"implement": Said(text="Done."), "fix": Said(text="Fixed.")}
    here, there, heard = make(turns), make_elsewhere(turns), Heard()
    first = await here.run_implementation(session, prompt_of("implement"), heard)
    await here.close(session.id)

    moved = session.model_copy(update={"directory": tmp_path / "elsewhere" / "worktree"})
    moved.directory.mkdir(parents=True)
    assert await there.remembers(session.id)
    again = await there.run_implementation(moved, prompt_of("implement"), heard)
    second = await there.run_implementation(moved, prompt_of("fix"), heard)
    assert (first.text, again.text, second.text) == ("Done.", "Done.", "Fixed.")
    assert heard.kinds == [EventKind.TEXT] * 2


async def test_a_session_that_is_forgotten_here_is_still_archived(make: Make, session: SessionRef) -> None:
    claude_code = make({"implement": Said(text="Done.")})
    assert await claude_code.sessions() == ()
    await claude_code.run_implementation(session, prompt_of("implement"), Heard())
    assert await claude_code.sessions() == (), "it has a process"
    await claude_code.close(session.id)
    assert await claude_code.sessions() == (session.id,)
    await claude_code.forget(session.id)
    await claude_code.forget(session.id)
    assert await claude_code.sessions() == ()
    assert await claude_code.remembers(session.id)


async def test_a_turn_in_a_directory_that_is_gone_fails(make: Make, tmp_path: Path) -> None:
    session = SessionRef(id=str(uuid.uuid4()), directory=tmp_path / "gone")
    with pytest.raises(WorkFailed, match=r"(?i)directory"):
        await make({}).run_implementation(session, prompt_of("implement"), Heard())


def _replies(said: Said) -> Sequence[scripts.Reply]:
    """What the model answers, request by request, to do the same."""
    calls = [
        scripts.bash(f"rm -f {path}") if text is None else scripts.write_file(path, text)
        for path, text in said.files.items()
    ]
    steps = [scripts.Reply("", tools=[call]) for call in calls]
    if said.question is not None and said.question.plan is not None:
        steps.append(scripts.Reply("", tools=[scripts.write_plan(said.question.plan)]))
        steps.append(scripts.Reply(said.text, tools=[scripts.propose_plan()]))
    elif said.question is not None:
        (asked,) = said.question.asked
        choices = [choice.label for choice in asked.choices]
        steps.append(scripts.Reply(said.text, tools=[scripts.ask_people(asked.question, *choices)]))
    return [*steps, scripts.Reply(said.text)]
