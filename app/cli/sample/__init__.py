"""The sample of `auto-code demo`: a small repository, a ticket for it, and an offline Claude who knows how it goes."""

from app.cli.sample.repository import make_repository
from app.cli.sample.ticket import BRANCH, TICKET
from app.cli.sample.turns import author, reviewer

__all__ = ["BRANCH", "TICKET", "author", "make_repository", "reviewer"]
