"""Conversations as they are at a company that works with the product: one in each state, and a very long one."""

from collections.abc import Mapping
from pathlib import Path

from app.models import Answer, Asked, Choice, RepositoryChoice, RunMode, RunStatus, StageName, StageStatus
from tests.journeys.seeding import Past
from tests.journeys.story import BEN, Story

BACKEND = RepositoryChoice(name="acme/backend", base="main")
WORKERS = RepositoryChoice(name="acme/workers", base="release/2026.11")
CONSOLE = RepositoryChoice(name="acme/console", base="main")
REPOSITORIES = (BACKEND, WORKERS, CONSOLE)

_TURN_STEPS = 40
_TURN_EVENTS = 4 + 10 * _TURN_STEPS  # queued, message, running; the steps; and the end

_PATCHES = Path(__file__).parents[1] / "data" / "acme"
_BACKEND_PATCH, _WORKERS_PATCH = ((_PATCHES / f"{name}.patch").read_text() for name in ("backend", "workers"))
_RETRY = _BACKEND_PATCH.partition("b/webhooks/retry.py\n@@")[2].partition("\n")[2]
_NEW_FILE = "\n".join(line[1:] for line in _RETRY.splitlines() if line.startswith("+"))

_PROMPT = """\
Honour `Retry-After` in both forms (seconds and HTTP date). Keep the public signature of `WebhookHandler.deliver`.

The worker in **acme-workers** has its own loop around it: remove it once the handler retries by itself."""

_PLAN = """\
# Let admins export users as CSV

Admins download the users that their filters show. The rows are **streamed**, so that 200,000 users need no memory.

| # | Work | Files |
| --- | --- | --- |
| 1 | `GET /admin/users.csv` with the list's own filters | `admin/users.py` |
| 2 | Stream rows in pages of 1,000 by key | `admin/export.py` |
| 3 | A button beside the filters, with the count | `UserList.tsx` |

## How it is tested

- Formulas (`=cmd…`) are quoted, names keep their accents
- A member without the *export* right gets 403, and no button
- 50,000 rows stay below 40 MB

## Left alone

Scheduled exports: `ENG-188` asks for them separately.
"""


def company(past: Past) -> None:
    """One conversation in each state, and some more."""
    for tell in (
        _older, _explained, _dark_mode, _opened_in_two, _failed, _planned, _asked, _incidents, _queued, _retries
    ):  # fmt: skip
        tell(past)


def long(past: Past, key: str, *, events: int = 5_000, ended: bool = True) -> Story:
    """A conversation of so many events: lines, then turns of 404 with forty steps each, which are counted from 1."""
    story = Story(past, key, "Move the billing tables to the new schema", ago_s=3 * 86_400)
    turns, rest = divmod(events + (not ended), _TURN_EVENTS)
    story.begin("Look around first.", repositories=[BACKEND])
    for number in range(4, rest):
        story.say(f"Line {number:04d}.")
    story.end(outcome="Answered.")
    for turn in range(turns):
        story.begin(f"Go on with part {turn + 1}.", repositories=[BACKEND])
        for step in range(_TURN_STEPS):
            _step(story, turn * _TURN_STEPS + step + 1)
        if ended or turn < turns - 1:
            story.end(outcome="Answered.")
    return story


def _step(story: Story, number: int) -> None:
    """Ten events: words, four calls and their results, and words."""
    source = "\n".join(f"    {line:>3}  amount = Decimal(row.amount).quantize(CENT)" for line in range(30))
    story.say(f"Step {number:04d}: the table `invoice_{number}` has rows without a **currency**; I look where from.")
    story.step("Grep", "billing/models.py:12\nbilling/sums.py:80", pattern=f"invoice_{number}")
    story.step("Read", source, file_path=f"billing/part_{number}.py")
    old, new = "amount = row.amount", "amount = Decimal(row.amount)"
    story.step("Edit", "", file_path=f"billing/part_{number}.py", old_string=old, new_string=new)
    story.step("Bash", "12 passed in 0.61s", command=f"uv run pytest billing/tests/test_part_{number}.py -q")
    story.say(f"The rows of step {number:04d} are whole, and its tests pass.")


