"""The author takes out what code would refuse to publish, once, before the gates have their last word."""

from collections.abc import Sequence
from functools import partial

from app.domain.inspections import can_be_mended, places_of
from app.models import StageName, StageStatus
from app.prompts.publishing_prompts import build_refusal_prompt
from app.results import GateReport, Inspection, Workspace
from app.services.pipeline.bench import Bench


async def mend(bench: Bench, workspaces: Sequence[Workspace]) -> GateReport | None:
    """What was mended in one turn of the author; None where nothing is refused, or not for what the author can mend."""
    refused: dict[str, Inspection] = {}
    for workspace in workspaces:
        look = partial(bench.github(workspace).inspect, workspace)
        found = await bench.context.steps.run(f"inspect{bench.label(workspace)}", look, Inspection)
        if can_be_mended(found):
            refused[bench.label(workspace).strip()] = found
    if not refused:
        return None

    async def words() -> str:
        return build_refusal_prompt(refused)

    turn = await bench.context.author_turn("mend", bench.session, words)
    places = [place for found in refused.values() for place in places_of(found.refusals)]
    return GateReport(
        gate=StageName.PUBLISH,
        status=StageStatus.PASSED,
        found=f"Taken out before the push: {'; '.join(places)}",
        rounds=1,
        duration_s=turn.duration_s,
        turns=turn.turns,
        cost_usd=turn.cost_usd,
    )
