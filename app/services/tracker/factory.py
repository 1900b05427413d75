"""Picks the tracker: Jira where its site is named, else none."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from app.config import Settings, get_settings
from app.errors import ConfigurationError
from app.services.tracker.base import Tracker
from app.services.tracker.jira_client import JiraTracker
from app.services.tracker.null_client import NoTracker

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[\w.-]+(:\d+)?|\[::1\](:\d+)?", re.ASCII)


def make_tracker(settings: Settings) -> Tracker:
    """The tracker that the settings name; none offline.

    Raises ConfigurationError naming what goes with JIRA_SITE_URL and is missing, or what of it cannot be.
    """
    site, email, token = settings.jira_site_url, settings.jira_email, settings.jira_token
    if settings.offline or site is None:
        return NoTracker()
    if email is None or token is None:
        missing = [name for name, value in (("JIRA_EMAIL", email), ("JIRA_TOKEN", token)) if value is None]
        raise ConfigurationError(f"JIRA_SITE_URL is set without {' and '.join(missing)}. Set or unset them together.")
    return JiraTracker(
        site_url=_site(site),
        email=email,
        token=token.get_secret_value(),
        cloud_id=_cloud_id(settings.jira_cloud_id),
    )


@lru_cache
def get_tracker() -> Tracker:
    """The tracker of this process."""
    return make_tracker(get_settings())


def _site(address: str) -> str:
    """Scheme and host. The token must not travel in clear text, except on this machine."""
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE)
    if not safe or not _HOST.fullmatch(parts.netloc):
        raise ConfigurationError("JIRA_SITE_URL must be an address such as https://acme.atlassian.net.")
    return f"{parts.scheme}://{parts.netloc}"


def _cloud_id(given: str | None) -> str | None:
    if given is not None and not re.fullmatch(r"[\w-]+", given, re.ASCII):
        raise ConfigurationError("JIRA_CLOUD_ID must be an id such as 1324a887-45db-1bf4-1e99-ef0ff456d421.")
    return given
