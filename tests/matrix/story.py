"""What the ticket of the matrix goes through: every stage of a run, every correction, and a pull request at its end."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.scripts import Reply, ToolUse, edit_file, propose_plan, read_file, verdict, write_file, write_plan
from tests.flows.service import Json, Service
from tests.flows.world import FIX_LINT, FIX_REVIEW, FIX_TESTS, IMPLEMENT, REPOSITORY, REVIEW, Turns, World

KEY, BRANCH = "PROJ-1", "ticket/proj-1"
PLANNED = "Plan the toggle"
_MESSAGE = "0b8f4f8e-6f0f-4c52-9d6e-0d5a3a0f1c11"

PROMPTS = {
    "implement": IMPLEMENT,
    "plan": PLANNED,
    "follow": "The plan was approved",
    "review": REVIEW,
    "fix review": FIX_REVIEW,
    "fix lint 1": FIX_LINT,
    "fix tests 1": FIX_TESTS,
}
"""What the prompts of the turns hold, by the turns' names."""

WRITTEN = {"src/toggle.txt": "toggle\n", "src/states.txt": "on, off\n", "src/theme.txt": "light\ndark\n"}
"""What the branch holds at the end."""


def _rewrite(path: str, text: str) -> list[ToolUse]:
    """On another machine the CLI has not seen the file, and would refuse to write it."""
    return [read_file(path), write_file(path, text)]


TURNS: Turns = {
    IMPLEMENT: [
        Reply("Let me look.", tools=[read_file("src/theme.txt")]),
        Reply("Adding the toggle.", tools=_rewrite("src/toggle.txt", "toggle\n")),
        Reply("", tools=[edit_file("src/theme.txt", "dark\n", "night\n")]),
        Reply("I added the toggle in src/toggle.txt."),
    ],
    PLANNED: [
        Reply("", tools=[write_plan("# A toggle\n\n1. Write it.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("As planned.", tools=_rewrite("src/toggle.txt", "toggle\n")),
        Reply("", tools=_rewrite("src/theme.txt", "light\nnight\n")),
        Reply("I added the toggle in src/toggle.txt."),
    ],
    REVIEW: [verdict("src/toggle.txt:1: says nothing of its states")],
    FIX_REVIEW: [Reply("", tools=_rewrite("src/states.txt", "on, off TODO\n")), Reply("States are named now.")],
    FIX_LINT: [Reply("", tools=_rewrite("src/states.txt", "on, off\n")), Reply("Nothing is left over.")],
    FIX_TESTS: [Reply("", tools=_rewrite("src/theme.txt", "light\ndark\n")), Reply("dark is back.")],
}


def _delivered(service: Service) -> bool:
    """As a tracker delivers it."""
    return service.send(World.ticket()).status_code == 202


@dataclass(frozen=True)
class Story:
    """A way to a pull request: how the world is before it, how it is asked for, and what people do meanwhile.

    `ask` says whether it was taken, and is called again where not; `attend` is called with the newest run, again and
    again.
    `commits` is how many the branch has at the end, `draft` whether its pull request is one.
    """

    name: str
    begin: Callable[[World], object] = lambda _world: None
    ask: Callable[[Service], bool] = _delivered
    attend: Callable[[Service, Json], object] = lambda _service, _run: None
    commits: int = 2
    draft: bool = False


def _people_began(world: World) -> None:
    world.git.commit_as_human(REPOSITORY, BRANCH, {"notes.txt": "by hand\n"}, "A note")
    world.github[REPOSITORY].open_pull(title="By hand", body="", head=BRANCH, base="main")


def _sent_by_a_person(service: Service) -> bool:
    """A ticket that a person makes, and wants planned."""
    service.http.post("/tickets", data={"place": KEY, "summary": "Add dark mode toggle"})
    asked = {"ticket": KEY, "repos": REPOSITORY, "mode": "plan", "instructions": PLANNED, "message_id": _MESSAGE}
    return service.http.post("/code-runs", data=asked).status_code == 303


def _approve(service: Service, run: Json) -> None:
    """A person approves the plan as soon as there is one."""
    if run["status"] == "needs_input":
        plan = next(event for event in service.events(run["id"]) if event["kind"] == "plan.proposed")
        service.http.post(f"/code-runs/{KEY}/plan/{plan['payload']['id']}/approve", data={"auto_pr": "on"})


STORIES = {
    story.name: story
    for story in (
        Story("delivered"),
        Story("people began", begin=_people_began, commits=3),
        Story("planned", ask=_sent_by_a_person, attend=_approve, draft=True),
    )
}
"""A ticket with a branch and pull request of its own; one that goes on with what people began; one that a person has
planned first.
"""
