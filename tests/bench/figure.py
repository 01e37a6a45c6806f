"""One figure: a measured value and its goal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value. It meets its goal if it is at most `goal`, or with `at_least` if it is at least `goal`.

    Without a goal (None) it is only for comparison.
    """

    area: str
    name: str
    value: float
    unit: str
    goal: float | None
    floor: float | None = None
    """The value that the same run measured without Sampan; None if there is nothing to compare with."""
    at_least: bool = False

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


def p99(values: Iterable[float]) -> float:
    """The 99th percentile: at most one value in a hundred is larger."""
    ordered = sorted(values)
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


def table(figures: Iterable[Figure]) -> str:
    """The figures as aligned text, a line each."""
    rows = [("AREA/NAME", "VALUE", "FLOOR", "GOAL", "UNIT", "MET")]
    rows += [
        (
            f"{figure.area}/{figure.name}",
            f"{figure.value:.3g}",
            "-" if figure.floor is None else f"{figure.floor:.3g}",
            "-" if figure.goal is None else f"{'≥ ' if figure.at_least else ''}{figure.goal:.4g}",
            figure.unit,
            "-" if figure.goal is None else "yes" if figure.met else "NO",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
