"""A conversation's events become items; a page and the stream that keeps it going agree on them."""

from typing import Any

import pytest

from app.models import Asked, Choice, EventKind, Question
from app.web.assets import Assets
from app.web.presenters import cards
from app.web.presenters.fragments import Fragment
from app.web.presenters.pages import older_items
from app.web.presenters.steps import Step
from app.web.presenters.thread import Thread
from app.web.presenters.work import Group, Label
from app.web.rendering import Rendering
from tests.web.views import MODELS, Element, History, flat, patch, read_html

K = EventKind
WORKTREE = "/workspace/worktrees/ticket/acme-42"
QUESTION = Question(
    id="q1", asked=(Asked(question="Which one?", choices=(Choice(label="The first"), Choice(label="The second"))),)
)


def rich() -> History:
    """A conversation with a bit of everything."""
    history = History()
    history.begin(mode="plan", by="Mira Chen")
    history.add(K.MESSAGE_SENT, text="Do *it*", by="Mira Chen", mode="plan", model="claude-sonnet-4-6")
    history.step("a", "Grep", "one\ntwo", pattern="deliver")
    history.step("b", "Read", "1\n2\n3", file_path=f"{WORKTREE}/a.py")
    history.add(K.PLAN_PROPOSED, **Question(id="p1", plan="# Plan one", version=1).model_dump())
    history.add(K.ANSWERED, question="p1", by="Mira Chen", approved=False, text="Smaller, please", answers={})
    history.add(K.PLAN_PROPOSED, **Question(id="p2", plan="# Plan two", version=2).model_dump())
    history.add(K.ANSWERED, question="p2", by="Jonas Wolf", approved=True, text="", answers={})
    history.add(K.RUN_STATUS, status="idle", reason="Jonas Wolf approved the plan.")
    history.begin("run-2", mode="edits", by="Jonas Wolf")
    history.text("I begin.")
    history.step("c", "Edit", "ok", file_path=f"{WORKTREE}/a.py", old_string="a\nb", new_string="a\nc\nd")
    history.call("agent", "Agent", description="Look around", prompt="Look")
    history.call("d", "Read", parent="agent", file_path="/etc/hosts")
    history.text("Nothing here.", parent="agent")
    history.result("d", "x")
    history.call("e", "Bash", command="pytest -q")
    history.result("agent", "Nothing", after_s=5)
    history.result("e", "Exit code 2\nno tests", failed=True, after_s=3)
    history.add(K.TODO_UPDATED, items=[{"id": "1", "subject": "Write it", "status": "in_progress"}])
    history.add(K.QUESTION_ASKED, **QUESTION.model_dump())
    history.add(K.ANSWERED, question="q1", by="Mira Chen", answers={"Which one?": "The first"}, approved=False, text="")
    history.text("Then the first.")
    history.add(K.STAGE_STARTED, stage="tests")
    history.add(K.GATE_CHECKED, gate="tests", outcome="failed", command="pytest", output="F", round=1, duration_s=12)
    history.text("A fix.", role="author")
    history.add(K.NOTICE, text="Claude's API gave 529; trying again (1 of 5).")
    history.add(K.PUBLISH_FAILED, repository="acme/acme-workers", message="The branch is protected.")
    history.add(K.ERROR, message="It did not work.")
    history.add(K.COST_UPDATED, cost_usd=1.42, tokens={})
    history.add(K.RUN_STATUS, status="failed")
    history.begin("run-3", mode="publish", by="Mira Chen")
    history.add(
        K.PULL_REQUEST, url="https://github.com/a/b/pull/7", number=7, repository="a/b", draft=True, created=True
    )
    history.add(K.RUN_STATUS, status="pr_opened", reason="Opened it")
    return history


def views(history: History, kind: type) -> list[Any]:
    return [item.view for item in flat(history.thread().items) if isinstance(item.view, kind)]


def labels(history: History) -> list[str]:
    groups = views(history, Group)
    return [group.label.view.words for group in groups if isinstance(group.label.view, Label)]


def steps(history: History) -> list[Step]:
    return views(history, Step)


# Pages and streams


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering(assets=Assets())


def page(rendering: Rendering, items: tuple[Fragment, ...]) -> Element:
    place = Fragment(id="thread", template="", view=None, children=items)
    html = rendering.fragment("thread/children.html", item=place)
    return read_html(f'<div id="thread">{html}</div><div id="todo"></div>')


