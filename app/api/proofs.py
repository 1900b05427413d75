"""Secrets that callers prove to know, and how often they may fail to.

Whoever has failed too often is not compared any more for a while: an answer that told right from wrong would let the
guessing go on. Successes count nowhere, and where one came from, the failures of all others together do not matter.
"""

import hashlib
import hmac
from collections import OrderedDict
from time import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from app.api.addresses import address_of
from app.errors import AutoCodeError

PER_ADDRESS = parse("10/minute")
ALTOGETHER = parse("100/minute")

_EVERYBODY = "*"
_MOST_KNOWN = 1_000


class TooManyFailures(AutoCodeError):
    """Too many wrong tries; the next one is looked at in `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many tries failed. Check the secret, and try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


class Secret:
    """One secret. Every wrong value takes the same time, whatever its length."""

    def __init__(self, value: str) -> None:
        self._value = value.encode()
        self._failures = MovingWindowRateLimiter(MemoryStorage())
        self._known: OrderedDict[str, None] = OrderedDict()

    def proved(self, connection: HTTPConnection, given: bytes) -> bool:
        """Whether it is the secret. Raises TooManyFailures."""
        address = address_of(connection)
        self._check(address)
        return self._counted(address, right=hmac.compare_digest(_digest(given), _digest(self._value)))

    def signed(self, connection: HTTPConnection, given: bytes, body: bytes) -> bool:
        """Whether it is Jira's signature of the body: no guess, so that a right one is taken after any failures.

        Raises TooManyFailures for one more that is wrong.
        """
        expected = "sha256=" + hmac.new(self._value, body, hashlib.sha256).hexdigest()
        if right := hmac.compare_digest(given, expected.encode()):
            return right
        address = address_of(connection)
        self._check(address)
        return self._counted(address, right=False)

    def _check(self, address: str) -> None:
        bounds = [(PER_ADDRESS, address)] + ([] if address in self._known else [(ALTOGETHER, _EVERYBODY)])
        for bound, who in bounds:
            if not self._failures.test(bound, who):
                until = self._failures.get_window_stats(bound, who).reset_time
                raise TooManyFailures(max(1, int(until - time()) + 1))

    def _counted(self, address: str, *, right: bool) -> bool:
        if right:
            self._known[address] = None
            self._known.move_to_end(address)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        else:
            self._failures.hit(PER_ADDRESS, address)
            self._failures.hit(ALTOGETHER, _EVERYBODY)
        return right


def _digest(value: bytes) -> bytes:
    """Of one length for all values, so that the comparison does not tell how long the secret is."""
    return hashlib.sha256(value).digest()
