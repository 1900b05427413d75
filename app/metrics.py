"""What Prometheus reads: counters that the rooms add to, and a page of them with what is true at the moment.

The only place that knows prometheus_client. Labels come from small sets: never a ticket's key, a person, a text that
an agent or a sender chose, or a secret.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

MOST_BUCKETS = 100
"""Projects that have a queue of their own on the page; the shortest of more are one."""

OUTCOMES = ("accepted", "duplicate", "ignored", "refused", "rate_limited", "unavailable", "failed")
RETRIED = ("step", "parked", "request", "turn")

_QUICK_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_WAIT_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400)
_STAGE_S = (0.5, 1, 2.5, 5, 15, 30, 60, 120, 300, 600, 1200, 2400, 4800)
_TOKEN_S = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
_SHARE = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would be a second series beside each
_own = CollectorRegistry()
ProcessCollector(registry=_own)

# The doors

ack = Histogram(
    "autocode_webhook_ack_seconds",
    "From a webhook's request to its answer.",
    registry=_own,
    buckets=_QUICK_S,
)
webhooks = Counter(
    "autocode_webhooks",
    f"Webhook requests by what became of them: {', '.join(OUTCOMES)}.",
    ["outcome"],
    registry=_own,
)
readers = Gauge("autocode_stream_readers", "Live event streams that are open.", registry=_own)

# Runs

dispatch = Histogram(
    "autocode_dispatch_seconds",
    "From the moment a run was queued until a worker took it.",
    registry=_own,
    buckets=_WAIT_S,
)
stages = Histogram(
    "autocode_stage_seconds", "How long stages took, by stage.", ["stage"], registry=_own, buckets=_STAGE_S
)
retries = Counter(
    "autocode_retries",
    "What was tried again: a step after a fault or after it was parked, a model request, a turn that was cut off.",
    ["what"],
    registry=_own,
)
cli_processes = Gauge("autocode_cli_processes", "Claude Code processes, the spare one among them.", registry=_own)

# The model

requests = Counter("autocode_gateway_requests", "Model requests by the API's status.", ["status"], registry=_own)
tokens = Counter(
    "autocode_gateway_tokens",
    "Tokens of model requests by kind: input, output, cache_read, cache_write.",
    ["kind"],
    registry=_own,
)
dollars = Counter("autocode_gateway_dollars", "What model requests cost, in US dollars.", registry=_own)
first_token = Histogram(
    "autocode_gateway_first_token_seconds",
    "From sending a model request to the first piece of its answer.",
    registry=_own,
    buckets=_TOKEN_S,
)
cache_share = Histogram(
    "autocode_gateway_cache_share_ratio",
    "Share of a request's input that was read from the cache.",
    registry=_own,
    buckets=_SHARE,
)

_NO_ANSWER = "none"

# A series that is there before the first time has a rate from the first time.
for _outcome in OUTCOMES:
    webhooks.labels(_outcome)
for _what in RETRIED:
    retries.labels(_what)


def model_answered(
    *,
    status: int | None,
    counts: Mapping[str, int],
    cost_usd: float,
    first_token_s: float | None,
    cached_share: float | None,
) -> None:
    """Count one model request that was settled. `counts` are its tokens by kind, `status` None for no answer."""
    requests.labels(_NO_ANSWER if status is None else str(status)).inc()
    for kind, count in counts.items():
        tokens.labels(kind).inc(count)
    dollars.inc(cost_usd)
    if first_token_s is not None:
        first_token.observe(first_token_s)
    if cached_share is not None:
        cache_share.observe(cached_share)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What the database knows of all workers' runs: how many by status, and how many wait by bucket."""

    runs: Mapping[str, int] = field(default_factory=dict)
    queued: Mapping[str, int] = field(default_factory=dict)
    oldest_s: float = 0.0
    workers: Mapping[str, int] = field(default_factory=dict)
    """Those that are alive, by state."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What is true when the page is read. `queue` is None where the database did not say in time.

    `parked`: the model takes no requests of anybody, be it for its limits or because it refused the credential.
    `parked_until` is seconds since 1970, None where nothing is parked or nobody knows until when.
    """

    queue: Queue | None = None
    parked: bool = False
    parked_until: float | None = None
    credential_refused: bool = False
    disk_free_bytes: int | None = None


def page(moment: Moment) -> bytes:
    """All of it in Prometheus' text format, whose media type is `CONTENT_TYPE`."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(moment))
    return generate_latest(_own) + generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        moment, queue = self._moment, self._moment.queue
        built = GaugeMetricFamily("autocode_build_info", "Which version this is.", labels=["version"])
        built.add_metric([version("auto-code")], 1)
        yield built
        yield GaugeMetricFamily("autocode_database_up", "Whether the database answered.", value=int(queue is not None))
        yield GaugeMetricFamily(
            "autocode_parked", "Whether the model takes no requests of anybody.", value=int(moment.parked)
        )
        yield GaugeMetricFamily(
            "autocode_parked_until_timestamp_seconds",
            "Until when it is known to take none; 0 when it takes them, or nobody knows.",
            value=moment.parked_until or 0,
        )
        yield GaugeMetricFamily(
            "autocode_credential_refused",
            "Whether the model's API refuses the credential, which a person must mend.",
            value=int(moment.credential_refused),
        )
        if moment.disk_free_bytes is not None:
            free = moment.disk_free_bytes
            yield GaugeMetricFamily("autocode_disk_free_bytes", "Free space of WORKSPACE_DIR.", value=free)
        if queue is not None:
            yield from _told(queue)


def _told(queue: Queue) -> Iterator[GaugeMetricFamily]:
    yield _by("autocode_runs", "Runs by status, of all workers.", "status", queue.runs)
    yield _by("autocode_queued_runs", "Runs that wait for a worker, by project.", "bucket", few(queue.queued))
    yield GaugeMetricFamily(
        "autocode_oldest_queued_seconds", "How long the oldest of them has waited.", value=queue.oldest_s
    )
    yield _by("autocode_workers", "Workers that are alive, by state.", "state", queue.workers)


def _by(name: str, says: str, label: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def few(counts: Mapping[str, int]) -> dict[str, int]:
    """The largest `MOST_BUCKETS` of them, and the sum of the rest as `other`."""
    largest = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    kept = dict(largest[:MOST_BUCKETS])
    if rest := sum(count for _, count in largest[MOST_BUCKETS:]):
        kept["other"] = kept.get("other", 0) + rest
    return kept
