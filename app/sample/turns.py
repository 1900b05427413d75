"""How the sample's ticket goes: a good first change that review, lint and tests each have something to say about."""

from pathlib import Path

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


def author(prompt: str, _directory: Path) -> Answer:
    """What the author does when asked this."""
    return next((answer for words, answer in _ANSWERS.items() if words in prompt), Answer(text="Nothing to do."))


def reviewer(_prompt: str, _directory: Path) -> Answer:
    """What the reviewer says of the first change."""
    return Answer(text=_FINDINGS)
