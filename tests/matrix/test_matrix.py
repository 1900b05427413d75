"""A sample of the crash matrix: `python -m tests.matrix` plays all of it."""

import pytest

from tests.matrix.columns import Column, Matrix, deal, of_column
from tests.matrix.recording import Moment
from tests.postgres import Postgres

SEED = 5
DEATHS = {
    Column("sqlite", "service"): 2,
    Column("sqlite", "cli"): 2,
    Column("postgres", "service"): 2,
    Column("postgres", "machine"): 2,
}
"""How often the sample's run of each column dies. What Claude Code leaves when it is killed is no database's matter."""

STORIES = {"sqlite": "delivered", "postgres": "people began"}
"""Which story is played on which database here."""

SIDE_EFFECTS = {
    "claim and enqueue": "insert runs",
    "fetch": "program git fetch",
    "worktree": "program git worktree add",
    "turn of the author": "record turn implement",
    "turn of the reviewer": "record turn review",
    "request to the model": "request model implement",
    "gate": "record lint 1",
    "commit": "program git commit-tree",
    "push": "program git push",
    "push at the forge": "request git git-receive-pack POST",
    "pull request": "record pull request",
    "clean-up": "record clean up",
}
AT_THE_FORGE = {"delivered": "request forge PullRequestCreate", "people began": "request forge PATCH"}


# Each database in one test: what is recorded is used by all that die on it.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("database", STORIES)
def test_a_run_that_dies_again_and_again_opens_one_pull_request(postgres: Postgres, database: str) -> None:
    matrix, story = Matrix(postgres), STORIES[database]
    moments = matrix.moments(database, [story])
    assert_every_side_effect_is_there(moments, story)
    for column, deaths in DEATHS.items():
        if column.database == database:
            dies_at, *_ = deal(of_column(column, moments), deaths=deaths, seed=SEED)
            course, judgement = matrix.play(column, dies_at)
            assert judgement.faults == (), (column, [moment.name for moment in dies_at])
            assert course.deaths, column


def assert_every_side_effect_is_there(moments: list[Moment], story: str) -> None:
    """The generator must not lose what it is there for."""
    for what, effect in {**SIDE_EFFECTS, "forge": AT_THE_FORGE[story]}.items():
        phases = {moment.point.phase for moment in moments if effect in moment.name}
        assert {"before", "after"} <= phases, what
