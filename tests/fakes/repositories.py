"""Bare git repositories on the far side, and what a person does to them there.

Everything goes through plain git with an environment of its own: the machine's configuration has no say.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PERSON = {"NAME": "Ada Human", "EMAIL": "ada@example.com", "DATE": "2026-11-01T12:00:00Z"}

PLAIN_GIT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TEMPLATE_DIR": "",  # no samples of hooks
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()},
}


@cache
def _template(files: tuple[tuple[str, str], ...], branch: str) -> Path:
    """What a new repository is a copy of: its making takes a dozen calls of git, and most tests begin with one."""
    root = Path(tempfile.mkdtemp(prefix="ac-template-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    made = Repositories(root)
    path = made.path("template/template")
    path.mkdir(parents=True)
    git("init", "--quiet", "--bare", f"--initial-branch={branch}", cwd=path)
    git("config", "http.receivepack", "true", cwd=path)
    made.commit_as_human("template/template", branch, dict(files), "Begin")
    return path


class Repositories:
    """Bare repositories `root/OWNER/NAME.git`, named `OWNER/NAME`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, repository: str) -> Path:
        """The bare repository."""
        return self.root / f"{repository}.git"

    def create(self, repository: str, files: Mapping[str, str] | None = None, *, branch: str = "main") -> Path:
        """A new bare repository, with one commit of `files` on its default branch."""
        path = self.path(repository)
        shutil.copytree(_template(tuple((files or {"README.md": "# Widgets\n"}).items()), branch), path)
        return path

    def commit_as_human(self, repository: str, branch: str, files: Mapping[str, str], message: str) -> str:
        """Put a person's commit on a branch, which begins at the default branch if it is new. Returns the commit."""
        path = self.path(repository)
        parent = self.heads(repository).get(branch) or self.heads(repository).get(self.default_branch(repository))
        index = {"GIT_INDEX_FILE": str(path / "human.index")}
        git("read-tree", parent or "--empty", cwd=path, env=index)
        for name, text in files.items():
            blob = git("hash-object", "-w", "--stdin", cwd=path, stdin=text)
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", cwd=path, env=index)
        tree = git("write-tree", cwd=path, env=index)
        commit = git("commit-tree", tree, *(["-p", parent] if parent else []), "-m", message, cwd=path)
        git("update-ref", f"refs/heads/{branch}", commit, cwd=path)
        return commit

    def default_branch(self, repository: str) -> str:
        """The branch that HEAD names."""
        return git("symbolic-ref", "--short", "HEAD", cwd=self.path(repository))

    def heads(self, repository: str) -> dict[str, str]:
        """Branches and their commits."""
        lines = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", cwd=self.path(repository))
        pairs = (line.split(" ") for line in lines.splitlines())
        return {name.removeprefix("refs/heads/"): commit for name, commit in pairs}

    def file(self, repository: str, ref: str, name: str) -> str | None:
        """A file's text at a branch or commit; None when it is not there."""
        path = self.path(repository)
        listed = git("ls-tree", "--name-only", ref, "--", name, cwd=path)
        return git("show", f"{ref}:{name}", cwd=path, strip=False) if listed else None

    def log(self, repository: str, ref: str) -> list[str]:
        """Subjects of a branch's commits, newest first."""
        return git("log", "--format=%s", ref, "--", cwd=self.path(repository)).splitlines()

    def set_hook(self, repository: str, name: str, script: str) -> None:
        """Let the far side run a script, `pre-receive` say, to refuse a push."""
        hook = self.path(repository) / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(script)
        hook.chmod(0o755)


def git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "", strip: bool = True) -> str:
    """What plain git prints. Raises CalledProcessError, with git's own words as its note."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env={**PLAIN_GIT, **(env or {})},
            input=stdin,
            text=True,
            capture_output=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
    return done.stdout.strip() if strip else done.stdout
