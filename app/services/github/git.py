"""How git is run: with an environment of our own, and never with what the target repository brings along.

Three directories take part. The *clone* is the repository that worktrees belong to; agents can write into its
configuration, hooks and administrative files. The *private* directory is ours alone: its own configuration, references
and one index for each worktree, over the clone's objects. Everything that touches files or the network runs there, so
nothing in the clone can start a program on our side or lead the token elsewhere. The worktree is only ever data.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.errors import WorkFailed
from app.process import Completed, run
from app.services.github.credential import Credential
from app.services.github.failures import git_failed
from app.services.github.remote import Remote

OPERATOR_VARIABLES = (
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH", "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH", "GIT_SSH", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "GH_CONFIG_DIR", "GH_HOST", "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip
"""What git and gh need of the operator's environment, beyond what every program gets."""

AUTHOR = ("auto-code", "auto-code@users.noreply.github.com")

LOCAL_LIMIT_S = 600.0
NETWORK_LIMIT_S = 1200.0

_HARD = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.splitIndex": "false",
    "core.quotePath": "false",
    "core.untrackedCache": "false",
    "index.sparse": "false",
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.default": "nothing",
    "diff.ignoreSubmodules": "all",
    "diff.submodule": "short",
    "commit.gpgSign": "false",
    # Git LFS: its filters need a remote of their own. Pointers stay pointers, as on a machine without it.
    "filter.lfs.process": "",
    "filter.lfs.clean": "",
    "filter.lfs.smudge": "",
    "filter.lfs.required": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "color.ui": "false",
}


@dataclass(frozen=True)
class Desk:
    """A worktree's files and the private index that knows them."""

    directory: Path
    index: Path


