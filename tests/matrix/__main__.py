"""`uv run python -m tests.matrix [--sample N] [--seed S] [--column NAME] [--only TEXT]`: play it, and print its table.

`--sample` plays N moments of each column, the same for the same seed; `--column` is one such as `postgres/machine`;
`--only` plays those whose name holds the text, as it is printed where something is wrong. The whole takes hours.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.matrix.columns import COLUMNS, Column, Matrix, of_column
from tests.matrix.judging import Judgement
from tests.matrix.recording import Moment
from tests.postgres import Postgres

_HEAD = ("database", "killed", "points", "runs", "lost", "doubled", "left behind")


@dataclass(frozen=True)
class _Wanted:
    sample: int | None
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
            judged = list(cores.map(partial(_played, matrix, column), wanted.of(points)))
            rows.append(_row(column, len(points), judged))
    for cells in (_HEAD, ("---",) * len(_HEAD), *rows):
        print(f"| {' | '.join(cells)} |")  # noqa: T201
    return int(any(count != "0" for row in rows for count in row[-3:]))


def _played(matrix: Matrix, column: Column, moment: Moment) -> Judgement:
    try:
        _, judgement = matrix.play(column, [moment])
    except (AssertionError, TimeoutError) as error:
        judgement = Judgement(lost=(str(error),), doubled=(), left=())
    said = "; ".join(judgement.faults) or "well"
    print(f"{column.database} {column.death} | {moment.name}: {said}", file=sys.stderr, flush=True)  # noqa: T201
    return judgement


def _row(column: Column, points: int, judged: Sequence[Judgement]) -> tuple[str, ...]:
    wrong = (sum(bool(getattr(each, kind)) for each in judged) for kind in ("lost", "doubled", "left"))
    return (column.database, column.death, *map(str, (points, len(judged), *wrong)))


def _wanted(arguments: Sequence[str]) -> _Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--column", default="", choices=[f"{each.database}/{each.death}" for each in COLUMNS])
    parser.add_argument("--only", default="")
    return _Wanted(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
