"""Stop, retry, publish, decide and answer: each is done once, and says by whom."""

from collections.abc import AsyncIterator

import pytest

from app.models import (
    Answer,
    Asked,
    Choice,
    EventKind,
    PullRequest,
    Question,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
)
from tests.routes.service import ACCESS_CODE, GADGETS, WIDGETS, Fields, Service, serving
from tests.routes.test_runs_api import ended, taken
from tests.routes.test_signing_in import signed_in

AT = "/code-runs/PROJ-1"
COLOURS = Question(
    id="toolu_1",
    asked=(
        Asked(question="Which colour?", choices=(Choice(label="Red"), Choice(label="Blue"))),
        Asked(question="Where?", choices=(Choice(label="Here"), Choice(label="There")), several=True),
    ),
)
PLAN = Question(id="toolu_2", plan="# Paint it")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service where Ada is signed in."""
    async with serving(admin_access_code=ACCESS_CODE) as made:
        await signed_in(made, "Ada")
        yield made


async def waiting(service: Service, question: Question) -> str:
    """A run that waits with that question."""
    run_id = await taken(service)
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.ask(run_id, question)
    return run_id


async def decided(service: Service, question: Question) -> Answer:
    (decision,) = [each for each in await service.runner.decisions("PROJ-1") if each.question.id == question.id]
    assert decision.answer is not None
    return decision.answer


# Stop, retry, publish


async def test_a_turn_is_stopped_by_a_person(service: Service) -> None:
    run_id = await taken(service)
    answer = await service.press(f"{AT}/stop")
    assert (answer.status_code, answer.text) == (204, "")
    assert (await service.store.run(run_id)).outcome == "Stopped by Ada. The work so far is kept."
    answer = await service.press(f"{AT}/stop")
    assert answer.status_code == 409
    assert "there is nothing to stop" in answer.json()["detail"]


async def test_a_failed_turn_is_asked_for_again(service: Service) -> None:
    failed = await ended(service, to=RunStatus.FAILED)
    answer = await service.submit(f"{AT}/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, AT)
    run = (await service.runner.conversation("PROJ-1")).run
    assert run.id != failed
    assert (run.status, run.by) == (RunStatus.QUEUED, "Ada")
    assert (await service.press(f"{AT}/retry")).status_code == 409


@pytest.mark.parametrize("chosen", [[GADGETS], []])
async def test_changes_are_published_in_the_repositories_that_were_chosen(service: Service, chosen: list[str]) -> None:
    repositories = tuple(RepositoryChoice(name=name, base="main") for name in (WIDGETS, GADGETS))
    await service.runner.create_ticket("PROJ-1", "Add dark mode", "")
    asked = Request(mode=RunMode.EDITS, repositories=repositories)
    run_id = (await service.runner.send("PROJ-1", asked, message_id="1")).run_id
    assert run_id is not None
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.move(run_id, RunStatus.IDLE)
    assert (await service.press(f"{AT}/open-pr", {"repo": chosen})).status_code == 204
    run = (await service.runner.conversation("PROJ-1")).run
    assert (run.mode, run.by, [each.name for each in run.repositories]) == (RunMode.PUBLISH, "Ada", chosen)


async def test_a_published_turn_is_not_asked_for_again(service: Service) -> None:
    run_id = await taken(service)
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.add_pull_request(run_id, PullRequest(url="https://x.example/1", number=1, repository=WIDGETS))
    await service.store.move(run_id, RunStatus.PR_OPENED)
    page = await service.submit(f"{AT}/retry")
    assert page.status_code == 409
    assert "only one that ended without a pull request can be retried" in page.text


# Plans


@pytest.mark.parametrize("auto_pr", [True, False])
async def test_an_approved_plan_begins_a_run_of_edits(service: Service, auto_pr: bool) -> None:
    planned = await waiting(service, PLAN)
    fields = {"auto_pr": "on"} if auto_pr else {}
    assert (await service.press(f"{AT}/plan/{PLAN.id}/approve", fields)).status_code == 204
    said = await decided(service, PLAN)
    assert (said.by, said.approved, said.auto_pr) == ("Ada", True, auto_pr)
    run = (await service.runner.conversation("PROJ-1")).run
    assert run.id != planned
    assert (run.mode, run.by, run.auto_pr) == (RunMode.EDITS, "Ada", auto_pr)


async def test_a_plan_is_sent_back_with_what_should_change(service: Service) -> None:
    run_id = await waiting(service, PLAN)
    changes = f"{AT}/plan/{PLAN.id}/changes"
    answer = await service.press(changes, {"text": "  "})
    assert (answer.status_code, answer.json()["field"]) == (422, "text")
    assert (await service.submit(changes, {"text": "In blue"})).headers["location"] == AT
    said = await decided(service, PLAN)
    assert (said.by, said.approved, said.text) == ("Ada", False, "In blue")
    assert (await service.store.run(run_id)).status is RunStatus.QUEUED


async def test_the_first_decision_counts(service: Service) -> None:
    await waiting(service, PLAN)
    await service.press(f"{AT}/plan/{PLAN.id}/approve")
    await signed_in(service, "Grace")
    answer = await service.press(f"{AT}/plan/{PLAN.id}/changes", {"text": "No"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "Ada answered this already.")
    page = await service.submit(f"{AT}/plan/{PLAN.id}/approve")
    assert page.status_code == 409
    assert "Ada answered this already." in page.text
    assert (await decided(service, PLAN)).approved


async def test_an_older_version_of_a_plan_cannot_be_approved(service: Service) -> None:
    run_id = await waiting(service, PLAN)
    await service.press(f"{AT}/plan/{PLAN.id}/changes", {"text": "In blue"})
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.ask(run_id, Question(id="toolu_3", plan="# Paint it blue"))
    assert (await service.press(f"{AT}/plan/{PLAN.id}/approve")).status_code == 409
    assert (await service.runner.conversation("PROJ-1")).run.status is RunStatus.NEEDS_INPUT


# Questions

ANSWERS: dict[str, tuple[Fields, dict[str, str], str]] = {
    "chosen": ({"answer-0": "Blue"}, {"Which colour?": "Blue"}, ""),
    "several": (
        {"answer-0": "Red", "answer-1": ["Here", "There"]},
        {"Which colour?": "Red", "Where?": "Here, There"},
        "",
    ),
    "own words": ({"answer-0": "", "text-0": " Green "}, {"Which colour?": "Green"}, ""),
    "chosen and own words": ({"answer-1": ["Here", ""], "text-1": "the attic"}, {"Where?": "Here, the attic"}, ""),
    "left to Claude": ({"decide": "claude", "answer-0": "Red"}, {}, "Decide this yourself, as you think best."),
}


@pytest.mark.parametrize(("fields", "answers", "text"), ANSWERS.values(), ids=ANSWERS)
async def test_a_question_is_answered(service: Service, fields: Fields, answers: dict[str, str], text: str) -> None:
    run_id = await waiting(service, COLOURS)
    answer = await service.press(f"{AT}/questions/{COLOURS.id}/answer", fields)
    assert (answer.status_code, answer.text) == (204, "")
    assert await decided(service, COLOURS) == Answer(by="Ada", answers=answers, text=text)
    assert (await service.store.run(run_id)).status is RunStatus.QUEUED
    kinds = [event.kind for event in await service.runner.history("PROJ-1")]
    assert EventKind.ANSWERED in kinds


async def test_no_answer_is_not_an_answer(service: Service) -> None:
    await waiting(service, COLOURS)
    answer = await service.press(f"{AT}/questions/{COLOURS.id}/answer", {"answer-0": "", "text-1": " "})
    assert (answer.status_code, answer.json()["field"]) == (422, "answer")
    assert (await service.runner.conversation("PROJ-1")).waits_for is not None


async def test_the_first_answer_counts(service: Service) -> None:
    await waiting(service, COLOURS)
    for name, colour, status in (("Ada", "Red", 204), ("Grace", "Blue", 409)):
        await signed_in(service, name)
        answer = await service.press(f"{AT}/questions/{COLOURS.id}/answer", {"answer-0": colour})
        assert answer.status_code == status
    assert (await decided(service, COLOURS)).answers == {"Which colour?": "Red"}


async def test_an_answer_after_the_turn_was_stopped_comes_too_late(service: Service) -> None:
    await waiting(service, COLOURS)
    await service.press(f"{AT}/stop")
    answer = await service.press(f"{AT}/questions/{COLOURS.id}/answer", {"answer-0": "Red"})
    assert answer.status_code == 409
    assert "Nobody waits for this answer any more" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["questions/none/answer", "plan/none/approve", "plan/toolu_1/approve"])
async def test_what_was_not_asked_cannot_be_answered(service: Service, path: str) -> None:
    await waiting(service, COLOURS)
    answer = await service.press(f"{AT}/{path}", {"answer-0": "Red"})
    assert (answer.status_code, "Reload the page." in answer.json()["detail"]) == (404, True)


async def test_a_message_answers_the_question_that_waits(service: Service) -> None:
    await waiting(service, COLOURS)
    await service.press(f"{AT}/messages", {"text": "Whatever is cheapest"})
    assert await decided(service, COLOURS) == Answer(by="Ada", text="Whatever is cheapest")


@pytest.mark.parametrize("action", ["stop", "retry", "open-pr"])
async def test_nothing_is_done_about_what_is_no_conversation(service: Service, action: str) -> None:
    assert (await service.press(f"/code-runs/NONE-1/{action}")).status_code == 404
    assert (await service.submit("/code-runs/<b>/stop")).status_code == 404


@pytest.mark.parametrize("action", ["stop", "retry"])
async def test_what_was_meant_for_a_turn_that_is_over_touches_no_other(service: Service, action: str) -> None:
    run_id = await taken(service)
    answer = await service.press(f"{AT}/{action}", {"run": "another"})
    assert answer.status_code == 409
    assert "another one has begun" in answer.json()["detail"]
    assert (await service.store.run(run_id)).status is RunStatus.QUEUED
