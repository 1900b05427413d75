"""The forge's token, asked for anew whenever it is used: one of a GitHub App is valid for an hour only."""

from collections.abc import Callable
from dataclasses import dataclass


def _none() -> None:
    """There is no token: git and gh use what the operator set up for them."""


@dataclass(frozen=True)
class Credential:
    """Where the token is read. `rotates`: somebody replaces it in time, so the next one may be taken where one is
    refused.
    """

    now: Callable[[], str | None] = _none
    rotates: bool = False
