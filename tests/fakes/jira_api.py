"""A stand-in of Jira Cloud's REST v3: issues, comments, projects, the forms that create issues, accounts and roles.

It refuses what Jira refuses: a wrong account, the old search, a query without a restriction, a field that is missing or
not on the form, a description that is no document, a question about people or roles without the right to ask. Through
Atlassian's gateway it answers below `/ex/jira/<cloud id>`.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from tests.builders import adf
from tests.fakes.http import Answer, Credential, Request
from tests.fakes.jql import JqlError, condition_of
from tests.fakes.server import Server

EMAIL, TOKEN = "auto-code@example.com", "ATATT-stand-in"
CLOUD_ID = "1324a887-45db-1bf4-1e99-ef0ff456d421"
ACCOUNT = "Auto Code"

Json = dict[str, Any]

_SAID = {
    401: "Client must be authenticated to access this resource.",
    404: "Issue does not exist or you do not have permission to see it.",
    410: "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.",
    429: "Rate limit exceeded.",
}
_MOST_SUMMARY = 255
_ROLE_IDS = 10_000
_FIRST_DAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass
class JiraRequest(Request):
    """One request."""

    @cached_property
    def json(self) -> Json:
        """The parsed body; empty when there is none."""
        parsed = json.loads(self.body or b"{}")
        return parsed if isinstance(parsed, dict) else {}


@dataclass(frozen=True)
class IssueType:
    """A kind of issue and its form: `fields` beside project, type and summary, and which of them are required.

    A field of `defaults` gets its value from Jira. A workflow's validators may want fields of which the form says
    nothing: `validated`.
    """

    id: str
    name: str
    fields: tuple[str, ...] = ("description", "reporter")
    required: tuple[str, ...] = ("reporter",)
    defaults: tuple[str, ...] = ()
    validated: tuple[str, ...] = ()
    level: int = 0


TASK = IssueType("10001", "Task")
EPIC = IssueType("10000", "Epic", level=1)
SUBTASK = IssueType("10002", "Subtask", level=-1)


@dataclass
class Project:
    """A project; `may_create` and `administered` are the account's rights. `roles` are actors by role."""

    key: str
    name: str
    types: Sequence[IssueType]
    may_create: bool = True
    administered: bool = True
    roles: dict[str, list[Json]] = field(default_factory=dict)


