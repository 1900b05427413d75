"""Whatever strangers put into addresses, forms and tickets stays text; every answer tells the browser to be strict."""

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from app.models import EventKind, RunStatus, Ticket, Trigger
from app.results import TicketComment, TicketDetails
from app.services.tracker.mock_client import MockTracker
from tests.routes.service import ACCESS_CODE, Service, serving
from tests.routes.test_runs_api import taken
from tests.web.views import NOON

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</textarea><iframe src=//evil.example>",
    "{{ 7*7 }}{% raw %}",
    "<form action=//evil.example><input name=code>",
    "[x](javascript:alert(1)) ![x](https://evil.example/p.png) <b hx-get=/x>",
    "\u202egnp.exe\x1b[31m",
]

_LOADING = {"script", "iframe", "img", "object", "embed", "link", "video", "audio", "base", "source"}


class Watchman(HTMLParser):
    """Reads a page as a browser does, and notes what must not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if any(name.startswith("on") for name in given) or "srcdoc" in given or "hx-on" in given:
            self.found.append(f"{tag} {given}")
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            address = given.get(name, "").strip().lower()
            own = address.startswith(("/", "?", "#")) and not address.startswith("//")
            linked = tag == "a" and address.startswith(("https://", "mailto:"))
            if name in given and not own and not linked:
                self.found.append(f"{tag} {name}={address}")
        if tag in _LOADING and not given.get("src", given.get("href", "/")).startswith("/static/"):
            self.found.append(f"{tag} {given}")


def harmless(html: str) -> None:
    """Fail when the page would run, load or send anything that is not the service's own."""
    watchman = Watchman()
    watchman.feed(html)
    assert watchman.found == []


@pytest.mark.parametrize(
    "attack", ["<script>1</script>", "<img src=x onerror=1>", "<a href=javascript:1>", "<p onclick=1>"]
)
def test_the_watchman_would_see_it(attack: str) -> None:
    with pytest.raises(AssertionError):
        harmless(f"<p>before</p>{attack}")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_stands_in_an_address_stays_text(attack: str) -> None:
    async with serving(admin_access_code=None) as service:
        await taken(service)
        for path in (
            f"/code-runs?q={quote(attack)}&status={quote(attack)}&mode={quote(attack)}&by={quote(attack)}",
            f"/code-runs/new?ticket={quote(attack)}",
            f"/code-runs/{quote(attack, safe='')}",
            f"/code-runs/PROJ-1?tab={quote(attack)[:20]}",
            f"/code-runs/PROJ-1/diff?repo={quote(attack)}&path={quote(attack)}",
            f"/tickets/{quote(attack, safe='')}",
            f"/ui/tickets?q={quote(attack)}",
            f"/ui/branches?repo={quote(attack)}",
            f"/{quote(attack)}",
        ):
            answer = await service.look(path)
            assert answer.status_code < 500
            harmless(answer.text)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_where_to_go_after_signing_in_stays_text(attack: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        harmless((await service.look(f"/login?next={quote(attack)}")).text)
        answer = await service.submit("/login", {"code": "wrong", "name": attack, "next": attack})
        harmless(answer.text)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_people_write_stays_text(attack: str) -> None:
    async with serving() as service:
        await taken(service)
        forms = {
            "/code-runs": {"ticket": attack, "instructions": attack, "mode": attack, "repos": attack},
            "/code-runs/PROJ-1/messages": {"text": attack, "mode": "x" + attack},
            "/tickets": {"place": attack, "summary": attack, "description": attack},
        }
        for path, fields in forms.items():
            refused = await service.submit(path, fields)
            assert refused.status_code == 422
            harmless(refused.text)
            harmless((await service.press(path, fields)).text)
        await service.press("/code-runs/PROJ-1/messages", {"text": attack})
        harmless((await service.look("/code-runs/PROJ-1")).text)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_tickets_and_claude_say_stays_text(attack: str) -> None:
    ticket = Ticket(key="PROJ-1", summary=attack, description=attack, url=attack)
    details = TicketDetails(ticket=ticket, status=attack, comments=(TicketComment(by=attack, at=NOON, text=attack),))
    async with serving(tracker=MockTracker(tickets=[details])) as service:
        harmless((await service.look("/code-runs")).text)
        harmless((await service.look("/tickets/PROJ-1")).text)
        await full_of(service, ticket, attack)
        for path in ("/code-runs", "/code-runs/PROJ-1", "/code-runs/PROJ-1/steps/4", "/code-runs?q=x"):
            harmless((await service.look(path)).text)
        told = await service.get("/code-runs/PROJ-1/events?once=1")
        harmless("\n".join(line[6:] for line in told.text.splitlines() if line.startswith("data: <")))


async def full_of(service: Service, ticket: Ticket, words: str) -> None:
    """A run in which everything says these words."""
    run_id = (await service.runner.handle_ticket(ticket, trigger=Trigger.WEBHOOK)).run_id
    assert run_id is not None
    store = service.store
    await store.move(run_id, RunStatus.RUNNING)
    await store.append(run_id, EventKind.TEXT, {"text": words, "role": "author"})
    call = {"id": "t1", "name": words, "input": {"command": words, "file_path": words}, "role": "author"}
    await store.append(run_id, EventKind.TOOL_CALLED, call)
    await store.append(run_id, EventKind.TOOL_RETURNED, {"id": "t1", "content": words, "role": "author"})
    await store.append(run_id, EventKind.NOTICE, {"text": words})
    await store.move(run_id, RunStatus.FAILED, error=words)


# Headers


STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/code-runs", 200),
        ("GET", "/health", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/runs", 200),
        ("GET", "/events?once=1", 200),
        ("GET", "/", 303),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/x/nothing.css", 404),
        ("GET", "/api/v1/runs?limit=x", 422),
        ("DELETE", "/code-runs", 405),
        ("POST", "/webhook/jira", 422),
        ("POST", "/code-runs", 403),
        ("HEAD", "/static/x/css/base.css", 200),
    ],
)
async def test_every_answer_tells_the_browser_to_be_strict(method: str, path: str, status: int) -> None:
    async with serving() as service:
        answer = await service.request(method, path, headers={"accept": "text/html"})
        assert answer.status_code == status
        policy = set(answer.headers["content-security-policy"].split("; "))
        nothing = {f"{rule} 'none'" for rule in ("default-src", "frame-ancestors", "base-uri")}
        own = {f"{rule} 'self'" for rule in ("script-src", "style-src", "form-action", "connect-src")}
        assert nothing | own <= policy
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert {name: answer.headers[name] for name in STRICT} == STRICT
        assert answer.headers["cache-control"] == ("no-cache" if "/static/x/css" in path else "no-store")
        assert "strict-transport-security" not in answer.headers


