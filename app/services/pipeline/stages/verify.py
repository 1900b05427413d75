"""Setup, lint and tests by the repository's own commands; the author fixes what fails.

A pass is worth only the code that it saw: after a fix, every gate that passed before is run again.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from app.domain.workflow_file import parse
from app.errors import InvalidInput
from app.models import EventKind, StageName, StageStatus
from app.prompts.ticket_prompts import build_check_fix_prompt
from app.results import CheckOutcome, CheckResult, Commands, GateReport, Turn, Workspace
from app.services.pipeline.bench import Bench
from app.services.pipeline.context import StageEnd
from app.services.pipeline.stages.mend import mend

_MOST_FIXES = 3

_SEVERITY = (StageStatus.SKIPPED, StageStatus.PASSED, StageStatus.WARNED, StageStatus.FAILED)

Run = Callable[[Path, Commands], Awaitable[CheckResult]]


@dataclass
class _Gate:
    name: StageName
    workspace: Workspace
    commands: Commands
    run: Run
    most_fixes: int
    passed_edition: int | None = None
    visit: int = 0
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


async def verify(bench: Bench, workspaces: Sequence[Workspace]) -> list[GateReport]:
    """A report of each gate that the run's options ask for, in order, for each of the workspaces.

    What code would refuse to publish is mended by the author afterwards, and the gates pass again.
    """
    options = bench.context.job.options
    if not options.lint and not options.tests:
        mended = await mend(bench, workspaces)
        return [mended] if mended else []
    return await _Gates(bench, [gate for each in workspaces for gate in await _gates(bench, each)]).pass_all()


async def _gates(bench: Bench, workspace: Workspace) -> list[_Gate]:
    checks, options = bench.context.hands.checks, bench.context.job.options
    name = f"commands{bench.label(workspace)}"
    commands = await bench.context.steps.run(name, lambda: _commands(bench, workspace), Commands)

    def gate(stage: StageName, run: Callable[..., Awaitable[CheckResult]], most_fixes: int) -> _Gate:
        kept_in = partial(run, room=bench.session.id, reads=workspace.reads)
        return _Gate(stage, workspace, commands, kept_in, most_fixes=most_fixes)

    # Dependencies that do not install are rarely the author's doing: one try.
    gates = [gate(StageName.SETUP, checks.run_setup, 1)]
    if options.lint:
        gates.append(gate(StageName.LINT, checks.run_lint, _MOST_FIXES))
    if options.tests:
        gates.append(gate(StageName.TESTS, checks.run_tests, _MOST_FIXES))
    return gates


async def _commands(bench: Bench, workspace: Workspace) -> Commands:
    """The repository's own, from its base branch: the branch that the agent writes could name others."""
    text = await bench.github(workspace).read(workspace, "WORKFLOW.md")
    try:
        return parse(text or "").front
    except InvalidInput as error:
        context, told = bench.context, {"text": f"WORKFLOW.md is not used: {error.message}"}
        once = f"commands {workspace.repository}"
        await context.hands.store.append(context.job.run_id, EventKind.NOTICE, told, once=once)
        return Commands()


