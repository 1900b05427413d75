"""What people send is stored as they said it, with who they are, once; and kept on the page when it was refused."""

import uuid
from collections.abc import AsyncIterator

import pytest

from app.models import ConversationFilter, EventKind, RepositoryChoice, RunMode, RunStatus, Ticket
from app.services.store.mock_client import MockStore
from app.services.tracker.mock_client import MockTracker
from tests.routes.service import ACCESS_CODE, GADGETS, WIDGETS, Fields, Json, Service, serving
from tests.routes.test_runs_api import taken
from tests.routes.test_signing_in import signed_in

MODEL = "claude-opus-4-8"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service where Ada is signed in, which knows the ticket PROJ-1."""
    async with serving(admin_access_code=ACCESS_CODE) as made:
        await signed_in(made, "Ada")
        await made.runner.create_ticket("PROJ-1", "Add dark mode", "")
        yield made


def new_run(**changed: str | list[str]) -> Json:
    """The form of a new run; a changed field without a value is left out."""
    usual = {
        "ticket": "PROJ-1",
        "repos": [WIDGETS],
        f"branch:{WIDGETS}": "main",
        "mode": "edits",
        "model": MODEL,
        "instructions": "Only on the\r\nsettings page.",
        "message_id": str(uuid.uuid4()),
    }
    return {name: value for name, value in {**usual, **changed}.items() if value}


async def nothing_sent(service: Service) -> bool:
    return not await service.runner.conversations(ConversationFilter())


# A new run


async def test_a_ticket_is_sent_with_all_that_was_chosen(service: Service) -> None:
    fields = new_run(repos=[WIDGETS, GADGETS], auto_pr="on") | {f"branch:{GADGETS}": "release/2"}
    answer = await service.submit("/code-runs", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs/PROJ-1")
    run = (await service.runner.conversation("PROJ-1")).run
    assert (run.mode, run.model, run.by, run.auto_pr) == (RunMode.EDITS, MODEL, "Ada", True)
    assert run.text == "Only on the\nsettings page."
    assert run.repositories == (
        RepositoryChoice(name=WIDGETS, base="main"),
        RepositoryChoice(name=GADGETS, base="release/2"),
    )


async def test_a_script_is_told_where_to_go(service: Service) -> None:
    answer = await service.press("/code-runs", new_run())
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/code-runs/PROJ-1")
    assert (await service.runner.conversation("PROJ-1")).run.by == "Ada"


@pytest.mark.parametrize("mode", ["ask", "plan"])
async def test_only_edits_open_pull_requests_by_themselves(service: Service, mode: str) -> None:
    await service.press("/code-runs", new_run(mode=mode, auto_pr="on"))
    run = (await service.runner.conversation("PROJ-1")).run
    assert (run.mode, run.auto_pr) == (mode, False)


async def test_what_was_not_chosen_is_the_persons_own_model_and_the_default_base(service: Service) -> None:
    assert (await service.press("/me/model", {"model": MODEL})).status_code == 204
    await service.press("/code-runs", {"ticket": "proj-1", "repos": GADGETS})
    run = (await service.runner.conversation("PROJ-1")).run
    assert (run.mode, run.model, run.text) == (RunMode.EDITS, MODEL, "")
    assert run.repositories == (RepositoryChoice(name=GADGETS, base="main"),)
    assert f'name="model" value="{MODEL}" checked' in (await service.look("/tickets/new")).text


async def test_a_message_that_is_sent_twice_is_taken_once(service: Service) -> None:
    fields = new_run()
    for _ in range(3):
        assert (await service.press("/code-runs", fields)).headers["hx-redirect"] == "/code-runs/PROJ-1"
    conversation = await service.runner.conversation("PROJ-1")
    sent = [event for event in await service.runner.history("PROJ-1") if event.kind == EventKind.MESSAGE_SENT]
    assert (len(sent), conversation.queue) == (1, ())


REFUSED: dict[str, tuple[Json, str]] = {
    "no ticket": ({"ticket": ""}, "choose a ticket"),
    "no key": ({"ticket": "<script>"}, "choose a ticket"),
    "no repository": ({"repos": ""}, "choose a repository"),
    "an unknown repository": ({"repos": ["acme/none"]}, "acme/none"),
    "one repository twice": ({"repos": [WIDGETS, WIDGETS]}, "once"),
    "a seventh repository": ({"repos": [WIDGETS, GADGETS, *(f"acme/r{n}" for n in range(5))]}, "at most 6"),
    "a mode of nobody": ({"mode": "publish"}, "ask, plan or edits"),
    "a model of nobody": ({"model": "gpt"}, "model"),
    "a long text": ({"instructions": "x" * 8001}, "at most 8,000 characters; it has 8,001"),
    "no branch": ({f"branch:{WIDGETS}": "--upload-pack=x"}, f"branch:{WIDGETS}"),
    "a branch in two words": ({f"branch:{WIDGETS}": "a b"}, f"branch:{WIDGETS}"),
    "no id": ({"message_id": "1"}, "UUID"),
}


@pytest.mark.parametrize(("changed", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_sent_is_named_and_kept(service: Service, changed: Json, said: str) -> None:
    fields = {"instructions": "Keep me", **new_run(instructions="Keep me"), **changed}
    piece = await service.press("/code-runs", fields)
    assert (piece.status_code, piece.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert 'id="errors"' in piece.text
    assert said in piece.text
    page = await service.submit("/code-runs", fields)
    assert page.status_code == 422
    assert said in page.text
    assert "<h1>Send tickets to Claude Code</h1>" in page.text
    assert fields["instructions"] in page.text
    assert await nothing_sent(service)


async def test_the_longest_text_in_any_script_is_taken(service: Service) -> None:
    text = "語" * 8000
    assert (await service.press("/code-runs", new_run(instructions=text))).status_code == 204
    assert (await service.runner.conversation("PROJ-1")).run.text == text


async def test_a_ticket_that_nobody_knows_is_not_sent(service: Service) -> None:
    piece = await service.press("/code-runs", new_run(ticket="NONE-1"))
    assert (piece.status_code, piece.json()["detail"]) == (404, "There is no ticket NONE-1.")
    page = await service.submit("/code-runs", new_run(ticket="NONE-1"))
    assert page.status_code == 404
    assert "There is no ticket NONE-1." in page.text
    assert 'value="NONE-1"' in page.text


# Bodies


async def test_a_body_that_no_page_sends_is_refused(service: Service) -> None:
    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}

    async def status(body: bytes, **headers: str) -> int:
        return (await service.post("/code-runs", content=body, headers={**own, **headers})).status_code

    assert await status(b"a=" + b"x" * (128 << 10)) == 413
    assert await status(b"instructions=%ff") == 422
    assert await status("instructions=ü".encode()) == 422
    assert await status(b"&".join(b"a%d=b" % number for number in range(300))) == 422
    assert await status(b'{"ticket": "PROJ-1"}', **{"content-type": "application/json"}) == 422
    assert await nothing_sent(service)


async def test_a_large_body_is_not_read_to_its_end(service: Service) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"x" * 1024

    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    answer = await service.post("/code-runs", content=body(), headers=own)
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "The body is larger than 131,072 bytes. Send a shorter text.",
    )
    assert read <= 1000


# Messages


async def test_a_message_starts_the_next_turn(service: Service) -> None:
    run_id = await taken(service)
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.move(run_id, RunStatus.IDLE)
    answer = await service.press("/code-runs/PROJ-1/messages", {"text": "Why?", "mode": "ask", "model": MODEL})
    assert (answer.status_code, answer.text) == (204, "")
    run = (await service.runner.conversation("PROJ-1")).run
    assert (run.text, run.mode, run.model, run.by, run.status) == ("Why?", RunMode.ASK, MODEL, "Ada", "queued")


async def test_a_message_waits_for_the_turn_and_can_be_taken_back(service: Service) -> None:
    await taken(service)
    answer = await service.submit("/code-runs/PROJ-1/messages", {"text": "And the docs", "mode": "edits"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs/PROJ-1")
    (message,) = (await service.runner.conversation("PROJ-1")).queue
    assert (message.request.text, message.request.by) == ("And the docs", "Ada")
    withdraw = f"/code-runs/PROJ-1/messages/{message.id}/withdraw"
    assert (await service.press(withdraw)).status_code == 204
    assert (await service.runner.conversation("PROJ-1")).queue == ()
    event = (await service.runner.history("PROJ-1"))[-1]
    assert (event.kind, event.payload["by"]) == ("message.withdrawn", "Ada")
    answer = await service.press(withdraw)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The message was withdrawn already.")
    page = await service.submit(withdraw)
    assert page.status_code == 409
    assert "The message was withdrawn already." in page.text


async def test_a_message_can_be_sent_now(service: Service) -> None:
    run_id = await taken(service)
    for text in ("first", "second"):
        await service.press("/code-runs/PROJ-1/messages", {"text": text})
    second = (await service.runner.conversation("PROJ-1")).queue[1]
    now = f"/code-runs/PROJ-1/messages/{second.id}/now"
    assert (await service.press(now)).status_code == 204
    conversation = await service.runner.conversation("PROJ-1")
    assert conversation.run.text == "second"
    assert "Ada" in str((await service.store.run(run_id)).outcome)
    assert (await service.press(now)).status_code == 409
    assert (await service.press("/code-runs/PROJ-1/messages/none/now")).status_code == 404


async def test_a_message_can_be_withdrawn_by_delete_too(service: Service) -> None:
    await taken(service)
    await service.press("/code-runs/PROJ-1/messages", {"text": "x"})
    (message,) = (await service.runner.conversation("PROJ-1")).queue
    own = {"sec-fetch-site": "same-origin"}
    assert (await service.delete(f"/code-runs/PROJ-1/messages/{message.id}", headers=own)).status_code == 303
    assert (await service.runner.conversation("PROJ-1")).queue == ()


async def test_a_message_that_is_sent_twice_is_queued_once(service: Service) -> None:
    await taken(service)
    fields = {"text": "x", "message_id": str(uuid.uuid4())}
    for _ in range(3):
        assert (await service.press("/code-runs/PROJ-1/messages", fields)).status_code == 204
    assert len((await service.runner.conversation("PROJ-1")).queue) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"text": " "}, "must not be empty"), ({"text": "y" * 8001}, "8,000"), ({"text": "y", "mode": "x"}, "ask, plan")],
)
async def test_a_message_that_cannot_be_sent_is_named_and_kept(service: Service, fields: Fields, said: str) -> None:
    await taken(service)
    piece = await service.press("/code-runs/PROJ-1/messages", fields)
    assert piece.status_code == 422
    assert said in piece.text
    page = await service.submit("/code-runs/PROJ-1/messages", fields)
    assert page.status_code == 422
    assert said in page.text
    assert "<h1>Add dark mode</h1>" in page.text
    assert str(fields["text"]).strip() in page.text
    assert (await service.runner.conversation("PROJ-1")).queue == ()


async def test_a_message_to_nobody_is_not_found(service: Service) -> None:
    assert (await service.press("/code-runs/NONE-1/messages", {"text": "x"})).status_code == 404


async def test_each_says_who_said_what() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await taken(service)
        for name in ("Ada", "Grace"):
            await signed_in(service, name)
            await service.press("/code-runs/PROJ-1/messages", {"text": f"I am {name}"})
        queue = (await service.runner.conversation("PROJ-1")).queue
        assert [(message.request.by, message.request.text) for message in queue] == [
            ("Ada", "I am Ada"),
            ("Grace", "I am Grace"),
        ]


# Tickets and the demo


async def test_a_ticket_of_ones_own_is_made_and_then_sent(service: Service) -> None:
    fields = {"place": "mine-1", "summary": "Tidy up", "description": "All of it.\r\nPlease."}
    answer = await service.submit("/tickets", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs/new?ticket=MINE-1")
    made = (await service.runner.ticket("MINE-1")).ticket
    assert made == Ticket(key="MINE-1", summary="Tidy up", description="All of it.\nPlease.")
    again = await service.submit("/tickets", fields)
    assert again.status_code == 409
    assert "There is a ticket MINE-1 already." in again.text
    assert 'value="Tidy up"' in again.text
    assert (await service.press("/tickets", fields)).status_code == 409


@pytest.mark.parametrize(
    ("field", "value"), [("place", ""), ("place", "x y"), ("summary", " "), ("summary", "x" * 256)]
)
async def test_a_ticket_that_cannot_be_made_is_named_and_kept(service: Service, field: str, value: str) -> None:
    fields = {"place": "MINE-1", "summary": "Tidy up", "description": "Keep me", field: value}
    page = await service.submit("/tickets", fields)
    assert page.status_code == 422
    assert "Keep me" in page.text
    assert (await service.press("/tickets", fields)).status_code == 422


async def test_a_ticket_is_made_in_the_tracker() -> None:
    async with serving(tracker=MockTracker(projects={"PROJ": "The project"})) as service:
        answer = await service.press("/tickets", {"place": "PROJ", "summary": "Tidy up"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/code-runs/new?ticket=PROJ-1")
        refused = await service.submit("/tickets", {"place": "NONE", "summary": "Tidy up"})
        assert refused.status_code == 404
        assert "There is no project NONE" in refused.text


async def test_the_demo_is_sent_where_there_is_one(service: Service) -> None:
    assert (await service.press("/demo")).status_code == 404
    service.app.state.demo_ticket = Ticket(key="WHISK-7", summary="Write amounts")
    for _ in range(2):
        assert (await service.submit("/demo")).headers["location"] == "/code-runs/WHISK-7"
    assert (await service.runner.conversation("WHISK-7")).run.trigger == "command"


async def test_a_model_of_nobody_cannot_be_preferred(service: Service) -> None:
    answer = await service.press("/me/model", {"model": "gpt"})
    assert (answer.status_code, answer.json()["field"]) == (422, "model")


async def test_what_the_database_did_not_take_was_not_sent() -> None:
    store = MockStore()
    async with serving(store) as service:
        store.away = True
        for answer in (await service.press("/code-runs", new_run()), await service.submit("/code-runs", new_run())):
            assert answer.status_code == 503
            assert "The database did not answer" in answer.text
