"""The layout of a drawing: positions of places, cables and tags. Pure.

No place covers a place, a tag or the cable of another. arrange.py decides the horizontal positions; this module adds
the heights.
"""

from __future__ import annotations

from dataclasses import dataclass

from netrig.drawing.arrange import GAP, TAG_MARGIN, TRACK, Arranged, GutterId, Route, Slot, Turn, arrange
from netrig.drawing.metrics import Rect, Size, tag_size
from netrig.drawing.model import Cable, Drawing, Place
from netrig.drawing.tree import parts

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """The drawn line of a cable, and its tag; `words` are the tag's lines."""

    cable: Cable
    points: tuple[Point, ...]
    tag: Rect
    words: tuple[str, ...]

    def moved(self, x: float, y: float) -> Line:
        points = tuple((point[0] + x, point[1] + y) for point in self.points)
        return Line(self.cable, points, self.tag.moved(x, y), self.words)


@dataclass(frozen=True, slots=True)
class Layout:
    """All positions; the upper left corner is (0, 0)."""

    places: tuple[tuple[Place, Rect], ...]
    lines: tuple[Line, ...]
    size: Size

    def moved(self, x: float, y: float) -> Layout:
        places = tuple((place, rect.moved(x, y)) for place, rect in self.places)
        return Layout(places, tuple(line.moved(x, y) for line in self.lines), self.size)


def layout(drawing: Drawing) -> Layout:
    """Lay out the connected parts side by side."""
    places: list[tuple[Place, Rect]] = []
    lines: list[Line] = []
    x = height = 0.0
    for part in parts(drawing):
        laid_out = _Heights(arrange(part, drawing.cables), drawing).layout().moved(x, 0)
        places += laid_out.places
        lines += laid_out.lines
        x += laid_out.size.width + 2 * GAP
        height = max(height, laid_out.size.height)
    return Layout(tuple(places), tuple(lines), Size(max(0.0, x - 2 * GAP), height))


class _Heights:
    """The heights in one part. The upper edge of the root is 0; rows above it are negative until the end."""

    def __init__(self, arranged: Arranged, drawing: Drawing) -> None:
        self._arranged = arranged
        self._drawing = drawing
        self._row_heights: dict[int, float] = {}
        """Row → the height of its highest place."""
        for slot in arranged.slots.values():
            self._row_heights[slot.row] = max(self._row_heights.get(slot.row, 0.0), slot.size.height)
        self._near = {0: 0.0}
        """Row → the position of its edge towards the root; for the root's row, the upper edge."""
        for side in (1, -1):
            row = side
            while row in self._row_heights:
                self._near[row] = self._outer((row - side, side)) + side * self._depth((row - side, side))
                row += side

    def layout(self) -> Layout:
        places = [(slot.place, self._rect(slot)) for slot in self._arranged.slots.values()]
        lines = [self._line(route) for route in self._arranged.routes]
        corners = [point for line in lines for point in line.points]
        rects = [*(rect for _, rect in places), *(line.tag for line in lines)]
        top = min([rect.y for rect in rects] + [y for _, y in corners])
        left = min([rect.x for rect in rects] + [x for x, _ in corners])
        right = max([rect.right for rect in rects] + [x for x, _ in corners])
        bottom = max([rect.bottom for rect in rects] + [y for _, y in corners])
        return Layout(tuple(places), tuple(lines), Size(right - left, bottom - top)).moved(-left, -top)

    def _outer(self, gutter: GutterId) -> float:
        """The position where a gutter begins."""
        row, side = gutter
        if row == 0:
            return self._row_heights[0] if side > 0 else 0.0
        return self._near[row] + side * self._row_heights[row]

    def _depth(self, gutter: GutterId) -> float:
        arranged = self._arranged.gutter(gutter)
        return len(arranged.tracks) * TRACK + arranged.tags

    def _rect(self, slot: Slot) -> Rect:
        near = self._near[slot.row]
        y = near - slot.size.height if slot.row < 0 else near
        return Rect(slot.x, y, slot.size.width, slot.size.height)

    def _track(self, turn: Turn) -> float:
        return self._outer(turn.gutter) + turn.gutter[1] * (turn.track + 0.5) * TRACK

    def _line(self, route: Route) -> Line:
        cable = self._drawing.cables[route.cable]
        first, second = (self._arranged.slots[name] for name, _ in route.ends)
        start, end = route.ends[0][1], route.ends[1][1]
        heights = [self._track(turn) for turn in route.turns]
        turns = [(x, y) for y in heights for x in (start, end)]
        if route.lane is not None:
            turns = [(start, heights[0]), (route.lane, heights[0]), (route.lane, heights[1]), (end, heights[1])]
        inner = bool(route.child)
        leaves = (start, self._edge(first, second.row if inner else None))
        arrives = (end, self._near[second.row] if inner else self._edge(second, None))
        return Line(cable, (leaves, *turns, arrives), self._tag(route, cable), route.words)

    def _edge(self, slot: Slot, toward: int | None) -> float:
        """The position of a place's outer edge, or of its edge towards a row."""
        rect, side = self._rect(slot), slot.gutter[1]
        if toward is not None and slot.row == 0:
            side = 1 if toward > 0 else -1
        return rect.bottom if side > 0 else rect.y

    def _tag(self, route: Route, cable: Cable) -> Rect:
        size = tag_size(route.words, crossed=cable.cut)
        x = route.tag_centre - size.width / 2
        if not route.child:
            return Rect(x, self._track(route.turns[0]) - size.height / 2, size.width, size.height)
        child = self._arranged.slots[route.child]
        near = self._near[child.row]
        y = near + TAG_MARGIN if child.row < 0 else near - TAG_MARGIN - size.height
        return Rect(x, y, size.width, size.height)
