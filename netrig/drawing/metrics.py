"""Sizes of text, boxes, bars and tags, in SVG's user units (pixels at full size). Pure.

Text is set in a fixed-width font with characters at most 0.62 em wide (DejaVu Sans Mono 0.602, Menlo 0.602, Consolas
0.55), so that its width is known without the font.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netrig.drawing.model import Item, Place, Shape

TEXT: Final = 12.0
NAME: Final = 14.0
TITLE: Final = 17.0
LINE: Final = 17.0
SIGN: Final = 16.0
"""The width of an item's sign, which comes before its first cell."""
PAD: Final = 10.0
COLUMN_GAP: Final = 12.0
_ADVANCE: Final = 0.62
_LEAST_WIDTH: Final = 120.0
_TAG_PAD: Final = 5.0
LONGEST_CELL: Final = 44
"""Number of characters of a name that a column shows."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle. `x`, `y`: its upper left corner; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    def moved(self, x: float, y: float) -> Rect:
        return Rect(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Size:
    width: float
    height: float


def text_width(text: str, size: float = TEXT) -> float:
    return len(text) * size * _ADVANCE


def shortened(text: str, longest: int = LONGEST_CELL) -> str:
    """Cut out the middle of a long text. The end of a pod's name is kept, as it distinguishes pods of a controller."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def columns(items: Sequence[Item]) -> tuple[float, ...]:
    """The start of each column, counted from the left edge of the signs."""
    count = max((len(item.cells) for item in items), default=0)
    starts, start = [], SIGN
    for column in range(count):
        starts.append(start)
        widest = max(text_width(shortened(item.cells[column])) for item in items if column < len(item.cells))
        start += widest + COLUMN_GAP
    return tuple(starts)


def items_width(items: Sequence[Item]) -> float:
    starts = columns(items)
    ends = [starts[len(item.cells) - 1] + text_width(shortened(item.cells[-1])) for item in items if item.cells]
    return max(ends, default=0.0)


def place_size(place: Place) -> Size:
    """The smallest size of a place that has room for its text."""
    return _bar_size(place) if place.shape is Shape.BAR else _box_size(place)


def header_width(place: Place) -> float:
    return text_width(place.name, NAME) + COLUMN_GAP + text_width(place.role)


def tag_size(lines: Sequence[str], *, crossed: bool) -> Size:
    """The size of a cable's tag. `crossed`: with the sign of a cut before its text."""
    width = max((text_width(line) for line in lines), default=0.0) + 2 * _TAG_PAD + (SIGN if crossed else 0.0)
    return Size(width, len(lines) * LINE + 4.0)


def _box_size(place: Place) -> Size:
    widths = [header_width(place), *map(text_width, place.lines), text_width(place.pods_title)]
    widths += [items_width(place.processes), items_width(place.pods), _LEAST_WIDTH - 2 * PAD]
    height = PAD + LINE * (1 + len(place.lines) + len(place.processes)) + PAD / 2
    if place.pods_title or place.pods:
        height += PAD + LINE * (bool(place.pods_title) + len(place.pods))
    return Size(max(widths) + 2 * PAD, height)


def _bar_size(place: Place) -> Size:
    """A bar has all its text in one row."""
    widths = [header_width(place), *map(text_width, place.lines)]
    widths += [items_width([item]) for item in place.processes]
    return Size(sum(widths) + 2 * COLUMN_GAP * (len(widths) - 1) + 2 * PAD, LINE + 1.4 * PAD)
