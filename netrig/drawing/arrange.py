"""Who stands where from left to right, and which way cables go: layout.py's first half, before heights are known. Pure.

Each connected part is a tree in rows, above and below its root. Outside of each row is a gutter: first tracks on which
cables go sideways, then the tags of the cables that go on to the next row. Cables that are not of the tree leave their
places outwards, and where their ends are in different gutters they pass the part's right edge in a lane.
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
"""How much of a cable is seen above and below its tag."""
_PORT: Final = 16.0
"""Between two cables at one side of a place."""
_LANE: Final = 14.0

Door = tuple[int, int]
"""A gutter: the row that it is outside of (0 the root's, below it 1, 2, …, above it -1, …), and the side, 1 or -1."""


@dataclass(slots=True)
class Gutter:
    """A track is the list of intervals that are taken on it."""

    tracks: list[list[tuple[float, float]]] = field(default_factory=list)
    tags: float = 0.0
    """The height of the tags."""

    def take(self, one: float, other: float) -> int:
        """The first track on which the way between these is free."""
        left, right = sorted((one, other))
        for number, taken in enumerate(self.tracks):
            if all(right + _PORT < start or left - _PORT > end for start, end in taken):
                taken.append((left, right))
                return number
        self.tracks.append([(left, right)])
        return len(self.tracks) - 1


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a place stands."""

    place: Place
    row: int
    x: float
    size: Size

    @property
    def centre(self) -> float:
        return self.x + self.size.width / 2

    @property
    def door(self) -> Door:
        """The gutter on its outer side."""
        return self.row, -1 if self.row < 0 else 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A piece of a cable that goes sideways: on a track of a gutter."""

    door: Door
    track: int


@dataclass(frozen=True, slots=True)
class Route:
    """A cable's way. Without turns it is straight; its tag is then, and where `child` says so, above or below that."""

    cable: int
    ends: tuple[tuple[str, float], tuple[str, float]]
    """Names of places, and x."""
    turns: tuple[Turn, ...]
    lane: float | None
    words: tuple[str, ...]
    tag_centre: float
    child: str = ""
    """Of a cable of the tree: the end that is further away from the root."""


@dataclass(slots=True)
class Arranged:
    slots: dict[str, Slot] = field(default_factory=dict)
    gutters: dict[Door, Gutter] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)

    def gutter(self, door: Door) -> Gutter:
        return self.gutters.setdefault(door, Gutter())


def arrange(part: Part, cables: Sequence[Cable]) -> Arranged:
    return _Arranger(part, cables).run()


