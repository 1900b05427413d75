"""The page of metrics: Prometheus can read it, and nobody can make it grow without end."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import metrics


def samples(page: str) -> dict[str, float]:
    """Each sample of a page by its name and labels."""
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def read(moment: metrics.Moment) -> dict[str, float]:
    """Those of the page at that moment."""
    return samples(metrics.page(moment).decode())


def test_what_is_true_at_the_moment_is_on_the_page() -> None:
    queue = metrics.Queue(runs={"queued": 3}, queued={"PROJ": 2, "API": 1}, oldest_s=7.5, workers={"working": 2})
    read_back = read(metrics.Moment(queue=queue, parked=True, parked_until=1.8e9, disk_free_bytes=5))
    expected = {
        "autocode_runs status=queued": 3,
        "autocode_queued_runs bucket=PROJ": 2,
        "autocode_queued_runs bucket=API": 1,
        "autocode_oldest_queued_seconds": 7.5,
        "autocode_workers state=working": 2,
        "autocode_database_up": 1,
        "autocode_parked": 1,
        "autocode_parked_until_timestamp_seconds": 1.8e9,
        "autocode_credential_refused": 0,
        "autocode_disk_free_bytes": 5,
    }
    assert expected.items() <= read_back.items()
    assert [value for name, value in read_back.items() if name.startswith("autocode_build_info")] == [1]


def test_what_is_not_known_is_left_out_instead_of_a_wrong_number() -> None:
    told = read(metrics.Moment())
    names = {name.partition(" ")[0] for name in told}
    assert told["autocode_database_up"] == 0
    assert not names & {"autocode_runs", "autocode_queued_runs", "autocode_workers", "autocode_disk_free_bytes"}


def test_a_counter_is_there_before_the_first_time_so_that_its_rate_counts_that() -> None:
    told = read(metrics.Moment())
    assert {f"autocode_webhooks_total outcome={each}" for each in metrics.OUTCOMES} <= set(told)
    assert {f"autocode_retries_total what={each}" for each in metrics.RETRIED} <= set(told)


def test_names_tell_units_and_that_counters_only_grow() -> None:
    for family in text_string_to_metric_families(metrics.page(metrics.Moment()).decode()):
        if family.name.startswith("autocode"):
            assert not family.name.endswith(("_ms", "_created")), family.name
            assert all(each.name.endswith("_total") for each in family.samples if family.type == "counter")
            assert family.documentation


def test_the_shortest_queues_of_more_projects_than_a_page_holds_are_one() -> None:
    many = {f"P{number}": number for number in range(1, metrics.MOST_BUCKETS + 3)}
    few = metrics.few(many)
    assert len(few) == metrics.MOST_BUCKETS + 1
    assert few["other"] == 1 + 2
    assert sum(few.values()) == sum(many.values())


def test_a_model_request_is_counted_by_its_tokens_its_cost_and_its_answer() -> None:
    before = read(metrics.Moment())
    metrics.model_answered(
        status=200, counts={"input": 5, "cache_read": 95}, cost_usd=0.25, first_token_s=1.5, cached_share=0.95
    )
    metrics.model_answered(status=None, counts={}, cost_usd=0.0, first_token_s=None, cached_share=None)
    after = read(metrics.Moment())
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if "_bucket" not in name}
    expected = {
        "autocode_gateway_requests_total status=200": 1,
        "autocode_gateway_requests_total status=none": 1,
        "autocode_gateway_tokens_total kind=cache_read": 95,
        "autocode_gateway_dollars_total": 0.25,
        "autocode_gateway_first_token_seconds_count": 1,
        "autocode_gateway_first_token_seconds_sum": 1.5,
        "autocode_gateway_cache_share_ratio_sum": 0.95,
    }
    # Sums of fractions, on top of what other tests have counted in this process.
    assert {name: grown[name] for name in expected} == pytest.approx(expected)
