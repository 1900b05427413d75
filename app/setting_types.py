"""Kinds of values that settings have in an environment variable: lists between commas or colons, pairs, rates."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def _between_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _between_colons(value: object) -> object:
    return [Path(part).expanduser() for part in value.split(":") if part] if isinstance(value, str) else value


def _pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    return {model.strip(): (name or model).strip() for model, _, name in pairs}


def _are_ports(value: tuple[str, ...]) -> tuple[str, ...]:
    for part in value:
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first) < 1 << 16):
            raise ValueError(f"{part} is no port or range of ports; write 5432 or 8000-8099")
    return value


def _holds_no_credential(value: str) -> str:
    if re.match("https?://[^/]*@", value):
        raise ValueError("must not hold a user or a password; put the token into GH_TOKEN")
    return value


def _is_rate(value: str) -> str:
    from limits import parse_many  # noqa: PLC0415 - only to check the text; slowapi reads it again

    parse_many(value)
    return value


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_between_commas)]
"""Texts between commas."""

Numbers = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_between_commas)]
"""Numbers between commas."""

Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_between_colons)]
"""Paths between colons; `~` is the home directory."""

Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
"""`key=value` between commas; a key alone is its own value."""

Ports = Annotated[Texts, AfterValidator(_are_ports)]
"""TCP ports and ranges of them between commas."""

Url = Annotated[str, AfterValidator(_holds_no_credential)]
"""A URL without a user or a password in it."""

Urls = Annotated[tuple[Url, ...], NoDecode, BeforeValidator(_between_commas)]
"""Such URLs between commas."""

Rate = Annotated[str, AfterValidator(_is_rate)]
"""How often, as `10/minute`."""
