"""A conversation's whole change: files by repository, and one file's diff."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from markupsafe import Markup

from app.models import Conversation, FileChange, RepositoryChanges, RunMode
from app.web import diff_tables
from app.web.diffs import FileDiff, is_dull, parse
from app.web.presenters.conversation import status_of
from app.web.presenters.fragments import Fragment
from app.web.presenters.wording import count, short_name

_OPEN_FILES = 3
_OPEN_LINES = 400
"""So many files are open from the start, if they are no longer than this."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A line of the list, and the head of its `diff`, which is there where it is drawn with the page."""

    id: str
    folder: str
    name: str
    path: str
    added: int | None
    removed: int | None
    icon: str
    word: str
    href: str
    diff: "FilePage | None" = None


@dataclass(frozen=True, kw_only=True)
class Repository:
    """The files of one repository."""

    name: str
    branch: str
    base: str
    files: tuple[File, ...]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """All of them; `href` leads to where they have a page for themselves."""

    repositories: tuple[Repository, ...]
    added: int
    removed: int
    words: str
    href: str | None
    empty: str


@dataclass(frozen=True, kw_only=True)
class FilePage:
    """One file's diff, or in `remark` why there is none; `whole` leads to it where it is only large."""

    id: str
    path: str
    table: Markup | None = None
    remark: str = ""
    whole: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChangesPage:
    """The changes by themselves, on a page of their own."""

    key: str
    title: str
    status: Fragment
    changes: Fragment


_WORDS = {"added": "new", "deleted": "deleted", "renamed": "renamed", "copied": "copied", "mode": "mode"}


_EMPTY = {RunMode.PLAN: "Claude edits files once you approve a plan.", RunMode.ASK: "Nothing is edited in Ask."}


def changes_fragment(key: str, changes: Sequence[RepositoryChanges], mode: RunMode, *, alone: bool = False) -> Fragment:
    """The list of files and their diffs; `alone` on the page that shows nothing else.

    The first small ones are drawn at once, which takes its time: call it in a thread.
    """
    empty = _EMPTY.get(mode, "Files that Claude edits show here.")
    href = None if alone else f"/code-runs/{key}/changes"
    view = _changes(key, changes, empty=empty, href=href)
    return Fragment(id="changes", template="parts/changes.html", view=view)


def _changes(key: str, changes: Sequence[RepositoryChanges], *, empty: str, href: str | None) -> Changes:
    drawn = 0
    repositories = []
    for each in changes:
        diffs = {diff.path: diff for diff in parse(each.patch)}
        files = []
        for change in each.files:
            diff = diffs.get(change.path)
            show = drawn < _OPEN_FILES and diff is not None and _is_readable(diff)
            drawn += show
            files.append(_file(key, each, change, diff, show=show))
        if files:
            name = short_name(each.repository)
            repositories.append(Repository(name=name, branch=each.branch, base=each.base, files=tuple(files)))
    known = [file for repository in repositories for file in repository.files]
    words = f"{count(len(known), 'file')} in {count(len(repositories), 'repository', 'repositories')}"
    return Changes(
        repositories=tuple(repositories),
        added=sum(file.added or 0 for file in known),
        removed=sum(file.removed or 0 for file in known),
        words=words,
        href=href,
        empty=empty,
    )


def changes_page(conversation: Conversation, changes: Sequence[RepositoryChanges]) -> ChangesPage:
    """The page that shows nothing but the changes. Takes its time likewise."""
    return ChangesPage(
        key=conversation.ticket.key,
        title=conversation.ticket.summary or conversation.ticket.key,
        status=Fragment(id="status", template="parts/status.html", view=status_of(conversation.run.status)),
        changes=changes_fragment(conversation.ticket.key, changes, conversation.run.mode, alone=True),
    )


def file_page(
    key: str, changes: RepositoryChanges, path: str, *, view: str = "unified", whole: bool = False
) -> FilePage | None:
    """One file's diff; None where the change has no such file. Takes its time: call it in a thread."""
    diff = next((diff for diff in parse(changes.patch) if diff.path == path), None)
    if diff is None:
        return None
    id_ = _id(changes.repository, path)
    if diff.lines > diff_tables.MOST_LINES and not whole:
        href = _href(key, changes.repository, path, view=view, whole="1")
        return FilePage(id=id_, path=path, remark=f"Large file: {diff.lines:,} lines.", whole=href)
    if not diff.hunks:
        return FilePage(id=id_, path=path, remark=_remark(diff))
    table = diff_tables.split(diff) if view == "split" else diff_tables.unified(diff)
    return FilePage(id=id_, path=path, table=table)


def _is_readable(diff: FileDiff) -> bool:
    return 0 < diff.lines <= _OPEN_LINES and not is_dull(diff.path)


def _file(key: str, changes: RepositoryChanges, change: FileChange, diff: FileDiff | None, *, show: bool) -> File:
    folder, slash, name = change.path.rpartition("/")
    status = diff.status if diff else "modified"
    word = _WORDS.get(status, "binary" if change.added is None else "generated" if is_dull(change.path) else "")
    return File(
        id=_id(changes.repository, change.path),
        folder=folder + slash,
        name=name,
        path=change.path,
        added=change.added,
        removed=change.removed,
        icon={"added": "filep", "deleted": "x"}.get(status, "pencil"),
        word=word,
        href=_href(key, changes.repository, change.path),
        diff=file_page(key, changes, change.path) if show else None,
    )


def _remark(diff: FileDiff) -> str:
    if diff.binary:
        return "A binary file."
    if diff.status == "renamed":
        return f"Renamed from {diff.old_path}; its text is the same."
    return {"mode": "Only the file's mode changed.", "added": "An empty file."}.get(diff.status, "No text changed.")


def _id(repository: str, path: str) -> str:
    return "file-" + sha256(f"{repository}\0{path}".encode()).hexdigest()[:12]


def _href(key: str, repository: str, path: str, **more: str) -> str:
    return f"/code-runs/{key}/diff?{urlencode({'repo': repository, 'path': path, **more})}"
