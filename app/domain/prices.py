"""What tokens cost, in US dollars per million, by model. One that is not known costs as much as the dearest known."""

import re
from dataclasses import dataclass

from app.models import Tokens

_MILLION = 1_000_000
_BYTES_A_TOKEN = 4
"""Of a request in JSON; less for some languages, but near a ceiling the estimate only decides who waits."""

_TAIL = r"(-\d{8}|-latest)?(-v\d+(:\d+)?)?(@[\w-]+)?(\[\w+\])?"
"""What follows a model's name: the day of its snapshot, a cloud's version of it, a context window."""


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens. `long` is the price of a whole request whose input is above `long_above` tokens."""

    input: float
    output: float
    cache_write: float
    cache_write_1h: float
    cache_read: float
    long_above: int | None = None
    long: "Price | None" = None

    def of(self, tokens: Tokens, *, cache_write_1h: int = 0) -> float:
        """What these tokens cost; `cache_write_1h` of those written to the cache are kept for an hour."""
        whole = tokens.input + tokens.cache_read + tokens.cache_write
        if self.long is not None and self.long_above is not None and whole > self.long_above:
            return self.long.of(tokens, cache_write_1h=cache_write_1h)
        cost = tokens.input * self.input + tokens.output * self.output + tokens.cache_read * self.cache_read
        cost += (tokens.cache_write - cache_write_1h) * self.cache_write + cache_write_1h * self.cache_write_1h
        return cost / _MILLION

    def estimate(self, *, request_bytes: int, output_tokens: int) -> float:
        """What a request of that size costs at most, more or less: nothing of it is in the cache."""
        written = Tokens(cache_write=request_bytes // _BYTES_A_TOKEN, output=output_tokens)
        return self.of(written, cache_write_1h=written.cache_write)


def _price(input_: float, output: float, *, cache_read: float | None = None) -> Price:
    """The usual relations: to write costs 1.25 times the input, for an hour twice, and to read a tenth."""
    read = input_ / 10 if cache_read is None else cache_read
    return Price(input_, output, input_ * 1.25, input_ * 2, read)


_HAIKU_5_5 = Price(0.1, 0.5, 0.125, 0.2, 0.01, long_above=100_000, long=_price(0.5, 2.5))

_PRICES = {
    "claude-3-haiku": _price(0.25, 1.25, cache_read=0.03),
    "claude-3-5-haiku": _price(0.8, 4),
    "claude-haiku-4-5": _price(1, 5),
    "claude-haiku-5-5": _HAIKU_5_5,
    "claude-3-5-sonnet": _price(3, 15),
    "claude-3-7-sonnet": _price(3, 15),
    "claude-sonnet-4": _price(3, 15),
    "claude-sonnet-4-0": _price(3, 15),
    "claude-sonnet-4-5": _price(3, 15),
    "claude-sonnet-4-6": _price(3, 15),
    "claude-sonnet-5": _price(2, 10),
    "claude-sonnet-5-5": _price(2, 10, cache_read=0.1),
    "claude-opus-4": _price(15, 75),
    "claude-opus-4-0": _price(15, 75),
    "claude-opus-4-1": _price(15, 75),
    "claude-opus-4-5": _price(5, 25),
    "claude-opus-4-6": _price(5, 25),
    "claude-opus-4-7": _price(5, 25),
    "claude-opus-4-8": _price(5, 25),
    "claude-opus-5": _price(5, 25),
    "claude-opus-5-5": _price(4, 20, cache_read=0.2),
    "claude-fable-5": _price(10, 50),
    "claude-fable-5-1": _price(10, 50, cache_read=0.25),
    "claude-fable-5-2": _price(8, 40, cache_read=0.2),
    "claude-mythos-5": _price(10, 50),
    "claude-mythos-5-1": _price(10, 50, cache_read=0.25),
    "claude-mythos-5-2": _price(8, 40, cache_read=0.2),
}

DEAREST = max(_PRICES.values(), key=lambda price: price.output)
_NAMES = re.compile(rf"(?:[\w-]+\.)*({'|'.join(map(re.escape, _PRICES))}){_TAIL}")


def price_of(model: str) -> Price:
    """The price of a model by its id, as the API or a cloud calls it."""
    known = _NAMES.fullmatch(model)
    return _PRICES[known.group(1)] if known else DEAREST