class _Gates:
    """All gates of a run. `edition` counts the author's fixes: what passed in an earlier one must pass again."""

    def __init__(self, bench: Bench, gates: list[_Gate]) -> None:
        self._bench = bench
        self._context = bench.context
        self._gates = gates
        self._edition = 0
        self._at: Workspace | None = None
        self._visits: Counter[StageName] = Counter()

    async def pass_all(self) -> list[GateReport]:
        await self._pass_due()
        mended = await mend(self._bench, tuple(dict.fromkeys(gate.workspace for gate in self._gates)))
        if mended:
            self._edition += 1
            await self._admit("changes after mend")
            await self._pass_due()
        return [self._report(gate) for gate in self._gates] + ([mended] if mended else [])

    async def _pass_due(self) -> None:
        while (gate := self._next()) is not None:
            if gate.last.outcome is not CheckOutcome.FAILED:
                await self._begin_visit(gate)
            await self._check(gate)
            if gate.last.outcome is CheckOutcome.FAILED and not gate.settled:
                await self._fix(gate)
                continue
            await self._end_visit(gate)
            if gate.name is StageName.SETUP and gate.last.outcome in {CheckOutcome.FAILED, CheckOutcome.UNAVAILABLE}:
                await self._skip_what_needs(gate)

    def _next(self) -> _Gate | None:
        """The first gate that must be run; those of other repositories once this one's are done, not after each fix."""
        due = [gate for gate in self._gates if self._is_due(gate)]
        gate = next((gate for gate in due if gate.workspace == self._at), due[0] if due else None)
        if gate is not None:
            self._at = gate.workspace
        return gate

    def _is_due(self, gate: _Gate) -> bool:
        has_passed = gate.passed_edition is not None
        holds = has_passed if gate.name is StageName.SETUP else gate.passed_edition == self._edition
        return not gate.settled and not holds

    async def _begin_visit(self, gate: _Gate) -> None:
        self._visits[gate.name] += 1
        gate.visit = self._visits[gate.name]
        await self._context.hands.store.stage_started(self._context.job.run_id, gate.name, visit=gate.visit)

    async def _check(self, gate: _Gate) -> None:
        gate.checks += 1
        name, number = f"{gate.name}{self._bench.label(gate.workspace)}", gate.checks

        async def body() -> CheckResult:
            result = await gate.run(gate.workspace.directory, gate.commands)
            told = {"gate": gate.name, "round": number, "repository": gate.workspace.repository}
            told |= result.model_dump(mode="json")
            store, run_id = self._context.hands.store, self._context.job.run_id
            await store.append(run_id, EventKind.GATE_CHECKED, told, once=f"{name}#{number}")
            return result

        gate.last = await self._context.steps.run(f"{name} {number}", body, CheckResult)
        gate.is_unchecked = False
        gate.duration_s += gate.last.duration_s
        if gate.last.outcome is CheckOutcome.PASSED:
            gate.passed_edition = self._edition

    async def _fix(self, gate: _Gate) -> None:
        gate.fixes += 1
        self._edition += 1
        label = self._bench.label(gate.workspace)

        async def words() -> str:
            where = f"{gate.name}{self._bench.where(gate.workspace)}"
            return build_check_fix_prompt(where, gate.last, attempt=gate.fixes, most=gate.most_fixes)

        name = f"fix {gate.name}{label} {gate.fixes}"
        gate.spent.append(await self._context.author_turn(name, self._bench.session, words))
        gate.is_unchecked = True
        await self._admit(f"changes after {name}")

    async def _admit(self, name: str) -> None:
        """A fix may reach into a repository without a change so far, which gets gates of its own then."""
        gated = {gate.workspace.repository for gate in self._gates}
        if len(gated) == len(self._bench.workspaces):
            return
        for workspace in self._bench.to_publish(await self._bench.take_stock(name)):
            if workspace.repository not in gated:
                self._gates += await _gates(self._bench, workspace)

    async def _end_visit(self, gate: _Gate) -> None:
        """A stage is as good as its worst repository, and says what was found there."""
        alike = [each for each in self._gates if each.name is gate.name and not each.is_unchecked]
        worst = max(alike, key=lambda each: _SEVERITY.index(_end_of(each)[0]))
        (status, found), fixes = _end_of(worst), sum(each.fixes for each in alike)
        label = self._bench.label(worst.workspace).strip()
        summary = f"{label}: {found}" if label else found
        await self._context.end_stage(gate.name, StageEnd(status, summary, fixes), visit=gate.visit)

    async def _skip_what_needs(self, setup: _Gate) -> None:
        """What depends on a setup that is not there says so, instead of failing for a reason that is not its own."""
        for gate in self._gates:
            if gate is not setup and gate.workspace == setup.workspace:
                gate.is_unchecked = False
                gate.last = CheckResult(outcome=CheckOutcome.UNAVAILABLE, output="Not run: setup failed.")
                await self._begin_visit(gate)
                await self._end_visit(gate)

    def _report(self, gate: _Gate) -> GateReport:
        status, found = _end_of(gate)
        return GateReport(
            gate=gate.name,
            repository=gate.workspace.repository,
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
