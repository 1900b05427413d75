"""What pages show of how things stand."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.run_state import CUT_SHORT
from app.models import (
    Answer,
    Asked,
    Conversation,
    ConversationFilter,
    Event,
    EventKind,
    FileChange,
    Message,
    PipelineOptions,
    PullRequest,
    Question,
    RepositoryChanges,
    Request,
    RunMode,
    RunStatus,
    Stage,
    StageName,
    StageStatus,
    Ticket,
)
from app.web.presenters.changes import changes_fragment, file_page
from app.web.presenters.composer import message_composer, new_run_composer
from app.web.presenters.conversation import parts
from app.web.presenters.home import home_page, waiting
from app.web.presenters.pages import ConversationPage, conversation_page
from app.web.presenters.shell import entry, side_list
from app.web.presenters.step_bodies import step_body
from app.web.presenters.wording import duration, initials, money, web_link
from tests.web.views import BACKEND, MODELS, NOON, WORKERS, History, conversation, decision, run

PLAN = Question(id="p1", plan="# Add an export\n\nIn steps.", version=2)
ASKED = Question(id="q1", asked=(Asked(question="Half-even or half-up?"),))
PULL_REQUEST = PullRequest(
    url="https://github.com/acme/acme-backend/pull/318", number=318, repository="acme/acme-backend"
)
PATCH = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1,{1} @@\n"


def part(name: str, known: Conversation, **facts: Any) -> Any:
    pieces = parts(known, **{"models": MODELS, "changes": (), **facts})
    return {piece.id: piece for piece in pieces}[name].view


def stage(name: StageName, status: StageStatus, **facts: Any) -> Stage:
    ended = None if status is StageStatus.RUNNING else NOON + timedelta(seconds=90)
    return Stage(**{"name": name, "status": status, "started_at": NOON, "ended_at": ended, **facts})


def change(path: str, lines: int = 1, repository: str = "acme/acme-backend") -> RepositoryChanges:
    patch = PATCH.format(path, lines) + "+x\n" * lines
    files = (FileChange(path=path, added=lines, removed=0),)
    return RepositoryChanges(repository=repository, branch="ticket/acme-42", base="main", files=files, patch=patch)


# Actions


@pytest.mark.parametrize(
    ("status", "stop", "retry"),
    [
        (RunStatus.QUEUED, True, False),
        (RunStatus.RUNNING, True, False),
        (RunStatus.NEEDS_INPUT, True, False),
        (RunStatus.FAILED, False, True),
        (RunStatus.IDLE, False, False),
        (RunStatus.PR_OPENED, False, False),
    ],
)
def test_what_is_active_can_be_stopped_and_what_failed_can_be_retried(
    status: RunStatus, stop: bool, retry: bool
) -> None:
    known = conversation(run_facts={"status": status})
    actions, dock = part("actions", known), part("dock", known)
    assert (actions.stop, actions.retry, dock.stop is not None) == (stop, retry, stop)


def test_what_was_stopped_can_be_retried() -> None:
    cut = stage(StageName.ANSWER, StageStatus.WARNED, summary=CUT_SHORT)
    stopped = conversation(run_facts={"status": RunStatus.IDLE, "stages": (cut,)})
    assert part("actions", stopped).retry


def test_a_draft_can_be_opened_for_changes_that_have_none_once_the_turn_is_over() -> None:
    changes = (change("a.py"), change("b.py", repository="acme/acme-workers"))
    idle = conversation(run_facts={"status": RunStatus.IDLE}, pull_requests=(PULL_REQUEST,))
    running = conversation(pull_requests=(PULL_REQUEST,))
    assert part("actions", idle, changes=changes).unpublished == ("acme/acme-workers",)
    assert part("actions", running, changes=changes).unpublished == ()


def test_facts_say_repositories_mode_model_time_and_cost() -> None:
    ended = {"status": RunStatus.IDLE, "ended_at": NOON + timedelta(minutes=19, seconds=44)}
    request = Request(mode=RunMode.EDITS, model="claude-opus-4-8", auto_pr=True)
    facts = part("facts", conversation(run_facts=ended, request=request, cost_usd=1.884))
    assert facts.repositories == (("acme-backend", "main"), ("acme-workers", "release/2026.11"))
    assert (facts.mode, facts.model, facts.since) == ("Edits, draft PR on", "Sonnet 4.6", None)
    assert (facts.took, facts.cost) == ("19m 44s", "$1.88")
    assert part("facts", conversation()).since == NOON


def test_a_tickets_repositories_are_those_that_it_changed_where_nobody_chose_any() -> None:
    known = conversation(request=Request(mode=RunMode.IMPLEMENT), run_facts={"repositories": ()})
    assert part("facts", known, changes=(change("a.py"),)).repositories == (("acme-backend", "main"),)


def test_a_queued_message_says_who_and_can_be_withdrawn_or_sent_now() -> None:
    message = Message(id="m-1", at=NOON, request=Request(mode=RunMode.ASK, text="\nWhy?\nTell me", by="Jonas Wolf"))
    (queued,) = part("queue", conversation(queue=(message,)))
    assert (queued.by, queued.words, queued.mode) == ("Jonas Wolf", "Why?", "Ask")
    assert queued.withdraw == "/code-runs/ACME-42/messages/m-1/withdraw"
    assert queued.now == "/code-runs/ACME-42/messages/m-1/now"


# Stages


def strip(known: Conversation, **options: bool) -> list[tuple[str, str, str]]:
    stages = part("stages", known, options=PipelineOptions(**options))
    return [(each.name, each.state, each.detail) for each in stages]


def test_the_strip_shows_stages_to_come_and_leaves_out_that_the_workspace_was_made() -> None:
    stages = (stage(StageName.WORKSPACE, StageStatus.PASSED), stage(StageName.IMPLEMENT, StageStatus.RUNNING))
    known = conversation(run_facts={"mode": RunMode.IMPLEMENT, "stages": stages})
    assert strip(known, review=True, tests=True) == [
        ("Implement", "now", ""),
        ("Review", "later", "not started"),
        ("Tests", "later", "not started"),
        ("PR", "later", "not started"),
    ]


@pytest.mark.parametrize(
    ("auto_pr", "pull_requests", "names"),
    [
        (False, (), ["Implement"]),
        (True, (), ["Implement", "Tests", "PR"]),
        (False, (PULL_REQUEST,), ["Implement", "Tests", "PR"]),
    ],
)
def test_edits_have_gates_to_come_only_on_the_way_to_a_pull_request(
    auto_pr: bool, pull_requests: tuple[PullRequest, ...], names: list[str]
) -> None:
    known = conversation(run_facts={"mode": RunMode.EDITS, "auto_pr": auto_pr}, pull_requests=pull_requests)
    assert [name for name, _, _ in strip(known, tests=True)] == names


def test_the_strip_of_a_failed_run_says_where_and_what_was_not_reached() -> None:
    stages = (stage(StageName.WORKSPACE, StageStatus.FAILED), stage(StageName.SETUP, StageStatus.WARNED, rounds=1))
    known = conversation(run_facts={"mode": RunMode.PLAN, "stages": stages, "status": RunStatus.FAILED})
    assert strip(known) == [
        ("Workspace", "fail", "1m 30s"),
        ("Plan", "later", "not reached"),
        ("Setup", "warn", "1m 30s"),
    ]


def test_a_stage_that_waits_for_people_says_what_for() -> None:
    stages = (stage(StageName.PLAN, StageStatus.RUNNING),)
    facts = {"mode": RunMode.PLAN, "status": RunStatus.NEEDS_INPUT, "stages": stages}
    assert strip(conversation(run_facts=facts, waits_for=decision(PLAN))) == [("Plan", "wait", "plan to review")]
    assert strip(conversation(run_facts=facts, waits_for=decision(ASKED))) == [("Plan", "wait", "question")]


# Lists


@pytest.mark.parametrize(
    ("facts", "more", "words", "tone"),
    [
        ({"status": RunStatus.NEEDS_INPUT}, {"waits_for": decision(PLAN)}, "Plan to review", "say"),
        ({"status": RunStatus.NEEDS_INPUT}, {"waits_for": decision(ASKED)}, "Question", "say"),
        (
            {"status": RunStatus.FAILED, "stages": (stage(StageName.TESTS, StageStatus.FAILED),)},
            {},
            "Failed at tests",
            "bad",
        ),
        (
            {"stages": (stage(StageName.TESTS, StageStatus.RUNNING),)},
            {"cost_usd": 1.42},
            "Tests · $1.42",
            "",
        ),
        ({"status": RunStatus.PR_OPENED}, {"pull_requests": (PULL_REQUEST,)}, "PR #318", "good"),
        ({"status": RunStatus.IDLE, "mode": RunMode.ASK}, {}, "Ask", ""),
    ],
)
def test_a_list_says_in_a_few_words_how_a_conversation_stands(
    facts: dict[str, Any], more: dict[str, Any], words: str, tone: str
) -> None:
    line = entry(conversation(run_facts=facts, **more))
    assert (line.words, line.tone) == (words, tone)


def test_the_sidebar_begins_with_what_needs_a_person() -> None:
    known = [
        conversation(run_facts={"status": status}, ticket=Ticket(key=f"ACME-{number}", summary="x"))
        for number, status in enumerate(RunStatus)
    ]
    groups: Any = side_list(known, "ACME-1").view
    assert [(group.title, [each.key for each in group.entries]) for group in groups] == [
        ("Needs you", ["ACME-2", "ACME-3"]),
        ("Active", ["ACME-0", "ACME-1"]),
        ("Recent", ["ACME-4", "ACME-5"]),
    ]
    assert [each.key for group in groups for each in group.entries if each.current] == ["ACME-1"]


def test_home_says_what_each_conversation_waits_for() -> None:
    known = [
        conversation(run_facts={"status": RunStatus.NEEDS_INPUT}, waits_for=decision(PLAN)),
        conversation(run_facts={"status": RunStatus.NEEDS_INPUT}, waits_for=decision(ASKED)),
        conversation(run_facts={"status": RunStatus.FAILED, "error": "No disk.\nMore"}),
        conversation(),
    ]
    views: Any = waiting(known).view
    assert [(each.said, each.quoted) for each in views] == [
        ("has a plan to review:", "Add an export"),
        ("asks:", "“Half-even or half-up?”"),
        ("failed:", "No disk."),
    ]


def test_a_search_keeps_what_was_asked_for() -> None:
    composer = new_run_composer(repositories=(), models=MODELS, request=Request(mode=RunMode.EDITS), message_id="m")
    wanted = ConversationFilter(words="retry", status=RunStatus.FAILED, mode=RunMode.PLAN, by="Mira")
    page = home_page(composer=composer, conversations=(), found=(conversation(),), wanted=wanted)
    chosen = [each.value for each in (*page.filters.statuses, *page.filters.modes) if each.chosen]
    assert (page.filters.words, page.filters.by, chosen) == ("retry", "Mira", ["failed", "plan"])
    assert [each.key for each in page.found or ()] == ["ACME-42"]


# Writing


def test_a_composer_keeps_what_was_chosen_and_offers_the_rest() -> None:
    request = Request(mode=RunMode.PLAN, model="claude-opus-4-8", text="Please", repositories=(WORKERS,))
    base = BACKEND.model_copy(update={"name": WORKERS.name})
    composer = new_run_composer(repositories=(BACKEND, base), models=MODELS, request=request, message_id="m")
    assert [(each.name, each.base, each.chosen) for each in composer.repositories] == [
        ("acme/acme-backend", "main", False),
        ("acme/acme-workers", "release/2026.11", True),
    ]
    assert (composer.mode.value, composer.model and composer.model.label, composer.text) == (
        "plan",
        "Opus 4.8",
        "Please",
    )


def test_after_a_webhooks_run_people_write_in_edits() -> None:
    composer = message_composer("ACME-42", models=MODELS, request=Request(mode=RunMode.IMPLEMENT), message_id="m")
    assert composer.mode.value == "edits"
    assert [each.value for each in composer.modes] == ["ask", "edits", "plan"]


# Changes


def test_the_first_small_files_are_drawn_and_the_dull_and_the_long_wait() -> None:
    changes = [change(path) for path in ("uv.lock", "a.py", "b.py", "c.py", "d.py")]
    changes.insert(1, change("long.py", lines=500))
    view: Any = changes_fragment("ACME-42", changes, RunMode.EDITS).view
    drawn = [file.path for repository in view.repositories for file in repository.files if file.diff]
    assert drawn == ["a.py", "b.py", "c.py"]
    assert (view.added, view.removed, view.words) == (505, 0, "6 files in 6 repositories")


def test_a_large_file_is_drawn_when_somebody_asks_for_it() -> None:
    large = change("large.txt", lines=3_001)
    page = file_page("ACME-42", large, "large.txt")
    assert page is not None
    assert (page.table, page.remark) == (None, "Large file: 3,001 lines.")
    assert page.whole == "/code-runs/ACME-42/diff?repo=acme%2Facme-backend&path=large.txt&view=unified&whole=1"
    whole = file_page("ACME-42", large, "large.txt", whole=True)
    assert whole is not None
    assert whole.table is not None


def test_a_file_that_did_not_change_has_no_page() -> None:
    assert file_page("ACME-42", change("a.py"), "b.py") is None


# Steps


def blocks(event: Event, returned: Event | None = None, **facts: bool) -> list[tuple[str, str]]:
    return [(each.label, each.text) for each in step_body("ACME-42", event, returned, **facts).blocks]


def test_a_commands_body_is_the_command_and_the_end_of_its_output() -> None:
    history = History()
    call = history.call("a", "Bash", command="seq 300")
    result = history.result("a", "\n".join(map(str, range(300))))
    body = step_body("ACME-42", call, result)
    assert blocks(call, result)[0] == ("Command", "seq 300")
    assert body.blocks[1].text.startswith("100\n")
    assert body.blocks[1].left_out == "100 earlier lines left out"
    assert body.whole == "/code-runs/ACME-42/steps/1?whole=1"
    assert len(blocks(call, result, whole=True)[1][1].splitlines()) == 300


def test_an_edits_body_is_its_change() -> None:
    call = History().call(
        "a", "Edit", file_path="/workspace/worktrees/ticket/acme-42/a.py", old_string="1", new_string="2"
    )
    (block,) = step_body("ACME-42", call).blocks
    assert block.label == "Change to a.py"
    assert block.table is not None


def test_a_gates_body_is_its_command_and_output() -> None:
    told = {"gate": "tests", "outcome": "failed", "command": "pytest", "output": "1 failed", "round": 1}
    event = History().add(EventKind.GATE_CHECKED, **told)
    assert blocks(event) == [("Command", "pytest"), ("Output", "1 failed")]


def test_a_sub_agents_body_is_what_it_was_asked_and_reported() -> None:
    history = History()
    call = history.call("a", "Agent", description="Look", prompt="Look *there*")
    assert blocks(call, history.result("a", "Nothing")) == [
        ("What it was asked", "Look *there*"),
        ("What it reported", "Nothing"),
    ]


# The page


def page_of(known: Conversation | None = None, **facts: Any) -> ConversationPage:
    given = {"thread": History().thread(), "models": MODELS, "changes": (), "message_id": "m", **facts}
    return conversation_page(known or conversation(), **given)


def test_plans_are_kept_with_what_became_of_them_newest_first() -> None:
    answered = {"answer": Answer(by="Mira Chen", text="Smaller"), "answered_at": NOON}
    first = decision(Question(id="p0", plan="One", version=1), **answered)
    page = page_of(decisions=(first, decision(ASKED), decision(PLAN)))
    plans: Any = page.plans.view
    assert [(plan.version, plan.decided and plan.decided.words) for plan in plans] == [
        (2, None),
        (1, "Changes asked"),
    ]


def test_details_count_the_turns_from_the_first() -> None:
    page = page_of(runs=(run(mode=RunMode.EDITS, error="It broke."), run(mode=RunMode.ASK)))
    details: Any = page.details.view
    assert [(turn.number, turn.words, turn.outcome) for turn in details.turns] == [
        (2, "Edits · Sonnet 4.6 · Mira Chen", "It broke."),
        (1, "Ask · Sonnet 4.6 · Mira Chen", ""),
    ]


def test_the_box_is_empty_after_a_turn_and_keeps_what_was_typed_after_a_mistake() -> None:
    known = conversation(request=Request(mode=RunMode.ASK, text="Why?"))
    assert (page_of(known).composer.text, page_of(known, errors=("Too long.",)).composer.text) == ("", "Why?")


def test_an_unknown_tab_is_the_conversation() -> None:
    assert page_of(tab="<x>").tab == "talk"


# Words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.41, "0.4 s"), (3, "3 s"), (14.2, "14 s"), (59.7, "1m 00s"), (151, "2m 31s"), (11_100, "3h 05m"), (-1, "0 s")],
)
def test_durations_are_as_exact_as_people_need_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_money_names_and_links_are_said_shortly() -> None:
    assert [money(each) for each in (0, 0.001, 1.424, 1234.5)] == ["$0.00", "<$0.01", "$1.42", "$1,234.50"]
    assert [initials(each) for each in ("Mira Chen", "jonas", "ada@acme.io", "")] == ["MC", "J", "AA", "?"]
    links = ("https://a.example/x", "javascript:alert(1)", "//a.example", None, "https://[")
    assert [web_link(each) for each in links] == ["https://a.example/x", None, None, None, None]
