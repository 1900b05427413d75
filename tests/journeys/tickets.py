"""What the company's tracker knows of tickets that nobody has sent yet."""

from datetime import UTC, datetime

from app.models import Ticket
from app.results import TicketAttachment, TicketComment, TicketDetails, TicketHit, TicketLink
from app.services.tracker.mock_client import SITE, MockTracker
from tests.journeys.story import BEN, MIRA

_TITLES = {
    "ACME-66": "Cap the signature timestamp skew at five minutes",
    "WEB-81": "Keyboard focus is lost after closing the status dialog",
    "ENG-211": "Stream audit log exports instead of buffering them",
    "ACME-63": "Return 409 when an endpoint is registered twice",
}
_DESCRIPTION = """\
Customers register the same address twice, mostly by a double click. Both rows are delivered to, so that they get every
event **twice**.

1. `POST /endpoints` answers 409 when the customer has the address already
2. The answer names the endpoint: `{"error": "exists", "endpoint": "ep_81"}`

> Addresses are the same when they differ only in the case of the host, or in a default port.
"""
_COMMENTS = (
    (
        BEN,
        datetime(2026, 11, 18, 9, 12, tzinfo=UTC),
        "A trailing slash makes another address, as it does for browsers.",
    ),
    (MIRA, datetime(2026, 11, 19, 15, 40, tzinfo=UTC), "Agreed. See `normalised()` in `addresses.py`."),
)
_BLOCKER = TicketHit(key="ACME-35", summary="Reject webhooks to private addresses", status="In review")


def tracker() -> MockTracker:
    """The tracker. Each of its tickets has a description, a discussion, a link and a file."""
    tickets = [_details(key, title) for key, title in _TITLES.items()]
    return MockTracker(tickets=tickets, projects={"ACME": "Platform", "ENG": "Console", "WEB": "Status page"})


def _details(key: str, title: str) -> TicketDetails:
    return TicketDetails(
        ticket=Ticket(key=key, summary=title, description=_DESCRIPTION, url=f"{SITE}/browse/{key}"),
        status="Ready",
        kind="Task",
        reporter=MIRA,
        assignee=BEN,
        comments=tuple(TicketComment(by=by, at=at, text=text) for by, at, text in _COMMENTS),
        links=(TicketLink(relation="is blocked by", ticket=_BLOCKER),),
        attachments=(TicketAttachment(name="double-click.har", bytes=84_112, kind="application/json"),),
    )
