"""What people do in a conversation: send, withdraw, stop, retry, decide, answer, publish."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from app.api.dependencies import RunnerDep, SettingsDep
from app.api.forms import Form, FormDep
from app.api.identity import PersonDep
from app.api.origin import check_same_origin
from app.errors import Conflict, InvalidInput, NotFound
from app.models import Answer, Question
from app.routes.conversation import page_of
from app.routes.frame import KeyDep, PagesDep, by_script, done
from app.routes.requests import answer_in, message_id_in, request_in, typed_in
from app.services.runner import Runner

router = APIRouter(prefix="/code-runs/{key}", include_in_schema=False, dependencies=[Depends(check_same_origin)])

Id = Annotated[str, Path(max_length=200, pattern="^[0-9A-Za-z_-]+$")]


@router.post("/messages")
async def send(
    request: Request,
    runner: RunnerDep,
    settings: SettingsDep,
    person: PersonDep,
    pages: PagesDep,
    key: KeyDep,
    form: FormDep,
) -> Response:
    """Say something to Claude."""
    last = (await runner.conversation(key)).request.model
    model = last if last in runner.models else await pages.model()
    try:
        form.needed("text")
        asked = request_in(form, text="text", by=person.name, model=model)
        await runner.send(key, asked, message_id=message_id_in(form))
    except InvalidInput as error:
        if by_script(request):
            return await pages.piece("parts/errors.html", status=422, errors=[error.message])
        typed = typed_in(form, text="text", model=model)
        return await page_of(runner, settings, pages, key, typed=typed, errors=(error.message,), status=422)
    return done(request, f"/code-runs/{key}")


@router.post("/messages/{message_id}/withdraw")
async def withdraw(request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, message_id: Id) -> Response:
    """Take a message out of the queue."""
    await runner.withdraw(message_id, by=person.name)
    return done(request, f"/code-runs/{key}")


@router.delete("/messages/{message_id}")
async def delete(request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, message_id: Id) -> Response:
    """The same, for scripts."""
    return await withdraw(request, runner, person, key, message_id)


@router.post("/messages/{message_id}/now")
async def send_now(request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, message_id: Id) -> Response:
    """Deliver a message of the queue at once."""
    await runner.send_now(message_id, by=person.name)
    return done(request, f"/code-runs/{key}")


@router.post("/stop")
async def stop(request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, form: FormDep) -> Response:
    """End the turn and keep its work."""
    await runner.stop_run(await _meant(runner, key, form), by=person.name)
    return done(request, f"/code-runs/{key}")


@router.post("/retry")
async def retry(request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, form: FormDep) -> Response:
    """Ask for the newest turn once more."""
    await runner.retry_run(await _meant(runner, key, form), by=person.name)
    return done(request, f"/code-runs/{key}")


@router.post("/open-pr")
async def open_pull_requests(
    request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, form: FormDep
) -> Response:
    """Publish the changes as draft pull requests."""
    await runner.open_pull_requests(key, by=person.name, repositories=form.values("repo"))
    return done(request, f"/code-runs/{key}")


@router.post("/plan/{question_id}/approve")
async def approve(
    request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, question_id: Id, form: FormDep
) -> Response:
    """Let the plan be followed."""
    answer = Answer(by=person.name, approved=True, auto_pr=form.flag("auto_pr"), text=form.text("text"))
    await _answered(runner, key, question_id, answer, plan=True)
    return done(request, f"/code-runs/{key}")


@router.post("/plan/{question_id}/changes")
async def ask_for_changes(
    request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, question_id: Id, form: FormDep
) -> Response:
    """Let the plan be revised."""
    await _answered(runner, key, question_id, Answer(by=person.name, text=form.needed("text")), plan=True)
    return done(request, f"/code-runs/{key}")


@router.post("/questions/{question_id}/answer")
async def answer(
    request: Request, runner: RunnerDep, person: PersonDep, key: KeyDep, question_id: Id, form: FormDep
) -> Response:
    """Answer the questions that Claude asks."""
    question = await _question(runner, key, question_id, plan=False)
    await runner.answer(key, question_id, answer_in(form, question, by=person.name))
    return done(request, f"/code-runs/{key}")


async def _meant(runner: Runner, key: str, form: Form) -> str:
    """The newest run. Raises Conflict when the page showed another one: what was meant is over."""
    newest, shown = (await runner.conversation(key)).run.id, form.value("run")
    if shown and shown != newest:
        raise Conflict("That turn is over, and another one has begun. Look at it, and say it again if you mean it.")
    return newest


async def _answered(runner: Runner, key: str, question_id: str, answer: Answer, *, plan: bool) -> None:
    await _question(runner, key, question_id, plan=plan)
    await runner.answer(key, question_id, answer)


async def _question(runner: Runner, key: str, question_id: str, *, plan: bool) -> Question:
    """What was asked: a plan is not approved as an answer, nor a question answered as a plan. Raises NotFound."""
    for decision in await runner.decisions(key):
        if decision.question.id == question_id and (decision.question.plan is not None) is plan:
            return decision.question
    raise NotFound(f"There is no such {'plan' if plan else 'question'} in the conversation of {key}. Reload the page.")