@dataclass
class Issue:
    """An issue. `comments` are Jira's JSON, oldest first."""

    key: str
    summary: str
    fields: Json
    comments: list[Json] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Of all of its texts."""
        bodies = [self.fields["description"], *(comment["body"] for comment in self.comments)]
        texts = [self.summary, *(node["text"] for body in bodies for node in _nodes(body) if "text" in node)]
        return re.findall(r"[^\W_]+", " ".join(texts).lower())


class JiraApi(Server[JiraRequest]):
    """A site that has the projects and issues that a test gives it."""

    def __init__(self) -> None:
        super().__init__(JiraRequest)
        self.projects: dict[str, Project] = {}
        self.issues: dict[str, Issue] = {}
        self.users: dict[str, tuple[Json, tuple[str, ...]]] = {}
        self.may_browse_users = True
        """The account's right `Browse users and groups`."""

    # What tests give it

    def add_project(self, key: str, name: str, *types: IssueType, may_create: bool = True) -> None:
        """A project; without types it has epics, tasks and subtasks."""
        self.projects[key] = Project(key, name, types or (EPIC, SUBTASK, TASK), may_create)

    def add_user(self, account_id: str, *groups: str, kind: str = "atlassian") -> None:
        """Somebody in these groups."""
        user = {"accountId": account_id, "accountType": kind, "displayName": account_id, "active": True}
        self.users[account_id] = user, groups

    def add_role(self, project: str, role: str, *account_ids: str, groups: Sequence[str] = ()) -> None:
        """A role of a project, with those who have it."""
        people = [
            {"type": "atlassian-user-role-actor", "displayName": each, "actorUser": {"accountId": each}}
            for each in account_ids
        ]
        through = [
            {"type": "atlassian-group-role-actor", "displayName": each, "actorGroup": _group(self, each)}
            for each in groups
        ]
        self.projects[project].roles[role] = [*people, *through]

    def add_issue(self, key: str, summary: str, description: str | Json | None = None, **fields: Any) -> Issue:
        """An issue, newer than those before. A description in words is a document of one paragraph."""
        document = adf(description) if isinstance(description, str) else description
        known = {
            "status": {"name": "To Do"},
            "issuetype": {"name": "Task"},
            "assignee": None,
            "reporter": _user(ACCOUNT),
        }
        lists: Json = {"issuelinks": [], "subtasks": [], "attachment": []}
        issue = Issue(key, summary, {**known, **lists, "summary": summary, "description": document, **fields})
        self.issues[key] = issue
        return issue

    def add_comment(self, key: str, text: str | Json, by: str = "Ada", **more: Any) -> None:
        """A comment, a minute later than the one before."""
        comments = self.issues[key].comments
        at = (_FIRST_DAY + timedelta(minutes=len(comments))).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        body = adf(text) if isinstance(text, str) else text
        comments.append({"id": str(len(comments)), "author": _user(by), "body": body, "created": at, **more})

    def link(self, inward: str, outward: str, *, says: tuple[str, str] = ("is blocked by", "blocks")) -> None:
        """`inward` blocks `outward`; `says` are the words for the other direction and for this one."""
        kind = {"name": "Blocks", "inward": says[0], "outward": says[1]}
        self.issues[outward].fields["issuelinks"].append({"type": kind, "inwardIssue": self.reference(inward)})
        self.issues[inward].fields["issuelinks"].append({"type": kind, "outwardIssue": self.reference(outward)})

    def reference(self, key: str) -> Json:
        """An issue inside of another one."""
        fields = self.issues[key].fields
        return {"id": "1", "key": key, "fields": {name: fields[name] for name in ("summary", "status", "issuetype")}}

    # The server

    def credential(self, headers: Mapping[str, str]) -> Credential:
        given = headers.get("authorization")
        account = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        return "absent" if given is None else "right" if given == f"Basic {account}" else "wrong"

    def refusal(self, status: int) -> Answer:
        return _refusal(status, _SAID.get(status, "Something went wrong."))

    async def answer(self, request: JiraRequest) -> Answer:
        if request.credential != "right":
            return self.refusal(401)
        path = request.path.removeprefix(f"/ex/jira/{CLOUD_ID}").removeprefix("/rest/api/3")
        for method, pattern, act in _ROUTES:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                try:
                    return act(self, request, *found.groups())
                except LookupError:
                    return self.refusal(404)
        return self.refusal(404)


# Endpoints


def _gone(jira: JiraApi, _request: JiraRequest) -> Answer:
    return jira.refusal(410)


def _myself(_jira: JiraApi, _request: JiraRequest) -> Answer:
    return _json(_user(ACCOUNT))


def _one_user(jira: JiraApi, request: JiraRequest) -> Answer:
    return _known_user(jira, request, lambda user, _: user)


def _groups_of_user(jira: JiraApi, request: JiraRequest) -> Answer:
    return _known_user(jira, request, lambda _, groups: [_group(jira, each) for each in groups])


def _known_user(jira: JiraApi, request: JiraRequest, what: Callable[[Json, Sequence[str]], object]) -> Answer:
    if not jira.may_browse_users:
        return _refusal(403, "You are not authorized to perform this operation. Administrator privileges are required.")
    asked = request.query.get("accountId", "")
    if not asked:
        return _refusal(400, "The query parameter 'accountId' needs to be provided")
    if asked not in jira.users:
        return _refusal(404, "Specified user does not exist or you do not have required permissions")
    return _json(what(*jira.users[asked]))


