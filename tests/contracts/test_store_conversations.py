"""Every store shows conversations alike: what each comes to, which of them a list has, what a worker is told."""

from typing import Any

import pytest

from app.errors import NotFound
from app.models import (
    ConversationFilter,
    EventKind,
    FileChange,
    PullRequest,
    RepositoryChanges,
    Request,
    RunMode,
    RunStatus,
    Ticket,
)
from app.services.store import Store
from tests.contracts.conversing import (
    KEY,
    ONE,
    PLAN,
    QUESTION,
    TWO,
    asking,
    at_work_again,
    heard,
    message_of,
    running,
    send,
    waiting,
)
from tests.contracts.test_store import accepted, claim_of, ended, queue
from tests.contracts.test_store_history import turn_of


def pull_request_of(repository: str, number: int = 1, **facts: Any) -> PullRequest:
    return PullRequest(
        url=f"https://github.com/{repository}/pull/{number}", number=number, repository=repository, **facts
    )


async def spoken(store: Store, key: str = KEY, **asked: Any) -> str:
    """A person's run that has ended."""
    return await ended(store, message_of(key=key, **asked))


async def listed(store: Store, **wanted: Any) -> list[str]:
    return [each.ticket.key for each in await store.conversations(ConversationFilter(**wanted))]


# One conversation


async def test_a_conversation_sums_up_its_runs(store: Store) -> None:
    first = await running(store, message_of("Use blue.", repositories=ONE))
    await store.record_turn(first, "implement", turn_of(0.5))
    await store.add_pull_request(first, pull_request_of("a/one"))
    await store.move(first, RunStatus.PR_OPENED)
    second = await running(store, message_of("Use red.", mode=RunMode.ASK, model="opus", auto_pr=True))
    await store.record_turn(second, "implement", turn_of(0.75))
    updated = pull_request_of("a/one", created=False)
    for opened in (updated, pull_request_of("a/two", 7)):
        await store.add_pull_request(second, opened)
    await send(store, "m")
    conversation = await store.conversation(KEY)
    assert (conversation.ticket, conversation.run) == (claim_of().ticket, await store.run(second))
    assert (conversation.cost_usd, conversation.pull_requests) == (0.75, (updated, pull_request_of("a/two", 7)))
    assert ([each.id for each in conversation.queue], conversation.waits_for) == (["m"], None)
    assert conversation.last_seq == (await store.history(KEY))[-1].seq


async def test_the_next_turn_is_asked_as_the_last_unless_people_say_otherwise(store: Store) -> None:
    await spoken(store, mode=RunMode.ASK, model="opus", repositories=TWO)
    await spoken(store, mode=RunMode.EDITS, model="opus", auto_pr=True, repositories=ONE)
    await spoken(store, mode=RunMode.PLAN, text="Think first.")
    asked = (await store.conversation(KEY)).request
    assert asked == Request(mode=RunMode.PLAN, repositories=ONE)


async def test_what_to_publish_is_not_chosen_for_the_next_turn(store: Store) -> None:
    await spoken(store, repositories=(*ONE, *TWO))
    await spoken(store, mode=RunMode.PUBLISH, repositories=TWO)
    assert (await store.conversation(KEY)).request.repositories == (*ONE, *TWO)
    assert (await store.job(await accepted(store))).request.repositories == (*ONE, *TWO)


async def test_a_ticket_without_a_run_is_no_conversation(store: Store) -> None:
    await store.keep_ticket(claim_of().ticket)
    for key in (KEY, "PROJ-9"):
        with pytest.raises(NotFound, match=f"There is no conversation about {key}"):
            await store.conversation(key)
    assert await listed(store) == []


# Lists


async def test_conversations_that_changed_last_come_first(store: Store) -> None:
    first = await accepted(store, claim_of("PROJ-1"))
    second = await accepted(store, claim_of("PROJ-2"))
    assert await listed(store) == ["PROJ-2", "PROJ-1"]
    await store.append(first, EventKind.TEXT, {"text": "what a run says changes no list"})
    assert await listed(store) == ["PROJ-2", "PROJ-1"]
    await store.move(first, RunStatus.RUNNING)
    assert await listed(store) == ["PROJ-1", "PROJ-2"]
    await send(store, "m", key="PROJ-2")
    assert await listed(store) == ["PROJ-2", "PROJ-1"]
    assert await listed(store, limit=1) == ["PROJ-2"]
    await store.stop_run(second, outcome="", by="Ada")
    await store.move(first, RunStatus.IDLE)
    assert await listed(store) == ["PROJ-1", "PROJ-2"]


