"""Every page answers with what it is for, and says in words when there is nothing to show."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from app.models import (
    Asked,
    Choice,
    EventKind,
    FileChange,
    Question,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
    Ticket,
)
from app.results import TicketAttachment, TicketComment, TicketDetails
from app.services.tracker.mock_client import MockTracker
from tests.routes.service import GADGETS, WIDGETS, Service, serving
from tests.routes.test_runs_api import taken

PATCH = "diff --git a/src/a.py b/src/a.py\n--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-old = 1\n+new = 2\n"
CHANGE = RepositoryChanges(
    repository=WIDGETS,
    branch="ticket/proj-1",
    base="main",
    files=(FileChange(path="src/a.py", added=1, removed=1),),
    patch=PATCH,
    unpublished=True,
)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that anybody may ask."""
    async with serving() as made:
        yield made


async def worked_on(service: Service, key: str = "PROJ-1") -> str:
    """A run with something of everything, which failed."""
    run_id = await taken(service, key)
    store = service.store
    await store.move(run_id, RunStatus.RUNNING)
    await store.append(run_id, EventKind.TEXT, {"text": "I look at **it**.", "role": "author"})
    await store.append(
        run_id, EventKind.TOOL_CALLED, {"id": "t1", "name": "Bash", "input": {"command": "ls -l"}, "role": "author"}
    )
    await store.append(run_id, EventKind.TOOL_RETURNED, {"id": "t1", "content": "total 3", "role": "author"})
    await store.keep_changes(run_id, CHANGE)
    await store.move(run_id, RunStatus.FAILED, error="No network.")
    return run_id


