"""A piece of a page that can be sent by itself."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A template with its view. Its root element has the `id`: it replaces the one of that id in the page.

    Where the page has none, it is put at the end of `into`, a selector, or at its start; without that it is not wanted.
    `children` are only drawn with the whole page; those that come later are fragments of their own.
    """

    id: str
    template: str
    view: object
    into: str | None = None
    at_start: bool = False
    children: tuple["Fragment", ...] = ()