def _group(jira: JiraApi, name: str) -> Json:
    group_id = f"952d12c3-0000-4000-8000-{sum(name.encode()):012}"
    return {"name": name, "displayName": name, "groupId": group_id, "self": f"{jira.url}/rest/api/3/group?x={group_id}"}


def _roles(jira: JiraApi, _request: JiraRequest, project: str) -> Answer:
    there = _administered(jira, project)
    address = f"{jira.url}/rest/api/3/project/{project}/role"
    return _json({name: f"{address}/{_ROLE_IDS + number}" for number, name in enumerate(there.roles)})


def _role(jira: JiraApi, _request: JiraRequest, project: str, role: str) -> Answer:
    name, actors = list(_administered(jira, project).roles.items())[int(role) - _ROLE_IDS]
    return _json({"id": int(role), "name": name, "actors": actors})


def _administered(jira: JiraApi, project: str) -> Project:
    if not (there := jira.projects[project]).administered:
        raise LookupError
    return there


def _search(jira: JiraApi, request: JiraRequest) -> Answer:
    asked = request.json
    try:
        wanted = condition_of(asked.get("jql", ""))
    except JqlError as error:
        return _refusal(400, str(error))
    found = [issue for issue in reversed(jira.issues.values()) if wanted(issue)]
    names = asked.get("fields", [])
    page = [_issue(issue, names) if names else {"id": "1"} for issue in found[: asked.get("maxResults", 50)]]
    return _json({"issues": page, "isLast": len(page) == len(found)})


def _get_issue(jira: JiraApi, request: JiraRequest, key: str) -> Answer:
    return _json(_issue(jira.issues[key], request.query.get("fields", "").split(",")))


def _comments(jira: JiraApi, request: JiraRequest, key: str) -> Answer:
    comments = jira.issues[key].comments
    ordered = comments[::-1] if request.query.get("orderBy") == "-created" else comments
    most = int(request.query.get("maxResults", "100"))
    return _json({"startAt": 0, "maxResults": most, "total": len(comments), "comments": ordered[:most]})


def _projects(jira: JiraApi, request: JiraRequest) -> Answer:
    creates = request.query.get("action") == "create"
    seen = [each for _, each in sorted(jira.projects.items()) if each.may_create or not creates]
    start, most = int(request.query.get("startAt", "0")), min(100, int(request.query.get("maxResults", "50")))
    values = [{"id": "1", "key": each.key, "name": each.name} for each in seen[start : start + most]]
    page = {"startAt": start, "maxResults": most, "total": len(seen), "isLast": start + most >= len(seen)}
    return _json({**page, "values": values})


def _types(jira: JiraApi, _request: JiraRequest, project: str) -> Answer:
    there = jira.projects[project]
    kinds = [
        {"id": each.id, "name": each.name, "subtask": each.level < 0, "hierarchyLevel": each.level}
        for each in there.types
        if there.may_create
    ]
    return _json({"startAt": 0, "maxResults": 50, "total": len(kinds), "issueTypes": kinds})


def _form(jira: JiraApi, _request: JiraRequest, project: str, kind: str) -> Answer:
    found = _type(jira.projects[project], kind)
    names = ("project", "issuetype", "summary", *found.fields)
    required = {"project", "issuetype", "summary", *found.required}
    fields = [
        {
            "fieldId": field_id(name), "key": field_id(name), "name": name.capitalize(), "operations": ["set"],
            "required": name in required, "hasDefaultValue": name in found.defaults, "schema": {"type": "string"},
        }
        for name in names
    ]  # fmt: skip
    return _json({"startAt": 0, "maxResults": 50, "total": len(fields), "fields": fields})


