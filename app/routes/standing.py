"""How things stand, as pages show it beside a conversation's events: read and drawn once for all who look at it."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from anyio import to_thread

from app.models import Conversation, PipelineOptions, RepositoryChanges, RunFilter
from app.routes.drawing import part
from app.routes.listing import newest_and_waiting
from app.services.runner import Runner
from app.web.presenters.changes import changes_fragment
from app.web.presenters.conversation import parts
from app.web.presenters.fragments import Fragment
from app.web.presenters.home import waiting
from app.web.presenters.pages import details_fragment, plans_fragment
from app.web.presenters.shell import side_list
from app.web.rendering import Rendering

MOST_TURNS = 200
"""Turns that a page lists."""

_LIST_EVERY_S = 0.25

Aspect = Literal["parts", "changes", "plans", "details"]
"""What a page shows of how its conversation stands: its parts, and what is beside them."""


class Listing:
    """The list of conversations, read again when somebody wants a newer one, and a few times a second at most."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._reading = asyncio.Lock()
        self._found: tuple[Conversation, ...] = ()
        self._asked_at = float("-inf")

    async def since(self, moment: float) -> tuple[Conversation, ...]:
        """The list as it was at the moment, by the monotonic clock, or later; the same object while it is the same."""
        async with self._reading:
            if self._asked_at < moment:
                await asyncio.sleep(self._asked_at + _LIST_EVERY_S - time.monotonic())
                asked_at = time.monotonic()
                self._found = await newest_and_waiting(self._runner)
                self._asked_at = asked_at
        return self._found


class Standing:
    """How a conversation stands, and the list beside it; only the list where `key` is None.

    `parts` are the fragments that were drawn last, by their ids, as they are sent. One that is drawn again and looks
    the same stays the same object.
    """

    def __init__(
        self, runner: Runner, rendering: Rendering, options: PipelineOptions, listing: Listing, *, key: str | None
    ) -> None:
        self.parts: dict[str, bytes] = {}
        self._runner = runner
        self._rendering = rendering
        self._options = options
        self._listing = listing
        self._key = key
        self._drawing = asyncio.Lock()
        self._drawn: dict[Aspect, tuple[int, tuple[str, ...]]] = {}
        self._changes: Sequence[RepositoryChanges] | None = None
        self._listed: tuple[Conversation, ...] | None = None
        self._list_ids: tuple[str, ...] = ()

    async def draw(self, wanted: Mapping[Aspect, int], *, listed_at: float | None) -> dict[str, bytes]:
        """The parts of these aspects, each as it was after the event of that number, or later; and those of the list as
        it was at that moment of the monotonic clock, or later.
        """
        drawn = [id_ for ids in (await self._aspects(wanted)) for id_ in ids]
        if listed_at is not None:
            drawn += await self._list(listed_at)
        return {id_: self.parts[id_] for id_ in drawn}

    async def _aspects(self, wanted: Mapping[Aspect, int]) -> Iterable[tuple[str, ...]]:
        async with self._drawing:
            stale = [each for each, seq in wanted.items() if each not in self._drawn or self._drawn[each][0] < seq]
            if stale and self._key is not None:
                conversation = await self._runner.conversation(self._key)  # first: what is read later is no older
                if self._changes is None or "changes" in stale:
                    self._changes = await self._runner.changes(self._key)
                for aspect in stale:
                    fragments = await self._fragments(aspect, conversation, self._changes)
                    self._drawn[aspect] = conversation.last_seq, self._keep(fragments)
        return [self._drawn[aspect][1] for aspect in wanted]

    async def _list(self, listed_at: float) -> tuple[str, ...]:
        conversations = await self._listing.since(listed_at)
        if self._listed is not conversations:
            fragments = [side_list(conversations, self._key)]
            if self._key is None:
                fragments.append(waiting(conversations))
            self._listed, self._list_ids = conversations, self._keep(fragments)
        return self._list_ids

    async def _fragments(
        self, aspect: Aspect, conversation: Conversation, changes: Sequence[RepositoryChanges]
    ) -> Sequence[Fragment]:
        key, models = conversation.ticket.key, self._runner.models
        if aspect == "parts":
            return parts(conversation, models=models, changes=changes, options=self._options)
        if aspect == "changes":
            # Long diffs are read and coloured here.
            return [await to_thread.run_sync(changes_fragment, key, changes, conversation.run.mode)]
        if aspect == "plans":
            return [plans_fragment(key, await self._runner.decisions(key))]
        runs = await self._runner.runs(RunFilter(ticket=key, limit=MOST_TURNS))
        return [details_fragment(conversation, runs.runs, models)]

    def _keep(self, fragments: Sequence[Fragment]) -> tuple[str, ...]:
        for fragment in fragments:
            drawn = part(self._rendering.draw(fragment))
            if self.parts.get(fragment.id) != drawn:
                self.parts[fragment.id] = drawn
        return tuple(fragment.id for fragment in fragments)
