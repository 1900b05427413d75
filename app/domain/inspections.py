"""What is said of a change that code refuses to publish, and whether its author can mend it."""

from collections.abc import Iterable

from app.domain.protected import ALLOWED_AT
from app.results import Inspection, Refusal, RefusalReason

_MOST_PLACES = 10

_SAID = {
    RefusalReason.SECRET: "what looks like a secret",
    RefusalReason.SYMLINK: "a symbolic link out of the repository",
    RefusalReason.SUBMODULE: "a changed submodule",
    RefusalReason.LARGE_FILE: "a file over 10 MB",
    RefusalReason.PROTECTED: "a protected path",
}
_ADVICE = {
    RefusalReason.SECRET: "Take the secrets out and revoke those that are real; where they are none, let a maintainer "
    f"name the paths under paths-ignore in {ALLOWED_AT} on the base branch.",
    RefusalReason.SYMLINK: "Let links point to files of the repository.",
    RefusalReason.SUBMODULE: "Change submodules by hand.",
    RefusalReason.LARGE_FILE: "Keep large files elsewhere, or in Git LFS.",
    RefusalReason.PROTECTED: "Change protected paths by hand, or set PROTECTED_PATHS=draft.",
}


def can_be_mended(inspection: Inspection) -> bool:
    """Whether the author of the change can take away all that it is refused for."""
    reasons = {refusal.reason for refusal in inspection.refusals}
    return bool(reasons) and RefusalReason.PROTECTED not in reasons


def refusal_sentence(inspection: Inspection) -> str:
    """Why nothing was published: each place, at most ten, and what to do; empty where nothing is refused."""
    if not inspection.refusals:
        return ""
    places = "; ".join(places_of(inspection.refusals))
    return f"The change was not pushed, because it has {places}. {advice_on(inspection.refusals)} Then retry the run."


def places_of(refusals: Iterable[Refusal]) -> list[str]:
    """Each reason with its places: `a file over 10 MB at data.bin and dump.sql`. Ten places at most."""
    shown, said = list(refusals), []
    more = len(shown) - _MOST_PLACES
    for reason in RefusalReason:
        places = [_place(refusal) for refusal in shown[:_MOST_PLACES] if refusal.reason is reason]
        if places:
            said.append(f"{_SAID[reason]} at {', '.join(places)}")
    return [*said, f"and {more} more"] if more > 0 else said


def advice_on(refusals: Iterable[Refusal]) -> str:
    """What to do about refusals, a sentence for each reason."""
    reasons = {refusal.reason for refusal in refusals}
    return " ".join(_ADVICE[reason] for reason in RefusalReason if reason in reasons)


def _place(refusal: Refusal) -> str:
    return f"{refusal.place} ({refusal.what})" if refusal.what else refusal.place
