"""The one place that knows the scanner: MongoDB's Kingfisher, in this process, with the rules that it comes with.

It asks nobody whether a secret works, and obeys no comment in what it reads: whoever wrote a secret could write both.
"""

import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from kingfisher_sdk import DetectionPolicy, Rules, ScanInput, Scanner
from kingfisher_sdk.core import Finding

_LIMIT_S = 10.0
"""For one file; 10 MB of text take a tenth of a second."""

_GUESSED = "low"
_SHORTEST_KNOWN = 8
_UNSEARCHED = "cannot be searched for secrets"


@dataclass(frozen=True)
class Hit:
    """A secret in a file. `identity` tells it from others and does not give it away; `line` counts from 1."""

    line: int
    kind: str
    identity: bytes


class SecretScanner(Protocol):
    """Finds secrets in files. Calls block for as long as the search takes, and may come from several threads."""

    def load(self) -> None:
        """Get ready, so that the first search does not have to."""
        ...

    def search(self, path: str, content: bytes) -> Sequence[Hit]:
        """The secrets of a file, in its order."""
        ...


class Kingfisher:
    """Kingfisher's rules of at least medium confidence, loaded when they are first needed.

    `known` are secrets of the service itself, by their names: found wherever they are.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        values = (known or {}).items()
        self._known = {name: value.encode() for name, value in values if len(value) >= _SHORTEST_KNOWN}

    def load(self) -> None:
        """See SecretScanner."""
        _scanner()

    def search(self, path: str, content: bytes) -> Sequence[Hit]:
        """See SecretScanner."""
        source = ScanInput(path=path.encode(errors="replace").decode(), data=content)
        try:
            found = [_hit(each) for each in _scanner().scan_input(source, timeout=_LIMIT_S) if _counts(each)]
        except (TimeoutError, RuntimeError):
            found = [Hit(1, _UNSEARCHED, hashlib.sha256(content).digest())]
        ours = [
            Hit(1 + content.count(b"\n", 0, content.index(value)), f"{name} of this service", _identity(name, value))
            for name, value in self._known.items()
            if value in content
        ]
        return sorted([*found, *ours], key=lambda hit: hit.line)


_loading = threading.Lock()


def _scanner() -> Scanner:
    with _loading:  # else threads that come at the same time would each load the rules
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Scanner:
    # Compiling takes 4 s, loading what was compiled 0.3 s: kept where KF_RULE_CACHE_DIR says, or the user's cache is.
    return Scanner(Rules(confidence="medium"), policy=DetectionPolicy(inline_ignores=False))


def _counts(finding: Finding) -> bool:
    # Invisible findings are halves of a secret, such as an account's name. The scanner calls a password in a URL a
    # guess where it looks made up.
    return finding.visible and finding.confidence != _GUESSED


def _hit(finding: Finding) -> Hit:
    # betterleaks.github-app-token.1 → github app token
    name = re.sub(r"^.*?[./]|\.\d+$", "", finding.rule_id).replace("-", " ")
    return Hit(finding.location["line"], name, _identity(finding.rule_id, finding.secret.encode()))


def _identity(kind: str, value: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + value).digest()
