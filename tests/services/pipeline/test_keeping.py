"""What leaves the machine while the author works, so that another one can go on."""

from app.results import Checkpoint, Turn
from app.services.claude_code.mock_client import Answer
from app.services.store.mock_client import MockStore
from tests.services.pipeline.scripted_claude import FIX_REVIEW, IMPLEMENT, ISSUES, REVIEW
from tests.services.pipeline.world import TICKET, World


class SharedStore(MockStore):
    """A store that other machines have, too. `order` is what was kept and recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    @property
    def shared(self) -> bool:
        return True

    async def keep_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        await super().keep_checkpoint(run_id, checkpoint)
        self.order.append("kept")

    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        self.order.append(name)
        return await super().record_turn(run_id, name, turn)


async def test_what_the_author_did_is_kept_before_its_turn_is_recorded(world: World) -> None:
    store = world.store = SharedStore()
    world.claude.plays |= {REVIEW: ISSUES, FIX_REVIEW: Answer(files={"theme.txt": "light\ndark\nauto\n"})}
    run = await world.work()
    assert run.status == "pr_opened"
    reviewed = store.order.index("review")
    assert store.order[reviewed : reviewed + 3] == ["review", "kept", "fix review"]
    assert await store.checkpoint(TICKET.key, world.github.name) is not None


async def test_what_a_turn_did_that_is_cut_off_is_kept(world: World) -> None:
    store = world.store = SharedStore()
    world.claude.held = IMPLEMENT
    await world.start()
    await world.submit()
    await world.begun()
    world.worktree.joinpath("theme.txt").write_text("light\ndark\n")
    store.order.clear()
    await world.stop()
    assert store.order == ["kept"]
