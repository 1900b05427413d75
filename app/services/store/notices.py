"""What the processes on one Postgres tell each other, and how a text that grows is told in pieces. Pure."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, TypeAdapter

from app.models import Model

CHANNEL = "auto_code"

_MOST_LETTERS = 1_200
"""In a piece: Postgres takes less than 8,000 bytes, and JSON makes up to six of a letter."""


class News(Model):
    """There may be news in a conversation; `listed`: the list of conversations may look different, too."""

    about: Literal["news"] = "news"
    ticket: str
    listed: bool = False


class Piece(Model):
    """A step of a text that is being written: of what is known of it `keep` letters stay, and `text` follows.

    The pieces of a text have its id and are counted from 0. The last one, which is `over`, ends it.
    """

    about: Literal["piece"] = "piece"
    ticket: str
    text_id: str
    number: int = Field(ge=0)
    keep: int = Field(default=0, ge=0)
    text: str = ""
    over: bool = False


Notice = News | Piece
NOTICE: TypeAdapter[Notice] = TypeAdapter(Notice)


@dataclass
class _Text:
    """A text as it is known to those who hear of it."""

    id: str
    number: int = 0
    text: str = ""


class Told:
    """The texts that are written here, as the others have heard them."""

    def __init__(self) -> None:
        self._texts: dict[str, _Text] = {}

    def pieces(self, ticket: str, text: str) -> Iterator[Piece]:
        """What makes of the text that was told this one; of an empty one its end."""
        if not text:
            if (ended := self._texts.get(ticket)) is not None:
                yield Piece(ticket=ticket, text_id=ended.id, number=ended.number, over=True)
            return
        told = self._texts.setdefault(ticket, _Text(uuid.uuid4().hex[:12]))
        keep = _alike(told.text, text)
        while told.text != text:
            more = text[keep : keep + _MOST_LETTERS]
            yield Piece(ticket=ticket, text_id=told.id, number=told.number, keep=keep, text=more)
            told.text, told.number = text[: keep + len(more)], told.number + 1
            keep = len(told.text)

    def heard(self, ticket: str, text: str) -> None:
        """The pieces were told. An ended text is done with; the next one has an id of its own."""
        if not text:
            self._texts.pop(ticket, None)

    def begin_anew(self) -> None:
        """Nobody knows what was heard: each text is told from its beginning."""
        for text in self._texts.values():
            text.number, text.text = 0, ""


class Heard:
    """The texts that are written elsewhere. One whose beginning was missed is not known."""

    def __init__(self) -> None:
        self._texts: dict[str, _Text] = {}

    def take(self, piece: Piece) -> str | None:
        """The text that is known with the piece, empty when it is over; None where that changes nothing."""
        if piece.number == 0 and not piece.over:
            self._texts[piece.ticket] = _Text(piece.text_id)
        known = self._texts.get(piece.ticket)
        if known is None or known.id != piece.text_id:
            return None
        if piece.over or known.number != piece.number:
            del self._texts[piece.ticket]
            return ""
        known.text, known.number = known.text[: piece.keep] + piece.text, known.number + 1
        return known.text


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    if other.startswith(one):
        return len(one)
    both = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in both if left != right), len(other))
