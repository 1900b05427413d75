"""Every page, with hostile text in all places where text may be: its structure, its escaping, its access by keyboard
and screen reader, and its forms without scripts.
"""

import re
from collections import Counter
from collections.abc import Callable

import pytest

from app.models import (
    Asked,
    Choice,
    EventKind,
    FileChange,
    Message,
    PipelineOptions,
    PullRequest,
    Question,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
    Stage,
    Ticket,
)
from app.results import TicketAttachment, TicketComment, TicketDetails, TicketHit, TicketLink, TicketProject
from app.web.assets import Assets
from app.web.presenters.changes import changes_page, file_page
from app.web.presenters.composer import Composer, new_run_composer
from app.web.presenters.home import SetupFact, home_page
from app.web.presenters.pages import ConversationPage, conversation_page, error_page, older, older_items
from app.web.presenters.shell import Shell, shell
from app.web.presenters.step_bodies import step_body
from app.web.presenters.tickets import ticket_page
from app.web.rendering import Rendering
from tests.web.views import MODELS, NOON, Element, History, conversation, decision, read_html

K = EventKind
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m"
RENDERING = Rendering(assets=Assets())
QUESTION = Question(
    id=EVIL, asked=(Asked(question=EVIL, header=EVIL, choices=(Choice(label=EVIL, description=EVIL),)),)
)
PLAN = Question(id="p1", plan=EVIL, version=1)
REPOSITORY = RepositoryChoice(name=f"acme/{EVIL}", base=EVIL)
CHANGES = (
    RepositoryChanges(
        repository=REPOSITORY.name,
        branch=EVIL,
        base=EVIL,
        files=(FileChange(path="a.py", added=1, removed=0), FileChange(path=EVIL), FileChange(path="gone", added=1)),
        patch=f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -0,0 +1 @@ {EVIL}\n+{EVIL}\n",
    ),
)
TICKET = Ticket(key="ACME-42", summary=EVIL, description=EVIL, url="javascript:alert(1)")
HIT = TicketHit(key="ACME-43", summary=EVIL, status=EVIL, kind=EVIL, url="javascript:alert(1)")


def hostile() -> History:
    history = History()
    history.begin(mode="edits", by=EVIL)
    history.add(K.MESSAGE_SENT, text=EVIL, by=EVIL, mode="edits", model=EVIL)
    history.add(K.STAGE_STARTED, stage="review")
    history.text(EVIL)
    history.step("a", "Bash", EVIL, command=EVIL)
    history.step("b", "Edit", EVIL, file_path=EVIL, old_string=EVIL, new_string="x")
    history.step("c", EVIL, EVIL, given=EVIL)
    history.call("d", "Agent", description=EVIL, prompt=EVIL)
    history.text(EVIL, parent="d")
    history.add(K.GATE_CHECKED, gate="lint", outcome="failed", command=EVIL, output=EVIL, repository=EVIL, duration_s=1)
    history.add(K.STAGE_ENDED, stage="review", status="passed", summary=EVIL)
    history.add(K.TODO_UPDATED, items=[{"subject": EVIL, "status": "in_progress"}, {"subject": EVIL}])
    history.add(K.PLAN_PROPOSED, **PLAN.model_dump())
    history.add(K.ANSWERED, question="p1", by=EVIL, approved=False, text=EVIL, answers={})
    history.add(K.PLAN_PROPOSED, **PLAN.model_copy(update={"id": EVIL, "version": 2}).model_dump())
    history.add(K.QUESTION_ASKED, **QUESTION.model_copy(update={"id": "q0"}).model_dump())
    history.add(K.ANSWERED, question="q0", by=EVIL, answers={EVIL: EVIL}, text=EVIL, approved=False)
    history.add(K.QUESTION_ASKED, **QUESTION.model_dump())
    history.add(K.PULL_REQUEST, url='https://a.example/"><b>', number=1, repository=EVIL, draft=True, created=True)
    history.add(K.NOTICE, text=EVIL)
    history.add(K.TICKET_UPDATED, summary=EVIL)
    history.add(K.MESSAGE_QUEUED, id="m", text=EVIL, by=EVIL, mode="ask")
    history.add(K.PUBLISH_FAILED, repository=EVIL, message=EVIL)
    history.add(K.ERROR, message=EVIL)
    return history


def frame() -> Shell:
    known = conversation(ticket=TICKET, waits_for=decision(PLAN), run_facts={"status": RunStatus.NEEDS_INPUT})
    return shell(person=EVIL, conversations=(known,), current="ACME-42", by_code=True, words=EVIL, models={EVIL: EVIL})


