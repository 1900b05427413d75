"""Templates to HTML. The one place that knows Jinja."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.web.assets import Assets
from app.web.markdown import markdown
from app.web.plain import plain
from app.web.presenters.fragments import Fragment
from app.web.presenters.wording import initials

_TEMPLATES = Path(__file__).parent / "templates"


class Rendering:
    """Draws pages and fragments. Whatever a template shows is made plain and escaped; a missing name is an error."""

    def __init__(self, *, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_plain,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            markdown=markdown, initials=initials, iso=_iso, clock=_clock, day=_day, moment=_moment
        )
        self._environment.globals.update(assets=assets)
        self._environment.globals.update(ui=self._environment.get_template("ui.html").module)

    def page(self, name: str, /, **view: object) -> str:
        """A whole page, as in `page("home.html", shell=…, page=…)`."""
        return self._environment.get_template(name).render(view)

    def fragment(self, name: str, /, **view: object) -> str:
        """A piece of a page, by its template."""
        return self._environment.get_template(name).render(view).strip()

    def draw(self, fragment: Fragment) -> str:
        """A piece of a page that a presenter made."""
        return self.fragment(fragment.template, item=fragment)


def _plain(value: object) -> object:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M")


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %B %Y, %H:%M} UTC"
