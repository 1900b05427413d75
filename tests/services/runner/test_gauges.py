"""What runs leave on the page of metrics, and the page of a process without a port."""

import asyncio
from pathlib import Path

from app.services.runner.gauges import FILE, metrics_in_file, metrics_page
from tests.services.pipeline.world import World
from tests.test_metrics import samples

LIMIT_S = 20.0


async def page_of(world: World) -> dict[str, float]:
    return samples((await metrics_page(world.runner, workspace=world.root)).decode())


async def test_a_run_counts_once_for_its_wait_and_once_for_each_stage_however_often_it_is_said(world: World) -> None:
    await world.start()
    before = await page_of(world)
    run = await world.work()
    for stage in run.stages:  # what an execution that begins anew says again
        await world.store.stage_ended(run.id, stage.name, stage.status)
    after = await page_of(world)
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    assert grown["autocode_dispatch_seconds_count"] == 1
    stages = {stage.name.value: 1.0 for stage in run.stages}
    assert {name: grown[f"autocode_stage_seconds_count stage={name}"] for name in stages} == stages
    assert all(grown[f"autocode_stage_seconds_sum stage={name}"] > 0 for name in stages)


async def test_the_page_knows_the_runs_the_worker_and_the_disk(world: World) -> None:
    await world.work()
    page = await page_of(world)
    assert page["autocode_runs status=pr_opened"] == 1
    assert page["autocode_workers state=working"] == 1
    assert page["autocode_disk_free_bytes"] > 0
    assert page["autocode_oldest_queued_seconds"] == 0


async def test_a_process_without_a_port_keeps_the_page_in_a_file_as_long_as_it_works(world: World) -> None:
    await world.start()
    world.root.mkdir(exist_ok=True)
    file = world.root / FILE
    async with metrics_in_file(world.runner, workspace=world.root, every_s=0.01):
        first = await written(file)
        world.store.away = True
        async with asyncio.timeout(LIMIT_S):
            while samples(file.read_text())["autocode_database_up"]:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
    assert "autocode_database_up 1.0" in first
    assert (file.exists(), file.with_suffix(".part").exists()) == (False, False)
    world.store.away = False


async def written(file: Path) -> str:
    """What is in the file, once there is one."""
    async with asyncio.timeout(LIMIT_S):
        while not file.exists():  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.01)
    return file.read_text()
