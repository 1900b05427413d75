"""The pages' static files, under addresses that change with their content, so that browsers may keep them for ever.

One hash over all files is part of every address: modules import each other by relative paths, and so stay within one
version. The room refuses to build anything: what is on disk is what is served.
"""

import hashlib
from functools import cached_property
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_DIRECTORY = Path(__file__).parent / "static"

# In cascade order.
_STYLESHEETS = (
    "tokens",
    "base",
    "layout",
    "components",
    "forms",
    "composer",
    "home",
    "run",
    "thread",
    "cards",
    "diff",
    "phone",
)


class Assets(StaticFiles):
    """The static files as an ASGI app, to be mounted at `path`: `app.mount(assets.path, assets)`."""

    path = "/static"

    def __init__(self, *, directory: Path = _DIRECTORY) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._root = directory

    @cached_property
    def version(self) -> str:
        """Names the content of all files together: 12 hexadecimal digits."""
        digest = hashlib.sha256()
        for file in sorted(self._files):
            digest.update(f"{file}\0".encode() + (self._root / file).read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @cached_property
    def stylesheets(self) -> tuple[str, ...]:
        """Addresses of the style sheets, in the order in which a page links them."""
        return tuple(self.url(f"css/{name}.css") for name in _STYLESHEETS)

    def url(self, name: str) -> str:
        """The address of a file, as in `url("js/page.js")`. Raises ValueError where there is none."""
        if name not in self._files:
            raise ValueError(f"There is no static file {name!r}. Take one that is under {self._root}.")
        return f"{self.path}/{self.version}/{name}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a request for `<version>/<name>`.

        Another version's page may still ask while a new one is rolled out. It gets what there is, but not to keep.
        """
        version, _, name = path.partition("/")
        response = await super().get_response(name, scope)
        keep = version == self.version
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if keep else "no-cache"
        return response

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(file.relative_to(self._root).as_posix() for file in self._root.rglob("*") if file.is_file())
