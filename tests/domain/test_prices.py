import pytest

from app.domain.prices import DEAREST, price_of
from app.models import Tokens

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "input_usd", "output_usd", "write_usd", "hour_usd", "read_usd"),
    [
        ("claude-sonnet-4-6", 3, 15, 3.75, 6, 0.3),
        ("claude-opus-4-8", 5, 25, 6.25, 10, 0.5),
        ("claude-opus-4-1-20250805", 15, 75, 18.75, 30, 1.5),
        ("claude-opus-5-5", 4, 20, 5, 8, 0.2),
        ("claude-haiku-4-5-20251001", 1, 5, 1.25, 2, 0.1),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3, 15, 3.75, 6, 0.3),
        ("claude-sonnet-4-6[1m]", 3, 15, 3.75, 6, 0.3),
    ],
)
def test_a_million_tokens_cost_what_the_price_list_says(
    model: str, input_usd: float, output_usd: float, write_usd: float, hour_usd: float, read_usd: float
) -> None:
    price = price_of(model)
    assert price.of(Tokens(input=MILLION // 10)) == pytest.approx(input_usd / 10)
    assert price.of(Tokens(output=MILLION)) == pytest.approx(output_usd)
    assert price.of(Tokens(cache_write=MILLION // 10)) == pytest.approx(write_usd / 10)
    assert price.of(Tokens(cache_write=MILLION // 10), cache_write_1h=MILLION // 10) == pytest.approx(hour_usd / 10)
    assert price.of(Tokens(cache_read=MILLION // 10)) == pytest.approx(read_usd / 10)


@pytest.mark.parametrize("model", ["", "gpt-9", "claude-opus-4-9", "claude-sonnet-4-60", "claude-sonnet-4-6-turbo"])
def test_a_model_that_is_not_known_costs_as_much_as_the_dearest(model: str) -> None:
    assert price_of(model) is DEAREST
    assert DEAREST.of(Tokens(output=MILLION)) == 75


def test_a_long_request_to_the_smallest_model_costs_its_long_price_as_a_whole() -> None:
    price = price_of("claude-haiku-5-5")
    assert price.of(Tokens(input=100_000)) == pytest.approx(0.01)
    assert price.of(Tokens(input=1, cache_read=100_000)) == pytest.approx(0.005, rel=0.01)


def test_an_estimate_is_above_what_an_answer_of_that_length_costs() -> None:
    price = price_of("claude-sonnet-4-6")
    estimate = price.estimate(request_bytes=400_000, output_tokens=1_000)
    assert estimate > price.of(Tokens(cache_write=100_000, output=1_000))
