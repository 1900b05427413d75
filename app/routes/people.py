"""People: signing in with the organisation's code, out again, and what a person prefers."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from app.api.dependencies import RunnerDep
from app.api.forms import Form, FormDep
from app.api.identity import PersonDep, Reception, ReceptionDep
from app.api.origin import check_same_origin
from app.errors import InvalidInput
from app.routes.frame import RenderingDep, done
from app.web.rendering import Rendering

_HOME = "/code-runs"
_LONGEST_NAME = 80


router = APIRouter(include_in_schema=False, dependencies=[Depends(check_same_origin)])


@router.get("/login")
async def sign_in_page(
    reception: ReceptionDep,
    rendering: RenderingDep,
    next: Annotated[str, Query(max_length=2000)] = _HOME,  # noqa: A002 - the word that addresses have
) -> Response:
    """The form that asks for the code and a name."""
    if reception.sessions is None:
        return RedirectResponse(_HOME, status_code=303)
    return _page(rendering, target=local_path(next))


@router.post("/login")
async def sign_in(request: Request, reception: ReceptionDep, rendering: RenderingDep, form: FormDep) -> Response:
    """Sign in, and go on to where the person wanted to."""
    if reception.sessions is None:
        return RedirectResponse(_HOME, status_code=303)
    target, name = local_path(form.last("next")), " ".join(form.last("name").split())
    if (error := _fault(request, reception, form, name)) is not None:
        status, words = error
        return _page(rendering, target=target, name=name[:_LONGEST_NAME], error=words, status=status)
    response = RedirectResponse(target, status_code=303)
    reception.sessions.begin(response, request, name)
    return response


@router.post("/logout")
async def sign_out(reception: ReceptionDep) -> Response:
    """Sign out."""
    response = RedirectResponse("/login", status_code=303)
    if reception.sessions is not None:
        reception.sessions.end(response)
    return response


@router.post("/me/model")
async def prefer_model(request: Request, runner: RunnerDep, person: PersonDep, form: FormDep) -> Response:
    """Keep the model that the person's messages go to."""
    if not (model := form.value("model")):
        raise InvalidInput("model", "must not be empty")
    await runner.prefer_model(person.name, model)
    return done(request, _HOME)


def local_path(text: str) -> str:
    """A path of this service, as `next` may name one; the first page's for everything else."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return _HOME
    # Browsers read a backslash as a slash, so that one after the first would name another host.
    local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if local and not parts.scheme and not parts.netloc else _HOME


def _fault(request: Request, reception: Reception, form: Form, name: str) -> tuple[int, str] | None:
    """Why the form lets nobody in, with its status."""
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        return 422, f"Say your name, in at most {_LONGEST_NAME} characters."
    if not reception.is_code(request, form.last("code").encode()):
        return 401, "That is not the code."
    return None


def _page(
    rendering: Rendering, *, target: str, name: str = "", error: str | None = None, status: int = 200
) -> Response:
    html = rendering.page("login.html", shell=None, next=target, name=name, error=error)
    return HTMLResponse(html, status_code=status)