def environment(
    operator: Mapping[str, str],
    *,
    config: Mapping[str, str] | None = None,
    protocol: str = "",
    variables: Mapping[str, str | Path] | None = None,
) -> dict[str, str]:
    """The environment of one git command: the operator's, our identity, and configuration that wins over every file."""
    settings = {**_HARD, **(config or {})}
    name, email = AUTHOR
    made = {
        **{key: value for key, value in operator.items() if not key.startswith("GH_")},
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_EDITOR": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": "60",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for place, (key, value) in enumerate(settings.items()):
        made[f"GIT_CONFIG_KEY_{place}"], made[f"GIT_CONFIG_VALUE_{place}"] = key, value
    for theirs, ours in (("SSL_CERT_FILE", "GIT_SSL_CAINFO"), ("SSL_CERT_DIR", "GIT_SSL_CAPATH")):
        if theirs in operator:
            made.setdefault(ours, operator[theirs])
    return made | {key: str(value) for key, value in (variables or {}).items()}


_READS = frozenset(
    {"cat-file", "diff-tree", "for-each-ref", "ls-files", "ls-tree", "merge-base", "rev-list", "rev-parse"}
)


async def run_git(
    *args: str | Path, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", limit_s: float = LOCAL_LIMIT_S
) -> Completed:
    """Run git. Raises WorkFailed when git or the directory is missing."""
    try:
        return await run(("git", *args), cwd=cwd, env=env, stdin=stdin, limit_s=limit_s, alone=args[0] in _READS)
    except (FileNotFoundError, NotADirectoryError) as error:
        # Both are the same error here; only its file name tells the program from the directory.
        lacks = f"{cwd} is not there any more" if error.filename == str(cwd) else "install git 2.38 or later"
        raise WorkFailed(f"git could not be started: {lacks}.") from error


class Git:
    """Runs git on one clone, on its private directory and on the network. Failures raise, unless `check` is false.

    `clone_config` is what the clone's configuration shall be; None where the clone is a person's own.
    """

    def __init__(
        self,
        *,
        clone: Path,
        clone_config: str | None,
        private: Path,
        remote: Remote,
        credential: Credential,
        operator: Mapping[str, str],
    ) -> None:
        self._clone_config = clone_config
        self.clone_dir = clone
        self.private_dir = private
        self.remote = remote
        self._credential = credential
        self._operator = operator
        self._private = {"GIT_DIR": private, "GIT_OBJECT_DIRECTORY": clone / "objects"}
        self._address: str | None = None

    async def clone(self, *args: str | Path, stdin: bytes = b"", check: bool = True) -> Completed:
        """A command on the clone's references and worktree list. None that touches files may run here."""
        self.restore_config()
        env = environment(self._operator, variables={"GIT_DIR": self.clone_dir})
        return self._checked(await run_git(*args, cwd=self.private_dir, env=env, stdin=stdin), args, check=check)

    def restore_config(self) -> None:
        """Undo what agents wrote into the configuration of our clone; a person's own is theirs."""
        if self._clone_config is not None:
            write_whole(self.clone_dir / "config", self._clone_config)

    async def private(
        self, *args: str | Path, desk: Desk | None = None, stdin: bytes = b"", check: bool = True
    ) -> Completed:
        """A command on objects and our references, and with a desk on a worktree's files."""
        variables = dict(self._private)
        if desk:
            variables |= {"GIT_WORK_TREE": desk.directory, "GIT_INDEX_FILE": desk.index}
        env = environment(self._operator, variables=variables)
        cwd = desk.directory if desk else self.private_dir
        return self._checked(await run_git(*args, cwd=cwd, env=env, stdin=stdin), args, check=check)

    async def network(
        self,
        doing: str,
        *args: str,
        check: bool = True,
        limit_s: float = NETWORK_LIMIT_S,
        guard: Callable[[], Awaitable[None]] | None = None,
    ) -> Completed:
        """A command that talks to the remote, which it calls `forge`. `doing` completes "Could not …".

        `guard` is awaited immediately before the command is started.
        """
        if self._address is None:
            # The private directory knows no URL, so this applies the operator's own insteadOf and nothing else.
            self._address = (await self.private("ls-remote", "--get-url", self.remote.url)).text.strip()
        env = self._plugged_in(self._address)
        if guard is not None:
            await guard()
        done = await run_git(*args, cwd=self.private_dir, env=env, limit_s=limit_s)
        return self._checked(done, args, check=check, doing=doing)

    def failed(self, doing: str, done: Completed) -> WorkFailed:
        """The error for a command that was run with `check` off."""
        token = self._credential.now()
        secrets = (token, _basic(token)) if token else ()
        return git_failed(doing, done, *secrets, rotates=self._credential.rotates)

    def _checked(self, done: Completed, args: tuple[str | Path, ...], *, check: bool, doing: str = "") -> Completed:
        if check and not done.ok:
            raise self.failed(doing or f"run git {args[0]}", done)
        return done

    def _plugged_in(self, address: str) -> dict[str, str]:
        """The environment of network commands: the token for the one address that git will really use."""
        url, parts, token = self.remote.url, urlsplit(address), self._credential.now()
        scheme = parts.scheme or ("file" if address.startswith(("/", ".")) else "ssh")
        # An explicit pushurl keeps pushInsteadOf from leading the push to another place than the fetch.
        config = {"remote.forge.url": url, "remote.forge.pushurl": url}
        if scheme != "ssh":
            config["core.sshCommand"] = "false"
        if token and scheme in {"http", "https"}:
            scope = f"{scheme}://{parts.netloc.rpartition('@')[2]}/"
            config[f"http.{scope}.extraHeader"] = f"Authorization: Basic {_basic(token)}"
            config["credential.helper"] = ""  # ours or none: no helper is asked what else there is
        return environment(self._operator, config=config, protocol=scheme, variables=self._private)


def write_whole(path: Path, text: str) -> None:
    """Have `text` in a file, where it is not there already; never half of it."""
    try:
        if not path.is_symlink() and path.read_text() == text:
            return
    except (OSError, ValueError):
        pass
    draft = path.with_name(f"{path.name}.auto-code")
    draft.write_text(text)
    draft.replace(path)


def _basic(token: str) -> str:
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()
