"""What the doors ask of a runner: tickets, repositories, models, messages and answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import Conflict, InvalidInput, NotFound, StoreUnavailable, TemporarilyFailed
from app.models import (
    Answer,
    Asked,
    ConversationFilter,
    EventKind,
    PipelineOptions,
    Question,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
    Ticket,
    Trigger,
)
from app.results import TicketDetails, TicketHit, TicketProject
from app.services.runner import Runner
from app.services.store.base import Claim
from app.services.store.mock_client import MockStore
from app.services.tracker.mock_client import MockTracker
from tests.contracts.runners import KINDS, runner_of

TICKET = Ticket(key="PROJ-1", summary="Add dark mode", description="On every page.")
TRACKED = TicketDetails(ticket=Ticket(key="WEB-7", summary="Rename the widgets"), status="To Do", assignee="Ada")
DEMO = RepositoryChoice(name="offline/demo", base="main")
API = RepositoryChoice(name="acme/api", base="release")
QUESTION = Question(id="toolu_1", asked=(Asked(question="Which colour?"),))


class Tracking(MockTracker):
    """A tracker that is away for a while."""

    away = False

    async def show(self, key: str) -> TicketDetails:
        if self.away:
            raise TemporarilyFailed("Jira did not answer. Try again in a moment.")
        return await super().show(key)


@pytest.fixture
def store() -> MockStore:
    return MockStore()


@pytest.fixture
def tracker() -> Tracking:
    return Tracking(tickets=[TRACKED], projects={"WEB": "The web"})


@pytest.fixture(params=KINDS)
async def runner(request: pytest.FixtureRequest, store: MockStore, tmp_path: Path) -> AsyncIterator[Runner]:
    """A runner of each kind, without a tracker, that knows a ticket."""
    made = runner_of(request.param, store, tmp_path)
    await made.start()
    await store.keep_ticket(TICKET)
    yield made
    await made.stop()


@pytest.fixture(params=KINDS)
async def tracked(
    request: pytest.FixtureRequest, store: MockStore, tracker: Tracking, tmp_path: Path
) -> AsyncIterator[Runner]:
    """The same with a tracker."""
    made = runner_of(request.param, store, tmp_path, tracker=tracker)
    await made.start()
    await store.keep_ticket(TICKET)
    yield made
    await made.stop()


def asked(text: str = "Where?", **facts: object) -> Request:
    return Request.model_validate({"mode": RunMode.ASK, "text": text, "by": "Ada", **facts})


async def sent(runner: Runner, request: Request, *, key: str = "PROJ-1", message_id: str = "one") -> str:
    """A message that begins a run, and the run's id."""
    receipt = await runner.send(key, request, message_id=message_id)
    assert (receipt.status, receipt.ticket) == ("accepted", key)
    assert receipt.run_id is not None
    return receipt.run_id


async def waiting(runner: Runner, store: MockStore) -> str:
    """A run that waits with a question."""
    run_id = await sent(runner, asked(mode=RunMode.EDITS))
    await store.move(run_id, RunStatus.RUNNING)
    await store.ask(run_id, QUESTION)
    return run_id


# Tickets


async def test_without_a_tracker_tickets_are_those_known_here(runner: Runner) -> None:
    assert (runner.tracker, await runner.projects()) == (None, ())
    assert await runner.find_tickets("dark") == (TicketHit(key="PROJ-1", summary="Add dark mode"),)
    assert await runner.ticket("PROJ-1") == TicketDetails(ticket=TICKET)
    with pytest.raises(NotFound):
        await runner.ticket("PROJ-2")


async def test_a_local_ticket_is_made_once_by_its_key_and_can_be_talked_about(runner: Runner) -> None:
    made = await runner.create_ticket(" proj-2 ", " Add\na toggle ", " In Settings. ")

    assert made == Ticket(key="PROJ-2", summary="Add a toggle", description="In Settings.")
    assert await runner.ticket("PROJ-2") == TicketDetails(ticket=made)
    await sent(runner, asked(), key="PROJ-2")
    with pytest.raises(Conflict, match=r"There is a ticket PROJ-2 already\."):
        await runner.create_ticket("PROJ-2", "Another", "")


