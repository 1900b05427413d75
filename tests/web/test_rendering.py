"""Whatever a page shows is made plain and escaped."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import UndefinedError

from app.results import TicketHit
from app.web.assets import Assets
from app.web.presenters.cards import Notice, Spoken
from app.web.presenters.fragments import Fragment
from app.web.rendering import Rendering
from tests.web.views import NOON, read_html


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering(assets=Assets())


def notice(words: str, at: datetime = NOON) -> Fragment:
    return Fragment(id="notice-1", template="thread/notice.html", view=Notice(words=words, at=at), into="#thread")


def test_text_is_escaped_and_without_controls(rendering: Rendering) -> None:
    html = rendering.draw(notice("<b>\x1b[31mred\x1b[0m\u202e & \x00more"))
    assert "<span>&lt;b&gt;red &amp; more</span>" in html


def test_an_attribute_cannot_be_left(rendering: Rendering) -> None:
    hits = [TicketHit(key='X" onclick="alert(1)', summary="' onfocus='alert(1)")]
    button = read_html(rendering.fragment("parts/ticket_hits.html", hits=hits, repositories={})).one("button")
    assert set(button.attributes) == {"type", "class", "data-ticket", "data-title", "data-repos"}
    assert button.attributes["data-ticket"] == 'X" onclick="alert(1)'


def test_a_fragment_says_where_it_goes(rendering: Rendering) -> None:
    root = read_html(rendering.draw(notice("x"))).one("p")
    assert (root.id, root.attributes["data-into"]) == ("notice-1", "#thread")
    assert "data-at" not in root.attributes


def test_markdown_is_drawn_as_such(rendering: Rendering) -> None:
    spoken = Fragment(
        id="text-1", template="thread/text.html", view=Spoken(by="", at=NOON, text="*so*"), into="#thread"
    )
    assert "<em>so</em>" in rendering.draw(spoken)


def test_times_are_utc_until_the_browser_knows_better(rendering: Rendering) -> None:
    at = datetime(2026, 11, 20, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    time = read_html(rendering.draw(notice("x", at))).one("time")
    assert time.attributes["datetime"] == "2026-11-19T23:05:00Z"
    assert time.attributes["title"] == "19 November 2026, 23:05 UTC"
    assert (time.text, at.astimezone(UTC).hour) == ("23:05", 23)


def test_a_missing_name_is_an_error_and_not_an_empty_place(rendering: Rendering) -> None:
    with pytest.raises(UndefinedError, match="hits"):
        rendering.fragment("parts/ticket_hits.html")
