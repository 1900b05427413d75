"""The sample: a small repository, a ticket for it, and an offline Claude who knows how it goes.

`auto-code demo` shows it in a terminal, and a service with nothing configured on its pages.
"""

from app.sample.repository import make_repository
from app.sample.service import sample_runner, sample_settings
from app.sample.ticket import BRANCH, TICKET
from app.sample.turns import author, reviewer

__all__ = ["BRANCH", "TICKET", "author", "make_repository", "reviewer", "sample_runner", "sample_settings"]