async def page(service: Service, path: str, status: int = 200, /, **query: str) -> str:
    answer = await service.look(path, **query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
    return answer.text


# Home


async def test_the_root_leads_to_code_runs(service: Service) -> None:
    answer = await service.look("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs")


async def test_home_asks_for_a_ticket_with_the_default_repository_chosen(service: Service) -> None:
    html = await page(service, "/code-runs")
    assert "<h1>Send tickets to Claude Code</h1>" in html
    assert 'action="/code-runs"' in html
    assert f'value="{WIDGETS}" data-name="widgets" checked' in html
    assert f'value="{GADGETS}" data-name="gadgets">' in html
    assert 'data-live="/events"' in html


async def test_a_service_with_nothing_set_up_says_what_to_do_next() -> None:
    async with serving(repositories=(), anthropic_api_key=None, claude_code_oauth_token=None, offline=False) as service:
        html = await page(service, "/code-runs")
        assert "Set REPO_URL, or start auto-code inside of a clone." in html
        assert "Set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN." in html
        assert 'action="/demo"' not in html
        service.app.state.demo_ticket = Ticket(key="WHISK-7", summary="Write amounts")
        assert 'action="/demo"' in await page(service, "/code-runs")


async def test_a_service_that_can_work_has_no_list_of_what_to_set_up() -> None:
    async with serving(anthropic_api_key="key") as service:
        assert "Set up" not in await page(service, "/code-runs")


async def test_the_list_of_runs_can_be_narrowed(service: Service) -> None:
    await worked_on(service, "PROJ-1")
    await taken(service, "OTHER-2")
    found = await page(service, "/code-runs", q="proj dark", status="failed", mode="implement")
    assert '<a class="row-link" href="/code-runs/PROJ-1"' in found
    assert '<a class="row-link" href="/code-runs/OTHER-2"' not in found
    assert 'name="q" value="proj dark"' in found
    assert '<option value="failed" selected>' in found


@pytest.mark.parametrize("query", [{"q": "nothing like it"}, {"status": "queued"}, {"mode": "ask"}, {"by": "Eve"}])
async def test_a_search_that_finds_nothing_says_so(service: Service, query: dict[str, str]) -> None:
    await worked_on(service)
    assert "No run is like that." in await page(service, "/code-runs", **query)


async def test_what_nobody_can_filter_by_is_left_out(service: Service) -> None:
    await worked_on(service)
    found = await page(service, "/code-runs", status="bogus", mode="", q="")
    assert '<a class="row-link" href="/code-runs/PROJ-1"' in found


async def test_home_offers_tickets_that_nobody_has_sent() -> None:
    tickets = [TicketDetails(ticket=Ticket(key=f"PROJ-{number}", summary=f"Number {number}")) for number in (1, 2)]
    async with serving(tracker=MockTracker(tickets=tickets)) as service:
        await taken(service, "PROJ-1")
        html = await page(service, "/code-runs")
        assert 'data-ticket="PROJ-2" data-title="Number 2"' in html
        assert 'data-ticket="PROJ-1"' not in html


async def test_a_link_in_a_tracker_opens_the_composer_with_that_ticket() -> None:
    details = TicketDetails(ticket=Ticket(key="PROJ-9", summary="Night mode"))
    async with serving(tracker=MockTracker(tickets=[details])) as service:
        html = await page(service, "/code-runs/new", ticket="proj-9")
        assert 'id="ticket" value="PROJ-9" data-title="Night mode"' in html


async def test_the_repositories_of_the_projects_other_tickets_are_chosen_first() -> None:
    tickets = [TicketDetails(ticket=Ticket(key=key, summary=key)) for key in ("PROJ-1", "PROJ-2")]
    async with serving(tracker=MockTracker(tickets=tickets)) as service:
        asked = Request(mode=RunMode.ASK, by="Ada", repositories=(RepositoryChoice(name=GADGETS, base="next"),))
        await service.runner.send("PROJ-1", asked, message_id="1")
        html = await page(service, "/code-runs/new", ticket="PROJ-2")
        assert f'value="{GADGETS}" data-name="gadgets" checked' in html
        assert f'name="branch:{GADGETS}" value="next"' in html
        assert f'value="{WIDGETS}" data-name="widgets">' in html


async def test_a_ticket_that_was_sent_is_opened_instead(service: Service) -> None:
    await worked_on(service)
    answer = await service.look("/code-runs/new", ticket="PROJ-1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs/PROJ-1")
    assert (await service.look("/code-runs/new")).headers["location"] == "/code-runs"
    assert "There is no ticket NONE-1." in await page(service, "/code-runs/new", 404, ticket="NONE-1")


# A conversation


async def test_a_conversation_shows_what_was_said_and_how_it_stands(service: Service) -> None:
    await worked_on(service)
    html = await page(service, "/code-runs/PROJ-1")
    last = (await service.runner.conversation("PROJ-1")).last_seq
    for landmark in (
        "<h1>Add dark mode</h1>",
        "<strong>it</strong>",
        "No network.",
        'action="/code-runs/PROJ-1/retry"',
        'action="/code-runs/PROJ-1/messages"',
        'action="/code-runs/PROJ-1/open-pr"',
        'role="log"',
        "src/",
        f'data-live="/code-runs/PROJ-1/events?from=1" data-after="{last}"',
    ):
        assert landmark in html


async def test_a_key_is_the_same_in_small_letters(service: Service) -> None:
    await worked_on(service)
    assert "<h1>Add dark mode</h1>" in await page(service, "/code-runs/proj-1")


@pytest.mark.parametrize("tab", ["changes", "plan", "details", "nonsense"])
async def test_each_tab_has_an_address(service: Service, tab: str) -> None:
    await worked_on(service)
    html = await page(service, "/code-runs/PROJ-1", tab=tab)
    assert f'data-tab="{tab if tab != "nonsense" else "talk"}">' in html


async def test_a_long_conversation_opens_at_its_end(service: Service) -> None:
    run_id = await taken(service)
    for number in range(450):
        await service.store.append(run_id, EventKind.TEXT, {"text": f"number {number}.", "role": "author"})
    html = await page(service, "/code-runs/PROJ-1")
    assert "number 449." in html
    assert "number 298." not in html
    assert 'data-live="/code-runs/PROJ-1/events?from=301"' in html
    assert 'data-fragments="/code-runs/PROJ-1/items?before=301"' in html
    older = await service.get("/code-runs/PROJ-1/items?before=301&limit=100", headers={"hx-request": "true"})
    assert "number 298." in older.text
    assert "number 198." not in older.text
    assert 'data-at="start"' in older.text
    assert 'data-fragments="/code-runs/PROJ-1/items?before=201"' in older.text
    before = await page(service, "/code-runs/PROJ-1", before="301")
    assert "number 298." in before
    assert "data-live=" not in before
    assert "number 0." in await page(service, "/code-runs/PROJ-1/items", before="10")


async def test_pages_that_are_opened_soon_after_each_other_begin_alike(service: Service) -> None:
    run_id, begins = await taken(service), []
    for number in range(260):
        await service.store.append(run_id, EventKind.TEXT, {"text": f"number {number}.", "role": "author"})
        if number in {205, 230, 258}:
            html = await page(service, "/code-runs/PROJ-1")
            begins.append(html.partition("/events?from=")[2].partition('"')[0])
    assert begins == ["51", "51", "101"]


async def test_a_known_ticket_without_a_conversation_can_be_sent(service: Service) -> None:
    await service.runner.create_ticket("PROJ-5", "Not sent yet", "")
    answer = await service.look("/code-runs/PROJ-5")
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs/new?ticket=PROJ-5")


@pytest.mark.parametrize("path", ["/code-runs", "/ui/runs", "/events?once=1"])
async def test_what_waits_for_people_stays_in_the_list_however_much_else_happens(service: Service, path: str) -> None:
    run_id = await taken(service, "OLD-1")
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.ask(run_id, Question(id="q1", asked=(Asked(question="Which one?"),)))
    for number in range(60):
        await taken(service, f"PROJ-{number}")
    html = (await service.look(path)).text
    assert 'href="/code-runs/OLD-1"' in html
    assert html.index('href="/code-runs/OLD-1"') < html.index('href="/code-runs/PROJ-59"')


async def test_the_model_of_a_turn_that_chose_none_is_the_persons_own(service: Service) -> None:
    await taken(service)
    await service.runner.prefer_model("You", "claude-opus-4-8")
    html = await page(service, "/code-runs/PROJ-1")
    box = html[html.index('id="composer"') :]
    assert '<input type="radio" name="model" value="claude-opus-4-8" checked>' in box
    await service.submit("/code-runs/PROJ-1/messages", {"text": "Go on."})
    (waiting,) = (await service.runner.conversation("PROJ-1")).queue
    assert waiting.request.model == "claude-opus-4-8"


async def test_a_question_waits_with_its_answers(service: Service) -> None:
    run_id = await taken(service)
    await service.store.move(run_id, RunStatus.RUNNING)
    asked = Asked(question="Which one?", choices=(Choice(label="Red"), Choice(label="Blue")))
    await service.store.ask(run_id, Question(id="q1", asked=(asked,)))
    html = await page(service, "/code-runs/PROJ-1")
    assert 'action="/code-runs/PROJ-1/questions/q1/answer"' in html
    assert 'name="answer-0" value="Blue"' in html


async def test_changes_have_a_page_of_their_own(service: Service) -> None:
    await worked_on(service)
    html = await page(service, "/code-runs/PROJ-1/changes")
    assert "widgets" in html
    assert "new" in html
    assert 'data-live="/code-runs/PROJ-1/events?from=' in html


# Pieces


async def test_a_step_shows_its_command_and_what_came_of_it(service: Service) -> None:
    await worked_on(service)
    piece = await service.get("/code-runs/PROJ-1/steps/4", headers={"hx-request": "true"})
    assert piece.text.startswith('<div class="out" id="step-4-out">')
    assert "ls -l" in piece.text
    assert "total 3" in piece.text
    assert "<h1>A step of PROJ-1</h1>" in await page(service, "/code-runs/PROJ-1/steps/4")


@pytest.mark.parametrize("seq", ["0", "3", "99", "-1", "9" * 30])
async def test_what_is_no_step_is_not_found(service: Service, seq: str) -> None:
    await worked_on(service)
    assert (await service.look(f"/code-runs/PROJ-1/steps/{seq}")).status_code == 404


@pytest.mark.parametrize("view", ["unified", "split", "bogus"])
async def test_one_files_diff_comes_by_itself(service: Service, view: str) -> None:
    await worked_on(service)
    query = {"repo": WIDGETS, "path": "src/a.py", "view": view}
    piece = await service.get("/code-runs/PROJ-1/diff", params=query, headers={"hx-request": "true"})
    assert "<table" in piece.text
    assert "<h1>src/a.py</h1>" in await page(service, "/code-runs/PROJ-1/diff", **query)


@pytest.mark.parametrize("wrong", [{"repo": "acme/none"}, {"path": "none.py"}])
async def test_a_file_that_did_not_change_has_no_diff(service: Service, wrong: dict[str, str]) -> None:
    await worked_on(service)
    html = await page(service, "/code-runs/PROJ-1/diff", 404, **{"repo": WIDGETS, "path": "src/a.py", **wrong})
    assert "Reload the page." in html


# Tickets


async def test_a_ticket_shows_what_the_tracker_knows_and_can_be_sent() -> None:
    details = TicketDetails(
        ticket=Ticket(
            key="PROJ-9", summary="Night mode", description="People work **late**.", url="https://j.example/9"
        ),
        status="To Do",
        comments=(TicketComment(by="Grace", at=datetime(2026, 11, 20, tzinfo=UTC), text="Please."),),
        attachments=(TicketAttachment(name="mock.png", bytes=2048),),
    )
    async with serving(tracker=MockTracker(tickets=[details])) as service:
        html = await page(service, "/tickets/proj-9")
        for landmark in ("<h1>Night mode</h1>", "<strong>late</strong>", "Grace", "mock.png", "Create PR", "To Do"):
            assert landmark in html
        assert '<input type="hidden" name="ticket" id="ticket" value="PROJ-9"' in html
        await taken(service, "PROJ-9")
        assert "This ticket has a conversation" in await page(service, "/tickets/PROJ-9")


async def test_a_ticket_is_made_in_a_project_of_the_tracker_or_under_a_key_of_ones_own(service: Service) -> None:
    assert (await service.look("/tickets")).headers["location"] == "/tickets/new"
    assert 'name="place"' in await page(service, "/tickets/new")
    async with serving(tracker=MockTracker(projects={"PROJ": "The project"})) as tracked:
        html = await page(tracked, "/tickets/new")
        assert '<option value="PROJ"' in html
        assert "The project" in html


# Menus


async def test_menus_find_tickets_branches_and_runs(service: Service) -> None:
    await worked_on(service)
    hits = await service.get("/ui/tickets?q=dark")
    assert 'data-ticket="PROJ-1"' in hits.text
    assert f'data-repos="{WIDGETS}"' in hits.text
    await service.runner.create_ticket("PROJ-2", "Not sent yet", "")
    assert (await page(service, "/code-runs")).count(f'data-title="Not sent yet" data-repos="{WIDGETS}"') == 2
    assert "No ticket is like that." in (await service.get("/ui/tickets?q=light")).text
    assert 'data-branch="main"' in (await service.get(f"/ui/branches?repo={WIDGETS}&q=MA")).text
    assert "No branch is like that." in (await service.get(f"/ui/branches?repo={WIDGETS}&q=x")).text
    assert (await service.get("/ui/branches?repo=acme/none")).status_code == 404
    assert 'href="/code-runs/PROJ-1"' in (await service.get("/ui/runs?q=dark")).text
    assert 'href="/code-runs/PROJ-1"' not in (await service.get("/ui/runs?q=light")).text


# What is not there


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/code-runs/PROJ-99", "/code-runs/nonsense", "/code-runs/PROJ-1%00", "/tickets/PROJ-99", "/tickets/x"],
)
async def test_a_person_who_goes_astray_gets_a_page(service: Service, path: str) -> None:
    html = await page(service, path, 404)
    assert 'href="/code-runs"' in html
    assert "<h1>There is nothing here</h1>" in html
    assert "There is no" in html or "is not the key of a ticket" in html


async def test_a_program_that_goes_astray_gets_json(service: Service) -> None:
    assert (await service.get("/nothing")).json() == {"detail": "Not Found"}
    assert (await service.get("/code-runs/PROJ-99/items?before=1")).json()["detail"].startswith("There is no")
    browser = {"accept": "text/html"}
    assert (await service.get("/api/v1/nothing", headers=browser)).json() == {"detail": "Not Found"}
    assert (await service.get("/webhook/jira", headers=browser)).json() == {"detail": "Method Not Allowed"}


async def test_while_the_database_is_away_a_page_says_so(service: Service) -> None:
    service.store.away = True  # type: ignore[attr-defined]
    answer = await service.look("/code-runs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The database did not answer" in answer.text
