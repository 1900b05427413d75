"""The static files: their addresses, how long they are kept, and what may be in them."""

import hashlib
import itertools
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from app.web.assets import Assets

STATIC = Path(str(Assets().directory))
OWN = sorted(file for file in STATIC.rglob("*") if file.is_file() and file.parent.name != "vendor")


def client(assets: Assets) -> httpx.AsyncClient:
    app = Starlette(routes=[Mount(assets.path, assets)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_a_file_is_kept_for_ever_under_its_address() -> None:
    assets = Assets()
    async with client(assets) as http:
        answer = await http.get(assets.url("js/page.js"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "javascript" in answer.headers["content-type"]


async def test_another_versions_page_gets_what_there_is_but_not_to_keep() -> None:
    assets = Assets()
    async with client(assets) as http:
        answer = await http.get("/static/0123456789ab/js/page.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["js/none.js", "../assets.py", "%2e%2e/assets.py", "", "css"])
async def test_nothing_but_the_files_is_served(path: str) -> None:
    assets = Assets()
    async with client(assets) as http:
        answer = await http.get(f"/static/{assets.version}/{path}")
    assert answer.status_code == 404


def test_any_change_changes_every_address(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.js").write_text("2")
    before = Assets(directory=tmp_path).url("a.js")
    (tmp_path / "b.js").write_text("3")
    assert Assets(directory=tmp_path).url("a.js") != before


def test_a_file_that_is_not_there_has_no_address() -> None:
    with pytest.raises(ValueError, match=r"no static file 'css/none\.css'"):
        Assets().url("css/none.css")


def test_pages_link_every_style_sheet() -> None:
    linked = {url.rsplit("/", 1)[1] for url in Assets().stylesheets}
    assert linked == {file.name for file in (STATIC / "css").iterdir()}


def test_htmx_is_the_released_file() -> None:
    digest = hashlib.sha256((STATIC / "vendor/htmx.min.js").read_bytes()).hexdigest()
    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"  # htmx.org@4.0.1


def test_nothing_is_loaded_from_elsewhere() -> None:
    addresses = [address for file in OWN for address in re.findall(r"https?://[^\s\"')]+", file.read_text())]
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


# Contrast, by the definition of WCAG 2


def colours(theme: int) -> dict[str, str]:
    """The colours of a theme, 0 light and 1 dark, by the names of the tokens."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (STATIC / "css/tokens.css").read_text())
    return {name: themes[theme] for name, *themes in pairs}


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_everything_it_stands_on(theme: int) -> None:
    of = colours(theme)
    words = ["text", "text-2", "text-3", "accent", "amber", "red", "green"]
    pages = ["bg", "side", "surface", "raised", "sunken", "bubble"]
    code = ["text", *(name for name in of if name.startswith("code-"))]
    lines = ["surface", "sunken", "add", "add-word", "del", "del-word"]
    own = [
        ("amber", "amber-bg"),
        ("red", "red-bg"),
        ("green", "green-bg"),
        ("accent", "blue-bg"),
        ("text-2", "blue-bg"),
    ]
    numbers = [("text-3", "add"), ("text-3", "del"), ("text-2", "hunk"), ("green", "add"), ("red", "del")]
    pairs = [*itertools.product(words, pages), *itertools.product(code, lines), *own, *numbers]
    assert len(code) > 5
    assert [pair for pair in pairs if contrast(of[pair[0]], of[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_edges_of_controls_can_be_seen(theme: int) -> None:
    of = colours(theme)
    assert [page for page in ("bg", "side", "surface", "sunken") if contrast(of["control"], of[page]) < 3] == []