def talk(history: History | None = None, **facts: object) -> ConversationPage:
    known = conversation(
        ticket=TICKET,
        run_facts={"repositories": (REPOSITORY,), "model": EVIL, "error": EVIL, "status": RunStatus.FAILED},
        queue=(Message(id="m", at=NOON, request=Request(mode=RunMode.ASK, text=EVIL, by=EVIL)),),
        pull_requests=(PullRequest(url="javascript:alert(1)", number=1, repository=EVIL),),
    )
    stages = (Stage(name="tests", status="running", started_at=NOON),)
    known = known.model_copy(update={"run": known.run.model_copy(update={"stages": stages})})
    return conversation_page(
        known,
        thread=(history or hostile()).thread(),
        models=MODELS,
        changes=CHANGES,
        before=5,
        decisions=(decision(PLAN),),
        runs=(known.run,),
        options=PipelineOptions(lint=True),
        message_id="id-1",
        errors=(EVIL,),
        **facts,  # type: ignore[arg-type]
    )


def composer(*, fixed: bool = False) -> Composer:
    request = Request(mode=RunMode.EDITS, model=EVIL, text=EVIL, repositories=(REPOSITORY,))
    return new_run_composer(
        repositories=(REPOSITORY,), models=MODELS, request=request, message_id=EVIL, ticket=TICKET, fixed=fixed
    )


def home(*, searched: bool = False) -> str:
    known = (conversation(ticket=TICKET, run_facts={"status": RunStatus.FAILED, "error": EVIL}),)
    page = home_page(
        composer=composer(),
        conversations=known,
        setup=(SetupFact(False, EVIL, EVIL),),
        found=known if searched else None,
        ready=(HIT,),
        demo=True,
        errors=(EVIL,),
    )
    return RENDERING.page("home.html", shell=frame(), page=page)


def ticket() -> str:
    details = TicketDetails(
        ticket=TICKET,
        status=EVIL,
        comments=(TicketComment(by=EVIL, at=NOON, text=EVIL),),
        links=(TicketLink(relation=EVIL, ticket=HIT),),
        attachments=(TicketAttachment(name=EVIL, bytes=1_500_000, kind=EVIL),),
    )
    page = ticket_page(details, composer=composer(fixed=True), conversation=conversation(ticket=TICKET))
    return RENDERING.page("ticket.html", shell=frame(), page=page)


def step() -> str:
    body = step_body("ACME-42", *hostile().events[4:6])
    return RENDERING.page("plain.html", shell=frame(), title=EVIL, back="/", template="step_body.html", page=body)


def login() -> str:
    return RENDERING.page("login.html", shell=None, next=EVIL, error=EVIL, name=EVIL)


PAGES: dict[str, Callable[[], str]] = {
    "home": home,
    "search": lambda: home(searched=True),
    "conversation": lambda: RENDERING.page("conversation.html", shell=frame(), page=talk()),
    "changes": lambda: RENDERING.page("changes.html", shell=frame(), page=changes_page(conversation(), CHANGES)),
    "ticket": ticket,
    "new ticket": lambda: RENDERING.page(
        "new_ticket.html",
        shell=frame(),
        tracker=None,
        projects=(),
        place=EVIL,
        summary=EVIL,
        description=EVIL,
        errors=[EVIL],
    ),
    "step": step,
    "login": login,
    "error": lambda: RENDERING.page("error.html", shell=frame(), error=error_page(404, EVIL)),
    "error without a person": lambda: RENDERING.page("error.html", shell=None, error=error_page(503, EVIL)),
}


@pytest.fixture(params=PAGES, scope="module")
def document(request: pytest.FixtureRequest) -> Element:
    return read_html(PAGES[request.param]())


# Escaping


def test_hostile_text_adds_no_element_and_no_handler(document: Element) -> None:
    assert not document.all("img")
    assert all("src" in script.attributes for script in document.all("script"))
    for element in document.all():
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]


def test_nothing_is_loaded_from_elsewhere_and_no_link_runs_a_script(document: Element) -> None:
    loaded = [
        each.attributes.get("src") or each.attributes["href"]
        for each in document.all()
        if each.tag in {"script", "link"}
    ]
    assert all(address.startswith("/static/") for address in loaded)
    addresses = [each.attributes.get(name, "") for each in document.all() for name in ("href", "action", "data-copy")]
    assert not [each for each in addresses if not re.match(r"(https?:/)?/|[#?]|$", each)]


def test_text_is_shown_without_controls(document: Element) -> None:
    assert "<script>alert(1)</script>" in document.text or document.all(value=EVIL.replace("\u202e\x1b[31m", ""))
    assert "\u202e" not in document.text
    assert "\x1b" not in document.text


