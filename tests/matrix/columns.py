"""The columns of the matrix, and what is played in each."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.flows.world import World
from tests.matrix.judging import Judgement, judge
from tests.matrix.playing import Course, Death, Player
from tests.matrix.recording import Moment
from tests.matrix.story import STORIES, TURNS
from tests.postgres import Postgres


@dataclass(frozen=True)
class Column:
    """A database, and who dies."""

    database: str
    death: Death


COLUMNS = (
    Column("sqlite", "service"),
    Column("sqlite", "cli"),
    Column("postgres", "service"),
    Column("postgres", "cli"),
    Column("postgres", "machine"),
)
"""A machine that is lost takes SQLite's file with it, so only on Postgres does another one go on."""


class Matrix:
    """Records what there is to die at, and plays it. `postgres` is a server that runs."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def moments(self, database: str, stories: Iterable[str] = STORIES) -> list[Moment]:
        """Every moment of these stories on this database; one that is in two of them counts in the first."""
        found: dict[tuple[str, str, str], Moment] = {}
        for story in stories:
            for moment in self._recorded(database, story):
                found.setdefault((moment.step, moment.point.effect, moment.point.phase), moment)
        return list(found.values())

    def play(self, column: Column, dies_at: Sequence[Moment]) -> tuple[Course, Judgement]:
        """How a run went that died at these moments of one story, and what is wrong after it."""
        story = STORIES[dies_at[0].story]
        with World(TURNS) as world:
            story.begin(world)
            player = Player(world, story=story, death=column.death, database=self._database(column.database))
            course = player.play(dies_at)
            return course, judge(world, course, story)

    def _recorded(self, database: str, story: str) -> list[Moment]:
        with World(TURNS) as world:
            STORIES[story].begin(world)
            return Player(world, story=STORIES[story], database=self._database(database)).record()

    def _database(self, kind: str) -> str | None:
        return self._postgres.url(self._postgres.database()) if kind == "postgres" else None


def of_column(column: Column, moments: Iterable[Moment]) -> list[Moment]:
    """The moments at which this death is possible: Claude Code must be at work to be killed."""
    return [moment for moment in moments if column.death != "cli" or moment.cli]


def deal(moments: Iterable[Moment], *, deaths: int, seed: int) -> list[list[Moment]]:
    """The moments of each run, which dies so often at most. All of them are of one story, and of no two was the same
    step recorded last: those would be one death.
    """
    runs: list[list[Moment]] = []
    ordered = sorted(moments)
    for moment in random.Random(seed).sample(ordered, len(ordered)):  # noqa: S311 - no secret
        run = next((run for run in runs if len(run) < deaths and _fits(moment, run)), None)
        if run is None:
            runs.append(run := [])
        run.append(moment)
    return [sorted(run) for run in runs]


def _fits(moment: Moment, run: Sequence[Moment]) -> bool:
    return moment.story == run[0].story and moment.point.after not in {other.point.after for other in run}
