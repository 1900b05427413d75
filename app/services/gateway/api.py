"""What differs between the services that Claude is asked at: address, what passes, and how they know who asks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pydantic import SecretStr

from app.services.gateway.listener import Headers


@dataclass(frozen=True)
class Question:
    """A request that costs nothing, and is let in only with a good credential."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""


class Api(ABC):
    """A service that Claude is asked at. Paths are those behind its address."""

    address: str
    credential_name: str
    """The variable that people set, where they may set one of several: the usual one."""
    question: Question

    @abstractmethod
    def passes(self, method: str, path: str) -> bool:
        """Whether the CLI may ask that."""

    @abstractmethod
    def is_metered(self, method: str, path: str) -> bool:
        """Whether the model is asked, which costs money."""

    @abstractmethod
    def model_in(self, path: str) -> str:
        """The model that a path names; empty where the request's body does."""

    @abstractmethod
    def signed(self, headers: Headers, name: str, credential: SecretStr) -> Headers:
        """The headers with the credential of that variable."""