class _Arranger:
    def __init__(self, part: Part, cables: Sequence[Cable]) -> None:
        self._part = part
        self._cables = cables
        self._made = Arranged()
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
        lane = max(slot.x + slot.size.width for slot in self._made.slots.values()) + GAP
        for number in part.others:
            lane = self._detour(number, lane)
        return self._made

    def _own_width(self, place: Place, children: int) -> float:
        """Wide enough for what it says, and for its cables' ends side by side."""
        return max(place_size(place).width, (children + self._rings_at(place) + 1) * _PORT)

    def _rings_at(self, place: Place) -> int:
        return sum(self._cables[number].places.count(place.name) for number in self._part.others)

    def _room_at_end(self, place: Place) -> float:
        """What a bar is longer than what hangs on it, on both ends."""
        return 2 * _PORT * self._rings_at(place) if place.shape is Shape.BAR else 0.0

    def _width(self, branch: Branch) -> float:
        """Of the branch with all that hangs on it, and its tag."""
        span = self._span(branch.children) + self._room_at_end(branch.place)
        return max(self._own_width(branch.place, len(branch.children)), self._tag(branch).width, span)

    def _span(self, branches: Sequence[Branch]) -> float:
        return sum(map(self._width, branches)) + GAP * max(0, len(branches) - 1)

    def _tag(self, branch: Branch) -> Size:
        cable = self._cables[branch.cable]
        return tag_size(_tree_words(cable, branch.place.name), crossed=cable.cut)

    def _put_all(self, branches: Sequence[Branch], row: int, x: float) -> None:
        """Side by side from x on, each centred over what hangs on it."""
        for branch in branches:
            whole, count = self._width(branch), len(branch.children)
            is_bus = branch.place.shape is Shape.BAR and count > 0
            own = whole if is_bus else self._own_width(branch.place, count)
            size = Size(own, place_size(branch.place).height)
            slot = Slot(branch.place, row, x + (whole - own) / 2, size)
            self._put(slot, count)
            side = slot.door[1]
            self._put_all(branch.children, row + side, x + (whole - self._span(branch.children)) / 2)
            self._connect(slot, branch.children, side)
            x += whole + GAP

    def _put(self, slot: Slot, children: int) -> None:
        self._made.slots[slot.place.name] = slot
        rings = self._rings_at(slot.place)
        if slot.place.shape is Shape.BAR:
            right = slot.x + slot.size.width
            self._ring_ports[slot.place.name] = [right - _PORT * (number + 0.5) for number in range(rings)]
        else:
            self._ring_ports[slot.place.name] = _spread(slot, children + rings)[children:]

    def _connect(self, parent: Slot, children: Sequence[Branch], side: int) -> None:
        """Straight from a bar, over tracks from a box: first who goes furthest, so that no two cross."""
        door = parent.row, side
        slots = [self._made.slots[child.place.name] for child in children]
        ports = [slot.centre for slot in slots]
        if parent.place.shape is Shape.BOX:
            rings = self._rings_at(parent.place) if door == parent.door else 0
            ports = _spread(parent, len(children) + rings)[: len(children)]
        numbers = range(len(slots))
        order = [number for number in numbers if slots[number].centre <= ports[number]]
        order += [number for number in reversed(numbers) if slots[number].centre > ports[number]]
        for number in order:
            branch, slot, port = children[number], slots[number], ports[number]
            gutter = self._made.gutter(door)
            gutter.tags = max(gutter.tags, self._tag(branch).height + 2 * TAG_MARGIN)
            straight = abs(slot.centre - port) < 0.01
            turns = () if straight else (Turn(door, gutter.take(slot.centre, port)),)
            ends = (parent.place.name, port), (branch.place.name, slot.centre)
            words = _tree_words(self._cables[branch.cable], branch.place.name)
            self._made.routes.append(
                Route(branch.cable, ends, turns, None, words, slot.centre, child=branch.place.name)
            )

    def _detour(self, number: int, lane: float) -> float:
        """A cable beside the tree, with its tag on its first turn; the next free lane."""
        cable = self._cables[number]
        first, second = (self._made.slots[name] for name in cable.places)
        start, end = (self._ring_ports[name].pop(0) for name in cable.places)
        ends = (first.place.name, start), (second.place.name, end)
        words = _ring_words(cable)
        width = tag_size(words, crossed=cable.cut).width
        if first.door == second.door:
            centre = (start + end) / 2
            left, right = min(start, end, centre - width / 2), max(start, end, centre + width / 2)
            turn = Turn(first.door, self._made.gutter(first.door).take(left, right))
            self._made.routes.append(Route(number, ends, (turn,), None, words, centre))
            return lane
        lane = max(lane, start + width + GAP)
        turns = (
            Turn(first.door, self._made.gutter(first.door).take(start, lane)),
            Turn(second.door, self._made.gutter(second.door).take(end, lane)),
        )
        self._made.routes.append(Route(number, ends, turns, lane, words, (start + lane) / 2))
        return lane + _LANE


def _spread(slot: Slot, count: int) -> list[float]:
    """Evenly along its side."""
    return [slot.x + slot.size.width * (number + 1) / (count + 1) for number in range(count)]


def _tree_words(cable: Cable, child: str) -> tuple[str, ...]:
    """From the parent to the child: its end, what the cable is like, the other end."""
    here, there = cable.ends if cable.places[1] == child else reversed(cable.ends)
    return tuple(line for line in (here, *cable.words, *cable.faults, there) if line)


def _ring_words(cable: Cable) -> tuple[str, ...]:
    """In one line, as the next track is near."""
    ends = (f"{name} {end}".strip() for name, end in zip(cable.places, cable.ends, strict=True))
    return (", ".join([" - ".join(ends), *cable.words, *cable.faults]),)
