"""The error tree: one class for each decision that a caller can take.

Each message is one sentence that says what happened, to what, and what to do next. Vendor errors are translated into
these where they appear, in the client that knows the vendor.
"""

from datetime import datetime


class AutoCodeError(Exception):
    """Anything that the product itself says went wrong."""

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self)


class ConfigurationError(AutoCodeError):
    """The settings do not allow what was asked; nothing was started."""


class InvalidInput(AutoCodeError):
    """A request that cannot be understood. `field` names the part at fault, dotted from the body's root."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TooLarge(AutoCodeError):
    """A request body over its limit of `most` bytes."""

    def __init__(self, most: int, advice: str = "Send the ticket without attachments.") -> None:
        super().__init__(f"The body is larger than {most:,} bytes. {advice}")


class Unauthorized(AutoCodeError):
    """Nobody we know sent this."""


class Forbidden(AutoCodeError):
    """Whoever sent this may not do it, signed in or not."""


class NotFound(AutoCodeError):
    """What was asked for does not exist."""


class Conflict(AutoCodeError):
    """The thing exists, but its state does not allow what was asked."""


class StoreUnavailable(AutoCodeError):
    """The database did not take the write; the sender should try again."""


class ClaimLost(AutoCodeError):
    """Another worker has the run by now. Whoever hears this ends without a word: the run goes on there."""


class WorkFailed(AutoCodeError):
    """A run cannot go on. The message becomes the run's error."""


class TemporarilyFailed(WorkFailed):
    """The same call may succeed later: a network fault, an overloaded server. Steps are tried again for this."""


class Parked(WorkFailed):
    """Nothing can be asked of the model before `until`, for anybody: the same call is made again then."""

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Overloaded(Parked):
    """The same without a time that was announced: the model's API is overloaded or away. It is not waited for without
    end.
    """


class BranchMoved(WorkFailed):
    """Somebody pushed to the run's branch; the push was refused so that nothing of theirs is lost."""


class SessionLost(WorkFailed):
    """The process behind a Claude session ended in the middle of a turn; the session can be resumed."""