@pytest.mark.parametrize(
    ("key", "summary", "field"), [("$(id)", "Add", "key"), ("PROJ-3", " ", "summary"), ("PROJ-3", "x" * 256, "summary")]
)
async def test_a_local_ticket_needs_a_key_and_a_summary_of_bearable_length(
    runner: Runner, key: str, summary: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await runner.create_ticket(key, summary, "")
    assert refused.value.field == field
    with pytest.raises(NotFound):
        await runner.ticket("PROJ-3")


async def test_with_a_tracker_tickets_are_the_trackers(tracked: Runner) -> None:
    assert (tracked.tracker, await tracked.projects()) == ("Jira", (TicketProject(key="WEB", name="The web"),))
    assert [hit.key for hit in await tracked.find_tickets("widgets")] == ["WEB-7"]
    assert (await tracked.ticket("WEB-7")).assignee == "Ada"
    made = await tracked.create_ticket("WEB", "Add a toggle", "In Settings.")
    assert (made.key, (await tracked.ticket("WEB-8")).ticket) == ("WEB-8", made)
    with pytest.raises(NotFound, match="no project OPS"):
        await tracked.create_ticket("OPS", "Add a toggle", "")


async def test_a_ticket_of_the_tracker_can_be_talked_about_and_is_known_from_then_on(
    tracked: Runner, tracker: Tracking, store: MockStore
) -> None:
    await sent(tracked, asked(), key="WEB-7")
    tracker.away = True

    assert await store.ticket("WEB-7") == TRACKED.ticket
    assert (await tracked.conversation("WEB-7")).ticket == TRACKED.ticket
    assert await tracked.ticket("WEB-7") == TicketDetails(ticket=TRACKED.ticket)


async def test_what_is_known_neither_here_nor_there_is_said_by_whoever_was_asked(
    tracked: Runner, tracker: Tracking
) -> None:
    with pytest.raises(NotFound, match="Check the key"):
        await tracked.ticket("WEB-9")
    with pytest.raises(NotFound, match="Check the key"):
        await tracked.send("WEB-9", asked(), message_id="one")
    tracker.away = True
    with pytest.raises(TemporarilyFailed, match="Jira did not answer"):
        await tracked.ticket("WEB-7")
    assert (await tracked.ticket("PROJ-1")).ticket == TICKET, "a local one needs no tracker"


# Repositories


async def test_repositories_come_with_their_bases_and_branches_the_default_first(runner: Runner) -> None:
    assert runner.repositories() == (DEMO, RepositoryChoice(name="acme/api", base="main"))
    assert await runner.branches("acme/api") == ("main", "release")
    with pytest.raises(NotFound, match="acme/none"):
        await runner.branches("acme/none")


async def test_a_message_starts_with_the_conversations_repositories_or_its_projects_or_the_default(
    runner: Runner, store: MockStore
) -> None:
    assert await runner.suggested("PROJ-1") == (DEMO,)
    await store.keep_ticket(Ticket(key="PROJ-2", summary="Other"))
    await store.keep_ticket(Ticket(key="PROJECT-1", summary="Talks of PROJ-1"))
    await sent(runner, asked(repositories=(API, DEMO)), key="PROJ-2", message_id="one")
    await sent(runner, asked(repositories=(DEMO,)), key="PROJECT-1", message_id="two")

    assert await runner.suggested("PROJ-1") == (API, DEMO), "as another ticket of the project has it"
    await sent(runner, asked(repositories=(API,)), message_id="three")
    assert await runner.suggested("PROJ-1") == (API,)
    assert await runner.suggested("OPS-1") == (DEMO,)


async def test_a_conversation_that_chose_nothing_stays_with_the_default(runner: Runner, store: MockStore) -> None:
    await store.keep_ticket(Ticket(key="PROJ-2", summary="Other"))
    await sent(runner, asked(repositories=(API,)), key="PROJ-2", message_id="one")
    await runner.handle_ticket(TICKET, trigger=Trigger.WEBHOOK)

    assert await runner.suggested("PROJ-1") == (DEMO,)


# Models


async def test_a_person_has_a_model_of_their_own(runner: Runner) -> None:
    assert list(runner.models) == ["claude-sonnet-4-6", "claude-opus-4-8"]
    assert await runner.preferred_model("Ada") == "claude-sonnet-4-6"
    await runner.prefer_model("Ada", "claude-opus-4-8")

    assert [await runner.preferred_model(name) for name in ("Ada", "Ben")] == ["claude-opus-4-8", "claude-sonnet-4-6"]
    with pytest.raises(InvalidInput, match=r"^model: must be one of claude-sonnet-4-6, claude-opus-4-8$"):
        await runner.prefer_model("Ada", "gpt")
    assert (await runner.run(await sent(runner, asked()))).model == "claude-opus-4-8"


async def test_a_model_that_can_no_longer_be_chosen_is_nobodys(runner: Runner, store: MockStore) -> None:
    await store.prefer_model("Ada", "claude-2")

    assert await runner.preferred_model("Ada") == "claude-sonnet-4-6"
    assert (await runner.run(await sent(runner, asked()))).model is None


# Messages


async def test_a_message_begins_a_run_of_its_ticket(runner: Runner) -> None:
    run_id = await sent(runner, asked("Where?", repositories=(API,), model="claude-opus-4-8"))

    run = await runner.run(run_id)
    assert (run.ticket, run.mode, run.trigger, run.text, run.by) == ("PROJ-1", "ask", "message", "Where?", "Ada")
    assert (run.repositories, run.model) == ((API,), "claude-opus-4-8")
    conversation = await runner.conversation("PROJ-1")
    assert (conversation.run.id, conversation.request.repositories) == (run_id, (API,))
    assert [each.ticket.key for each in await runner.conversations(ConversationFilter())] == ["PROJ-1"]
    assert (await runner.history("PROJ-1"))[0].kind == EventKind.RUN_STATUS


async def test_a_message_to_an_active_run_waits_and_can_be_withdrawn_or_sent_now(runner: Runner) -> None:
    first = await sent(runner, asked())
    for name in ("two", "three"):
        receipt = await runner.send("PROJ-1", asked(name), message_id=name)
        assert (receipt.status, receipt.run_id) == ("queued", first)
    assert (await runner.send("PROJ-1", asked("two"), message_id="two")).status == "duplicate"
    await runner.withdraw("two", by="Ben")
    await runner.send_now("three", by="Ben")

    conversation = await runner.conversation("PROJ-1")
    assert (conversation.run.text, conversation.queue) == ("three", ())
    assert (await runner.run(first)).outcome == (
        "Interrupted by Ben, who had something to say first. The work so far is kept."
    )
    for name in ("two", "three"):
        with pytest.raises(Conflict):
            await runner.withdraw(name, by="Ben")
    with pytest.raises(NotFound):
        await runner.withdraw("none", by="Ben")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"mode": RunMode.IMPLEMENT}, "mode"),
        ({"text": "x" * 8_001}, "text"),
        ({"model": "gpt"}, "model"),
        ({"repositories": (RepositoryChoice(name="acme/none", base="main"),)}, "repo"),
        ({"repositories": (API, API)}, "repo"),
    ],
)
async def test_what_nobody_may_ask_is_refused_and_nothing_is_kept(
    runner: Runner, facts: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await runner.send("PROJ-1", asked(**facts), message_id="one")  # type: ignore[arg-type]
    assert refused.value.field == field
    with pytest.raises(NotFound):
        await runner.conversation("PROJ-1")


async def test_nobody_talks_about_a_ticket_that_nobody_knows(runner: Runner) -> None:
    for unknown in (
        runner.send("PROJ-9", asked(), message_id="one"),
        runner.answer("PROJ-9", "toolu_1", Answer(by="Ada", text="Blue.")),
        runner.open_pull_requests("PROJ-9", by="Ada"),
        runner.conversation("PROJ-9"),
        runner.history("PROJ-9"),
    ):
        with pytest.raises(NotFound):
            await unknown


async def test_while_the_database_is_away_no_message_is_taken(runner: Runner, store: MockStore) -> None:
    store.away = True
    with pytest.raises(StoreUnavailable):
        await runner.send("PROJ-1", asked(), message_id="one")
    store.away = False
    await sent(runner, asked())


# Answers


async def test_the_first_answer_lets_a_waiting_run_go_on(runner: Runner, store: MockStore) -> None:
    run_id = await waiting(runner, store)
    receipt = await runner.answer("PROJ-1", "toolu_1", Answer(by="Ben", answers={"Which colour?": "Blue"}))

    assert (receipt.status, receipt.run_id) == ("answered", run_id)
    (decision,) = await runner.decisions("PROJ-1")
    assert decision.answer == Answer(by="Ben", answers={"Which colour?": "Blue"})
    assert (await runner.conversation("PROJ-1")).waits_for is None
    with pytest.raises(Conflict, match=r"^Ben answered this already\.$"):
        await runner.answer("PROJ-1", "toolu_1", Answer(by="Ada", text="Black."))


async def test_a_message_answers_a_waiting_run(runner: Runner, store: MockStore) -> None:
    run_id = await waiting(runner, store)
    receipt = await runner.send("PROJ-1", asked("Blue."), message_id="two")

    assert (receipt.status, receipt.run_id) == ("answered", run_id)
    assert (await runner.decisions("PROJ-1"))[0].answer == Answer(by="Ada", text="Blue.")


@pytest.mark.parametrize("said", [{}, {"text": " "}, {"answers": {"Which colour?": ""}}, {"text": "x" * 8_001}])
async def test_an_answer_says_something_of_bearable_length(
    runner: Runner, store: MockStore, said: dict[str, object]
) -> None:
    await waiting(runner, store)
    with pytest.raises(InvalidInput, match=r"^text: "):
        await runner.answer("PROJ-1", "toolu_1", Answer.model_validate({"by": "Ada", **said}))
    assert (await runner.conversation("PROJ-1")).waits_for is not None


# Pull requests


async def test_what_changed_is_published_with_the_bases_it_was_made_for(runner: Runner, store: MockStore) -> None:
    run_id = await sent(runner, asked(mode=RunMode.EDITS, repositories=(DEMO,)))
    change = RepositoryChanges(repository="acme/api", branch="ticket/proj-1", base="release", unpublished=True)
    await store.keep_changes(run_id, change)
    await runner.stop_run(run_id, by="Ada")
    receipt = await runner.open_pull_requests("PROJ-1", by="Ben")

    run = await runner.run(str(receipt.run_id))
    assert (run.mode, run.by, run.repositories) == ("publish", "Ben", (API,))
    assert (await runner.conversation("PROJ-1")).request.repositories == (DEMO,)


async def test_what_a_model_changed_that_is_gone_from_the_settings_is_published(
    runner: Runner, store: MockStore
) -> None:
    request = asked(mode=RunMode.EDITS, model="claude-old")
    claim = Claim(ticket=TICKET, request=request, trigger=Trigger.MESSAGE, options=PipelineOptions())
    begun = await store.send(claim, lambda _transaction, _work: None, message_id="one")
    await runner.stop_run(str(begun.run_id), by="Ada")
    receipt = await runner.open_pull_requests("PROJ-1", by="Ben")

    assert (await runner.run(str(receipt.run_id))).model in {None, "claude-sonnet-4-6"}


async def test_pull_requests_are_of_the_conversations_repositories(runner: Runner) -> None:
    run_id = await sent(runner, asked(mode=RunMode.EDITS, repositories=(DEMO, API)))
    await runner.stop_run(run_id, by="Ada")
    with pytest.raises(InvalidInput, match=r"^repo: acme/none is no repository of this conversation$"):
        await runner.open_pull_requests("PROJ-1", by="Ben", repositories=["acme/none"])
    receipt = await runner.open_pull_requests("PROJ-1", by="Ben", repositories=["acme/api"])

    assert (await runner.run(str(receipt.run_id))).repositories == (API,)
