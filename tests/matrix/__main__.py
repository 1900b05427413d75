"""Play the crash matrix, and print its table:

    uv run python -m tests.matrix [--sample N] [--deaths N] [--seed S] [--column NAME] [--only TEXT]

Every run dies at up to `--deaths` moments (1 where not said), dealt by the seed; a moment that a run did not come to,
for another death changed its course, is played once more alone. `--sample` plays N moments of each column, the same for
the same seed; `--column` is one such as `postgres/machine`; `--only` plays those whose name holds the text, as it is
printed where something is wrong. The whole takes hours.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import httpx

from tests.matrix.columns import COLUMNS, Column, Matrix, deal, of_column
from tests.matrix.judging import Judgement
from tests.matrix.recording import Moment
from tests.postgres import Postgres

_HEAD = ("database", "killed", "points", "deaths", "runs", "lost", "doubled", "left behind")


@dataclass(frozen=True)
class _Wanted:
    sample: int | None
    deaths: int
    seed: int
    column: str
    only: str

    @property
    def columns(self) -> list[Column]:
        """Those that are to be played."""
        return [column for column in COLUMNS if self.column in ("", f"{column.database}/{column.death}")]

    def of(self, moments: Sequence[Moment]) -> list[Moment]:
        """Those of a column's moments that are to be played."""
        named = [moment for moment in moments if self.only in moment.name]
        if self.sample is None or self.sample >= len(named):
            return named
        return sorted(random.Random(self.seed).sample(named, self.sample))  # noqa: S311 - no secret


@dataclass(frozen=True)
class _Played:
    """A run: how often it died, the moments that it did not come to, and what is wrong after it."""

    deaths: int
    missed: list[Moment]
    judgement: Judgement


def main(arguments: Sequence[str]) -> int:
    """The process's exit status: 1 where anything is wrong."""
    wanted = _wanted(arguments)
    rows: list[tuple[str, ...]] = []
    with Postgres() as postgres, ThreadPoolExecutor(os.cpu_count()) as cores:
        matrix = Matrix(postgres)
        databases = sorted({column.database for column in wanted.columns})
        moments = dict(zip(databases, cores.map(matrix.moments, databases), strict=True))
        for column in wanted.columns:
            points = of_column(column, moments[column.database])
            dealt = deal(wanted.of(points), deaths=wanted.deaths, seed=wanted.seed)
            played = list(cores.map(lambda run, column=column: _play(matrix, column, run), dealt))
            if wanted.deaths > 1:
                missed = chain.from_iterable(run.missed for run in played)
                played += cores.map(lambda moment, column=column: _play(matrix, column, [moment]), missed)
            rows.append(_row(column, len(points), played))
    for cells in (_HEAD, ("---",) * len(_HEAD), *rows):
        print(f"| {' | '.join(cells)} |")  # noqa: T201
    return int(any(count != "0" for row in rows for count in row[-3:]))


def _play(matrix: Matrix, column: Column, dies_at: Sequence[Moment]) -> _Played:
    met: list[Moment] = []
    try:
        course, judgement = matrix.play(column, dies_at)
        met = [died.moment for died in course.deaths]
    except (AssertionError, TimeoutError, OSError, httpx.HTTPError) as error:
        judgement = Judgement(lost=(f"{type(error).__name__}: {error}",), doubled=(), left=())
    missed = [moment for moment in dies_at if moment not in met and not judgement.faults]
    names = " + ".join(f"{moment.name}{' (not met)' if moment in missed else ''}" for moment in dies_at)
    said = "; ".join(judgement.faults) or "well"
    print(f"{column.database} {column.death} | {names}: {said}", file=sys.stderr, flush=True)  # noqa: T201
    return _Played(len(met), missed, judgement)


def _row(column: Column, points: int, played: Sequence[_Played]) -> tuple[str, ...]:
    wrong = (sum(bool(getattr(run.judgement, kind)) for run in played) for kind in ("lost", "doubled", "left"))
    deaths = sum(run.deaths for run in played)
    return (column.database, column.death, *map(str, (points, deaths, len(played), *wrong)))


def _wanted(arguments: Sequence[str]) -> _Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--deaths", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--column", default="", choices=[f"{each.database}/{each.death}" for each in COLUMNS])
    parser.add_argument("--only", default="")
    return _Wanted(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
