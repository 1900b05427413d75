"""Commands as programs take them: argument lists. It refuses what only a shell understands."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.errors import InvalidInput

Argv = tuple[str, ...]
Gate = Literal["setup", "lint", "test"]

_QUOTED = re.compile(r"""\\.|'[^']*'|"(?P<expanded>(?:\\.|[^"\\])*)\"""", re.DOTALL)
_OPERATORS = re.compile(r"[|&;<>()]+|^\w+=")
_EXPANSIONS = re.compile(r"\$(?:\w+|[({])|`")


@dataclass(frozen=True)
class Toolchain:
    """Commands by what they are for; empty where the repository has nothing of the kind."""

    name: str = ""
    setup: tuple[Argv, ...] = ()
    lint: tuple[Argv, ...] = ()
    test: tuple[Argv, ...] = ()

    def commands(self, gate: Gate) -> tuple[Argv, ...]:
        """The commands of a gate, in their order."""
        return {"setup": self.setup, "lint": self.lint, "test": self.test}[gate]


def argument_lists(commands: Iterable[str]) -> tuple[Argv, ...]:
    """Each command split into words as a shell would. Raises InvalidInput naming a command that needs a real shell."""
    return tuple(_words(command) for command in commands)


def shown(argvs: Iterable[Argv]) -> str:
    """Commands as a person would type them."""
    return " && ".join(shlex.join(argv) for argv in argvs)


def _words(command: str) -> Argv:
    if (operator := _shell_operator(command)) is not None:
        raise InvalidInput(command, f"uses a shell operator ({operator}); name a script instead")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise InvalidInput(command, f"cannot be split into words ({error}); mend it in WORKFLOW.md") from error
    if not words:
        raise InvalidInput(command, "names no program; mend it in WORKFLOW.md")
    return words


def _shell_operator(command: str) -> str | None:
    """What a shell would act on: operators outside quotes, expansions outside single quotes."""
    bare = _QUOTED.sub("", command.strip())
    live = _QUOTED.sub(lambda quoted: quoted["expanded"] or "", command)
    found = _EXPANSIONS.search(live) or _OPERATORS.search(bare)
    return found[0] if found else None