# Structure


def test_ids_are_unique(document: Element) -> None:
    counted = Counter(each.id for each in document.all() if each.id)
    assert [id_ for id_, count in counted.items() if count > 1] == []


def test_there_is_one_title_of_the_page_and_a_way_past_the_sidebar(document: Element) -> None:
    assert len(document.all("h1")) == 1
    skip = document.all("a")[0].attributes["href"]
    assert document.all(id=skip.removeprefix("#"))


def test_every_field_and_button_has_a_name(document: Element) -> None:
    labelled = {label.attributes.get("for") for label in document.all("label")}
    inside = {id(field) for label in document.all("label") for field in label.all()}
    for field in (*document.all("input"), *document.all("textarea"), *document.all("select")):
        hidden = field.attributes.get("type") == "hidden"
        named = field.attributes.get("aria-label") or field.id in labelled or id(field) in inside
        assert hidden or named, field
    filled = (*document.all(id="connection"), *document.all("template"))  # by the page's script
    by_script = {id(each) for place in filled for each in place.all("button")}
    for button in document.all("button"):
        waits = "hidden" in button.attributes or id(button) in by_script
        assert button.text or button.attributes.get("aria-label") or waits, button


def test_nothing_that_acts_is_inside_a_summary(document: Element) -> None:
    inside = [each.tag for summary in document.all("summary") for each in summary.all()]
    assert not {"a", "button", "input", "form", "label"} & set(inside)


def test_forms_work_without_scripts(document: Element) -> None:
    for form in document.all("form"):
        action = form.attributes["action"]
        assert action.startswith("/")
        assert form.attributes.get("method") == "post" or form.attributes.get("role") == "search"
        assert form.attributes.get("hx-post", action) == action
        assert not form.all("form")


# What can be done on them


def conversation_document(history: History | None = None, **facts: object) -> Element:
    return read_html(RENDERING.page("conversation.html", shell=frame(), page=talk(history, **facts)))


def fields(form: Element) -> set[str]:
    named = (*form.all("input"), *form.all("textarea"), *form.all("button"))
    own = [each for each in named if "form" not in each.attributes]  # it names another form that it belongs to
    return {each.attributes["name"] for each in own if each.attributes.get("name")}


def forms(document: Element) -> dict[str, set[str]]:
    return {form.attributes["action"]: fields(form) for form in document.all("form", method="post")}


def test_a_conversation_offers_what_the_service_understands() -> None:
    history = History()
    history.add(K.PLAN_PROPOSED, **PLAN.model_dump())
    choices = (Choice(label="a"), Choice(label="b"))
    asked = (
        Asked(question="One?", choices=choices),
        Asked(question="Many?", choices=choices, several=True),
        Asked(question="Why?"),
    )
    history.add(K.QUESTION_ASKED, **Question(id="q1", asked=asked).model_dump())
    base = "/code-runs/ACME-42"
    offered = forms(conversation_document(history))
    assert offered[f"{base}/messages"] == {"text", "mode", "model", "auto_pr", "message_id"}
    assert offered[f"{base}/plan/p1/approve"] == {"auto_pr"}
    assert offered[f"{base}/plan/p1/changes"] == {"text"}
    answers = {"answer-0", "text-0", "answer-1", "text-1", "text-2", "decide"}
    assert offered[f"{base}/questions/q1/answer"] == answers
    assert {f"{base}/messages/m/withdraw", f"{base}/messages/m/now", f"{base}/stop", f"{base}/retry"} <= set(offered)
    assert offered[f"{base}/open-pr"] == {"repo"}


def test_a_question_with_several_answers_has_boxes_and_another_has_one_choice() -> None:
    choices = (Choice(label="a"),)
    asked = (Asked(question="One?", choices=choices), Asked(question="Many?", choices=choices, several=True))
    history = History()
    history.add(K.QUESTION_ASKED, **Question(id="q1", asked=asked).model_dump())
    card = conversation_document(history).one("form", action="/code-runs/ACME-42/questions/q1/answer")
    kinds = [[each.attributes["type"] for each in card.all("input", name=f"answer-{n}")] for n in (0, 1)]
    assert kinds == [["radio", "radio"], ["checkbox", "checkbox"]]
    assert [each.text for each in card.all("legend")] == ["One?", "Many?"]


def test_a_new_run_has_its_ticket_repositories_branches_and_instructions() -> None:
    offered = forms(read_html(home()))["/code-runs"]
    assert {"ticket", "repos", "mode", "model", "auto_pr", "instructions", "message_id"} <= offered
    branch = f"branch:{REPOSITORY.name}".replace("\u202e\x1b[31m", "")
    assert branch in offered


