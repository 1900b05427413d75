"""How the sample's ticket goes: a good first change that review, lint and tests each have something to say about."""

import uuid
from pathlib import Path

from app.models import Question
from app.services.claude_code.mock_client import Answer

_FRACTIONS = '{0: "", 1 / 4: "¼", 1 / 3: "⅓", 1 / 2: "½", 2 / 3: "⅔", 3 / 4: "¾"}'

_FIRST = f'''\
"""Amounts the way cooks read them."""

import math

FRACTIONS = {_FRACTIONS}


def written(amount):
    """`0.75` is `¾`, `1.5` is `1½`, and `2` stays `2`."""
    whole = int(amount)
    nearest = min(FRACTIONS, key=lambda fraction: abs(amount - whole - fraction))
    return f"{{whole or ''}}{{FRACTIONS[nearest]}}"
'''

_REVIEWED = _FIRST.replace(
    """\
    nearest = min(FRACTIONS, key=lambda fraction: abs(amount - whole - fraction))
""",
    """\
    nearest = min((*FRACTIONS, 1), key=lambda fraction: abs(amount - whole - fraction))
    if nearest == 1:
        whole, nearest = whole + 1, 0
""",
)

_LINTED = _REVIEWED.replace("import math\n\n", "")

_TESTED = _LINTED.replace(
    """\
    return f"{whole""",
    """\
    if not whole and not nearest:
        return f"{amount:g}"  # too little for any cup, but still something
    return f"{whole""",
)

_SCALING = '''\
"""Scales the lines of a recipe."""

from whisk.amounts import written


def scaled(line, factor):
    """The line with its amount multiplied: for half as many guests `3 eggs` are `1½ eggs`."""
    amount, _, rest = line.partition(" ")
    try:
        number = float(amount) * factor
    except ValueError:
        return line  # a pinch of salt is enough for everybody
    return f"{written(number)} {rest}"
'''

_TESTS = """\
import unittest

from whisk.amounts import written


class AmountsTest(unittest.TestCase):
    def test_amounts_are_written_with_the_fractions_of_measuring_cups(self):
        for amount, expected in {0.75: "¾", 1.5: "1½", 2.66: "2⅔", 4.0: "4"}.items():
            self.assertEqual(written(amount), expected)
"""

_NEAREST_TEST = """\

    def test_the_nearest_may_be_the_next_whole_number(self):
        self.assertEqual(written(1.95), "2")
"""

_FINDINGS = """\
The fractions themselves are right, and the tests cover what the ticket names. One case is wrong.

HAS_ISSUES: true
FINDINGS:
- whisk/amounts.py:11: 1.95 becomes 1¾ although 2 is nearer, because the next whole number is never tried. Let 1 count \
as a fraction too, and carry it over."""

_AMOUNTS, _AMOUNTS_TEST = "whisk/amounts.py", "tests/test_amounts.py"

_ANSWERS = {
    "Implement ticket": Answer(
        text="Scaled recipes now show amounts as measuring cups do: ¼, ⅓, ½, ⅔ and ¾, rounded to the nearest. The "
        "words are in whisk/amounts.py with tests of their own; scaling only asks for them. Lines without an amount "
        "stay as they are.",
        files={_AMOUNTS: _FIRST, "whisk/scaling.py": _SCALING, _AMOUNTS_TEST: _TESTS},
    ),
    "The review of your change": Answer(
        text="Right: the next whole number now counts as well, and 1.95 is written 2. There is a test for it.",
        files={_AMOUNTS: _REVIEWED, _AMOUNTS_TEST: _TESTS + _NEAREST_TEST},
    ),
    "(lint) fails": Answer(text="I took out the import that I no longer need.", files={_AMOUNTS: _LINTED}),
    "(tests) fails": Answer(
        text="An amount too small for any cup vanished. It now stays a number, as it was before.",
        files={_AMOUNTS: _TESTED},
    ),
}


_ASKED = """\
A line of a recipe is scaled in `whisk/scaling.py`: `scaled(line, factor)` splits off the amount, multiplies it and \
writes it with `:g`, so half of 1.5 cups becomes `0.75 cups`. Lines without an amount stay as they are.

- `whisk/__main__.py` reads the recipe and prints each scaled line.
- `tests/test_scaling.py` covers eggs, salt and a very small amount."""

_PLAN = """\
Write amounts as measuring cups show them, in a module of its own that scaling only asks.

1. **`whisk/amounts.py`**: `written(amount)` knows quarters, thirds and halves, and rounds to the nearest.
2. **`whisk/scaling.py`**: use `written` instead of `:g`.
3. **`tests/test_amounts.py`**: `¾`, `1½`, `2⅔` and whole numbers.

What could go wrong: an amount that is too small for any cup. It keeps its number."""

_REVISED_PLAN = f"""{_PLAN}

Changed as you asked: the next whole number counts as the nearest, too, and has a test (`1.95` is written `2`)."""

_EDITS = _ANSWERS["Implement ticket"]


def author(prompt: str, _directory: Path) -> Answer:
    """What the author does when asked this."""
    if "People want the plan changed" in prompt:
        return _planned(_REVISED_PLAN)
    if "Mode of this turn: plan" in prompt:
        return _planned(_PLAN)
    if "Mode of this turn: ask" in prompt:
        return Answer(text=_ASKED)
    if "Mode of this turn: edits" in prompt:
        return _EDITS
    return next((answer for words, answer in _ANSWERS.items() if words in prompt), Answer(text="Nothing to do."))


def _planned(plan: str) -> Answer:
    return Answer(text="This is how I would do it.", question=Question(id=f"toolu_{uuid.uuid4().hex}", plan=plan))


def reviewer(_prompt: str, _directory: Path) -> Answer:
    """What the reviewer says of the first change."""
    return Answer(text=_FINDINGS)
