"""The pieces of a growing page: what is on it, and what is new."""

from dataclasses import replace

from app.web.presenters.fragments import Fragment


class Sheet:
    """Fragments by id, in the order in which they came, and those that were sent since somebody last asked."""

    def __init__(self) -> None:
        self._shown: dict[str, Fragment] = {}
        self._inside: dict[str, list[str]] = {}
        self._sent: list[Fragment] = []

    def put(self, fragment: Fragment) -> None:
        """Put a fragment on the page, or in the place of the one with its id, and send it."""
        self.keep(fragment)
        self.send(fragment)

    def keep(self, fragment: Fragment) -> None:
        """The same without sending it: for what changes in pieces that are sent by themselves."""
        if fragment.id not in self._shown and fragment.into is not None:
            self._inside.setdefault(fragment.into, []).append(fragment.id)
        self._shown[fragment.id] = fragment

    def send(self, fragment: Fragment) -> None:
        """Send a fragment that is part of another one, or no part of this page."""
        self._sent.append(fragment)

    def get(self, id_: str) -> Fragment | None:
        """The fragment as it is now."""
        return self._shown.get(id_)

    def sent(self) -> tuple[Fragment, ...]:
        """What was sent since the last call."""
        sent, self._sent = tuple(self._sent), []
        return sent

    def items(self, into: str = "#thread") -> tuple[Fragment, ...]:
        """All that stands in a place, each with what stands in it: `x` holds what went into `#x-in`."""
        return tuple(replace(self._shown[id_], children=self.items(f"#{id_}-in")) for id_ in self._inside.get(into, ()))
