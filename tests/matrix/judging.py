"""What must be so after a run, however it died: one pull request of the right content, and nothing else."""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.flows.leftovers import processes_in
from tests.flows.world import REPOSITORY, World
from tests.matrix.playing import Course
from tests.matrix.story import BRANCH, PROMPTS, WRITTEN, Story


@dataclass(frozen=True)
class Judgement:
    """What is wrong, in words: of what should be there, of what is there twice, of what was left behind."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """All of it."""
        return self.lost + self.doubled + self.left


def judge(world: World, course: Course, story: Story) -> Judgement:
    """Look at the far side, at the service's own account of the run, and at the machine, once the service stopped."""
    lost, doubled, left = _lost(world, course, story), _doubled(world, course, story), _left(world, course)
    return Judgement(tuple(lost), tuple(doubled), tuple(left))


def _lost(world: World, course: Course, story: Story) -> Iterator[str]:
    if (course.run["status"], course.run["error"]) != ("pr_opened", None):
        yield f"the run is {course.run['status']}: {course.run['error']}"
    if [(pull.state, pull.draft) for pull in world.pulls[:1]] != [("open", story.draft)]:
        yield f"pull requests: {world.pulls}"
    for name, text in WRITTEN.items():
        if (found := _file(world, name)) != text:
            yield f"{name} is {found!r}"
    numbers = [event["seq"] for event in course.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"events: {numbers}"


def _doubled(world: World, course: Course, story: Story) -> Iterator[str]:
    if len(world.pulls) > 1:
        yield f"{len(world.pulls)} pull requests"
    if BRANCH in world.git.heads(REPOSITORY) and len(log := world.git.log(REPOSITORY, BRANCH)) != story.commits:
        yield f"commits: {log}"
    comments = [(comment.number, comment.body) for comment in world.github[REPOSITORY].comments]
    if len(set(comments)) != len(comments):
        yield f"comments: {comments}"
    if (plans := sum(event["kind"] == "plan.proposed" for event in course.events)) > 1:
        yield f"{plans} plans"
    asked = {world.prompt_of(request) for request in world.model.requests if request.path == "/v1/messages"}
    if others := [prompt[:200] for prompt in asked if not any(known in prompt for known in PROMPTS.values())]:
        yield f"asked in other words: {others}"
    for death in course.deaths:
        later = [world.prompt_of(request) for request in world.model.requests if request.wall > death.at]
        for turn in _ended_before(course, death.at) & PROMPTS.keys():
            if any(PROMPTS[turn] in prompt for prompt in later):
                yield f"turn {turn} was asked again after {death.moment.name}"


def _left(world: World, course: Course) -> Iterator[str]:
    if course.unfinished:
        yield f"{course.unfinished} works of the engine"
    if processes := processes_in(world.directory):
        yield f"processes: {processes}"
    files = [str(path) for place in ("worktrees", ".staging", ".trash") for path in _files(world.workspace / place)]
    admin = world.workspace / "repo" / ".git"
    files += [str(path) for path in admin.rglob("*.lock")] + [str(path) for path in _files(admin / "worktrees")]
    if files:
        yield f"files: {files}"
    if held := [str(lock) for lock in world.workspace.rglob("*.lock") if lock.is_file() and _is_held(lock)]:
        yield f"locks: {held}"


def _ended_before(course: Course, at: datetime) -> set[str]:
    ended = [event for event in course.events if event["kind"] == "turn.ended"]
    return {event["payload"]["turn"] for event in ended if datetime.fromisoformat(event["at"]) < at}


def _file(world: World, name: str) -> str | None:
    return world.git.file(REPOSITORY, BRANCH, name) if BRANCH in world.git.heads(REPOSITORY) else None


def _files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else []


def _is_held(lock: Path) -> bool:
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