def test_the_thread_is_a_log_that_is_not_read_aloud_and_stages_are_a_list() -> None:
    document = conversation_document()
    log = document.one(role="log")
    assert log.attributes["aria-live"] == "off"
    assert log.one(id="thread").all("article")
    strip = document.one("ol", id="stages")
    (current,) = [each for each in strip.all("li") if "aria-current" in each.attributes]
    assert "in progress: since 09:41" in current.text


def test_the_body_of_a_step_is_fetched_when_it_is_opened_or_followed() -> None:
    history = History()
    call = history.step("a", "Bash", "the output", command="make")
    document = conversation_document(history)
    step = document.one("details", id=f"step-{call.seq}")
    href = f"/code-runs/ACME-42/steps/{call.seq}"
    assert (step.attributes["data-fragments"], step.one("a").attributes["href"]) == (href, href)
    assert "the output" not in document.text
    body = read_html(RENDERING.fragment("step_body.html", page=step_body("ACME-42", *history.events)))
    assert "the output" in body.one(id=step.one(**{"class": "out"}).id).text


def test_the_diff_of_a_file_is_fetched_into_its_place() -> None:
    document = conversation_document()
    lazy = [each for each in document.one(id="changes").all("details") if "data-fragments" in each.attributes]
    large = CHANGES[0].model_copy(update={"patch": "diff --git a/gone b/gone\nBinary files differ\n"})
    page = file_page("ACME-42", large, "gone")
    assert page is not None
    place = read_html(RENDERING.fragment("file_diff.html", page=page)).all()[0].id
    assert any(each.all(id=place) for each in lazy)


def test_earlier_items_come_to_the_start_of_the_thread_with_the_way_to_those_before() -> None:
    html = RENDERING.fragment("items.html", items=older_items(hostile().thread()), older=older("ACME-42", 3))
    roots = [each for each in read_html(html).inside if isinstance(each, Element)]
    assert {(each.attributes["data-into"], each.attributes["data-at"]) for each in roots[:-1]} == {("#thread", "start")}
    assert roots[-1].id == "older"
    assert roots[-1].attributes["data-fragments"] == "/code-runs/ACME-42/items?before=3"


@pytest.mark.parametrize("tab", ["talk", "changes", "plan", "details"])
def test_a_tab_opens_without_scripts(tab: str) -> None:
    document = conversation_document(tab=tab)
    assert document.one("body").attributes["data-tab"] == tab
    current = {
        each.attributes["data-tab"]
        for each in document.all("a", **{"aria-current": "page"})
        if "data-tab" in each.attributes
    }
    assert tab in current


def test_a_ticket_is_made_in_a_project_of_the_tracker_or_by_a_key_of_ones_own() -> None:
    view = {"shell": frame(), "place": "ENG", "summary": "", "description": "", "errors": ()}
    projects = (TicketProject(key="ACME", name="Payments"), TicketProject(key="ENG", name="Engineering"))
    with_tracker = read_html(RENDERING.page("new_ticket.html", tracker="Jira", projects=projects, **view))
    (chosen,) = [
        each for each in with_tracker.one("select", name="place").all("option") if "selected" in each.attributes
    ]
    assert chosen.attributes["value"] == "ENG"
    without = read_html(RENDERING.page("new_ticket.html", tracker=None, projects=(), **view))
    assert without.one("input", name="place").attributes["value"] == "ENG"


def test_a_person_can_prefer_a_model_and_sign_out() -> None:
    known = shell(person="Mira", conversations=(), by_code=True, models=MODELS, model="claude-opus-4-8")
    document = read_html(RENDERING.page("error.html", shell=known, error=error_page(404, "x")))
    menu = document.one(id="m-me")
    assert set(forms(menu)) == {"/me/model", "/logout"}
    (chosen,) = [each for each in menu.all("input", name="model") if "checked" in each.attributes]
    assert chosen.attributes["value"] == "claude-opus-4-8"


def test_a_first_start_shows_what_to_do_next_and_offers_the_demo() -> None:
    setup = (SetupFact(True, "Repository", "acme/backend"), SetupFact(False, "Claude", "Set ANTHROPIC_API_KEY"))
    page = home_page(composer=composer(), conversations=(), setup=setup, demo=True)
    document = read_html(RENDERING.page("home.html", shell=shell(person=None, conversations=()), page=page))
    said = [each.text for each in document.one("ol", **{"aria-label": "Set up"}).all("li")]
    assert said[:2] == ["Done: Repository acme/backend", "2 Claude Set ANTHROPIC_API_KEY"]
    assert "/demo" in forms(document)
    assert "No runs yet" in document.one(id="runs").text