def _create(jira: JiraApi, request: JiraRequest) -> Answer:
    fields: Json = request.json.get("fields", {})
    project = jira.projects.get(fields.get("project", {}).get("key", ""))
    if project is None or not project.may_create:
        return _refusal(400, project="Specify a valid project ID or key")
    try:
        kind = _type(project, fields.get("issuetype", {}).get("id", ""))
    except LookupError:
        return _refusal(400, issuetype="Specify a valid issue type")
    if wrong := _wrong_fields(kind, fields):
        return _refusal(400, **wrong)
    numbers = [int(key.rpartition("-")[2]) for key in jira.issues if key.startswith(f"{project.key}-")]
    key = f"{project.key}-{max(numbers, default=0) + 1}"
    jira.add_issue(key, fields["summary"], fields.get("description"), issuetype={"name": kind.name})
    return _json({"id": "1", "key": key, "self": f"{jira.url}/rest/api/3/issue/1"}, 201)


_ROUTES: Sequence[tuple[str, str, Callable[..., Answer]]] = (
    ("GET", "/search", _gone),
    ("POST", "/search", _gone),
    ("GET", "/myself", _myself),
    ("GET", "/user", _one_user),
    ("GET", "/user/groups", _groups_of_user),
    ("GET", "/project/([^/]+)/role", _roles),
    ("GET", r"/project/([^/]+)/role/(\d+)", _role),
    ("POST", "/search/jql", _search),
    ("GET", "/issue/([^/]+)", _get_issue),
    ("GET", "/issue/([^/]+)/comment", _comments),
    ("GET", "/project/search", _projects),
    ("GET", "/issue/createmeta/([^/]+)/issuetypes", _types),
    ("GET", "/issue/createmeta/([^/]+)/issuetypes/([^/]+)", _form),
    ("POST", "/issue", _create),
)


def _wrong_fields(kind: IssueType, fields: Json) -> dict[str, str]:
    ids = {field_id(name) for name in ("project", "issuetype", "summary", *kind.fields)}
    wrong = {
        name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
        for name in fields
        if name not in ids
    }
    for name in (*kind.required, *kind.validated):
        if name not in {"reporter", *kind.defaults} and field_id(name) not in fields:
            wrong[field_id(name)] = f"{name.capitalize()} is required."
    summary = str(fields.get("summary") or "")
    if not summary.strip():
        wrong["summary"] = "You must specify a summary of the issue."
    if "\n" in summary:
        wrong["summary"] = "The summary is invalid because it contains newline characters."
    if len(summary) > _MOST_SUMMARY:
        wrong["summary"] = "Summary must be less than 255 characters."
    if "description" in fields and not _is_document(fields["description"]):
        wrong["description"] = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    return wrong


def _is_document(value: Any) -> bool:
    """A document without an empty text or an unknown mark, which are what Jira refuses most."""
    if not isinstance(value, dict) or (value.get("type"), value.get("version")) != ("doc", 1):
        return False
    texts = [node for node in _nodes(value) if node["type"] == "text"]
    marks = {mark["type"] for node in texts for mark in node.get("marks", ())}
    return all(node["text"] for node in texts) and marks <= {"strong", "em", "strike", "code", "link"}


def _nodes(document: Json | None) -> Iterator[Json]:
    """Every node of a document, in reading order."""
    if document is not None:
        yield document
        for child in document.get("content", ()):
            yield from _nodes(child)


def _type(project: Project, kind: str) -> IssueType:
    return {each.id: each for each in project.types}[kind]


def field_id(name: str) -> str:
    """Jira's name of a field that a test named in words."""
    known = {"project", "issuetype", "summary", "description", "reporter"}
    return name if name in known else f"customfield_1{sum(name.encode()):04}"


def _issue(issue: Issue, names: Sequence[str]) -> Json:
    return {"id": "1", "key": issue.key, "fields": {name: issue.fields[name] for name in names if name in issue.fields}}


def _user(name: str) -> Json:
    return {"accountId": f"557058:{name}", "accountType": "atlassian", "displayName": name, "active": True}


def _refusal(status: int, *sentences: str, **fields: str) -> Answer:
    return _json({"errorMessages": sentences, "errors": fields}, status)


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json;charset=UTF-8"}, [json.dumps(value).encode()])
