"""A process that ends around any step: the next one goes on, asks no turn twice and opens no second pull request."""

from collections import Counter

from app.models import EventKind, Run
from app.services.claude_code.mock_client import Answer
from app.services.store.mock_client import MockStore
from tests.contracts.github_worlds import made_up_token
from tests.services.pipeline.conftest import NewWorld
from tests.services.pipeline.cuts import MOMENTS, ChecksByFiles, Cut, Moment, names_of_steps
from tests.services.pipeline.scripted_claude import FIX_LINT, FIX_REVIEW, FIX_TESTS, ISSUES, MEND, REVIEW
from tests.services.pipeline.world import BRANCH, World


def with_all_corrections(world: World) -> World:
    """The work of a ticket that needs every correction there is."""
    world.claude.plays |= {
        REVIEW: ISSUES,
        FIX_REVIEW: Answer(files={"review.txt": "fixed\n"}),
        FIX_LINT: Answer(files={"lint.txt": "fixed\n"}),
        FIX_TESTS: Answer(files={"tests.txt": "fixed\n", "token.txt": made_up_token()}),
        MEND: Answer(files={"token.txt": None}),
    }
    world.checks = ChecksByFiles()
    return world


STEPS = [
    "session", "workspace", "turn implement", "changes", "turn review", "turn fix review", "commands", "setup 1",
    "lint 1", "turn fix lint 1", "lint 2", "tests 1", "turn fix tests 1", "lint 3", "tests 2", "inspect", "turn mend",
    "lint 4", "tests 3", "changes after fixes",
    "commit 0", "inspect 0", "push 0", "pull request", "published", "clean up",
]  # fmt: skip


PUBLISHING = ("commit 0", "push 0", "pull request", "clean up")


async def test_the_steps_of_a_run_are_these(new_world: NewWorld) -> None:
    world = with_all_corrections(new_world())
    run = await world.work()
    assert names_of_steps(world, run.id) == STEPS
    await world.stop()


async def test_a_run_survives_a_cut_after_every_step(new_world: NewWorld) -> None:
    for cut, step in enumerate(STEPS):
        world = with_all_corrections(new_world())
        run = await cut_and_go_on(world, cut, "recorded")
        await assert_done_once(world, run, where=f"after {step}")


async def test_a_run_survives_a_cut_in_every_step_before_it_is_recorded(new_world: NewWorld) -> None:
    for cut, step in enumerate(STEPS):
        world = with_all_corrections(new_world())
        run = await cut_and_go_on(world, cut, "unrecorded")
        await assert_done_once(world, run, where=f"in {step}")


async def test_a_run_survives_the_loss_of_its_machine_around_every_step(new_world: NewWorld) -> None:
    for cut, step in enumerate(STEPS):
        # Where nothing is published, one moment a step: the next step shows the other.
        for moment in MOMENTS if step in PUBLISHING else MOMENTS[cut % 2 :][:1]:
            world = with_all_corrections(new_world())
            world.store = MockStore(shared=True)
            run = await cut_and_go_on(world, cut, moment, lost=True)
            await assert_done_once(world, run, where=f"{moment} {step}")
            assert not (world.root / "saved").exists(), f"{moment} {step}"


async def cut_and_go_on(world: World, place: int, moment: Moment, *, lost: bool = False) -> Run:
    """The run, ended by a second process after the first one ended around a step."""
    cut = Cut(world, place, moment, lost=lost)
    await world.start()
    receipt = await world.submit()
    assert receipt.run_id is not None
    await cut.happened()
    run = await world.ended(receipt.run_id)
    await world.stop()
    return run


async def assert_done_once(world: World, run: Run, *, where: str) -> None:
    assert (run.status, run.error) == ("pr_opened", None), where
    assert len(world.claude.prompts) == len(set(world.claude.prompts)), where
    assert len(world.forge.proposals) == len(run.pull_requests) == 1, where
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n", where
    assert not world.worktree.exists(), where
    events = await world.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), where
    for kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED, EventKind.TURN_STARTED, EventKind.TURN_ENDED):
        told = Counter(
            str(event.payload.get("stage") or event.payload["turn"]) for event in events if event.kind == kind
        )
        visits = told.pop("lint", 3), told.pop("tests", 2)
        assert set(told.values()) == {1}, where
        assert visits == (3, 2), where
