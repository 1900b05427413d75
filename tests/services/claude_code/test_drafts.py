"""The text that is being written."""

from itertools import pairwise
from typing import Any

from claude_agent_sdk import StreamEvent

from app.services.claude_code.drafts import Draft


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def event(kind: str, *, parent: str | None = None, **more: Any) -> StreamEvent:
    return StreamEvent(uuid="u", session_id="s", event={"type": kind, **more}, parent_tool_use_id=parent)


def piece(text: str, *, parent: str | None = None) -> StreamEvent:
    return event("content_block_delta", delta={"type": "text_delta", "text": text}, parent=parent)


def test_the_first_words_are_told_at_once_and_then_some_twenty_times_a_second() -> None:
    clock = Clock()
    draft = Draft(clock=clock)
    told = []
    for _ in range(100):  # a second of text
        told.append(draft.grown(piece("ab ")))
        clock.now += 0.01
    tellings = [text for text in told if text is not None]
    assert told[0] == "ab "
    assert 20 <= len(tellings) <= 26
    assert all(later.startswith(earlier) for earlier, later in pairwise(tellings))


def test_a_new_block_begins_anew() -> None:
    clock = Clock()
    draft = Draft(clock=clock)
    draft.grown(piece("first"))
    draft.grown(event("content_block_start", content_block={"type": "text", "text": ""}))
    clock.now = 1.0
    assert draft.grown(piece("second")) == "second"


def test_a_request_that_is_made_again_begins_anew() -> None:
    clock = Clock()
    draft = Draft(clock=clock)
    draft.grown(piece("half of an ans"))
    draft.grown(event("message_start", message={}))
    clock.now = 1.0
    assert draft.grown(piece("half")) == "half"


def test_space_sub_agents_and_what_is_no_text_are_not_told() -> None:
    draft = Draft(clock=Clock())
    assert draft.grown(piece(" \n")) is None
    assert draft.grown(piece("I am a sub-agent.", parent="t1")) is None
    assert draft.grown(event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"})) is None
    assert draft.grown(event("message_stop")) is None
    assert draft.grown(piece("Now.")) == " \nNow."


def test_what_is_written_unseen_gives_a_sign_every_five_seconds() -> None:
    clock = Clock()
    draft = Draft(clock=clock)
    unseen = event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"})
    signs = []
    for _ in range(12):
        signs.append(draft.is_alive(unseen))
        clock.now += 1.0
    assert signs == [True, *[False] * 4, True, *[False] * 4, True, False]
    clock.now += 5.0
    assert not draft.is_alive(event("ping"))
