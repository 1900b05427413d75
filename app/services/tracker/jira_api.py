"""How Jira Cloud is asked, and what its refusals mean for people. No sentence holds the token."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from app.errors import AutoCodeError, InvalidInput, NotFound, TemporarilyFailed, WorkFailed
from app.http import HttpClient, Reply

GATEWAY = "https://api.atlassian.com"
"""Where a token with scopes is taken; Jira's own address refuses it."""

_MOST_SAID = 300
_API = "/rest/api/3"

M = TypeVar("M", bound=BaseModel)


class _Refusal(BaseModel):
    """What Jira says with an error: sentences, and sentences by field."""

    messages: tuple[str, ...] = Field((), alias="errorMessages")
    errors: dict[str, str] = {}

    @property
    def said(self) -> str:
        """All of it, shortened."""
        return " ".join([*self.messages, *self.errors.values()])[:_MOST_SAID]


class JiraApi:
    """REST v3 of one site, as one account."""

    def __init__(
        self, *, site_url: str, email: str, token: str, cloud_id: str | None, gateway_url: str, limit_s: float
    ) -> None:
        self._site = site_url
        self._http = HttpClient(
            base_url=f"{gateway_url}/ex/jira/{cloud_id}" if cloud_id else site_url,
            basic=(email, token),
            limit_s=limit_s,
        )

    async def get(self, answer: type[M], path: str, /, **query: str | int) -> M:
        """What is at a path."""
        return self._read(answer, await self._http.ask("GET", _API + path, query=query))

    async def post(self, answer: type[M], path: str, body: Mapping[str, Any]) -> M:
        """What became of a body. Raises InvalidInput with the field that Jira refused."""
        return self._read(answer, await self._http.ask("POST", _API + path, json=body))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()

    def _read(self, answer: type[M], reply: Reply) -> M:
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise self._failure(reply)
        try:
            return answer.model_validate_json(reply.body)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"])) or "the whole"
            raise WorkFailed(
                f"Jira's answer cannot be understood ({where}: {fault['msg']}). "
                f"Check that JIRA_SITE_URL is a Jira Cloud site: {self._site}."
            ) from error

    def _failure(self, reply: Reply) -> AutoCodeError:
        status, jira, said = reply.status, f"Jira at {self._site}", _refusal(reply.body).said
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return TemporarilyFailed(f"{jira} asks for a pause (status 429). Try again {_when(reply)}.")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TemporarilyFailed(f"{jira} has a fault (status {status}). Try again later.")
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(f"{jira} does not have this, or hides it from the account (status 404). {said}".strip())
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            field = next(iter(_refusal(reply.body).errors), "ticket")
            return InvalidInput(field, said or f"was refused by Jira without a reason (status {status})")
        what, mend = _REFUSALS.get(status, _OTHER_REFUSAL)
        return WorkFailed(f"{jira} {what} (status {status}). {mend} {said}".strip())


_REFUSALS = {
    401: (
        "refused the account",
        "Check JIRA_EMAIL and JIRA_TOKEN; a token with scopes needs JIRA_CLOUD_ID too.",
    ),
    403: ("does not let the account do this", "Check the rights of JIRA_EMAIL and the scopes of JIRA_TOKEN."),
}
_OTHER_REFUSAL = ("answers as Jira Cloud does not", "Check JIRA_SITE_URL.")


def _refusal(body: bytes) -> _Refusal:
    """What was said; nothing where an error comes as a page, from a proxy perhaps."""
    try:
        return _Refusal.model_validate_json(body)
    except ValidationError:
        return _Refusal()


def _when(reply: Reply) -> str:
    wait = reply.headers.get("retry-after", "")
    return f"in {wait} seconds" if re.fullmatch("[0-9]{1,6}", wait) else "later"
