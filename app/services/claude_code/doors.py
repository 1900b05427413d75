"""What a CLI process needs around it, said as this room sees it: a way to the model, and a room that keeps it in."""

from dataclasses import dataclass
from typing import Protocol

from app.errors import WorkFailed
from app.results import Account
from app.sandbox import Sandbox
from app.services.claude_code.options import CliSettings


class Door(Protocol):
    """One process's way to the model. Requests pass while a turn is open, charged to its account."""

    @property
    def url(self) -> str:
        """What the process takes for the address of the Messages API, or of Bedrock."""

    @property
    def port(self) -> int:
        """The only TCP port that the process needs."""

    @property
    def token(self) -> str:
        """What it takes for its credential; worth nothing elsewhere."""

    def begin(self, account: Account) -> None:
        """A turn begins."""

    def end(self) -> None:
        """It has ended."""

    def refusal(self) -> WorkFailed | None:
        """Why the model was not asked in the turn, or refused everybody: what the turn failed with."""

    async def close(self) -> None:
        """Close it."""


class Gateway(Protocol):
    """Opens doors."""

    async def open(self, session_id: str) -> Door:
        """A door for one process of the session."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all CLI processes have in common."""

    cli: CliSettings
    gateway: Gateway
    sandbox: Sandbox
