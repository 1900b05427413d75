"""What the model may cost: what was spent, and whether one more request fits under a ceiling."""

from datetime import UTC, date, datetime
from enum import Enum, auto

from pydantic import Field

from app.models import Model, Tokens


class Spent(Model):
    """US dollars: of one ticket over all its runs, and of one day (UTC) over all tickets. Estimates count in full."""

    ticket_usd: float = 0.0
    day_usd: float = 0.0


class Spending(Model):
    """One model request: what it cost, and what was measured of it.

    Until it is `settled` the cost is an estimate, which stays where nobody came to say what it really was. Of `tokens`
    `cache_write` are all that were written, `cache_write_1h` those of them that are kept for an hour.
    """

    id: str
    ticket: str
    run_id: str
    session_id: str
    at: datetime
    model: str = ""
    cost_usd: float
    settled: bool = False
    tokens: Tokens = Tokens()
    cache_write_1h: int = 0
    status: int | None = Field(None, description="Of the answer; None when there was none.")
    first_token_ms: float | None = Field(None, description="From sending the request to the first piece of the answer.")
    added_ms: float = Field(0.0, description="What passing it on took, without waiting on purpose.")
    rewritten: str | None = Field(None, description="Why the cache could not be read: model, tools, system, …")

    @property
    def day(self) -> date:
        """The day (UTC) whose ceiling the request counts to."""
        return self.at.astimezone(UTC).date()

    @property
    def cached_share(self) -> float | None:
        """The share of the input that was read from the cache; None without input."""
        tokens = self.tokens
        whole = tokens.input + tokens.cache_read + tokens.cache_write
        return tokens.cache_read / whole if whole else None


class Admission(Enum):
    """What a ceiling says to one more request. WAIT: until one that is on its way has said what it cost."""

    PASS = auto()
    WAIT = auto()
    REFUSE = auto()


def admission(*, spent_usd: float, reserved_usd: float, estimate_usd: float, ceiling_usd: float | None) -> Admission:
    """Whether one more request may go, where `reserved_usd` is what those on their way are estimated to cost.

    Near the ceiling requests go one at a time, so that all together pass it by one request at most.
    """
    if ceiling_usd is None:
        return Admission.PASS
    if spent_usd >= ceiling_usd:
        return Admission.REFUSE
    if reserved_usd and spent_usd + reserved_usd + estimate_usd > ceiling_usd:
        return Admission.WAIT
    return Admission.PASS
