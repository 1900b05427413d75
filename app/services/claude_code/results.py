"""What the end of a turn, or of its process, means: a result, or which failure."""

import signal

from claude_agent_sdk import ResultMessage

from app.errors import TemporarilyFailed, WorkFailed
from app.models import Tokens
from app.results import Turn
from app.services.claude_code.questions import question_of

_REFUSED = "Claude Code may not ask the model (its way there is closed). Look at the service's log, then retry the run."
_BY_SIGNAL = 128
_OVERLOADED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


def raise_for_failure(result: ResultMessage) -> None:
    """Return when the turn ended by itself or at its limit of turns; else raise what the failure asks for.

    The SDK calls an API failure a success with an error flag, so the flag decides.
    """
    if not result.is_error or result.subtype == "error_max_turns":
        return
    status = result.api_error_status
    said = (result.result or "; ".join(result.errors or []) or result.subtype).strip()[:500]
    if status in (401, 403) or "Not logged in" in said:
        raise WorkFailed(_REFUSED)
    if result.terminal_reason == "prompt_too_long":
        raise WorkFailed(
            "The conversation no longer fits into the model's context. Split the ticket into smaller ones."
        )
    if status in _OVERLOADED or (status is None and result.terminal_reason == "api_error"):
        raise TemporarilyFailed(f"Claude's API did not answer ({said}). Retry the run when it is back.")
    raise WorkFailed(f"Claude could not finish the turn: {said}. Look at the conversation, then retry the run.")


def turn_of(result: ResultMessage, *, session_id: str, tokens: Tokens, duration_s: float) -> Turn:
    """The turn that ended like this, `tokens` and duration with all its resumptions."""
    deferred = result.deferred_tool_use
    return Turn(
        text=result.result or "",
        session_id=session_id,
        turns=result.num_turns,
        session_cost_usd=result.total_cost_usd or 0.0,
        tokens=tokens,
        duration_s=round(duration_s, 3),
        finished=result.subtype != "error_max_turns",
        question=question_of(deferred.id, deferred.name, deferred.input) if deferred is not None else None,
    )


def end_in_words(status: int) -> str:
    """How a process ended, by the status that the SDK tells: of a signal below 0, or as shells tell it."""
    number = -status if status < 0 else status - _BY_SIGNAL
    if number == signal.SIGKILL:
        return "it was killed (SIGKILL), as processes are when memory runs out"
    try:
        return f"it was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"it ended with status {status} and said nothing"
