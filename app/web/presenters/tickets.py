"""A ticket's own page."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.models import Conversation
from app.results import TicketAttachment, TicketComment, TicketDetails, TicketLink
from app.web.presenters.composer import Composer
from app.web.presenters.shell import Entry, entry
from app.web.presenters.wording import size, web_link


@dataclass(frozen=True)
class Attachment:
    """A file's name, size and kind. It is listed, never loaded."""

    name: str
    size: str
    kind: str


@dataclass(frozen=True)
class Link:
    """A relation to another ticket."""

    relation: str
    key: str
    summary: str
    status: str


@dataclass(frozen=True, kw_only=True)
class TicketPage:
    """The page. `conversation` is the ticket's, where there is one; `href` leads to the tracker."""

    key: str
    title: str
    href: str | None
    facts: tuple[tuple[str, str], ...]
    description: str
    comments: tuple[TicketComment, ...]
    links: tuple[Link, ...]
    attachments: tuple[Attachment, ...]
    composer: Composer
    conversation: Entry | None
    errors: tuple[str, ...] = ()


def ticket_page(
    details: TicketDetails,
    *,
    composer: Composer,
    conversation: Conversation | None = None,
    errors: Sequence[str] = (),
) -> TicketPage:
    """What the tracker knows of a ticket, and the box that sends it."""
    known = (
        ("Status", details.status),
        ("Kind", details.kind),
        ("Assignee", details.assignee or ""),
        ("Reporter", details.reporter or ""),
    )
    return TicketPage(
        key=details.ticket.key,
        title=details.ticket.summary or details.ticket.key,
        href=web_link(details.ticket.url),
        facts=tuple((name, value) for name, value in known if value),
        description=details.ticket.description,
        comments=details.comments,
        links=tuple(map(_link, details.links)),
        attachments=tuple(map(_attachment, details.attachments)),
        composer=composer,
        conversation=entry(conversation) if conversation else None,
        errors=tuple(errors),
    )


def _link(link: TicketLink) -> Link:
    return Link(link.relation, link.ticket.key, link.ticket.summary, link.ticket.status)


def _attachment(attachment: TicketAttachment) -> Attachment:
    return Attachment(attachment.name, size(attachment.bytes), attachment.kind)
