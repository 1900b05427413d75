"""The frame of every page."""

from datetime import UTC, datetime

import pytest

from app.domain.model_limits import OPEN, Standing
from app.models import Request, RunMode
from app.web.assets import Assets
from app.web.presenters.composer import new_run_composer
from app.web.presenters.home import home_page
from app.web.presenters.shell import shell
from app.web.rendering import Rendering


@pytest.mark.parametrize(
    ("standing", "warning"),
    [
        (OPEN, ""),
        (Standing(state="closed", reason="Check ANTHROPIC_API_KEY."), "Nothing starts: Check ANTHROPIC_API_KEY."),
        (
            Standing(state="parked", until=datetime(2031, 5, 4, 14, 5, tzinfo=UTC), reason="The limit is reached."),
            "All runs are parked until 04 May 14:05:00 UTC, then they go on by themselves. The limit is reached.",
        ),
    ],
    ids=lambda value: getattr(value, "state", None),
)
def test_every_page_says_what_keeps_all_runs_waiting(standing: Standing, warning: str) -> None:
    frame = shell(person="Ada", conversations=(), standing=standing)
    assert frame.warning == warning
    composer = new_run_composer(repositories=(), models={}, request=Request(mode=RunMode.ASK), message_id="m")
    nothing = home_page(composer=composer, conversations=())
    page = Rendering(assets=Assets()).page("home.html", shell=frame, page=nothing)
    assert ('class="note-bar" role="status"' in page) is bool(warning)
