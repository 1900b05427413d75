"""What a setup, lint or test command gave."""

from app.models import Event, StageName
from app.results import CheckOutcome
from app.web.presenters.steps import Step, StepKind, href_of, out_of
from app.web.presenters.wording import STAGES, duration, short_name

_SAID = {
    CheckOutcome.PASSED: ("checkc", "Passed"),
    CheckOutcome.FAILED: ("xc", "Failed"),
    CheckOutcome.SKIPPED: ("ring", "Skipped"),
    CheckOutcome.UNAVAILABLE: ("hand", "Could not run"),
}


def gate_line(key: str, event: Event) -> Step:
    """The command's line, like those of Claude's own commands."""
    outcome = CheckOutcome(event.payload["outcome"])
    icon, what = _SAID[outcome]
    took = float(event.payload.get("duration_s") or 0)
    found = (short_name(str(event.payload.get("repository") or "")), duration(took) if took else "")
    return Step(
        kind=StepKind.RUN,
        icon=icon,
        what=what,
        argument=str(event.payload.get("command") or STAGES[StageName(event.payload["gate"])]),
        href=href_of(key, event.seq),
        out=out_of(event.seq),
        result=" · ".join(filter(None, found)),
        failed=outcome is CheckOutcome.FAILED,
    )
