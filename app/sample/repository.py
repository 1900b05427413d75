"""The sample's repository: whisk, which scales recipes. Its lint and tests need Python and nothing else."""

import shutil
import sys
from pathlib import Path

from app.errors import WorkFailed
from app.process import operator_environment
from app.services.github.git import environment, run_git

_FILES = {
    "README.md": """\
# whisk

Scales a recipe to the guests who really come.

    $ python3 -m whisk recipes/pancakes.txt 2
    4 eggs
    3 cups of milk
    4 cups of flour
    a pinch of salt
""",
    "WORKFLOW.md": """\
---
lint: {python} tools/lint.py
test: {python} -m unittest
---
whisk is plain Python without dependencies, and wants to stay that way. What a cook would notice has a test.
""",
    ".gitignore": "__pycache__/\n",
    "recipes/pancakes.txt": "2 eggs\n1.5 cups of milk\n2 cups of flour\na pinch of salt\n",
    "whisk/__init__.py": '"""Scales recipes."""\n',
    "whisk/__main__.py": '''\
"""`python3 -m whisk recipes/pancakes.txt 2` prints a recipe for twice as many guests."""

import sys

from whisk.scaling import scaled


def main(path, factor):
    with open(path, encoding="utf-8") as recipe:
        for line in recipe:
            print(scaled(line.rstrip(), float(factor)))


if __name__ == "__main__":
    main(*sys.argv[1:])
''',
    "whisk/scaling.py": '''\
"""Scales the lines of a recipe."""


def scaled(line, factor):
    """The line with its amount multiplied: for twice as many guests `2 eggs` are `4 eggs`."""
    amount, _, rest = line.partition(" ")
    try:
        number = float(amount) * factor
    except ValueError:
        return line  # a pinch of salt is enough for everybody
    return f"{number:g} {rest}"
''',
    "tests/__init__.py": "",
    "tests/test_scaling.py": """\
import unittest

from whisk.scaling import scaled


class ScalingTest(unittest.TestCase):
    def test_twice_the_guests_eat_twice_the_eggs(self):
        self.assertEqual(scaled("2 eggs", 2), "4 eggs")

    def test_a_pinch_stays_a_pinch(self):
        self.assertEqual(scaled("a pinch of salt", 12), "a pinch of salt")

    def test_a_little_is_still_something(self):
        self.assertEqual(scaled("0.5 drops of vanilla", 0.1), "0.05 drops of vanilla")
""",
    "tools/lint.py": '''\
"""Finds what bothers a reader: imports without use, long lines, blanks at their ends."""

import ast
import sys
from pathlib import Path

LONGEST = 100


def findings(path):
    text = path.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in ((alias.asname or alias.name).split(".")[0] for alias in node.names):
                if name not in used:
                    yield f"{path}:{node.lineno}: {name} is imported but never used"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST:
            yield f"{path}:{number}: the line is longer than {LONGEST} characters"
        if line != line.rstrip():
            yield f"{path}:{number}: the line ends with blanks"


if __name__ == "__main__":
    found = [finding for path in sorted(Path().rglob("*.py")) for finding in findings(path)]
    print("\\n".join(found) or "Nothing to complain about.")
    sys.exit(1 if found else 0)
''',
}


async def make_repository(directory: Path) -> None:
    """A git repository with one commit on `main`. Its checks call python3, or this very Python where there is none.

    Raises WorkFailed when git is missing or refuses.
    """
    python = "python3" if shutil.which("python3") else sys.executable
    for name, text in _FILES.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{python}", python) if name == "WORKFLOW.md" else text, encoding="utf-8")
    env = environment(operator_environment())
    for command in (
        ("init", "--quiet", "--template=", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message=Scale recipes to the guests who come"),
    ):
        done = await run_git(*command, cwd=directory, env=env)
        if not done.ok:
            raise WorkFailed(f"The sample repository could not be made: {done.error_text.strip()}")
