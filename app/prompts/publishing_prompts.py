"""Prompts of publishing: what the author is asked when code refuses to push its change."""

from collections.abc import Mapping

from app.domain.inspections import advice_on, places_of
from app.prompts.fences import FILES, fenced
from app.results import Inspection


def build_refusal_prompt(refused: Mapping[str, Inspection]) -> str:
    """What the author is asked to mend, by repository; the name is empty where there is one only."""
    parts = [
        "Your change cannot be published as it is. The publisher looks at it before the push, and refuses it for what "
        "follows. Mend exactly that and keep the rest; there is no other way around it, and it is looked at again."
    ]
    for repository, inspection in refused.items():
        where = f"In {repository}:\n" if repository else ""
        parts.append(where + fenced(FILES, "\n".join(f"- {place}" for place in places_of(inspection.refusals))))
        parts.append(advice_on(inspection.refusals))
    parts.append(
        "Secrets of tests are made up when the test runs, or are words that nobody takes for one. Do not repeat a "
        "secret in your answer."
    )
    return "\n\n".join(parts)