async def test_a_list_shows_each_conversation_as_it_is(store: Store) -> None:
    await asking(store, key="PROJ-1")
    waits = await asking(store, PLAN, key="PROJ-2")
    await at_work_again(store, waits, PLAN.id)
    await store.ask(waits, QUESTION)
    await send(store, "m0", "", key="PROJ-2")
    for number in (3, 4):
        run_id = await running(store, message_of(key=f"PROJ-{number}", repositories=TWO))
        await store.record_turn(run_id, "implement", turn_of(number, session=f"{number}"))
        await store.add_pull_request(run_id, pull_request_of("a/two", number))
        await store.move(run_id, RunStatus.IDLE)
        await send(store, f"m{number}", key=f"PROJ-{number}")
        await send(store, f"n{number}", key=f"PROJ-{number}")
    await accepted(store, claim_of("PROJ-5"))
    shown = await store.conversations(ConversationFilter())
    assert [each.ticket.key for each in shown] == [f"PROJ-{number}" for number in (5, 4, 3, 2, 1)]
    assert shown == tuple([await store.conversation(each.ticket.key) for each in shown])
    asked = [each.waits_for.question.id if each.waits_for else None for each in shown]
    assert (asked, [each.cost_usd for each in shown]) == ([None, None, None, "q", "q"], [0, 4, 3, 0, 0])


async def test_a_list_is_narrowed_by_how_the_newest_run_stands_and_was_asked(store: Store) -> None:
    await spoken(store, "PROJ-1", mode=RunMode.ASK, by="Bob")
    await running(store, message_of(key="PROJ-1", mode=RunMode.EDITS, by="Ada"))
    await spoken(store, "PROJ-2", mode=RunMode.ASK, by="Bob")
    await accepted(store, claim_of("PROJ-3"))
    assert await listed(store, status=RunStatus.RUNNING) == ["PROJ-1"]
    assert await listed(store, status=RunStatus.FAILED) == []
    assert await listed(store, mode=RunMode.ASK) == ["PROJ-2"]
    assert await listed(store, by="Ada") == ["PROJ-1"]
    assert await listed(store, by="Bob", mode=RunMode.ASK, status=RunStatus.IDLE, words="proj-2") == ["PROJ-2"]
    assert await listed(store, by="Bob", words="PROJ-1") == []
    assert await listed(store, by="no\0body") == []


SUMMARIES = {
    "WEB-1": "Save 100% of it",
    "WEB-2": "Save 100 of it",
    "WEB-3": "Rename a_b",
    "WEB-4": "Rename aXb",
    "WEB-5": "Open C:\\temp",
    "WEB-6": """Say "it's" loudly""",
    "API-7": "Save the web",
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", {"WEB-1"}),
        ("a_b", {"WEB-3"}),
        ("c:\\TEMP", {"WEB-5"}),
        ("\\", {"WEB-5"}),
        ('"it\'s"', {"WEB-6"}),
        ("it save", {"WEB-1", "WEB-2"}),
        ("web SAVE", {"WEB-1", "WEB-2", "API-7"}),
        ("api-7", {"API-7"}),
        ("  ", set(SUMMARIES)),
        ("it'; DROP TABLE runs; --", set()),
        ("a\0b", set()),
    ],
)
async def test_words_are_looked_for_as_they_are_in_key_and_summary(store: Store, words: str, found: set[str]) -> None:
    for key, summary in SUMMARIES.items():
        await accepted(store, claim_of(key, summary=summary))
    assert set(await listed(store, words=words)) == found
    assert {ticket.key for ticket in await store.find_tickets(words)} == found


# What a worker is told


async def test_a_job_knows_where_the_conversation_has_pull_requests(store: Store) -> None:
    first = await running(store, message_of(repositories=ONE))
    for opened in (pull_request_of("a/one"), pull_request_of("a/two", 7)):
        await store.add_pull_request(first, opened)
    await store.move(first, RunStatus.PR_OPENED)
    second = await running(store, message_of())
    await store.add_pull_request(second, pull_request_of("a/one", created=False))
    assert (await store.job(second)).published == ("a/one", "a/two")
    assert (await store.job(await accepted(store, claim_of("PROJ-2")))).published == ()


async def test_a_job_works_in_its_own_repositories_or_in_those_that_were_chosen_last(store: Store) -> None:
    await spoken(store, repositories=TWO)
    chosen = await spoken(store, repositories=ONE)
    silent = await accepted(store)
    assert (await store.job(chosen)).request.repositories == ONE
    assert (await store.job(silent)).request.repositories == ONE
    assert (await store.run(silent)).repositories == ()


