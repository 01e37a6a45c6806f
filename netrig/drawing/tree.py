"""Who hangs below whom: from places and cables to trees, whose edges are drawn straight down. Pure.

A connected part has one tree; its root is what most cables end at, a switch before all others. Cables that close a
ring, or join two places a second time, are not in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from netrig.drawing.model import Cable, Drawing, Place, Shape

_MOST_ON_ONE_SIDE: Final = 6


@dataclass(slots=True)
class Branch:
    """A place, the cable to its parent (the root has none), and what hangs on it."""

    place: Place
    cable: int = -1
    children: list[Branch] = field(default_factory=list)


@dataclass(slots=True)
class Part:
    """One connected part. The root's children are `above` and `below` it; `others` are numbers of cables."""

    root: Place
    above: list[Branch]
    below: list[Branch]
    others: list[int]


def parts(drawing: Drawing) -> list[Part]:
    """In the order of the places."""
    cables = dict(enumerate(drawing.cables))
    found: list[Part] = []
    left = {place.name: place for place in drawing.places}
    while left:
        names = _reached(next(iter(left)), drawing.cables)
        members = [place for place in drawing.places if place.name in names]
        root = max(members, key=lambda place: _rank(place, drawing.cables))
        branch, others = _tree(root, {place.name: place for place in members}, cables)
        above, below = _sides(branch.children)
        found.append(Part(root, above, below, others))
        left = {name: place for name, place in left.items() if name not in names}
    return found


def _reached(start: str, cables: tuple[Cable, ...]) -> set[str]:
    seen, waiting = {start}, deque([start])
    while waiting:
        here = waiting.popleft()
        for cable in cables:
            if here in cable.places:
                for name in cable.places:
                    if name not in seen:
                        seen.add(name)
                        waiting.append(name)
    return seen


def _rank(place: Place, cables: tuple[Cable, ...]) -> tuple[bool, int]:
    plugged = sum(place.name in cable.places for cable in cables)
    return place.shape is Shape.BAR and plugged > 1, plugged


def _tree(root: Place, members: dict[str, Place], cables: dict[int, Cable]) -> tuple[Branch, list[int]]:
    """Breadth first, so that nobody stands further away than he must; and the cables that are left over."""
    top = Branch(root)
    waiting, seen, used = deque([top]), {root.name}, set()
    while waiting:
        branch = waiting.popleft()
        here = branch.place.name
        for number, cable in cables.items():
            if here not in cable.places:
                continue
            other = cable.places[1] if cable.places[0] == here else cable.places[0]
            if other not in seen:
                seen.add(other)
                used.add(number)
                child = Branch(members[other], number)
                branch.children.append(child)
                waiting.append(child)
    others = [number for number, cable in cables.items() if cable.places[0] in members and number not in used]
    return top, others


def _sides(children: list[Branch]) -> tuple[list[Branch], list[Branch]]:
    """As the places say; and where there are many, half of them above, so that the picture does not get too wide."""
    above = [child for child in children if child.place.above]
    below = [child for child in children if not child.place.above]
    surplus = (len(below) - len(above)) // 2 if len(below) > _MOST_ON_ONE_SIDE else 0
    return above + below[:surplus], below[surplus:]
