"""What the author is told of its repositories beside the ticket: their own guides, and what people did meanwhile."""

import asyncio

from app.prompts.ticket_prompts import Guide, News
from app.results import Workspace
from app.services.pipeline.bench import Bench

_GUIDES = ("CLAUDE.md", "AGENTS.md")


async def guides_of(bench: Bench) -> tuple[Guide, ...]:
    """The guides of each repository, of its base and not of the branch that the agent writes."""

    async def read(workspace: Workspace, name: str) -> Guide | None:
        text = await bench.github(workspace).read(workspace, name)
        return Guide(f"{name}{bench.where(workspace)}", text) if text else None

    wanted = [(workspace, name) for workspace in bench.workspaces for name in _GUIDES]
    found = await asyncio.gather(*(read(*each) for each in wanted))
    return tuple(guide for guide in found if guide is not None)


def news_of(bench: Bench) -> tuple[News, ...]:
    """Where the repositories are, and what happened in them since the author saw them."""
    several = len(bench.workspaces) > 1
    return tuple(
        News(
            repository=workspace.repository if several else "",
            directory=str(workspace.directory) if several else "",
            conflicts=workspace.conflicts,
            arrived=workspace.arrived,
        )
        for workspace in bench.workspaces
    )
