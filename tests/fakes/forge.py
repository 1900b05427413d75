"""What GitHub knows of a repository beyond git: its pull requests and their comments, and the rules for both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

from tests.fakes.repositories import git

Permission = Literal["admin", "write", "read"]

BODY_LIMIT = 65_536
NO_COMMIT = "0" * 40


class MissingError(Exception):
    """No such thing, or none that the token may see."""


class ForbiddenError(Exception):
    """The token may look and not touch."""

    def __init__(self) -> None:
        super().__init__("Resource not accessible by personal access token")


class InvalidError(Exception):
    """The request is understood and refused. `field` is None when no single one is at fault."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Pull:
    """A pull request. `head_owner` is another account than the repository's when it comes from a fork."""

    repository: str
    number: int
    title: str
    body: str
    head: str
    base: str
    head_owner: str
    author: str
    draft: bool = False
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    created_at: str = field(default_factory=_now)

    @property
    def url(self) -> str:
        """The page for people."""
        return f"https://github.com/{self.repository}/pull/{self.number}"

    @property
    def node_id(self) -> str:
        """Its name in GraphQL."""
        return f"PR_{self.repository}#{self.number}"


@dataclass
class Comment:
    """A comment in a pull request's conversation."""

    id: int
    number: int
    body: str
    author: str
    created_at: str = field(default_factory=_now)


@dataclass
class Forge:
    """One repository at GitHub. `git` is its bare repository; without one every branch counts as there and ahead."""

    name: str
    git: Path | None
    login: str
    permission: Permission = "write"
    drafts: bool = True
    """Whether its plan allows draft pull requests."""
    pulls: list[Pull] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1001))

    @property
    def owner(self) -> str:
        """The account that it belongs to."""
        return self.name.split("/")[0]

    @property
    def default_branch(self) -> str:
        """What pull requests go into."""
        return git("symbolic-ref", "--short", "HEAD", cwd=self.git) if self.git else "main"

    def commit(self, branch: str) -> str | None:
        """A branch's commit; None when there is no such branch."""
        if self.git is None:
            return NO_COMMIT
        return git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", cwd=self.git) or None

    def pull(self, number: int) -> Pull:
        """A pull request. Raises MissingError."""
        for pull in self.pulls:
            if pull.number == number:
                return pull
        raise MissingError(f"Could not resolve to a PullRequest with the number of {number}.")

    def find(self, *, head: str = "", base: str = "", state: str = "all") -> list[Pull]:
        """Pull requests, newest first. `head` is `owner:branch`; without an owner it is not looked at."""
        owner, colon, branch = head.partition(":")
        return [
            pull
            for pull in reversed(self.pulls)
            if state in {"all", pull.state}
            and base in {"", pull.base}
            and (not colon or (pull.head_owner, pull.head) == (owner, branch))
        ]

    def open_pull(self, *, title: str, body: str, head: str, base: str, draft: bool = False) -> Pull:
        """Open a pull request by the rules; `head` is a branch or `owner:branch`.

        Raises ForbiddenError, InvalidError.
        """
        self._may_write()
        owner, _, branch = head.rpartition(":")
        owner = owner or self.owner
        if not title.strip():
            raise InvalidError("title can't be blank", field="title")
        if draft and not self.drafts:
            raise InvalidError("Draft pull requests are not supported in this repository.")
        _check_body(body)
        self._check_branches(branch, base)
        if self.find(head=f"{owner}:{branch}", base=base, state="open"):
            raise InvalidError(f"A pull request already exists for {owner}:{branch}.")
        return self.add_pull(title=title, body=body, head=branch, base=base, head_owner=owner, draft=draft)

    def add_pull(
        self,
        *,
        head: str,
        title: str = "A pull request",
        body: str = "",
        base: str = "main",
        head_owner: str = "",
        draft: bool = False,
        author: str = "",
    ) -> Pull:
        """A pull request that is just there, whatever the rules say."""
        pull = Pull(
            repository=self.name,
            number=len(self.pulls) + 1,
            title=title,
            body=body,
            head=head,
            base=base,
            head_owner=head_owner or self.owner,
            author=author or self.login,
            draft=draft,
        )
        self.pulls.append(pull)
        return pull

    def edit_pull(self, number: int, changes: Mapping[str, str]) -> Pull:
        """Change title, body, base or state. Raises ForbiddenError, InvalidError, MissingError."""
        pull = self.pull(number)
        self._may_write()
        _check_body(changes.get("body", ""))
        if changes.get("state", "open") not in {"open", "closed"}:
            raise InvalidError("state is not one of open, closed", field="state")
        if changes.get("base") and self.commit(changes["base"]) is None:
            raise InvalidError("base is not a branch", field="base")
        for name in ("title", "body", "base", "state"):
            if changes.get(name) is not None:
                setattr(pull, name, changes[name])
        return pull

    def comments_on(self, number: int) -> list[Comment]:
        """A pull request's conversation, oldest first."""
        self.pull(number)
        return [comment for comment in self.comments if comment.number == number]

    def comment(self, comment_id: int) -> Comment:
        """A comment. Raises MissingError."""
        for comment in self.comments:
            if comment.id == comment_id:
                return comment
        raise MissingError("Not Found")

    def add_comment(self, number: int, body: str, *, author: str = "") -> Comment:
        """Say something on a pull request. Raises InvalidError, MissingError."""
        self.pull(number)
        if not body.strip():
            raise InvalidError("body can't be blank", field="body")
        _check_body(body)
        comment = Comment(next(self._ids), number, body, author or self.login)
        self.comments.append(comment)
        return comment

    def edit_comment(self, comment_id: int, body: str) -> Comment:
        """Say something else. Raises ForbiddenError for somebody else's comment, InvalidError, MissingError."""
        comment = self.comment(comment_id)
        if comment.author != self.login:
            raise ForbiddenError
        _check_body(body)
        comment.body = body
        return comment

    def _may_write(self) -> None:
        if self.permission == "read":
            raise ForbiddenError

    def _check_branches(self, head: str, base: str) -> None:
        tip, below = self.commit(head), self.commit(base)
        if below is None:
            raise InvalidError("base is not a branch", field="base")
        if tip is None:
            raise InvalidError(f"No commits between {base} and {head}, Head ref must be a branch", field="head")
        if self.git is not None and git("rev-list", "--count", f"{below}..{tip}", cwd=self.git) == "0":
            raise InvalidError(f"No commits between {base} and {head}")


def _check_body(body: str) -> None:
    if len(body) > BODY_LIMIT:
        raise InvalidError(f"body is too long (maximum is {BODY_LIMIT} characters)", field="body")
