"""The doctor finds what a crash left, mends it when told to, and touches nothing that is in use."""

import asyncio
import itertools
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.domain.naming import REVIEWER, id_in_run
from app.domain.workforce import ALIVE_S
from app.models import PipelineOptions, RunStatus, Ticket, Trigger
from app.results import Worker, WorkerState
from app.sandbox import Leftover, Leftovers
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.engine.mock_client import MockEngine
from app.services.runner.doctor import Doctor
from app.services.runner.estate import Estate
from app.services.store import Claim
from app.services.store.mock_client import MockStore
from tests.services.pipeline.world import World
from tests.services.runner.estates import estate_of


async def found_in(estate: Estate, *, mend: bool = False, beside: bool = False) -> list[str]:
    """What is found, with `!` before what is not mended."""
    examination = await Doctor(estate, look_again_s=0).examine(mend=mend, beside=beside)
    assert examination.well == all(finding.mended for finding in examination.findings)
    return [f"{'' if each.mended else '! '}{each.what}" for each in examination.findings]


async def a_run(store: MockStore) -> str:
    claim = Claim(ticket=Ticket(key="PROJ-1", summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
    run_id = (await store.claim(claim, lambda _transaction, _work: None)).run_id
    assert run_id is not None
    return run_id


async def test_where_nothing_is_left_over_nothing_is_found(world: World) -> None:
    await world.start()
    await world.submit()
    assert await found_in(estate_of(world)) == []


async def test_a_run_that_nobody_works_on_is_found_and_then_failed(world: World) -> None:
    run_id = await a_run(world.store)
    assert await found_in(estate_of(world)) == [f"! Run {run_id} looked as if it was worked on, and no worker had it."]
    assert (await world.store.run(run_id)).status is RunStatus.QUEUED
    [told] = await found_in(estate_of(world), mend=True)
    assert told.startswith(f"Run {run_id}")
    assert (await world.store.run(run_id)).status is RunStatus.FAILED
    assert await found_in(estate_of(world)) == []


async def test_a_queued_work_that_no_run_waits_for_is_ended(world: World) -> None:
    engine = Told({"gone": None})
    estate = estate_of(world, engine=engine)
    assert await found_in(estate) == ["! Work gone was queued, and no run waited for it."]
    assert engine.ended == []
    await found_in(estate, mend=True)
    assert engine.ended == ["gone"]


async def test_a_worktree_of_no_conversation_goes_with_its_work_saved(world: World) -> None:
    workspace = await world.github.prepare("ticket/proj-9")
    (workspace.directory / "theme.txt").write_text("mine\n")
    [told] = await found_in(estate_of(world))
    assert told.startswith(f"! {workspace.directory} is a worktree of ticket/proj-9")
    assert workspace.directory.is_dir()

    gone, saved = await found_in(estate_of(world), mend=True)
    [kept] = await world.github.saved()
    assert gone.endswith(f"What it held is in {kept.place}.")
    assert saved.startswith(f"! {kept.place} holds work of ticket/proj-9")
    assert not workspace.directory.exists()


async def test_saved_work_of_no_conversation_is_for_a_person_to_look_at(world: World) -> None:
    workspace = await world.github.prepare("ticket/proj-9")
    (workspace.directory / "theme.txt").write_text("mine\n")
    await world.github.remove(workspace)
    examination = await Doctor(estate_of(world)).examine(mend=True)
    assert [bool(each.remedy) for each in examination.findings] == [True]
    assert len(await world.github.saved()) == 1


async def test_what_a_conversation_has_saved_is_no_finding(world: World) -> None:
    await world.store.keep_ticket(Ticket(key="PROJ-9", summary="Known"))
    workspace = await world.github.prepare("ticket/proj-9")
    (workspace.directory / "theme.txt").write_text("mine\n")
    await world.github.remove(workspace)
    assert await found_in(estate_of(world)) == []


async def test_sessions_of_no_conversation_go_but_not_beside_a_service(world: World) -> None:
    estate = replace(estate_of(world), claude_code=(claude := Sessions()))
    doctor = Doctor(estate)
    beside = await doctor.examine(mend=True, beside=True)
    assert (beside.findings, [each[:27] for each in beside.skipped]) == ((), ["Sessions were not looked at"])
    alone = await doctor.examine(mend=True)
    assert [each.what for each in alone.findings] == ["Session left is no conversation's any more."]
    assert claude.forgotten == ["left"]


async def test_workers_that_died_without_a_word_are_forgotten(world: World) -> None:
    store = Silent()
    await store.beat(store.worker)
    estate = replace(estate_of(world), store=store)
    assert await found_in(estate) == ["! Worker w-1 on far was last seen 61 s ago."]
    assert len(await store.workers()) == 1
    await found_in(estate, mend=True)
    assert await store.workers() == ()


async def test_a_program_that_outlived_its_service_is_ended(world: World) -> None:
    home = world.root / "claude" / "abc" / "home"
    own = {"HOME": str(home), "PATH": os.environ["PATH"]}
    program = await asyncio.create_subprocess_exec("sleep", "600", env=own)
    try:
        expected = f"Process {program.pid} (sleep) of session abc outlived its service."
        assert await found_in(estate_of(world), beside=True) == [f"! {expected}"]
        assert program.returncode is None
        assert await found_in(estate_of(world), beside=True, mend=True) == [expected]
        assert await program.wait() != 0
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


async def test_a_program_whose_parent_ends_in_this_moment_is_left_alone(world: World) -> None:
    passing = replace(estate_of(world), leftovers=(leftovers := Passing(root=world.root)))
    assert await found_in(passing, mend=True) == []
    assert leftovers.ended == []


async def test_the_session_of_a_reviewer_at_work_stays(world: World) -> None:
    claude = Sessions()
    claude.here += (id_in_run(await a_run(world.store), REVIEWER),)
    doctor = Doctor(replace(estate_of(world), claude_code=claude, engine=Told({})))
    assert [each.what for each in (await doctor.examine(mend=False)).findings][1:] == [
        "Session left is no conversation's any more."
    ]


async def test_a_full_or_unwritable_disk_needs_a_person(world: World) -> None:
    [full] = await found_in(estate_of(world, free=1), mend=True)
    assert full.startswith("! 0.0 GB are free")
    missing = replace(estate_of(world), workspace=world.root / "nowhere")
    [unwritable] = await found_in(missing, mend=True)
    assert unwritable == f"! {missing.workspace} cannot be written: No such file or directory."


async def test_what_cannot_be_looked_at_is_said_and_the_rest_is_looked_at(world: World) -> None:
    world.store.away = True
    await world.github.prepare("ticket/proj-9")
    told = await found_in(estate_of(world, free=1))
    assert [line.partition(" cannot be looked at")[0] for line in told[1:]] == [
        "! The workers", "! Runs", "! Offline/demo", "! Sessions",
    ]  # fmt: skip
    assert told[0].startswith("! 0.0 GB are free")


async def test_a_finding_of_a_repository_is_passed_on(world: World) -> None:
    await world.store.keep_ticket(Ticket(key="PROJ-9", summary="Known"))
    directory = (await world.github.prepare("ticket/proj-9")).directory
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    assert len(await found_in(estate_of(world), mend=True)) == 1
    assert await found_in(estate_of(world)) == []


class Told(MockEngine):
    """An engine that knows the works that a test says."""

    def __init__(self, works: dict[str, str | None]) -> None:
        super().__init__()
        self.works = works
        self.ended: list[str] = []

    async def unfinished(self) -> Mapping[str, str | None]:
        return dict(self.works)

    async def cancel(self, work_id: str) -> None:
        self.ended.append(work_id)


class Silent(MockStore):
    """Its worker was last seen a minute ago."""

    worker = Worker(
        id="w-1",
        host="far",
        state=WorkerState.WORKING,
        started_at=datetime.now(UTC),
        seen_at=datetime.now(UTC),
    )

    async def workers(self) -> tuple[tuple[Worker, float], ...]:
        return tuple((worker, ALIVE_S + 1) for worker, _ in await super().workers())


class Sessions(MockClaudeCode):
    """It has a session that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.here: tuple[str, ...] = ("left",)
        self.forgotten: list[str] = []

    async def sessions(self) -> tuple[str, ...]:
        return self.here

    async def forget(self, session_id: str) -> None:
        self.forgotten.append(session_id)


class Passing(Leftovers):
    """Sees another program at each look, as where programs come and go."""

    def __init__(self, *, root: Path) -> None:
        super().__init__(root=root)
        self.looks = itertools.count(1)
        self.ended: list[Leftover] = []

    def find(self) -> frozenset[Leftover]:
        return frozenset({Leftover(pid=next(self.looks), began=1, room="abc", program="make")})

    def end(self, leftover: Leftover) -> bool:
        self.ended.append(leftover)
        return True


async def test_a_worktree_that_the_database_does_not_know_stays_where_nobody_asked_for_its_end(world: World) -> None:
    workspace = await world.github.prepare("ticket/proj-9")
    [told] = (await Doctor(estate_of(world)).examine(mend=True, clear=False)).findings
    assert (told.mended, bool(told.remedy)) == (False, True)
    assert workspace.directory.is_dir()
