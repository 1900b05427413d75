"""Which of the queued works begin next, within the limits. Pure: it knows no database and no clock."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many works may be under way at once: in one worker, in all of them together, and in one bucket of all."""

    worker: int
    total: int | None = None
    per_bucket: int | None = None

    def room(self, *, here: int, everywhere: int) -> int:
        """How many more one worker may begin that has `here` under way, with `everywhere` in all workers."""
        room = self.worker - here
        return max(0, room if self.total is None else min(room, self.total - everywhere))

    def full(self, at_work: Mapping[str, int]) -> frozenset[str]:
        """The buckets in which none may begin."""
        most = self.per_bucket
        return frozenset(bucket for bucket, count in at_work.items() if most is not None and count >= most)


@dataclass(frozen=True)
class Queued:
    """A work that waits. `place` is its place in its bucket, from 1: by priority, then by age."""

    id: str
    bucket: str
    priority: int
    place: int
    queued_at_ms: int


def next_works(queued: Iterable[Queued], at_work: Mapping[str, int], *, room: int, limits: Limits) -> tuple[str, ...]:
    """At most `room` works, in the order in which they begin.

    First what people wait for (priority 0), then the bucket that has the least at work, so that no bulk of one project
    keeps the others waiting; in a bucket priority decides, then age.
    """
    waiting: defaultdict[str, list[Queued]] = defaultdict(list)
    for work in sorted(queued, key=lambda work: -work.place):
        waiting[work.bucket].append(work)
    counts, chosen = Counter(at_work), list[str]()
    while len(chosen) < room:
        full = limits.full(counts)
        heads = [works[-1] for bucket, works in waiting.items() if works and bucket not in full]
        if not heads:
            break
        best = min(heads, key=lambda work: _rank(work, counts[work.bucket]))
        waiting[best.bucket].pop()
        counts[best.bucket] += 1
        chosen.append(best.id)
    return tuple(chosen)


def _rank(work: Queued, at_work: int) -> tuple[bool, int, int, int, str]:
    return work.priority > 0, at_work, work.priority, work.queued_at_ms, work.id
