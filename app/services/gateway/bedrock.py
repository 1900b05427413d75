"""Claude in AWS Bedrock: the model is named by the path, and answers come in Amazon's own event stream."""

import re
from urllib.parse import quote, unquote

from pydantic import SecretStr

from app.services.gateway.api import Api, Question
from app.services.gateway.listener import Headers

# A profile of inference is named by its ARN, whose slash is written as %2F.
_INVOKE = re.compile(r"/model/(\w(?:[\w.:-]|%2F|%3A)*)/invoke(?:-with-response-stream)?", re.IGNORECASE)


class Bedrock(Api):
    """Takes a Bedrock API key.

    Not the keys of an IAM user: those may be good for more than Bedrock, and signing with them (SigV4) takes botocore's
    30 MB for one function.
    """

    credential_name = "AWS_BEARER_TOKEN_BEDROCK"

    def __init__(self, *, region: str, model: str) -> None:
        self.address = f"https://bedrock-runtime.{region}.amazonaws.com"
        # Nothing here can be looked at for free. A request that asks for nothing is refused as such, and only after its
        # credential was found good for this model.
        self.question = Question(
            "POST", f"/model/{quote(model, safe=':')}/invoke", [(b"content-type", b"application/json")], b"{}"
        )

    def passes(self, method: str, path: str) -> bool:
        return self.is_metered(method, path)

    def is_metered(self, method: str, path: str) -> bool:
        return method == "POST" and _INVOKE.fullmatch(path) is not None

    def model_in(self, path: str) -> str:
        named = _INVOKE.fullmatch(path)
        return unquote(named.group(1)) if named else ""

    def signed(self, headers: Headers, name: str, credential: SecretStr) -> Headers:  # noqa: ARG002 - it knows one
        return [*headers, (b"authorization", b"Bearer " + credential.get_secret_value().encode())]
