"""What an older version began, this one goes on with: on the database and the workspace that a killed one left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.service import Json, Service
from tests.flows.world import REPOSITORY, WITHOUT_GATES, World
from tests.postgres import DATABASES, Postgres
from tests.releases.archives import kept, load, revive
from tests.releases.keep import CUT_OFF, PUSHED, QUEUED, TURNS, WAITING

TO_FINISH = (CUT_OFF, PUSHED, QUEUED)
ENDED = {"PROJ-1": "pr_opened", "PROJ-2": "failed", "PROJ-3": "idle"}


@contextmanager
def revived(archive: Path, postgres: Postgres) -> Iterator[tuple[World, Service]]:
    """A service of this version on what was kept, with its world."""
    world = World(TURNS)
    dump = revive(archive, world)
    settings = {"DATABASE_URL": load(postgres, dump)} if dump else {}
    with world, world.service(MAX_CONCURRENT_RUNS="2", **WITHOUT_GATES, **settings) as service:
        yield world, service


@pytest.mark.parametrize("database", DATABASES)
def test_there_is_something_kept_of_each_database(database: str) -> None:
    assert kept(database)


@pytest.mark.parametrize("archive", [each for name in DATABASES for each in kept(name)], ids=lambda path: path.name)
def test_this_version_finishes_what_that_one_began(archive: Path, postgres: Postgres) -> None:
    with revived(archive, postgres) as (world, service):
        begun = {run["ticket"]: run["id"] for run in listed(service) if run["mode"] == "implement"}
        ended = {key: service.events(begun[key]) for key in ENDED}
        for key in TO_FINISH:
            assert service.wait(begun[key])["status"] == "pr_opened", key
            assert world.git.file(REPOSITORY, f"ticket/{key.lower()}", f"src/{key.lower()}.txt") == "toggle\n"
        assert sorted(pull.head for pull in world.pulls) == [f"ticket/{key.lower()}" for key in TO_FINISH]
        # Its push had arrived, so its turn was over.
        assert not world.asked("Pushed and not opened")
        # This turn goes on after the answer that it had.
        assert all(said_before(request.messages) for request in world.asked("Cut off in the middle"))

        waiting = in_edits(service, WAITING)
        assert waiting["status"] == "needs_input"
        answer(service, waiting)
        assert service.wait(waiting["id"])["status"] == "idle"
        behind = in_edits(service, CUT_OFF)
        assert service.wait(behind["id"])["error"] is None

        for key, status in ENDED.items():
            assert service.run(begun[key])["status"] == status
            assert service.events(begun[key]) == ended[key]


def in_edits(service: Service, key: str) -> Json:
    """The ticket's run that a person's message began."""
    return next(run for run in listed(service) if (run["ticket"], run["mode"]) == (key, "edits"))


def listed(service: Service) -> list[Json]:
    """All runs, newest first."""
    runs: list[Json] = service.http.get("/api/v1/runs", params={"limit": 100}).json()["runs"]
    return runs


def said_before(messages: list[Json]) -> bool:
    """Whether the model has answered in this conversation."""
    return any(message["role"] == "assistant" for message in messages)


def answer(service: Service, run: Json) -> None:
    """Answer what the run waits for."""
    asked = next(event for event in service.events(run["id"]) if event["kind"] == "question.asked")
    place = f"/code-runs/{run['ticket']}/questions/{asked['payload']['id']}/answer"
    sent = service.http.post(place, data={"answer-0": "Red"}, headers={"HX-Request": "true"})
    assert sent.status_code < 400, sent.text
