"""GitHub's GraphQL, as far as gh asks it: one resolver for each operation that gh names.

gh picks what it wants from larger objects, but for a few operations (`_project_items`, `_edit`, `_comment`) whose
shape it takes exactly. An operation that is not known here is refused by name.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.forge import ForbiddenError, Forge, InvalidError, MissingError, Pull
from tests.fakes.github_rest import json_answer
from tests.fakes.http import Answer, Request

Json = dict[str, Any]

_KINDS = {MissingError: "NOT_FOUND", ForbiddenError: "FORBIDDEN", InvalidError: "UNPROCESSABLE"}
_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


def operation_of(request: Request) -> str:
    """The name of the operation that a request asks for; empty when it has none."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return ""
    found = _OPERATION.search(str(body.get("query")))
    return str(body.get("operationName") or (found[1] if found else ""))


def answer(forges: Mapping[str, Forge], login: str, request: Request) -> Answer:
    """Answer a request whose credential is right."""
    name = operation_of(request)
    if name == "UserCurrent":
        return json_answer({"data": {"viewer": {"login": login}}})
    if name not in _OPERATIONS:
        return _error(f"The stand-in does not know the operation {name!r}.", "UNKNOWN_OPERATION")
    root, act = _OPERATIONS[name]
    variables = json.loads(request.body).get("variables") or {}
    try:
        return json_answer({"data": {root: act(_forge(forges, variables), variables)}})
    except (MissingError, ForbiddenError, InvalidError) as error:
        return _error(str(error), _KINDS[type(error)], root)


def _error(message: str, kind: str, root: str | None = None) -> Answer:
    where: Json = {"path": [root], "locations": [{"line": 1, "column": 1}]} if root else {}
    data = {root: None} if root else None
    return json_answer({"data": data, "errors": [{"type": kind, **where, "message": message}]})


def _forge(forges: Mapping[str, Forge], variables: Json) -> Forge:
    """The repository that is asked for: by its name, by its id, or by something in it. Raises MissingError."""
    if "owner" in variables:
        name = f"{variables['owner']}/{variables.get('repo') or variables.get('name')}"
    else:
        given = variables.get("input", {})
        node_id = str(given.get("repositoryId") or given.get("pullRequestId") or given.get("subjectId"))
        name = node_id.partition("_")[2].partition("#")[0]
    if name not in forges:
        raise MissingError(f"Could not resolve to a Repository with the name '{name}'.")
    return forges[name]


# Operations


def _repository(forge: Forge, _: Json) -> Json:
    return _repository_node(forge)


def _pulls(forge: Forge, variables: Json) -> Json:
    states = [state.lower() for state in variables.get("states") or variables.get("state") or ["OPEN"]]
    head = variables.get("headRefName") or variables.get("headBranch")
    pulls = [
        pull
        for pull in forge.find(base=variables.get("baseBranch") or "")
        if _state(pull).lower() in states and head in {None, pull.head}
    ][: variables.get("limit", 30)]
    nodes = [_pull_node(forge, pull) for pull in pulls]
    listed = {"totalCount": len(nodes), "nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    return {**_repository_node(forge), "pullRequests": listed}


def _pull(forge: Forge, variables: Json) -> Json:
    return {"pullRequest": _pull_node(forge, forge.pull(variables["pr_number"]))}


def _project_items(forge: Forge, variables: Json) -> Json:
    forge.pull(variables["number"])
    none = {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    return {"pullRequest": {"projectItems": none}}


def _create(forge: Forge, variables: Json) -> Json:
    given = variables["input"]
    pull = forge.open_pull(
        title=given["title"],
        body=given.get("body") or "",
        head=given["headRefName"],
        base=given["baseRefName"],
        draft=bool(given.get("draft")),
    )
    return {"pullRequest": {"id": pull.node_id, "url": pull.url}}


def _edit(forge: Forge, variables: Json) -> Json:
    given = variables["input"]
    forge.edit_pull(_number(given["pullRequestId"]), given)
    return {"__typename": "UpdatePullRequestPayload"}


def _ready(forge: Forge, variables: Json) -> Json:
    pull = forge.pull(_number(variables["input"]["pullRequestId"]))
    pull.draft = False
    return {"pullRequest": {"id": pull.node_id}}


def _draft(forge: Forge, variables: Json) -> Json:
    pull = forge.pull(_number(variables["input"]["pullRequestId"]))
    if not forge.drafts:
        raise InvalidError("Draft pull requests are not supported in this repository.")
    pull.draft = True
    return {"pullRequest": {"id": pull.node_id}}


def _comment(forge: Forge, variables: Json) -> Json:
    given = variables["input"]
    comment = forge.add_comment(_number(given["subjectId"]), given["body"])
    url = f"{forge.pull(comment.number).url}#issuecomment-{comment.id}"
    return {"commentEdge": {"node": {"url": url}}}


_OPERATIONS: Mapping[str, tuple[str, Callable[[Forge, Json], Json]]] = {
    "RepositoryInfo": ("repository", _repository),
    "PullRequestForBranch": ("repository", _pulls),
    "PullRequestList": ("repository", _pulls),
    "PullRequestByNumber": ("repository", _pull),
    "PullRequestProjectItems": ("repository", _project_items),
    "PullRequestCreate": ("createPullRequest", _create),
    "PullRequestUpdate": ("updatePullRequest", _edit),
    "PullRequestReadyForReview": ("markPullRequestReadyForReview", _ready),
    "ConvertPullRequestToDraft": ("convertPullRequestToDraft", _draft),
    "CommentCreate": ("addComment", _comment),
}


# Nodes


def _repository_node(forge: Forge) -> Json:
    return {
        "id": f"R_{forge.name}",
        "databaseId": 1,
        "name": forge.name.split("/")[1],
        "nameWithOwner": forge.name,
        "owner": {"login": forge.owner},
        "sshUrl": f"git@github.com:{forge.name}.git",
        "url": f"https://github.com/{forge.name}",
        "description": "",
        "hasIssuesEnabled": True,
        "hasWikiEnabled": False,
        "isPrivate": True,
        "isArchived": False,
        "viewerPermission": forge.permission.upper(),
        "defaultBranchRef": {"name": forge.default_branch},
        "parent": None,
        "mergeCommitAllowed": True,
        "rebaseMergeAllowed": True,
        "squashMergeAllowed": True,
    }


def _pull_node(forge: Forge, pull: Pull) -> Json:
    comments = [
        {"id": str(comment.id), "body": comment.body, "author": {"login": comment.author}}
        for comment in forge.comments_on(pull.number)
    ]
    return {
        "id": pull.node_id,
        "number": pull.number,
        "url": pull.url,
        "title": pull.title,
        "body": pull.body,
        "state": _state(pull),
        "isDraft": pull.draft,
        "author": {"login": pull.author},
        "createdAt": pull.created_at,
        "baseRefName": pull.base,
        "headRefName": pull.head,
        "headRefOid": forge.commit(pull.head),
        "headRepositoryOwner": {"id": f"U_{pull.head_owner}", "login": pull.head_owner},
        "isCrossRepository": pull.head_owner != forge.owner,
        "comments": {
            "nodes": comments,
            "totalCount": len(comments),
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }


def _state(pull: Pull) -> str:
    return "MERGED" if pull.merged else pull.state.upper()


def _number(node_id: str) -> int:
    return int(node_id.rpartition("#")[2])