def _retries(past: Past) -> None:
    """Under way: implemented, reviewed, and in the middle of its tests."""
    story = Story(past, "ACME-42", "Add retry logic to the webhook handler and cover the 429 path", ago_s=14 * 60 + 8)
    story.begin(_PROMPT, repositories=[BACKEND, WORKERS], auto_pr=True)
    _implement(story)
    story.stage(StageName.REVIEW)
    story.say("`delay_after` takes a date in the past for 0 s. That is right, but no test says so.", role="reviewer")
    story.after(139).turn(cost_usd=0.29, turns=6)
    story.ended(StageName.REVIEW, rounds=1, summary="One remark, settled.")
    story.stage(StageName.LINT)
    for each in (BACKEND, WORKERS):
        story.gate(StageName.LINT, "uv run ruff check .", repository=each.name, took_s=0.4)
    story.ended(StageName.LINT)
    story.stage(StageName.TESTS)
    story.gate(
        StageName.TESTS,
        "uv run pytest -q",
        repository=BACKEND.name,
        failed=True,
        took_s=38,
        output="FAILED tests/test_handler.py::test_five_attempts_are_enough - assert 4 == 5\n1 failed, 311 passed",
    )
    story.todo(*_TODO, done=5)
    story.say(
        "One failure: `test_five_attempts_are_enough` expects five attempts, and `range(1, most_attempts)` makes four. "
        "The policy is right, my loop is not."
    )
    old = "for attempt in range(1, self._policy.most_attempts):"
    new = "for attempt in range(1, self._policy.most_attempts + 1):"
    story.step("Edit", "", file_path="webhooks/handler.py", old_string=old, new_string=new)
    story.step("Bash", "312 passed in 36.20s", took_s=36, command="uv run pytest -q --maxfail=20")


_TODO = (
    "Read the handler and its callers",
    "Retry policy with both forms of Retry-After",
    "Use the policy in deliver",
    "Remove the loop in acme/workers",
    "Cover 429, 503 and a final 400",
    "Run tests and lint",
)


def _implement(story: Story) -> None:
    story.stage(StageName.IMPLEMENT)
    story.say("I start with the handler and the worker that calls it.")
    for path in ("webhooks/handler.py", "webhooks/models.py", "tests/test_handler.py"):
        story.step("Read", "line\n" * 48, file_path=path)
    story.step("Grep", "workers/deliver_loop.py:14\nwebhooks/handler.py:24", pattern="deliver\\(")
    story.todo(*_TODO, done=1)
    story.after(200).say(
        "The worker sleeps `2**attempt` seconds by itself: a 429 would be waited for **twice**. I move retrying "
        "into the handler, behind a small `RetryPolicy`, and let the worker call it once."
    )
    story.step("Write", "", file_path="webhooks/retry.py", content=_NEW_FILE)
    old, new = "self._client = client", "self._client = client\n        self._policy = policy or RetryPolicy()"
    story.step("Edit", "", file_path="webhooks/handler.py", old_string=old, new_string=new)
    story.todo(*_TODO, done=3)
    old = "for attempt in range(ATTEMPTS):"
    story.step("Edit", "", file_path="workers/deliver_loop.py", old_string=old, new_string="")
    story.step("Bash", "12 passed in 1.82s", took_s=3.1, command="uv run pytest tests/test_retry.py -q")
    story.changed(BACKEND.name, _BACKEND_PATCH)
    story.changed(WORKERS.name, _WORKERS_PATCH, base=WORKERS.base)
    story.after(282).turn(cost_usd=0.96, turns=21)
    story.ended(StageName.IMPLEMENT)


