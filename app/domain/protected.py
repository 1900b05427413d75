"""Which paths of a change need a person, and where a maintainer lets stand what looks like a secret."""

import unicodedata
from collections.abc import Iterable, Sequence

import yaml
from pathspec import GitIgnoreSpec

from app.errors import ConfigurationError

ALLOWED_AT = ".github/secret_scanning.yml"
"""GitHub's own file for this: `paths-ignore` lists paths whose secrets are no news, such as those of tests."""

_LARGEST_ALLOWED = 64 << 10
_MOST_ALLOWED = 500
_INVISIBLE = {"\N{COMBINING GRAPHEME JOINER}", *map(chr, range(0xFE00, 0xFE10))}


class ProtectedPaths:
    """Paths that `patterns` match, which are as in a .gitignore file.

    What some file system takes for such a path counts too: there, letters have no case, invisible characters no
    meaning, and dots at the end of a name are dropped. Raises ConfigurationError for a pattern that is none.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        try:
            self._exact = GitIgnoreSpec.from_lines(patterns)
            self._folded = GitIgnoreSpec.from_lines(map(_folded, patterns))
        except ValueError as error:
            raise ConfigurationError(f"PROTECTED_PATTERNS: {error}. Write paths as in a .gitignore file.") from error
        self._below = tuple(_folded(pattern).strip("/") for pattern in patterns)

    def covers(self, path: str, *, is_link: bool = False) -> bool:
        """Whether the path is protected. A link stands for what may be below it, so it covers like a directory."""
        names = (path, f"{path}/") if is_link else (path,)
        if any(self._exact.match_file(name) for name in names):
            return True
        folded = "/".join(part.rstrip(". ") or part for part in _folded(path).replace("\\", "/").split("/"))
        if is_link and any(below.startswith(f"{folded}/") for below in self._below):
            return True
        return any(self._folded.match_file(name) for name in (folded, *([f"{folded}/"] if is_link else [])))


class AllowedPaths:
    """Paths that a maintainer named in `ALLOWED_AT`; `text` is what that file says on the base branch, if it is there.

    A file that cannot be understood allows nothing.
    """

    def __init__(self, text: str | None) -> None:
        self._spec = _understood(_listed(text or ""))

    def cover(self, path: str) -> bool:
        """Whether what looks like a secret may stand in this file."""
        return self._spec.match_file(path)


def _listed(text: str) -> list[str]:
    if len(text) > _LARGEST_ALLOWED:
        return []
    try:
        said = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    listed = said.get("paths-ignore") if isinstance(said, dict) else None
    return [line for line in listed[:_MOST_ALLOWED] if isinstance(line, str)] if isinstance(listed, list) else []


def _understood(patterns: Iterable[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError:
        return GitIgnoreSpec.from_lines(())


def _folded(text: str) -> str:
    """The text as the most careless file system compares names."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(each for each in plain if unicodedata.category(each) != "Cf" and each not in _INVISIBLE)
