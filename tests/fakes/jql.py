"""As much of Jira's query language as the product writes, with Jira's refusals."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Searched(Protocol):
    """An issue, as a query sees it."""

    @property
    def summary(self) -> str: ...

    @property
    def words(self) -> list[str]:
        """Of all of its texts, in lower case."""
        ...


class JqlError(Exception):
    """A query that Jira answers with status 400."""


Condition = Callable[[Searched], bool]

_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<sign>[()]|~|>=|=)|(?P<word>[\w.+-]+))')
# In a text that is searched for, signs and these words mean something; all that the product wants is a `*` at an end.
_MEANS_SOMETHING = re.compile(r"[^\w\s*]|\*(?!\s|$)|(?:^|\s)(?:\*|(?:AND|OR|NOT)(?:\s|$))")
_ORDER = re.compile(r"(.*?)\s*\border by ((?:created|updated|key)(?: (?:asc|desc))?)\s*", re.IGNORECASE | re.DOTALL)


def condition_of(query: str) -> Condition:
    """Which issues a query finds. Raises JqlError as Jira does for what it cannot read, and for no restriction."""
    ordered = _ORDER.fullmatch(query)
    tokens = _tokens(ordered[1] if ordered else query)
    if not tokens:
        raise JqlError("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    reader = _Reader(tokens)
    condition = reader.either()
    if reader.rest:
        raise JqlError(f"Error in the JQL Query: Expecting either 'OR' or 'AND' but got '{reader.rest[0]}'.")
    return condition


def _tokens(query: str) -> list[str]:
    tokens, at = [], 0
    while query[at:].strip():
        found = _TOKEN.match(query, at)
        if found is None:
            raise JqlError(
                f"Error in the JQL Query: The character '{query[at:].strip()[0]}' is a reserved JQL character."
            )
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


@dataclass
class _Reader:
    rest: list[str]

    def either(self) -> Condition:
        conditions = [self._both()]
        while self._next_is("or"):
            conditions.append(self._both())
        return lambda issue: any(condition(issue) for condition in conditions)

    def _both(self) -> Condition:
        conditions = [self._one()]
        while self._next_is("and"):
            conditions.append(self._one())
        return lambda issue: all(condition(issue) for condition in conditions)

    def _one(self) -> Condition:
        if self._next_is("("):
            inner = self.either()
            self._take(")")
            return inner
        field, sign, value = self._take().lower(), self._take(), self._take()
        if (field, sign) == ("created", ">=") and re.fullmatch(r"-\d+[wd]", value):
            return lambda _: True
        if field in {"text", "summary"} and sign == "~" and value.startswith('"'):
            return _text_search(re.sub(r"\\(.)", r"\1", value[1:-1]), whole=field == "text")
        raise JqlError(f"Field '{field}' does not exist or you do not have permission to view it.")

    def _next_is(self, token: str) -> bool:
        if self.rest and self.rest[0].lower() == token:
            self.rest.pop(0)
            return True
        return False

    def _take(self, wanted: str | None = None) -> str:
        if not self.rest or (wanted is not None and self.rest[0] != wanted):
            raise JqlError("Error in the JQL Query: The query ends too early.")
        return self.rest.pop(0)


def _text_search(text: str, *, whole: bool) -> Condition:
    if not text.strip() or _MEANS_SOMETHING.search(text):
        raise JqlError(f"Unable to parse the text '{text}' for field 'text'.")
    terms = text.lower().split()

    def found(issue: Searched) -> bool:
        there = issue.words if whole else issue.summary.lower().split()
        return all(_stands(term, there) for term in terms)

    return found


def _stands(term: str, there: list[str]) -> bool:
    """A word, or the beginning of one; the index holds stems, so that `settings*` finds no `settings`."""
    if term.endswith("*"):
        return any(_stem(word).startswith(term[:-1]) for word in there)
    return any(_stem(word) == _stem(term) for word in there)


def _stem(word: str) -> str:
    return word.removesuffix("s")
