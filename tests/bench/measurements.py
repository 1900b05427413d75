"""What a bench gives: numbers beside their yardsticks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One number of ours, the same without us, and what their ratio (or the number itself) should be."""

    bench: str
    what: str
    ours: str
    yardstick: str = ""
    ratio: float | None = None
    aim: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}×"
        return (self.bench, self.what, self.ours, self.yardstick, ratio, self.aim)


def milliseconds(seconds: float) -> str:
    """Seconds, as people compare short times."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