def bare(element: Element) -> Element:
    """Without what the page's script, and not the server, keeps: whether a group is open."""
    for each in element.all("details"):
        for name in ("open", "data-fold", "data-now"):
            each.attributes.pop(name, None)
    return element.one(id="thread")


@pytest.mark.parametrize("first", [1, 4, 14, 18])
def test_a_page_and_the_stream_after_it_show_what_a_later_page_shows(rendering: Rendering, first: int) -> None:
    events = rich().events[first - 1 :]
    for loaded in range(0, len(events) + 1, 3):
        thread = Thread("ACME-42", models=MODELS)
        for event in events[:loaded]:
            thread.apply(event)
        document = page(rendering, thread.items)
        for event in events[loaded:]:
            for fragment in thread.apply(event):
                patch(document, rendering.draw(fragment))
        assert bare(document) == bare(page(rendering, thread.items))


def test_a_stream_that_repeats_an_event_changes_nothing(rendering: Rendering) -> None:
    events = rich().events
    thread = Thread("ACME-42", models=MODELS)
    sent = [rendering.draw(fragment) for event in events for fragment in thread.apply(event)]
    once, twice = page(rendering, ()), page(rendering, ())
    for html in sent:
        patch(once, html)
    for html in [*sent, *sent]:
        patch(twice, html)
    assert [each.id for each in once.all()] == [each.id for each in twice.all()]


def test_every_item_has_an_id_of_its_own(rendering: Rendering) -> None:
    ids = [each.id for each in page(rendering, rich().thread().items).all() if each.id]
    assert len(ids) == len(set(ids))


# Turns


def turn_words(history: History) -> list[tuple[str, ...]]:
    return [view.words for view in views(history, cards.Turn)]


def test_a_turn_says_what_it_was_asked_for_by_whom_how_long_and_how_dear() -> None:
    assert turn_words(rich()) == [
        ("Turn 1", "Plan", "Sonnet 4.6", "Mira Chen", "10 s"),
        ("Turn 2", "Edits", "Jonas Wolf", "28 s", "$1.42"),
        ("Tests",),
        ("Turn 3", "Open draft PR", "Mira Chen", "2 s"),
    ]


def test_a_ticket_of_the_tracker_says_so() -> None:
    history = History()
    history.begin(trigger="webhook", mode="implement")
    assert turn_words(history) == [("Turn 1", "Implement", "Sent by Jira")]


def test_turns_are_counted_from_those_before_and_have_no_number_where_nobody_counted() -> None:
    history = History()
    history.begin(mode="ask")
    numbered, unknown = history.thread(turns_before=4), history.thread(turns_before=None)
    assert [item.view for item in numbered.items] != [item.view for item in unknown.items]
    assert [item.view.words[0] for item in (*numbered.items, *unknown.items)] == ["Turn 5", "Turn"]  # type: ignore[attr-defined]


def test_a_run_that_goes_on_after_an_answer_is_the_same_turn() -> None:
    history = History()
    history.begin(mode="edits")
    history.add(K.RUN_STATUS, status="running")
    history.add(K.RUN_STATUS, status="needs_input")
    history.add(K.RUN_STATUS, status="queued")
    assert len(turn_words(history)) == 1


def test_a_stage_that_comes_again_counts_its_attempts() -> None:
    history = History()
    history.begin(mode="edits")
    for stage in ("workspace", "implement", "tests", "tests"):
        history.add(K.STAGE_STARTED, stage=stage)
    assert turn_words(history)[1:] == [("Tests",), ("Tests", "attempt 2")]


# Steps


def test_a_finished_group_is_one_line_with_its_time_and_counts() -> None:
    history = History()
    history.step("a", "Edit", took_s=60, file_path="x.py", old_string="", new_string="1")
    history.step("b", "Edit", took_s=60, file_path="x.py", old_string="", new_string="2")
    history.step("c", "Bash", took_s=280, command="make")
    history.text("Done.")
    history.step("d", "Read", took_s=132, file_path="y.py")
    history.step("e", "Grep", took_s=1, pattern="z")
    history.text("Read.")
    assert labels(history) == [
        "Worked for 6m 42s · edited 1 file · ran 1 command",
        "Explored for 2m 14s · read 1 file · 1 search",
    ]


def test_a_group_under_way_says_since_when_and_is_open() -> None:
    history = History()
    call = history.call("a", "Bash", command="make")
    (group,) = views(history, Group)
    assert group.live
    assert group.label.view.since == call.at
    assert steps(history)[0].since == call.at


