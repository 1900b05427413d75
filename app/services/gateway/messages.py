"""Anthropic's own Messages API, and gateways that speak as it does."""

import re

from pydantic import SecretStr

from app.services.gateway.api import Api, Question
from app.services.gateway.listener import Headers

_MESSAGES = ("POST", "/v1/messages")
_ASKED = {_MESSAGES, ("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models")}
_ONE_MODEL = re.compile(r"/v1/models/\w[\w.:@-]*")
_OAUTH = "CLAUDE_CODE_OAUTH_TOKEN"
_OAUTH_BETA = b"oauth-2025-04-20"


class Messages(Api):
    """Takes an API key, or a subscription's token."""

    address = "https://api.anthropic.com"
    credential_name = "ANTHROPIC_API_KEY"
    question = Question(
        "GET", "/v1/models?limit=1", [(b"anthropic-version", b"2023-06-01"), (b"accept", b"application/json")]
    )

    def passes(self, method: str, path: str) -> bool:
        return (method, path) in _ASKED or (method == "GET" and _ONE_MODEL.fullmatch(path) is not None)

    def is_metered(self, method: str, path: str) -> bool:
        return (method, path) == _MESSAGES

    def model_in(self, path: str) -> str:  # noqa: ARG002 - it is in the body
        return ""

    def signed(self, headers: Headers, name: str, credential: SecretStr) -> Headers:
        value = credential.get_secret_value().encode()
        if name != _OAUTH:
            return [*headers, (b"x-api-key", value)]
        betas = [held for key, held in headers if key == b"anthropic-beta"]
        if _OAUTH_BETA not in b",".join(betas).split(b","):
            betas.append(_OAUTH_BETA)
        others = [(key, held) for key, held in headers if key != b"anthropic-beta"]
        return [*others, (b"anthropic-beta", b",".join(betas)), (b"authorization", b"Bearer " + value)]