WRITING = "All 312 pass. Last, I look at the worker once more: its queue must not mark an event as done before the"
"""What Claude is writing there."""


def _planned(past: Past) -> None:
    """A second version of a plan waits to be reviewed."""
    story = Story(past, "ENG-203", "Add user export to the admin console", ago_s=26 * 60)
    story.begin("Plan this first. CSV is enough.", mode=RunMode.PLAN, repositories=[BACKEND, CONSOLE])
    story.stage(StageName.PLAN)
    for path in ("admin/users.py", "admin/filters.py", "console/src/UserList.tsx"):
        story.step("Read", "line\n" * 90, file_path=path)
    first = story.plan("# Export users\n\nCollect all users in memory, write them to a file, and mail a link.")
    answer = Answer(by=BEN, text="No mail, please: stream it. And keep the list's filters.")
    story.after(300).answer(first, answer)
    story.step("Grep", "admin/filters.py:31\nadmin/users.py:58", pattern="def filtered")
    story.step("Read", "line\n" * 61, file_path="admin/streams.py")
    story.say("Streaming fits: the list is read by key already, so that pages of it cost the same at the end.")
    story.turn(cost_usd=0.31)
    story.plan(_PLAN)


def _asked(past: Past) -> None:
    """A question waits for an answer."""
    story = Story(past, "ACME-57", "Round invoice totals per currency", ago_s=8 * 60)
    story.begin("Round as the tax office of each country wants it.", repositories=[BACKEND])
    story.stage(StageName.IMPLEMENT)
    story.step("Read", "line\n" * 120, file_path="billing/sums.py")
    story.step("WebSearch", "3 results", query="JPY invoice rounding consumption tax")
    story.say("Totals are rounded half-even everywhere. For the yen, which has no minor unit, that differs by invoice.")
    story.turn(cost_usd=0.18)
    story.ask(
        Asked(
            question="Half-even or half-up for JPY, which has no minor unit?",
            header="Rounding",
            choices=(
                Choice(label="Half-up", description="What most Japanese invoices do; changes 14 of 9,200 old totals"),
                Choice(label="Half-even", description="As everywhere else; nothing old changes"),
                Choice(label="Down", description="What the tax office allows, too; always in the customer's favour"),
            ),
        )
    )


def _failed(past: Past) -> None:
    story = Story(past, "OPS-118", "Rotate Stripe webhook secrets without downtime", ago_s=35 * 60)
    story.begin("Accept the old secret for a day.", repositories=[BACKEND], by=BEN)
    story.stage(StageName.IMPLEMENT)
    story.step("Edit", "", file_path="payments/stripe.py", old_string="secret", new_string="secrets")
    story.say("Both secrets are tried, the newer one first.")
    story.turn(cost_usd=0.74)
    story.changed(BACKEND.name, _WORKERS_PATCH)
    story.ended(StageName.IMPLEMENT)
    story.stage(StageName.TESTS)
    output = "FAILED payments/tests/test_stripe.py::test_an_old_secret_is_refused\n2 failed, 309 passed"
    story.gate(StageName.TESTS, "uv run pytest -q", repository=BACKEND.name, failed=True, took_s=41, output=output)
    story.ended(StageName.TESTS, StageStatus.FAILED, rounds=3, summary="2 of 311 tests fail after 3 attempts")
    story.end(RunStatus.FAILED, error="2 of 311 tests fail after 3 attempts.")  # fmt: skip


def _incidents(past: Past) -> None:
    story = Story(past, "WEB-79", "Show incident history per component", ago_s=3 * 60)
    story.begin("", by=None, mode=RunMode.IMPLEMENT)
    story.stage(StageName.IMPLEMENT)
    story.turn(cost_usd=0.22)
    agent = story.call("Agent", description="Find how components are drawn", prompt="Where are components drawn?")
    inner = story.call("Grep", parent=agent, pattern="ComponentRow")
    story.returned(inner, "console/src/ComponentRow.tsx:4", parent=agent)
    story.message("Also for components that were removed, please.", by=BEN)