def test_steps_say_what_came_of_them() -> None:
    history = History()
    history.step("a", "Read", "1\n2", file_path=f"{WORKTREE}/app/x.py")
    history.step("b", "Bash", "fine", took_s=3.14, command="make\nmore")
    history.step("c", "Grep", "No matches found", pattern="x")
    history.step("d", "Write", "ok", file_path="n.py", content="1\n2\n3")
    history.step("e", "mcp__jira__search", "ok", text="words")
    assert [(step.what, step.argument, step.result, step.added) for step in steps(history)] == [
        ("Read", "app/x.py", "2 lines", None),
        ("Ran", "make", "exit 0 · 3.1 s", None),
        ("Searched", "x", "no matches", None),
        ("Wrote", "n.py", "", 3),
        ("Used", "jira search words", "", None),
    ]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/workspace/worktrees/ticket/acme-42/app/x.py", "app/x.py"),
        ("/workspace/repositories/acme--acme-workers/worktrees/ticket/acme-42/x.py", "acme-workers/x.py"),
        ("/workspace/worktrees/ticket/acme-43/x.py", "/workspace/worktrees/ticket/acme-43/x.py"),
        ("/etc/hosts", "/etc/hosts"),
    ],
)
def test_a_file_is_named_from_its_worktree(path: str, shown: str) -> None:
    history = History()
    history.step("a", "Read", file_path=path)
    assert [step.argument for step in steps(history)] == [shown]


def test_a_failed_step_shows_in_its_line_and_outside_the_fold() -> None:
    history = History()
    history.call("a", "Bash", command="make")
    history.result("a", "Exit code 2\nno rule", failed=True, after_s=1)
    (step,) = steps(history)
    (group,) = views(history, Group)
    assert (step.failed, step.result, group.label.view.failed) == (True, "exit 2 · 1 s", 1)


def test_a_sub_agents_steps_and_words_are_in_a_group_of_its_own() -> None:
    history = rich()
    (agent,) = [item for item in flat(history.thread().items) if item.template == "thread/agent.html"]
    assert [child.template for child in agent.children] == ["thread/step.html", "thread/aside.html"]
    assert "1 step · 9 s" in labels(history)[-2:]


def test_steps_of_a_sub_agent_that_began_before_the_window_still_have_a_place() -> None:
    history = History(first=500)
    history.call("x", "Read", parent="gone", file_path="a.py")
    templates = [item.template for item in flat(history.thread().items)]
    assert templates == ["thread/said.html", "thread/work.html", "thread/agent.html", "thread/step.html"]


def test_tools_that_the_page_shows_otherwise_are_no_steps() -> None:
    history = History()
    for number, name in enumerate(["TaskCreate", "TodoWrite", "AskUserQuestion", "ExitPlanMode"]):
        history.step(str(number), name)
    history.step("plan", "Write", file_path="/w/claude/3f/config/plans/calm-river.md", content="1. Paint it.\n")
    assert history.thread().items == ()
    history.step("own", "Write", file_path="/workspace/worktrees/ticket/acme-42/docs/plans/next.md", content="x\n")
    assert [step.argument for step in steps(history)] == ["docs/plans/next.md"]


def test_a_step_that_was_cut_off_does_not_run_for_ever() -> None:
    history = History()
    history.begin(mode="edits")
    history.call("a", "Bash", command="sleep 900")
    history.add(K.RUN_STATUS, status="idle", by="Mira Chen", reason="Mira Chen stopped it.")
    assert [(step.what, step.since) for step in steps(history)] == [("Ran", None)]
    assert [notice.words for notice in views(history, cards.Notice)] == ["Mira Chen stopped it."]


def test_items_before_a_page_go_to_its_start_and_nothing_in_them_is_under_way_or_to_be_done() -> None:
    history = History()
    history.call("a", "Bash", command="sleep 900")
    history.add(K.QUESTION_ASKED, **QUESTION.model_dump())
    history.add(K.ERROR, message="It did not work.")
    items = older_items(history.thread())
    assert all(item.at_start for item in items)
    found = [item.view for item in flat(items)]
    assert [view.since for view in found if isinstance(view, Step)] == [None]
    assert [view.decided for view in found if isinstance(view, cards.QuestionCard)] == [
        cards.Decided(words="Decided later")
    ]
    assert [view.action for view in found if isinstance(view, cards.FailureCard)] == [None]


# Cards


def test_an_answered_plan_is_folded_with_who_decided_and_what_they_wrote() -> None:
    decided = [plan.decided for plan in views(rich(), cards.PlanCard)]
    assert [(each.words, each.by, each.good, each.text) for each in decided] == [
        ("Changes asked", "Mira Chen", False, "Smaller, please"),
        ("Approved", "Jonas Wolf", True, ""),
    ]


