"""Reads request bodies that strangers send, and says what is wrong with them."""

import re

from fastapi import Request
from pydantic import ValidationError

from app.errors import InvalidInput, TooLarge

MOST_BYTES = 1 << 20


async def limited_body(request: Request) -> bytes:
    """The raw body of a delivered ticket. Raises TooLarge over 1 MiB, without reading on."""
    return await body_within(request, TooLarge(MOST_BYTES), most=MOST_BYTES)


async def body_within(request: Request, too_large: TooLarge, *, most: int) -> bytes:
    """The raw body of at most so many bytes. Raises `too_large` for more, without reading on."""
    if _declared_bytes(request) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


def as_invalid_input(error: ValidationError) -> InvalidInput:
    """The first fault of a validation, with its place in the body."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or "body"
    return InvalidInput(place, fault["msg"].removeprefix("Value error, "))


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if re.fullmatch("[0-9]{1,18}", declared) else 0