def _queued(past: Past) -> None:
    story = Story(past, "ACME-61", "Drop the legacy v1 signature header", ago_s=70)
    story.begin("Nobody uses it since May.", repositories=[BACKEND], works=False)


def _opened_in_two(past: Past) -> None:
    """Done: draft pull requests in two repositories, after one could not be pushed at first."""
    story = Story(past, "ACME-35", "Reject webhooks to private addresses", ago_s=6_100)
    story.begin("Resolve the name first, and refuse private ranges.", repositories=[BACKEND, WORKERS], auto_pr=True)
    story.stage(StageName.IMPLEMENT)
    story.say("The address is resolved once and the connection pinned to it, so that DNS cannot change its mind.")
    for path in ("webhooks/addresses.py", "webhooks/handler.py", "tests/test_addresses.py"):
        story.step("Write", "", file_path=path, content="line\n" * 24)
    story.step("Bash", "Exit code 1\n1 failed", failed=True, command="uv run pytest -q", took_s=12)
    story.step("Bash", "318 passed", command="uv run pytest -q", took_s=12)
    story.changed(BACKEND.name, _WORKERS_PATCH, published=True)
    story.changed(WORKERS.name, _WORKERS_PATCH, base=WORKERS.base, published=True)
    story.turn(cost_usd=1.18, turns=30)
    story.ended(StageName.IMPLEMENT)
    for stage, command in {StageName.REVIEW: "", StageName.LINT: "ruff check .", StageName.TESTS: "pytest -q"}.items():
        story.stage(stage)
        if command:
            story.gate(stage, f"uv run {command}", repository=BACKEND.name)
        story.ended(stage)
    story.stage(StageName.PUBLISH)
    story.pull_request(BACKEND.name, 309)
    story.pull_request(WORKERS.name, 88)
    story.say(
        "Addresses in private ranges are refused when an endpoint is registered *and* when it is called.\n\n"
        "- `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`, link-local and their IPv6 kin\n"
        "- the worker reports `refused: private address` to the customer's log\n"
    )
    story.ended(StageName.PUBLISH)
    story.end(RunStatus.PR_OPENED, outcome="Opened 2 draft pull requests.")


def _explained(past: Past) -> None:
    story = Story(past, "ACME-39", "Explain how delivery ordering works", ago_s=2 * 3600)
    story.begin("Is the order kept for one endpoint?", mode=RunMode.ASK, repositories=[BACKEND])
    story.stage(StageName.ANSWER)
    story.step("Read", "line\n" * 80, file_path="webhooks/queue.py")
    story.say("Yes, for one endpoint: its events have **one partition**, and a partition has one worker at a time.")
    story.turn(cost_usd=0.09)
    story.end(outcome="Answered.")


def _dark_mode(past: Past) -> None:
    story = Story(past, "WEB-77", "Dark mode for the status page", ago_s=5 * 3600)
    story.begin("", by=None, mode=RunMode.IMPLEMENT)
    story.turn(cost_usd=0.88)
    story.pull_request(CONSOLE.name, 92, draft=False)
    story.end(RunStatus.PR_OPENED, outcome="Opened pull request.")


def _older(past: Past) -> None:
    titles: Mapping[str, tuple[int, int, str]] = {
        "ENG-190": (29, 306, "Make the seat counter idempotent"),
        "ENG-198": (9, 311, "Paginate the audit log endpoint"),
    }
    for key, (hours, number, title) in titles.items():
        story = Story(past, key, title, ago_s=hours * 3600)
        story.begin("Go.", repositories=[BACKEND])
        story.turn(cost_usd=0.61)
        story.pull_request(BACKEND.name, number)
        story.end(RunStatus.PR_OPENED, outcome="Opened a draft pull request.")
