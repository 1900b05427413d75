"""GitHub's REST: the few endpoints that the product asks, with GitHub's shapes and refusals."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.fakes.forge import NO_COMMIT, Comment, ForbiddenError, Forge, InvalidError, MissingError, Pull
from tests.fakes.http import Answer, Request

Json = dict[str, Any]

MESSAGES = {
    401: "Bad credentials",
    403: "Resource not accessible by personal access token",
    404: "Not Found",
    422: "Validation Failed",
    500: "Server Error",
    502: "Server Error",
    503: "Service unavailable",
}
_JSON = {"content-type": "application/json; charset=utf-8"}
_PAGE = 30
_PAGE_LIMIT = 100


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    """Any value as JSON. A header `retry_after` becomes `retry-after`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {**_JSON, **named}, [json.dumps(value).encode()])


def refusal(status: int, *errors: Json) -> Answer:
    """An error as GitHub gives it."""
    body = {"message": MESSAGES.get(status, "Error"), "documentation_url": "https://docs.github.com/rest"}
    return json_answer({**body, "status": str(status), **({"errors": errors} if errors else {})}, status)


@dataclass(frozen=True)
class Call:
    """One call: what was asked for, and of which repository."""

    forge: Forge
    path: str
    query: Mapping[str, str]
    body: Json
    named: Mapping[str, str]
    """What the path names: `number`, `id`, `ref`, `user`."""

    @property
    def number(self) -> int:
        """The pull request."""
        return int(self.named["number"])


Act = Callable[[Call], Answer]


def answer(forges: Mapping[str, Forge], login: str, request: Request) -> Answer:
    """Answer a request whose credential is right."""
    if request.path == "/user":
        return json_answer(_user(login))
    if request.path == "/rate_limit":
        rate = {"limit": 5000, "remaining": 4999, "reset": 2_000_000_000, "used": 1}
        return json_answer({"resources": {"core": rate, "graphql": rate}, "rate": rate})
    for method, pattern, act in _ROUTES:
        if request.method == method and (match := pattern.fullmatch(request.path)):
            return _act(forges, request, match, act)
    return refusal(404)


def _act(forges: Mapping[str, Forge], request: Request, match: re.Match[str], act: Act) -> Answer:
    forge = forges.get(f"{match['owner']}/{match['name']}")
    body = _body(request)
    if forge is None:
        return refusal(404)
    if body is None:
        return json_answer({"message": "Problems parsing JSON", "status": "400"}, 400)
    try:
        return act(Call(forge, request.path, request.query, body, match.groupdict()))
    except MissingError:
        return refusal(404)
    except ForbiddenError:
        return refusal(403)
    except InvalidError as error:
        return refusal(422, _validation_error(error))


def _validation_error(error: InvalidError) -> Json:
    if error.field is None:
        return {"resource": "PullRequest", "code": "custom", "message": str(error)}
    return {"resource": "PullRequest", "field": error.field, "code": "invalid"}


def _body(request: Request) -> Json | None:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


# Endpoints


def _repository(call: Call) -> Answer:
    return json_answer(repository_json(call.forge))


def _permission(call: Call) -> Answer:
    return json_answer({"permission": call.forge.permission, "user": _user(call.named["user"])})


def _ref(call: Call) -> Answer:
    commit = call.forge.commit(call.named["ref"])
    if commit is None:
        raise MissingError
    return json_answer({"ref": f"refs/heads/{call.named['ref']}", "object": {"type": "commit", "sha": commit}})


def _list_pulls(call: Call) -> Answer:
    query = call.query
    pulls = call.forge.find(head=query.get("head", ""), base=query.get("base", ""), state=query.get("state", "open"))
    return _page(call, [pull_json(call.forge, pull) for pull in pulls])


def _create_pull(call: Call) -> Answer:
    body = call.body
    for name in ("head", "base"):
        if not isinstance(body.get(name), str):
            raise InvalidError(f"{name} can't be blank", field=name)
    pull = call.forge.open_pull(
        title=str(body.get("title") or ""),
        body=str(body.get("body") or ""),
        head=body["head"],
        base=body["base"],
        draft=bool(body.get("draft")),
    )
    return json_answer(pull_json(call.forge, pull), 201)


def _get_pull(call: Call) -> Answer:
    return json_answer(pull_json(call.forge, call.forge.pull(call.number)))


