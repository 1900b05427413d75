"""What a clone URL says."""

import pytest

from app.errors import ConfigurationError
from app.services.github.remote import Remote, parse_remote

HTTPS = "https://github.com/octo/widgets.git"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HTTPS, Remote(HTTPS, "github.com", "octo/widgets")),
        ("https://github.com/octo/widgets/", Remote("https://github.com/octo/widgets/", "github.com", "octo/widgets")),
        (
            "https://octocat@GitHub.com/octo/widgets.git",
            Remote(HTTPS, "github.com", "octo/widgets"),
        ),
        ("git@github.com:octo/widgets.git", Remote(HTTPS, "github.com", "octo/widgets")),
        ("ssh://git@github.com/octo/widgets.git", Remote(HTTPS, "github.com", "octo/widgets")),
        ("ssh://git@ghe.test:2222/octo/w.x", Remote("https://ghe.test/octo/w.x", "ghe.test", "octo/w.x")),
        ("http://127.0.0.1:81/o/r.git", Remote("http://127.0.0.1:81/o/r.git", "127.0.0.1:81", "o/r")),
        ("file:///srv/git/widgets.git", Remote("file:///srv/git/widgets.git", "", "local/widgets")),
        ("/srv/git/widgets/.git", Remote("file:///srv/git/widgets/.git", "", "local/widgets")),
    ],
)
def test_a_url_gives_address_host_and_name(text: str, expected: Remote) -> None:
    remote = parse_remote(text, with_token=True)

    assert (remote.url.lower(), remote.host, remote.slug) == (expected.url.lower(), expected.host, expected.slug)


@pytest.mark.parametrize("text", ["git@github.com:octo/widgets.git", "ssh://git@github.com/octo/widgets.git"])
def test_without_a_token_ssh_stays_because_only_the_operators_key_opens_it(text: str) -> None:
    assert parse_remote(text, with_token=False) == Remote(text, "github.com", "octo/widgets")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-upload-pack=x",
        "ext::touch",
        "https://github.com/octo",
        "https://github.com/a b/c",
        "https://github.com/o/r\n",
        'x"y:z',
    ],
)
def test_what_is_no_clone_url_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="REPO_URL"):
        parse_remote(text, with_token=True)


def test_a_credential_in_the_url_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="GH_TOKEN") as caught:
        parse_remote("https://x-access-token:ghs_secret@github.com/octo/widgets.git", with_token=True)

    assert "ghs_secret" not in caught.value.message
