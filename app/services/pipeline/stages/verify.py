"""Setup, lint and tests by the repository's own commands; the author fixes what fails.

A pass is worth only the code that it saw: after a fix, every gate that passed before is run again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.workflow_file import parse
from app.errors import InvalidInput
from app.models import EventKind, PipelineOptions, StageName, StageStatus
from app.prompts.ticket_prompts import build_check_fix_prompt
from app.results import CheckOutcome, CheckResult, Commands, GateReport, Turn, Workspace
from app.services.checks.base import Checks
from app.services.claude_code.base import SessionRef
from app.services.pipeline.context import Context, StageEnd

_MOST_FIXES = 3

Run = Callable[[Path, Commands], Awaitable[CheckResult]]


@dataclass
class _Gate:
    name: StageName
    run: Run
    most_fixes: int
    passed_edition: int | None = None
    visits: int = 0
    checks: int = 0
    fixes: int = 0
    is_unchecked: bool = True
    """The author changed something for this gate that no check has seen, or there was no check yet."""
    last: CheckResult = field(default_factory=lambda: CheckResult(outcome=CheckOutcome.SKIPPED))
    duration_s: float = 0.0
    spent: list[Turn] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """No further check can change the gate's end."""
        if self.is_unchecked:
            return False
        if self.last.outcome is CheckOutcome.FAILED:
            return self.fixes >= self.most_fixes
        return self.last.outcome is not CheckOutcome.PASSED


async def verify(context: Context, workspace: Workspace, session: SessionRef) -> list[GateReport]:
    """A report of each gate that the run's options ask for, in order."""
    gates = _gates(context.hands.checks, context.job.options)
    if not gates:
        return []
    commands = await context.steps.run("commands", lambda: _commands(context, workspace), Commands)
    edition = 0  # counts the author's fixes: what passed in an earlier edition must pass again
    while (gate := _next(gates, edition)) is not None:
        if gate.last.outcome is not CheckOutcome.FAILED:
            gate.visits += 1
            await context.hands.store.stage_started(context.job.run_id, gate.name, visit=gate.visits)
        await _check(context, gate, workspace, commands, edition)
        if gate.last.outcome is CheckOutcome.FAILED and not gate.settled:
            await _fix(context, gate, session)
            edition += 1
            continue
        await _end_visit(context, gate)
        if gate.name is StageName.SETUP and gate.last.outcome in {CheckOutcome.FAILED, CheckOutcome.UNAVAILABLE}:
            await _skip_what_needs(gate, gates, context)
    return [_report(gate) for gate in gates]


def _gates(checks: Checks, options: PipelineOptions) -> list[_Gate]:
    wanted = [
        # Dependencies that do not install are rarely the author's doing: one try.
        _Gate(StageName.SETUP, checks.run_setup, most_fixes=1) if options.lint or options.tests else None,
        _Gate(StageName.LINT, checks.run_lint, most_fixes=_MOST_FIXES) if options.lint else None,
        _Gate(StageName.TESTS, checks.run_tests, most_fixes=_MOST_FIXES) if options.tests else None,
    ]
    return [gate for gate in wanted if gate is not None]


def _next(gates: list[_Gate], edition: int) -> _Gate | None:
    for gate in gates:
        stale = gate.passed_edition != edition and not (
            gate.name is StageName.SETUP and gate.passed_edition is not None
        )
        if not gate.settled and stale:
            return gate
    return None


async def _commands(context: Context, workspace: Workspace) -> Commands:
    """The repository's own, from its base branch: the branch that the agent writes could name others."""
    text = await context.hands.github.read(workspace, "WORKFLOW.md")
    try:
        return parse(text or "").front
    except InvalidInput as error:
        await context.emit(EventKind.NOTICE, {"text": f"WORKFLOW.md is not used: {error.message}"})
        return Commands()


async def _check(context: Context, gate: _Gate, workspace: Workspace, commands: Commands, edition: int) -> None:
    gate.checks += 1
    number = gate.checks

    async def body() -> CheckResult:
        result = await gate.run(workspace.directory, commands)
        told = {"gate": gate.name, "round": number, **result.model_dump(mode="json")}
        await context.hands.store.append(context.job.run_id, EventKind.GATE_CHECKED, told, once=f"{gate.name}#{number}")
        return result

    gate.last = await context.steps.run(f"{gate.name} {number}", body, CheckResult)
    gate.is_unchecked = False
    gate.duration_s += gate.last.duration_s
    if gate.last.outcome is CheckOutcome.PASSED:
        gate.passed_edition = edition


async def _fix(context: Context, gate: _Gate, session: SessionRef) -> None:
    gate.fixes += 1

    async def prompt() -> str:
        return build_check_fix_prompt(gate.name, gate.last, attempt=gate.fixes, most=gate.most_fixes)

    gate.spent.append(await context.author_turn(f"fix {gate.name} {gate.fixes}", session, prompt))
    gate.is_unchecked = True


async def _end_visit(context: Context, gate: _Gate) -> None:
    status, found = _end_of(gate)
    await context.end_stage(gate.name, StageEnd(status, found, gate.fixes), visit=gate.visits)


async def _skip_what_needs(setup: _Gate, gates: list[_Gate], context: Context) -> None:
    """What depends on a setup that is not there says so, instead of failing for a reason that is not its own."""
    for gate in gates:
        if gate is not setup:
            gate.is_unchecked, gate.visits = False, 1
            gate.last = CheckResult(outcome=CheckOutcome.UNAVAILABLE, output="Not run: setup failed.")
            await context.hands.store.stage_started(context.job.run_id, gate.name)
            await _end_visit(context, gate)


def _report(gate: _Gate) -> GateReport:
    status, found = _end_of(gate)
    return GateReport(
        gate=gate.name,
        status=status,
        found=found,
        rounds=gate.fixes,
        duration_s=gate.duration_s + sum(turn.duration_s for turn in gate.spent),
        turns=sum(turn.turns for turn in gate.spent),
        cost_usd=sum(turn.cost_usd for turn in gate.spent),
    )


def _end_of(gate: _Gate) -> tuple[StageStatus, str]:
    outcome, command = gate.last.outcome, gate.last.command
    fixes = f"{gate.fixes} fix{'' if gate.fixes == 1 else 'es'}"
    if outcome is CheckOutcome.PASSED:
        return StageStatus.PASSED, f"`{command}` passes {f'after {fixes}' if gate.fixes else 'at once'}"
    if outcome is CheckOutcome.SKIPPED:
        return StageStatus.SKIPPED, gate.last.output.strip() or "Nothing to run"
    if outcome is CheckOutcome.UNAVAILABLE:
        return StageStatus.WARNED, gate.last.output.strip() or f"`{command}` could not be run"
    return StageStatus.FAILED, f"`{command}` still fails after {fixes}"
