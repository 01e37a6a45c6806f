"""The horizontal half of the layout: the rows and x positions of places, and the routes of cables. Pure.

Each connected part is a tree in rows, above and below its root. On the outer side of each row is a gutter: first come
tracks, on which cables run sideways, then the tags of the cables to the next row. A cable that is not in the tree
leaves its places outwards. If its ends are in different gutters, it runs in a lane at the right edge of the part.
Heights are computed later, in layout.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netrig.drawing.metrics import Size, place_size, tag_size
from netrig.drawing.model import Cable, Place, Shape
from netrig.drawing.tree import Branch, Part

GAP: Final = 24.0
TRACK: Final = 26.0
TAG_MARGIN: Final = 18.0
"""The visible length of a cable above and below its tag."""
_PORT: Final = 16.0
"""The distance between two cables on one side of a place."""
_LANE: Final = 14.0

GutterId = tuple[int, int]
"""A gutter: its row (0 is the root's; below it 1, 2, …, above it -1, -2, …) and its side (1 below, -1 above)."""


@dataclass(slots=True)
class Gutter:
    """The space beside a row. `tracks`: the occupied intervals of each track; `tags`: the height of the tags."""

    tracks: list[list[tuple[float, float]]] = field(default_factory=list)
    tags: float = 0.0

    def take(self, start: float, end: float) -> int:
        """Occupy the interval between these positions on the first track where it is free; the track's number."""
        left, right = sorted((start, end))
        for number, taken in enumerate(self.tracks):
            if all(right + _PORT < start or left - _PORT > end for start, end in taken):
                taken.append((left, right))
                return number
        self.tracks.append([(left, right)])
        return len(self.tracks) - 1


@dataclass(frozen=True, slots=True)
class Slot:
    """The position of a place."""

    place: Place
    row: int
    x: float
    size: Size

    @property
    def centre(self) -> float:
        return self.x + self.size.width / 2

    @property
    def gutter(self) -> GutterId:
        """The gutter on the outer side."""
        return self.row, -1 if self.row < 0 else 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A horizontal piece of a cable, on a track of a gutter."""

    gutter: GutterId
    track: int


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a cable, by its number. Without turns, the cable is straight."""

    cable: int
    ends: tuple[tuple[str, float], tuple[str, float]]
    """The name of the place and the x position, for each end."""
    turns: tuple[Turn, ...]
    lane: float | None
    words: tuple[str, ...]
    tag_centre: float
    child: str = ""
    """For a cable of the tree: the place that is further from the root, beside which the tag is put. Else empty."""


@dataclass(slots=True)
class Arranged:
    """The result for one connected part."""

    slots: dict[str, Slot] = field(default_factory=dict)
    gutters: dict[GutterId, Gutter] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)

    def gutter(self, gutter: GutterId) -> Gutter:
        """The gutter of this id, made if necessary."""
        return self.gutters.setdefault(gutter, Gutter())


def arrange(part: Part, cables: Sequence[Cable]) -> Arranged:
    """Arrange one connected part; `cables` are those of the whole drawing."""
    return _Arranger(part, cables).run()


