"""What a turn does next, by what the session's transcript knows of it. So nothing is asked or answered twice."""

from app.models import Model, Tokens
from app.results import Turn
from app.services.claude_code.base import Prompt, Reply
from app.services.claude_code.transcripts import GO_ON, GO_ON_RESTORED, Asked, History, Waiting


class Known(Model):
    """The turn has ended already, like this."""

    asked: Asked

    def turn(self, session_id: str, spent: Tokens) -> Turn:
        """The turn, as far as the transcript keeps it; `spent` is what this process knows of."""
        return Turn(
            text=self.asked.answer or "",
            session_id=session_id,
            session_cost_usd=self.asked.cost_usd,
            tokens=spent,
            question=self.asked.question,
        )


class Resolve(Model):
    """The session waits with the very question, and gets the answer in its place."""

    reply: Reply


class Say(Model):
    """The session is given words. A question that it waits with is `set_aside` before."""

    text: str
    prompt_id: str | None = None
    set_aside: Waiting | None = None


def next_step(ask: Prompt | Reply, history: History, *, files_behind: bool = False) -> Known | Resolve | Say:
    """What to do for the turn, at its beginning or wherever it was cut off.

    `files_behind`: the files may be older than what the session did in this turn, so that it has to look again, also
    where it had ended.
    """
    prompt = ask if isinstance(ask, Prompt) else ask.prompt
    asked = history.asked(prompt.id)
    waiting = history.waiting
    if asked is None and isinstance(ask, Reply):
        asked = history.asked(ask.question.id)
        if asked is None and waiting is not None and waiting.question.id == ask.question.id and waiting.alone:
            return Resolve(reply=ask)
    if asked is None:
        return Say(text=prompt.text, prompt_id=prompt.id, set_aside=waiting)
    if files_behind:
        return Say(text=GO_ON_RESTORED, set_aside=waiting)
    if asked.answer is not None or asked.question is not None:
        return Known(asked=asked)
    return Say(text=GO_ON, set_aside=waiting)
