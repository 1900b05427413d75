"""Reads the forms that pages send. It takes nothing but form fields, and refuses what no page would send."""

from collections import defaultdict
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from app.api.bodies import body_within
from app.errors import InvalidInput, TooLarge

LONGEST_TEXT = 8_000
"""Characters of what people write in one field."""

# The longest text in the script with the longest code: three bytes a letter, each as `%E4`, and the other fields.
_MOST_BYTES = 128 << 10
_MOST_FIELDS = 200
_LONGEST_VALUE = 300


class Form:
    r"""The fields of a form. Ends of lines are `\n`; a field may come more than once, as check boxes do."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in fields:
            self._values[name].append(value.replace("\r\n", "\n").replace("\r", "\n"))

    def text(self, name: str, *, most: int = LONGEST_TEXT) -> str:
        """What a person wrote there, without space around it. Raises InvalidInput over `most` characters."""
        return self._checked(name, self.last(name), most).strip()

    def needed(self, name: str, *, most: int = LONGEST_TEXT) -> str:
        """The same of a field that must not be empty."""
        if not (text := self.text(name, most=most)):
            raise InvalidInput(name, "must not be empty")
        return text

    def value(self, name: str) -> str:
        """The short value of a field that people choose rather than write; empty without one."""
        return self.text(name, most=_LONGEST_VALUE)

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a field that may be chosen more than once, without empty ones."""
        return tuple(self._checked(name, each, _LONGEST_VALUE).strip() for each in self._values.get(name, ()) if each)

    def last(self, name: str) -> str:
        """What a field brings, as it is: only to be shown again. Empty without one."""
        return (self._values.get(name) or [""])[-1]

    def every(self, name: str) -> tuple[str, ...]:
        """All that a field brings, as it is: only to be shown again."""
        return tuple(self._values.get(name, ()))

    def flag(self, name: str) -> bool:
        """Whether a box was checked."""
        return name in self._values

    def _checked(self, name: str, value: str, most: int) -> str:
        if len(value) > most:
            raise InvalidInput(name, f"must have at most {most:,} characters; it has {len(value):,}")
        return value


async def form_of(request: Request) -> Form:
    """The form that the request brings. Raises InvalidInput for another kind of body, and TooLarge."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await body_within(request, TooLarge(_MOST_BYTES, "Send a shorter text."), most=_MOST_BYTES)
    if kind != "application/x-www-form-urlencoded" and body:
        raise InvalidInput("body", "must be a form (application/x-www-form-urlencoded)")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise InvalidInput("body", f"must be a form of UTF-8 text with at most {_MOST_FIELDS} fields") from error
    return Form(fields)


FormDep = Annotated[Form, Depends(form_of)]
