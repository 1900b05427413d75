"""What the end of a turn means: a result, or which failure."""

from http import HTTPStatus

from claude_agent_sdk import Message, ResultMessage, SystemMessage

from app.errors import TemporarilyFailed, WorkFailed

_CREDENTIAL_REFUSED = "Claude's API refused the credential. Check {name}, then retry the run."
_OVERLOADED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


def raise_for_failure(result: ResultMessage, *, credential: str) -> None:
    """Return when the turn ended by itself or at its limit of turns; else raise what the failure asks for.

    The SDK calls an API failure a success with an error flag, so the flag decides.
    """
    if not result.is_error or result.subtype == "error_max_turns":
        return
    status = result.api_error_status
    said = (result.result or "; ".join(result.errors or []) or result.subtype).strip()[:500]
    if status in (401, 403) or "Not logged in" in said:
        raise WorkFailed(_CREDENTIAL_REFUSED.format(name=credential))
    if result.terminal_reason == "prompt_too_long":
        raise WorkFailed(
            "The conversation no longer fits into the model's context. Split the ticket into smaller ones."
        )
    if status in _OVERLOADED or (status is None and result.terminal_reason == "api_error"):
        raise TemporarilyFailed(f"Claude's API did not answer ({said}). Retry the run when it is back.")
    raise WorkFailed(f"Claude could not finish the turn: {said}. Look at the conversation, then retry the run.")


def raise_for_refusal(message: Message, *, credential: str) -> None:
    """Raise once the API refuses the credential: the CLI would try again for minutes, as if it were overloaded."""
    if isinstance(message, SystemMessage) and message.data.get("error_status") == HTTPStatus.UNAUTHORIZED:
        raise WorkFailed(_CREDENTIAL_REFUSED.format(name=credential))
