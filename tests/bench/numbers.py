"""Arithmetic of samples."""

import math
from collections.abc import Sequence
from statistics import median

__all__ = ["median", "percentile"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of 100 of the values do not exceed. Raises ValueError without
    values."""
    if not values:
        raise ValueError("There is no percentile of nothing.")
    place = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[place - 1]
