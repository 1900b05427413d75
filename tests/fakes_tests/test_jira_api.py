"""The stand-in of Jira refuses what Jira refuses."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from app.http import HttpClient
from tests.builders import adf
from tests.fakes.jira_api import CLOUD_ID, EMAIL, TOKEN, IssueType, JiraApi, field_id

BUG = IssueType("10004", "Bug", fields=("severity",), required=("severity",))
SEVERITY = field_id("severity")


@pytest.fixture
def api() -> Iterator[JiraApi]:
    with JiraApi() as made:
        made.add_project("PROJ", "Widgets")
        made.add_project("OPS", "Operations", BUG)
        made.add_issue("PROJ-1", "Add dark mode", "For the settings.")
        yield made


class Asker:
    """One account's requests; each gives its status and its JSON."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self.http = HttpClient(base_url=url, basic=(EMAIL, token))

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        reply = await self.http.ask(method, f"/rest/api/3{path}", json=body)
        return reply.status, json.loads(reply.body)


@pytest.fixture
async def ask(api: JiraApi) -> AsyncIterator[Asker]:
    made = Asker(api.url)
    yield made
    await made.http.close()


async def search(ask: Asker, jql: str, **more: Any) -> tuple[int, Any]:
    return await ask("POST", "/search/jql", {"jql": jql, **more})


async def test_without_the_right_account_nothing_is_answered(api: JiraApi) -> None:
    for http in (HttpClient(base_url=api.url), Asker(api.url, "ATATT-mistyped").http):
        assert (await http.ask("GET", "/rest/api/3/issue/PROJ-1")).status == 401
        await http.close()
    assert [request.credential for request in api.requests] == ["absent", "wrong"]
    assert "mistyped" not in str(api.requests)


async def test_the_gateway_knows_its_cloud_only(api: JiraApi) -> None:
    for cloud, status in ((CLOUD_ID, 200), ("other", 404)):
        ask = Asker(f"{api.url}/ex/jira/{cloud}")
        assert (await ask("GET", "/myself"))[0] == status
        await ask.http.close()


async def test_the_old_search_is_gone(ask: Asker) -> None:
    assert (await ask("GET", "/search?jql=project=PROJ"))[0] == 410


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("", "Unbounded JQL"),
        ("ORDER BY created DESC", "Unbounded JQL"),
        ('text ~ "dark" nonsense', "Error in the JQL Query"),
        ('text ~ "dark', "Error in the JQL Query"),
        ('text ~ "(dark"', "Unable to parse"),
        ('text ~ "dark AND"', "Unable to parse"),
        ('text ~ "*"', "Unable to parse"),
        ('text ~ ""', "Unable to parse"),
        ('nowhere = "x"', "does not exist"),
    ],
)
async def test_a_query_that_jira_does_not_take_is_refused(ask: Asker, jql: str, said: str) -> None:
    status, answer = await search(ask, jql, fields=["summary"])
    assert status == 400
    assert said in answer["errorMessages"][0]
    assert answer["errors"] == {}


async def test_a_search_gives_ids_only_unless_fields_are_asked_for(ask: Asker) -> None:
    assert (await search(ask, 'text ~ "dark"'))[1] == {"issues": [{"id": "1"}], "isLast": True}
    (issue,) = (await search(ask, 'text ~ "dark"', fields=["summary"]))[1]["issues"]
    assert (issue["key"], issue["fields"]) == ("PROJ-1", {"summary": "Add dark mode"})


@pytest.mark.parametrize(("text", "count"), [("settings", 1), ("setting", 1), ("setting*", 1), ("settings*", 0)])
async def test_a_search_knows_stems(ask: Asker, text: str, count: int) -> None:
    assert len((await search(ask, f'text ~ "{text}"', fields=["summary"]))[1]["issues"]) == count


@pytest.mark.parametrize(
    "path", ["/issue/PROJ-9", "/issue/PROJ-9/comment", "/nowhere", "/issue/createmeta/NO/issuetypes"]
)
async def test_what_does_not_exist_is_not_found(ask: Asker, path: str) -> None:
    assert (await ask("GET", path))[0] == 404


def new(**fields: Any) -> dict[str, Any]:
    plain = {"project": {"key": "PROJ"}, "issuetype": {"id": "10001"}, "summary": "Export users"}
    return {"fields": {name: value for name, value in (plain | fields).items() if value is not None}}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"summary": None}, {"summary"}),
        ({"summary": "a\nb"}, {"summary"}),
        ({"summary": "x" * 256}, {"summary"}),
        ({"project": {"key": "NOPE"}}, {"project"}),
        ({"issuetype": {"id": "7"}}, {"issuetype"}),
        ({"description": "no document"}, {"description"}),
        ({"description": adf("")}, {"description"}),
        ({"labels": ["x"]}, {"labels"}),
        ({"project": {"key": "OPS"}, "issuetype": {"id": BUG.id}, "description": adf("x")}, {SEVERITY, "description"}),
    ],
)  # fmt: skip
async def test_a_new_issue_is_refused_by_field(ask: Asker, fields: dict[str, Any], refused: set[str]) -> None:
    status, answer = await ask("POST", "/issue", new(**fields))
    assert (status, set(answer["errors"])) == (400, refused)
    assert answer["errorMessages"] == []


async def test_a_new_issue_has_the_next_key(ask: Asker, api: JiraApi) -> None:
    status, answer = await ask("POST", "/issue", new(description=adf("As CSV.")))
    assert (status, answer["key"]) == (201, "PROJ-2")
    assert api.issues["PROJ-2"].fields["description"] == adf("As CSV.")


async def test_a_pause_is_asked_for_with_its_length(ask: Asker, api: JiraApi) -> None:
    api.fault(429, headers={"retry-after": "7"})
    reply = await ask.http.ask("GET", "/rest/api/3/myself")
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
