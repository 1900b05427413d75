"""What a runner answers from the store and the tracker alone, whoever does the work."""

import contextlib
import uuid
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.domain.conversing import check_answer, check_request, retried
from app.domain.eligibility import Sender, Starters, delivery_names
from app.domain.naming import is_ticket_key
from app.domain.run_state import may_retry
from app.domain.workforce import alive
from app.errors import Conflict, InvalidInput, NotFound, WorkFailed
from app.logger import get_logger
from app.models import (
    Answer,
    Conversation,
    ConversationFilter,
    Decision,
    Event,
    EventKind,
    Job,
    PipelineOptions,
    Receipt,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    Run,
    RunFilter,
    RunMode,
    RunPage,
    Ticket,
    Trigger,
    Work,
)
from app.results import TicketDetails, TicketHit, TicketProject, Worker
from app.services.github.base import Repositories
from app.services.runner.admission import Admission
from app.services.runner.base import Delivery, Runner
from app.services.store.base import Claim, Store, Update
from app.services.store.upkeep import Census
from app.services.tracker.base import Tracker, summary_line

_log = get_logger(__name__)


class Desk(Runner):
    """Takes tickets, messages and answers. `_enqueue`, `_cancel` and `_accepted` are whose work it is."""

    def __init__(
        self,
        *,
        store: Store,
        tracker: Tracker,
        repositories: Repositories,
        options: PipelineOptions,
        models: Mapping[str, str],
        starters: Starters = Starters(),  # noqa: B008 - frozen
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._admission = Admission(tracker=tracker, starters=starters)
        self._repositories = repositories
        self._options = options
        self._models = dict(models)

    async def check(self) -> None:
        await self._store.check()

    async def workers(self) -> tuple[Worker, ...]:
        return alive(await self._store.workers())

    async def census(self) -> Census:
        return await self._store.census()

    async def handle_ticket(
        self,
        ticket: Ticket,
        *,
        trigger: Trigger,
        delivery: Delivery = Delivery(),  # noqa: B008 - frozen
        options: PipelineOptions | None = None,
    ) -> Receipt:
        if trigger == Trigger.WEBHOOK and (refused := await self._refused(ticket.key, delivery.sender)) is not None:
            return refused
        names = tuple(delivery_names(delivery_id=delivery.id, digest=delivery.digest, now=datetime.now(UTC)))
        claim = Claim(ticket=ticket, trigger=trigger, options=options or self._options, deliveries=names)
        return self._taken(await self._store.claim(claim, self._enqueue))

    async def _refused(self, key: str, sender: Sender) -> Receipt | None:
        """The answer to somebody who may not start runs, whose reason people read in the conversation too."""
        if (reason := await self._admission.reason_to_refuse(sender, ticket=key)) is None:
            return None
        account = sender.actor.id if sender.actor is not None else None
        _log.warning("sender refused", ticket=key, account=account, reason=reason)
        with contextlib.suppress(NotFound):  # nothing was ever said about the ticket
            newest = (await self._store.conversation(key)).run.id
            told = f"A change of the ticket started nothing: {reason}."
            notice = {"text": told}
            await self._store.append(newest, EventKind.NOTICE, notice, once=f"refused {account}", claimed=False)
        return Receipt(status="ignored", ticket=key, reason=reason)

    async def find_tickets(self, words: str) -> tuple[TicketHit, ...]:
        if self._tracker.configured:
            return await self._tracker.search(words)
        known = await self._store.find_tickets(words)
        return tuple(TicketHit(key=each.key, summary=each.summary, url=each.url) for each in known)

    async def ticket(self, key: str) -> TicketDetails:
        if not self._tracker.configured:
            return TicketDetails(ticket=await self._store.ticket(key))
        try:
            return await self._tracker.show(key)
        except (NotFound, WorkFailed) as error:
            # What is known here is worth more than nothing while the tracker is away, or has lost the ticket.
            try:
                return TicketDetails(ticket=await self._store.ticket(key))
            except NotFound:
                raise error from None

    async def create_ticket(self, place: str, summary: str, description: str) -> Ticket:
        if self._tracker.configured:
            ticket = await self._tracker.create(place, summary, description)
        else:
            line = summary_line(summary)
            ticket = Ticket(key=await self._free_key(place), summary=line, description=description.strip())
        await self._store.keep_ticket(ticket)
        return ticket

    @property
    def tracker(self) -> str | None:
        return self._tracker.name if self._tracker.configured else None

    async def projects(self) -> tuple[TicketProject, ...]:
        return await self._tracker.projects()

    def repositories(self) -> tuple[RepositoryChoice, ...]:
        names = self._repositories.names
        return tuple(RepositoryChoice(name=name, base=self._repositories.base_of(name)) for name in names)

    async def branches(self, repository: str) -> tuple[str, ...]:
        return await self._repositories.of(repository).branches()

    async def suggested(self, key: str) -> tuple[RepositoryChoice, ...]:
        known = set(self._repositories.names)
        for chosen in await self._chosen_before(key):
            if {each.name for each in chosen} <= known:
                return chosen
        return self.repositories()[:1]

    async def conversation(self, key: str) -> Conversation:
        return await self._store.conversation(key)

    async def conversations(self, wanted: ConversationFilter) -> tuple[Conversation, ...]:
        return await self._store.conversations(wanted)

    async def history(self, key: str, *, before: int | None = None, limit: int = 200) -> Sequence[Event]:
        return await self._store.history(key, before=before, limit=limit)

    async def since(self, key: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        return await self._store.next_events(key, after=after, limit=limit)

    async def newest_event(self, run_id: str, kind: EventKind) -> Event | None:
        return await self._store.newest_event(run_id, kind)

    def watch(self, key: str | None, *, after: int = 0) -> AsyncIterator[Update]:
        return self._store.watch(key, after=after)

    async def decisions(self, key: str) -> tuple[Decision, ...]:
        return await self._store.decisions(key)

    async def changes(self, key: str) -> tuple[RepositoryChanges, ...]:
        return await self._store.changes(key)

    async def send(self, key: str, request: Request, *, message_id: str) -> Receipt:
        check_request(request, repositories=self._repositories.names, models=self._models)
        if request.model is None and request.by is not None:
            request = request.model_copy(update={"model": await self._chosen_model(request.by)})
        claim = Claim(ticket=await self._known(key), request=request, trigger=Trigger.MESSAGE, options=self._options)
        return self._taken(await self._store.send(claim, self._enqueue, message_id=message_id))

    async def withdraw(self, message_id: str, *, by: str) -> None:
        await self._store.withdraw(message_id, by=by)

    async def send_now(self, message_id: str, *, by: str) -> None:
        stopped = await self._store.send_now(message_id, self._enqueue, by=by)
        if stopped is not None:
            await self._cancel(stopped)

    async def answer(self, key: str, question_id: str, answer: Answer) -> Receipt:
        check_answer(answer)
        return await self._store.answer(key, question_id, answer, self._enqueue)

    async def open_pull_requests(self, key: str, *, by: str, repositories: Sequence[str] = ()) -> Receipt:
        last = (await self._store.conversation(key)).request
        changes = await self._store.changes(key)
        choices = {each.repository: RepositoryChoice(name=each.repository, base=each.base) for each in changes}
        choices |= {each.name: each for each in last.repositories}
        if unknown := [name for name in repositories if name not in choices]:
            raise InvalidInput("repo", f"{unknown[0]} is no repository of this conversation")
        names = repositories or [each.repository for each in changes if each.files or each.unpublished]
        chosen = tuple(choices[name] for name in names)
        # The settings have changed since it was chosen, and here nobody can choose another one.
        model = last.model if last.model in self._models else None
        request = Request(mode=RunMode.PUBLISH, by=by, model=model, repositories=chosen)
        return await self.send(key, request, message_id=str(uuid.uuid4()))

    async def prefer_model(self, person: str, model: str) -> None:
        if model not in self._models:
            raise InvalidInput("model", f"must be one of {', '.join(self._models)}")
        await self._store.prefer_model(person, model)

    async def preferred_model(self, person: str) -> str:
        return await self._chosen_model(person) or next(iter(self._models))

    @property
    def models(self) -> dict[str, str]:
        return self._models

    async def run(self, run_id: str) -> Run:
        return await self._store.run(run_id)

    async def runs(self, wanted: RunFilter) -> RunPage:
        return await self._store.runs(wanted)

    async def events(self, run_id: str, *, after: int, limit: int) -> Sequence[Event]:
        return await self._store.events(run_id, after=after, limit=limit)

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        return self._store.follow(run_id, after=after)

    async def stop_run(self, run_id: str, *, by: str) -> Run:
        # The status first: whatever the cancelled work says on its way out comes too late.
        await self._cancel(
            await self._store.stop_run(run_id, outcome=f"Stopped by {by}. The work so far is kept.", by=by)
        )
        return await self._store.run(run_id)

    async def retry_run(self, run_id: str, *, by: str | None = None) -> Receipt:
        run = await self._store.run(run_id)
        if not may_retry(run.status):
            raise Conflict(f"Run {run_id} is {run.status}; only one that ended without a pull request can be retried.")
        job = await self._store.job(run_id)
        request = retried(run, job.request, by=by)
        if request.model is not None and request.model not in self._models:
            request = request.model_copy(update={"model": None})
        claim = Claim(
            ticket=job.ticket,
            request=request,
            trigger=run.trigger,
            options=job.options,
            answering=await self._answered(job),
        )
        return self._taken(await self._store.claim(claim, self._enqueue))

    async def _answered(self, job: Job) -> str | None:
        """What the run went on from and its retry goes on from, unless it had come to another question since."""
        decisions = await self._store.decisions(job.ticket.key)
        if job.decision is None or any(each.run_id == job.run_id and each.answer is None for each in decisions):
            return None
        return job.decision.question.id

    async def _chosen_before(self, key: str) -> list[tuple[RepositoryChoice, ...]]:
        """What the conversation chose, if there is one; else what others of the project did, the newest first."""
        try:
            return [(await self._store.conversation(key)).request.repositories or self.repositories()[:1]]
        except NotFound:
            project = f"{key.rpartition('-')[0]}-"
        alike = await self._store.conversations(ConversationFilter(words=project, limit=20))
        chosen = (each.request.repositories for each in alike if each.ticket.key.startswith(project))
        return [each for each in chosen if each]

    async def _chosen_model(self, person: str) -> str | None:
        preferred = await self._store.preferred_model(person)
        return preferred if preferred in self._models else None

    async def _known(self, key: str) -> Ticket:
        try:
            return await self._store.ticket(key)
        except NotFound:
            if not self._tracker.configured:
                raise
        return (await self._tracker.show(key)).ticket

    async def _free_key(self, key: str) -> str:
        key = key.strip().upper()
        if not is_ticket_key(key):
            raise InvalidInput("key", "must be a key such as PROJ-1")
        try:
            await self._store.ticket(key)
        except NotFound:
            return key
        raise Conflict(f"There is a ticket {key} already. Choose another key, or open that one.")

    def _taken(self, receipt: Receipt) -> Receipt:
        return receipt

    @abstractmethod
    def _enqueue(self, transaction: Any, work: Work) -> None:
        """Hand a work to whoever does it, in the open transaction."""

    @abstractmethod
    async def _cancel(self, work: str) -> None:
        """Let a work end soon."""
