"""A repository's `WORKFLOW.md`: commands in its front matter, words for the author below. It refuses to guess.

The file comes from the repository that is worked on, so its YAML is bounded in size and may hold plain values only.
"""

import re
from typing import Any

import yaml

from app.errors import InvalidInput
from app.models import Model
from app.results import Commands

LARGEST_FRONT_MATTER = 64 << 10
"""Characters between the two `---` lines."""

_FIELD = "WORKFLOW.md front matter"
_FRONT = re.compile(r"---[ \t]*\n(?P<front>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"---[ \t]*(?:\n|\Z)")


class WorkflowFile(Model):
    """What a repository says of how to work in it. `body` is the text below the front matter."""

    front: Commands = Commands()
    body: str = ""


_DEEPEST = 20
_BEGINS = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_ENDS = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def parse(text: str) -> WorkflowFile:
    """The commands and the body of a `WORKFLOW.md`.

    `setup`, `lint` and `test` are a command, several lines of commands, or a list of commands; lines that begin with
    `#` are comments. Other keys are not looked at. Raises InvalidInput naming the key or the place at fault.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not _OPENING.match(text):
        return WorkflowFile(body=text.strip())
    if (parts := _FRONT.match(text)) is None:
        raise InvalidInput(_FIELD, "has no closing `---` line")
    values = _mapping(parts["front"])
    commands = {key: _commands(key, values.get(key)) for key in ("setup", "lint", "test")}
    return WorkflowFile(front=Commands(**commands), body=text[parts.end() :].strip())


def _mapping(front: str) -> dict[Any, Any]:
    if len(front) > LARGEST_FRONT_MATTER:
        raise InvalidInput(_FIELD, f"must not be longer than {LARGEST_FRONT_MATTER:,} characters")
    try:
        _refuse_what_explodes(front)
        values = yaml.safe_load(front)
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 2})" if error.problem_mark else ""
        raise InvalidInput(_FIELD, f"is not valid YAML{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(_FIELD, f"is not valid YAML: {' '.join(str(error).split())}") from error
    if values is not None and not isinstance(values, dict):
        raise InvalidInput(_FIELD, "must be `key: value` lines")
    return values or {}


def _refuse_what_explodes(front: str) -> None:
    # Aliases within aliases turn a few hundred bytes into gigabytes; tags choose the constructor of a value; a thousand
    # brackets within brackets cost seconds.
    depth = 0
    for token in yaml.scan(front, Loader=yaml.SafeLoader):
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        if depth > _DEEPEST:
            raise InvalidInput(_FIELD, "is nested too deeply")
        if isinstance(token, (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)):
            line = token.start_mark.line + 2
            raise InvalidInput(_FIELD, f"must be plain values (line {line} has an anchor, alias or tag)")


def _commands(key: str, value: object) -> tuple[str, ...]:
    listed: list[object] = value if isinstance(value, list) else [] if value is None else [value]
    items = [item for item in listed if isinstance(item, str)]
    if len(items) < len(listed):
        raise InvalidInput(f"{_FIELD}: {key}", "must be a command or a list of commands")
    lines = [line.strip() for item in items for line in item.split("\n")]
    if any(not c.isprintable() and c != "\t" for line in lines for c in line):
        raise InvalidInput(f"{_FIELD}: {key}", "must not hold control characters")
    return tuple(line for line in lines if line and not line.startswith("#"))
