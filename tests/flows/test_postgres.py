"""On Postgres as on SQLite: what a killed service worked on goes on in the next one."""

from tests.flows.world import World
from tests.postgres import Postgres


def test_a_killed_services_run_goes_on_and_opens_one_pull_request(postgres: Postgres) -> None:
    with World() as world, world.service(DATABASE_URL=address(postgres)) as service:
        run_id = service.accept(world.ticket())
        service.wait_for_event(run_id, lambda event: event["kind"] == "turn.ended")
        service.kill()
        asked = len(world.model.requests)
        service.start()
        run = service.wait(run_id)
        assert (run["status"], run["error"]) == ("pr_opened", None)
        assert len(world.pulls) == 1
        again = [world.prompt_of(request) for request in world.model.requests[asked:]]
        assert not [prompt for prompt in again if prompt.startswith("Implement ticket")]


def address(postgres: Postgres) -> str:
    """A new database, as an operator names it."""
    return postgres.url(postgres.database()).replace("postgresql+psycopg://", "postgresql://")
