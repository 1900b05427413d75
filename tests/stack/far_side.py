"""The far side of the service's wires, for a service in a container: `python -m tests.stack.far_side`.

Claude's API and git's server are reached by this container's name. GitHub's API is a unix socket in a directory that
both containers share, with the configuration by which git and gh find their way here; for without the public name and
its certificate gh takes no other. A last port is for the tests themselves.
"""

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.git_server import GitServer
from tests.fakes.github_api import GitHubApi
from tests.fakes.http import Answer, Credential, Request
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ModelRequest, conversation
from tests.fakes.server import Server
from tests.fakes.troubles import Gate
from tests.flows.world import CLEAN, FILES, IMPLEMENT, REPOSITORY, TOKEN

NAME = "far-side"
MODEL_PORT, GIT_PORT, CONTROL_PORT = 8001, 8002, 8003
SHARED = Path("/run/far-side")


class Control(Server[Request]):
    """What the tests want to know of the far side, and the one place where they let it wait: at the model.

    GET /pulls · POST /hold lets the model be silent to an author that has worked, GET /held returns when
    one waits there, POST /release lets it go.
    """

    def __init__(self, model: MessagesApi, github: GitHubApi) -> None:
        super().__init__(Request)
        self._model = model
        self._github = github
        self._gate: Gate[ModelRequest] | None = None

    def credential(self, headers: Mapping[str, str]) -> Credential:
        return "absent"

    def refusal(self, status: int) -> Answer:
        return Answer(status)

    async def answer(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/pulls":
                pulls = self._github[REPOSITORY].pulls
                return _shown([{"url": pull.url, "title": pull.title, "head": pull.head} for pull in pulls])
            case "POST", "/hold":
                self._gate = self._model.gate(_has_worked)
            case "GET", "/held" if self._gate:
                await asyncio.to_thread(self._gate.wait)
            case "POST", "/release" if self._gate:
                self._gate.open()
            case _:
                return self.refusal(404)
        return _shown(None)


def _has_worked(request: ModelRequest) -> bool:
    """It is the author's, and holds an answer already."""
    said = [index for index, text in request.prompts if IMPLEMENT in text]
    return bool(said) and any(message["role"] == "assistant" for message in request.messages[said[-1] :])


def _shown(value: object) -> Answer:
    return Answer(200, {"content-type": "application/json"}, [json.dumps(value).encode()])


def _lead_here(github: GitHubApi) -> None:
    """Write what makes git and gh come here."""
    config = f'[url "http://{NAME}:{GIT_PORT}/"]\n\tinsteadOf = https://github.com/\n'
    (SHARED / "gitconfig").write_text(config)
    github.write_gh_config(SHARED / "gh")


def main() -> None:
    """Serve until a signal comes."""
    Server.address = "0.0.0.0"
    socket = SHARED / "gh.sock"
    model = MessagesApi(conversation(CLEAN))
    git = GitServer(Path("/tmp/git"), token=TOKEN)
    github = GitHubApi({REPOSITORY: git.create(REPOSITORY, FILES)}, token=TOKEN, socket=socket)
    control = Control(model, github)
    model.port, git.port, control.port = MODEL_PORT, GIT_PORT, CONTROL_PORT
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with model, git, github, control:
        socket.chmod(0o666)
        _lead_here(github)
        signal.pause()


if __name__ == "__main__":
    main()