async def test_a_session_is_remembered_by_its_last_words(store: Store) -> None:
    run_id = await accepted(store)
    assert await store.last_words("s") == ""
    await store.record_turn(run_id, "implement", turn_of(0.1, text="First."))
    await store.record_turn(run_id, "fix", turn_of(0.2, text="Last."))
    await store.record_turn(run_id, "review", turn_of(0.1, session="reviewer", text="Looks good."))
    assert await store.last_words("s") == "Last."


# Changes


def changes_of(repository: str, *files: FileChange, **facts: Any) -> RepositoryChanges:
    return RepositoryChanges(repository=repository, branch="ticket/proj-1", base="main", files=files, **facts)


async def test_the_newest_change_of_each_repository_is_kept(store: Store) -> None:
    run_id = await accepted(store)
    newest = changes_of("a/two", FileChange(path="b.py", added=2, removed=1), patch="+\0 b", unpublished=True)
    for change in (changes_of("a/two", patch="old"), changes_of("a/one", patch="+ a"), newest):
        await store.keep_changes(run_id, change)
    known = newest.model_copy(update={"patch": "+\ufffd b"})
    assert await store.changes(KEY) == (changes_of("a/one", patch="+ a"), known)
    await store.move(run_id, RunStatus.IDLE)
    await store.keep_changes(await accepted(store), changes_of("a/one"))
    assert await store.changes(KEY) == (changes_of("a/one"), known)
    assert await store.changes("PROJ-9") == ()


async def test_a_change_is_told_by_its_size(store: Store) -> None:
    run_id = await accepted(store)
    files = FileChange(path="a.py", added=3, removed=1), FileChange(path="b.png"), FileChange(path="c.py", added=4)
    await store.keep_changes(run_id, changes_of("a/one", *files))
    told = await heard(store, EventKind.CHANGES_UPDATED)
    assert told == [{"repository": "a/one", "files": 3, "added": 7, "removed": 1}]
    with pytest.raises(NotFound, match="There is no run none"):
        await store.keep_changes("none", changes_of("a/one"))


# People


async def test_a_persons_model_is_the_one_that_they_chose_last(store: Store) -> None:
    assert await store.preferred_model("Ada") is None
    for person, model in (("Ada", "opus"), ("Bob", "sonnet"), ("Ada", "haiku")):
        await store.prefer_model(person, model)
    assert [await store.preferred_model(person) for person in ("Ada", "Bob", "Eve")] == ["haiku", "sonnet", None]


# Tickets


async def test_a_ticket_is_known_by_its_newest_text(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no ticket PROJ-1"):
        await store.ticket(KEY)
    for summary in ("Paint it", "Paint it blue"):
        await store.keep_ticket(Ticket(key=KEY, summary=summary, description="All of it."))
    kept = Ticket(key=KEY, summary="Paint it blue", description="All of it.")
    assert await store.ticket(KEY) == kept
    run_id = await accepted(store)
    assert (await store.job(run_id)).ticket == await store.ticket(KEY) == claim_of().ticket


async def test_tickets_that_changed_last_are_found_first(store: Store) -> None:
    for number in (1, 2, 3):
        await store.keep_ticket(Ticket(key=f"PROJ-{number}", summary="Paint it"))
    await store.keep_ticket(Ticket(key="PROJ-1", summary="Paint it blue"))
    await store.keep_ticket(Ticket(key="PROJ-2", summary="Paint it"))
    assert [ticket.key for ticket in await store.find_tickets("paint")] == ["PROJ-1", "PROJ-3", "PROJ-2"]
    assert [ticket.key for ticket in await store.find_tickets("", limit=2)] == ["PROJ-1", "PROJ-3"]


async def test_text_that_cannot_be_kept_is_kept_with_replacement_characters(store: Store) -> None:
    await store.keep_ticket(Ticket.model_construct(key=KEY, summary="a\0", description="b\ud83d", url=None))
    assert await store.ticket(KEY) == Ticket(key=KEY, summary="a\ufffd", description="b\ufffd")
    run_id = await running(store, message_of("a\0b"))
    await store.append(run_id, EventKind.TEXT, {"text": "half of \ud83d"})
    await store.move(run_id, RunStatus.FAILED, error="broke at \0")
    run = await store.run(run_id)
    assert (run.text, run.error) == ("a\ufffdb", "broke at \ufffd")
    assert await heard(store, EventKind.TEXT) == [{"text": "half of \ufffd"}]


async def test_a_message_keeps_the_newest_text_of_its_ticket(store: Store) -> None:
    await running(store)
    claim = message_of()
    newer = claim.ticket.model_copy(update={"summary": "Add a dark theme"})
    await store.send(claim.model_copy(update={"ticket": newer}), queue, message_id="m")
    assert await store.ticket(KEY) == newer
    assert await waiting(store) == ["m"]