class _Arranger:
    def __init__(self, part: Part, cables: Sequence[Cable]) -> None:
        self._part = part
        self._cables = cables
        self._arranged = Arranged()
        self._ring_ports: dict[str, list[float]] = {}

    def run(self) -> Arranged:
        part = self._part
        spans = self._span(part.above), self._span(part.below)
        own = self._own_width(part.root, len(part.below))
        whole = max(own, *(span + self._room_at_end(part.root) for span in spans))
        width = whole if part.root.shape is Shape.BAR else own
        root = Slot(part.root, 0, (whole - width) / 2, Size(width, place_size(part.root).height))
        self._put(root, len(part.below))
        for children, side, span in ((part.above, -1, spans[0]), (part.below, 1, spans[1])):
            self._put_all(children, side, (whole - span) / 2)
            self._connect(root, children, side)
        lane = max(slot.x + slot.size.width for slot in self._arranged.slots.values()) + GAP
        for number in part.others:
            lane = self._detour(number, lane)
        return self._arranged

    def _own_width(self, place: Place, children: int) -> float:
        """Enough for the text, and for the ends of the cables side by side."""
        return max(place_size(place).width, (children + self._rings_at(place) + 1) * _PORT)

    def _rings_at(self, place: Place) -> int:
        return sum(self._cables[number].places.count(place.name) for number in self._part.others)

    def _room_at_end(self, place: Place) -> float:
        """How much longer a bar is than its children need, for both ends together."""
        return 2 * _PORT * self._rings_at(place) if place.shape is Shape.BAR else 0.0

    def _width(self, branch: Branch) -> float:
        """The width of a branch with its children and its tag."""
        span = self._span(branch.children) + self._room_at_end(branch.place)
        return max(self._own_width(branch.place, len(branch.children)), self._tag(branch).width, span)

    def _span(self, branches: Sequence[Branch]) -> float:
        return sum(map(self._width, branches)) + GAP * max(0, len(branches) - 1)

    def _tag(self, branch: Branch) -> Size:
        cable = self._cables[branch.cable]
        return tag_size(_tree_words(cable, branch.place.name), crossed=cable.cut)

    def _put_all(self, branches: Sequence[Branch], row: int, x: float) -> None:
        """Put the branches side by side from x on, each centred over its children."""
        for branch in branches:
            whole, count = self._width(branch), len(branch.children)
            is_bus = branch.place.shape is Shape.BAR and count > 0
            own = whole if is_bus else self._own_width(branch.place, count)
            size = Size(own, place_size(branch.place).height)
            slot = Slot(branch.place, row, x + (whole - own) / 2, size)
            self._put(slot, count)
            side = slot.gutter[1]
            self._put_all(branch.children, row + side, x + (whole - self._span(branch.children)) / 2)
            self._connect(slot, branch.children, side)
            x += whole + GAP

    def _put(self, slot: Slot, children: int) -> None:
        self._arranged.slots[slot.place.name] = slot
        rings = self._rings_at(slot.place)
        if slot.place.shape is Shape.BAR:
            right = slot.x + slot.size.width
            self._ring_ports[slot.place.name] = [right - _PORT * (number + 0.5) for number in range(rings)]
        else:
            self._ring_ports[slot.place.name] = _spread(slot, children + rings)[children:]

    def _connect(self, parent: Slot, children: Sequence[Branch], side: int) -> None:
        """Route the cables to the children: straight from a bar, over tracks from a box.

        The cables that go furthest take their tracks first, so that no two cables cross.
        """
        gutter_id = parent.row, side
        slots = [self._arranged.slots[child.place.name] for child in children]
        ports = [slot.centre for slot in slots]
        if parent.place.shape is Shape.BOX:
            rings = self._rings_at(parent.place) if gutter_id == parent.gutter else 0
            ports = _spread(parent, len(children) + rings)[: len(children)]
        numbers = range(len(slots))
        order = [number for number in numbers if slots[number].centre <= ports[number]]
        order += [number for number in reversed(numbers) if slots[number].centre > ports[number]]
        for number in order:
            branch, slot, port = children[number], slots[number], ports[number]
            gutter = self._arranged.gutter(gutter_id)
            gutter.tags = max(gutter.tags, self._tag(branch).height + 2 * TAG_MARGIN)
            straight = abs(slot.centre - port) < 0.01
            turns = () if straight else (Turn(gutter_id, gutter.take(slot.centre, port)),)
            ends = (parent.place.name, port), (branch.place.name, slot.centre)
            words = _tree_words(self._cables[branch.cable], branch.place.name)
            self._arranged.routes.append(
                Route(branch.cable, ends, turns, None, words, slot.centre, child=branch.place.name)
            )

    def _detour(self, number: int, lane: float) -> float:
        """Route a cable that is not in the tree, with its tag on its first turn; the position of the next free lane."""
        cable = self._cables[number]
        first, second = (self._arranged.slots[name] for name in cable.places)
        start, end = (self._ring_ports[name].pop(0) for name in cable.places)
        ends = (first.place.name, start), (second.place.name, end)
        words = _ring_words(cable)
        width = tag_size(words, crossed=cable.cut).width
        if first.gutter == second.gutter:
            centre = (start + end) / 2
            left, right = min(start, end, centre - width / 2), max(start, end, centre + width / 2)
            turn = Turn(first.gutter, self._arranged.gutter(first.gutter).take(left, right))
            self._arranged.routes.append(Route(number, ends, (turn,), None, words, centre))
            return lane
        lane = max(lane, start + width + GAP)
        turns = (
            Turn(first.gutter, self._arranged.gutter(first.gutter).take(start, lane)),
            Turn(second.gutter, self._arranged.gutter(second.gutter).take(end, lane)),
        )
        self._arranged.routes.append(Route(number, ends, turns, lane, words, (start + lane) / 2))
        return lane + _LANE


def _spread(slot: Slot, count: int) -> list[float]:
    """Positions for `count` cables, evenly along a side of the place."""
    return [slot.x + slot.size.width * (number + 1) / (count + 1) for number in range(count)]


def _tree_words(cable: Cable, child: str) -> tuple[str, ...]:
    """The lines of a tag, from the parent to the child: one end, the cable's properties and faults, the other end."""
    parent_end, child_end = cable.ends if cable.places[1] == child else reversed(cable.ends)
    return tuple(line for line in (parent_end, *cable.words, *cable.faults, child_end) if line)


def _ring_words(cable: Cable) -> tuple[str, ...]:
    """The tag in a single line, because the next track is close."""
    ends = (f"{name} {end}".strip() for name, end in zip(cable.places, cable.ends, strict=True))
    return (", ".join([" - ".join(ends), *cable.words, *cable.faults]),)