async def test_where_there_is_https_browsers_are_kept_to_it() -> None:
    async with serving() as service:
        service.base_url = "https://service"
        answer = await service.get("/health")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_static_files_are_kept_for_ever_under_a_name_of_their_content() -> None:
    async with serving() as service:
        html = (await service.look("/code-runs")).text
        files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', html))
        assert len(files) > 10
        for file in sorted(files):
            answer = await service.get(file)
            assert (answer.status_code, answer.headers["cache-control"]) == (
                200,
                "public, max-age=31536000, immutable",
            )
        assert (await service.get("/static/x/../../config.py")).status_code == 404


async def test_an_error_of_our_own_says_nothing_of_its_inside_and_is_as_strict() -> None:
    async with serving() as service:
        service.app.state.rendering = None  # nothing can be drawn
        service._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
        answer = await service.look("/code-runs")
        assert answer.status_code == 500
        assert "auto-code met an error of its own; its log has it." in answer.text
        assert "AttributeError" not in answer.text
        assert {name: answer.headers[name] for name in STRICT} == STRICT
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["[", "http://[", "a b", "evil.example/../x", "x" * 5_000, "ü", "@evil.example", ""])
async def test_a_host_that_is_none_changes_no_answer(host: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        headers = [(b"host", host.encode()), (b"accept", b"text/html")]
        turned_away = await service.get("/code-runs?q=a", headers=headers)
        assert (turned_away.status_code, turned_away.headers["location"]) == (303, "/login?next=/code-runs%3Fq%3Da")
        assert (await service.get("/nothing/", headers=headers)).status_code == 404


async def test_only_the_api_is_described_for_programs() -> None:
    async with serving() as service:
        paths = (await service.get("/openapi.json")).json()["paths"]
        assert {path.split("/")[1] for path in paths} == {"api", "webhook", "health", "ready", "live", "metrics"}
        for path in ("/docs", "/redoc"):  # their pages would run other hosts' scripts
            assert (await service.look(path)).status_code == 404