def _edit_pull(call: Call) -> Answer:
    return json_answer(pull_json(call.forge, call.forge.edit_pull(call.number, call.body)))


def _list_comments(call: Call) -> Answer:
    return _page(call, [comment_json(call.forge, comment) for comment in call.forge.comments_on(call.number)])


def _create_comment(call: Call) -> Answer:
    comment = call.forge.add_comment(call.number, str(call.body.get("body") or ""))
    return json_answer(comment_json(call.forge, comment), 201)


def _get_comment(call: Call) -> Answer:
    return json_answer(comment_json(call.forge, call.forge.comment(int(call.named["id"]))))


def _edit_comment(call: Call) -> Answer:
    comment = call.forge.edit_comment(int(call.named["id"]), str(call.body.get("body") or ""))
    return json_answer(comment_json(call.forge, comment))


def _route(method: str, path: str, act: Act) -> tuple[str, re.Pattern[str], Act]:
    return method, re.compile(r"/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)" + path), act


_ROUTES = (
    _route("GET", "", _repository),
    _route("GET", r"/collaborators/(?P<user>[^/]+)/permission", _permission),
    _route("GET", r"/git/ref/heads/(?P<ref>.+)", _ref),
    _route("GET", r"/pulls", _list_pulls),
    _route("POST", r"/pulls", _create_pull),
    _route("GET", r"/pulls/(?P<number>\d+)", _get_pull),
    _route("PATCH", r"/pulls/(?P<number>\d+)", _edit_pull),
    _route("GET", r"/issues/(?P<number>\d+)/comments", _list_comments),
    _route("POST", r"/issues/(?P<number>\d+)/comments", _create_comment),
    _route("GET", r"/issues/comments/(?P<id>\d+)", _get_comment),
    _route("PATCH", r"/issues/comments/(?P<id>\d+)", _edit_comment),
)


# Shapes


def repository_json(forge: Forge) -> Json:
    """A repository."""
    write = forge.permission != "read"
    return {
        "id": 1,
        "name": forge.name.split("/")[1],
        "full_name": forge.name,
        "owner": _user(forge.owner),
        "private": True,
        "archived": False,
        "html_url": f"https://github.com/{forge.name}",
        "clone_url": f"https://github.com/{forge.name}.git",
        "default_branch": forge.default_branch,
        "permissions": {"admin": forge.permission == "admin", "push": write, "pull": True},
    }


def pull_json(forge: Forge, pull: Pull) -> Json:
    """A pull request."""
    name = forge.name.split("/")[1]
    head_name = f"{pull.head_owner}/{name}"
    return {
        "id": 9000 + pull.number,
        "node_id": pull.node_id,
        "number": pull.number,
        "state": pull.state,
        "draft": pull.draft,
        "merged": pull.merged,
        "title": pull.title,
        "body": pull.body,
        "html_url": pull.url,
        "user": _user(pull.author),
        "created_at": pull.created_at,
        "head": {
            "label": f"{pull.head_owner}:{pull.head}",
            "ref": pull.head,
            "sha": forge.commit(pull.head) or NO_COMMIT,
            "repo": {"full_name": head_name, "owner": _user(pull.head_owner)},
        },
        "base": {"label": f"{forge.owner}:{pull.base}", "ref": pull.base, "repo": {"full_name": forge.name}},
    }


def comment_json(forge: Forge, comment: Comment) -> Json:
    """A comment."""
    return {
        "id": comment.id,
        "body": comment.body,
        "user": _user(comment.author),
        "created_at": comment.created_at,
        "html_url": f"https://github.com/{forge.name}/pull/{comment.number}#issuecomment-{comment.id}",
    }


def _user(login: str) -> Json:
    return {"login": login, "id": sum(login.encode()), "type": "Bot" if login.endswith("[bot]") else "User"}


def _page(call: Call, items: Sequence[Json]) -> Answer:
    size = min(int(call.query.get("per_page", _PAGE)), _PAGE_LIMIT)
    page = int(call.query.get("page", 1))
    shown = items[(page - 1) * size : page * size]
    if page * size >= len(items):
        return json_answer(shown)
    following = urlencode({**call.query, "page": page + 1})
    return json_answer(shown, link=f'<https://api.github.com{call.path}?{following}>; rel="next"')
