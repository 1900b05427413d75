"""What people and runs do in conversations, for the contracts of the store."""

from typing import Any

from app.models import (
    Answer,
    Asked,
    Choice,
    Conversation,
    Event,
    EventKind,
    PipelineOptions,
    Question,
    Receipt,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
    Trigger,
    Work,
)
from app.services.store import Claim, Store
from tests.contracts.test_store import accepted, claim_of, queue

KEY = "PROJ-1"
ONE = (RepositoryChoice(name="a/one", base="main"),)
TWO = (RepositoryChoice(name="a/two", base="next"),)
QUESTION = Question(id="q", asked=(Asked(question="Which blue?", choices=(Choice(label="Navy"), Choice(label="Sky"))),))
PLAN = Question(id="plan", plan="1. Paint it.")
APPROVAL = Answer(by="Ada", approved=True)


class EngineAway(Exception):
    """The engine takes nothing."""


class Engine:
    """Takes every work, and says which."""

    def __init__(self) -> None:
        self.taken: list[Work] = []

    def __call__(self, _transaction: Any, work: Work) -> None:
        self.taken.append(work)

    @property
    def works(self) -> list[str]:
        """Their ids."""
        return [work.id for work in self.taken]


def refuse(_transaction: Any, _work: Work) -> None:
    """An engine that takes nothing."""
    raise EngineAway


def message_of(text: str = "Use blue.", *, key: str = KEY, **asked: Any) -> Claim:
    """A person's message; `asked` are fields of its request."""
    request = Request.model_validate({"mode": RunMode.EDITS, "text": text, "by": "Ada", **asked})
    options = PipelineOptions(lint=True)
    return Claim(ticket=claim_of(key).ticket, request=request, trigger=Trigger.MESSAGE, options=options)


async def send(store: Store, message_id: str, text: str = "Use blue.", **asked: Any) -> Receipt:
    """Send a message to whom everything is taken."""
    return await store.send(message_of(text, **asked), queue, message_id=message_id)


async def running(store: Store, claim: Claim | None = None) -> str:
    """A run at work."""
    run_id = await accepted(store, claim)
    await store.move(run_id, RunStatus.RUNNING)
    return run_id


async def asking(store: Store, question: Question = QUESTION, *, key: str = KEY, **asked: Any) -> str:
    """A person's run that waits with the question."""
    run_id = await running(store, message_of(key=key, **asked))
    await store.ask(run_id, question)
    return run_id


async def at_work_again(store: Store, run_id: str, question_id: str = "q") -> None:
    """Answer what the run waits with, and let it work."""
    ticket = (await store.run(run_id)).ticket
    await store.answer(ticket, question_id, Answer(by="Ada", text="Navy"), queue)
    await store.move(run_id, RunStatus.RUNNING)


async def everything(store: Store, key: str = KEY) -> tuple[Conversation, tuple[Event, ...]]:
    """All that is known of a conversation, to see that nothing changed."""
    return await store.conversation(key), tuple(await store.history(key, limit=1000))


async def heard(store: Store, *kinds: EventKind, key: str = KEY) -> list[dict[str, Any]]:
    """The payloads of a conversation's events of these kinds."""
    return [event.payload for event in await store.history(key, limit=1000) if event.kind in kinds]


async def waiting(store: Store, key: str = KEY) -> list[str]:
    """The ids of the messages in the queue."""
    return [message.id for message in (await store.conversation(key)).queue]