def test_an_answered_question_is_one_line_with_the_answer() -> None:
    (card,) = views(rich(), cards.QuestionCard)
    assert (card.decided.words, card.decided.by) == ("The first", "Mira Chen")
    assert card.given == (("Which one?", "The first"),)


def test_an_answer_without_words_leaves_it_to_claude() -> None:
    history = History()
    history.add(K.QUESTION_ASKED, **QUESTION.model_dump())
    history.add(K.ANSWERED, question="q1", by="Mira Chen", answers={}, approved=False, text="")
    assert [card.decided.words for card in views(history, cards.QuestionCard)] == ["Claude decides"]


def test_a_question_of_a_stopped_turn_asks_no_more() -> None:
    history = History()
    history.begin(mode="edits")
    history.add(K.QUESTION_ASKED, **QUESTION.model_dump())
    history.add(K.RUN_STATUS, status="idle")
    assert [card.decided.words for card in views(history, cards.QuestionCard)] == ["Not answered"]


def test_cards_are_never_inside_a_fold() -> None:
    groups = [item for item in flat(rich().thread().items) if item.template == "thread/work.html"]
    inside = {child.template for group in groups for child in flat(group.children)}
    assert inside <= {"thread/step.html", "thread/agent.html", "thread/aside.html"}


def test_a_failure_offers_to_retry_until_the_next_turn_begins() -> None:
    history = History()
    history.begin(mode="edits")
    history.add(K.PUBLISH_FAILED, repository="acme/acme-workers", message="Protected.")
    history.add(K.ERROR, message="It did not work.")
    before = [(card.action, card.repository) for card in views(history, cards.FailureCard)]
    history.begin("run-2", mode="edits")
    after = [card.action for card in views(history, cards.FailureCard)]
    assert before == [
        ("/code-runs/ACME-42/open-pr", "acme/acme-workers"),
        ("/code-runs/ACME-42/retry", None),
    ]
    assert after == [None, None]


def test_a_pull_request_whose_address_is_no_web_page_is_no_link() -> None:
    history = History()
    history.add(K.PULL_REQUEST, url="javascript:alert(1)", number=1, repository="a/b", draft=False, created=False)
    (card,) = views(history, cards.PullRequestCard)
    assert (card.title, card.href) == ("Pull request updated", None)


def test_a_reviewer_speaks_under_a_name_of_its_own() -> None:
    history = History()
    history.text("I wrote it.")
    history.text("I doubt it.", role="reviewer")
    assert [item.view.by for item in history.thread().items] == ["Claude", "Reviewer"]  # type: ignore[attr-defined]


def test_messages_that_wait_or_were_withdrawn_are_said() -> None:
    history = History()
    history.add(K.MESSAGE_QUEUED, id="m", text="later", by="Mira Chen", mode="edits")
    history.add(K.MESSAGE_WITHDRAWN, id="m", by="Mira Chen")
    assert [notice.words for notice in views(history, cards.Notice)] == [
        "Mira Chen sent a message that waits for its turn",
        "Mira Chen withdrew a message",
    ]


def test_a_parked_run_says_why_and_until_when() -> None:
    history = History()
    history.add(K.PARKED, until="2031-05-04T14:05:00+00:00", reason="The account's limit is reached.")
    (notice,) = views(history, cards.Notice)
    assert notice.words == (
        "Parked until 04 May 14:05:00 UTC, then it goes on by itself. The account's limit is reached."
    )


def test_the_todo_list_shows_what_is_under_way_and_goes_with_the_run() -> None:
    history = History()
    history.begin(mode="edits")
    items = [{"id": "1", "subject": "One", "status": "completed"}, {"id": "2", "subject": "Two", "status": "pending"}]
    history.add(K.TODO_UPDATED, items=items)
    todo = history.thread().todo.view
    history.add(K.RUN_STATUS, status="idle")
    assert (todo.current, todo.done, len(todo.items)) == ("Two", 1, 2)  # type: ignore[attr-defined]
    assert history.thread().todo.view.items == ()  # type: ignore[attr-defined]


def test_text_that_is_being_written_is_shown_below_all_items(rendering: Rendering) -> None:
    thread = History().thread()
    assert rendering.draw(thread.writing("so *far*")).startswith("<p>so <em>far</em></p>")
    assert rendering.draw(thread.writing(None)) == ""
