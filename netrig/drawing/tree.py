"""Turns places and cables into trees, so that most cables can be drawn from a parent straight to its child. Pure.

Each connected part has one tree. Its root is the place with most cables; switches take precedence. Cables that close a
ring, or connect two places a second time, are not part of the tree.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from netrig.drawing.model import Cable, Drawing, Place, Shape

_MOST_ON_ONE_SIDE: Final = 6


@dataclass(slots=True)
class Branch:
    """A place with the number of the cable to its parent (-1 for the root), and its children."""

    place: Place
    cable: int = -1
    children: list[Branch] = field(default_factory=list)


@dataclass(slots=True)
class Part:
    """One connected part. `above`, `below`: the children of the root; `others`: numbers of cables outside the tree."""

    root: Place
    above: list[Branch]
    below: list[Branch]
    others: list[int]


def parts(drawing: Drawing) -> list[Part]:
    """The connected parts, in the order of the places."""
    cables = dict(enumerate(drawing.cables))
    result: list[Part] = []
    left = {place.name: place for place in drawing.places}
    while left:
        names = _reached(next(iter(left)), drawing.cables)
        members = [place for place in drawing.places if place.name in names]
        root = max(members, key=lambda place: _rank(place, drawing.cables))
        branch, others = _tree(root, {place.name: place for place in members}, cables)
        above, below = _sides(branch.children)
        result.append(Part(root, above, below, others))
        left = {name: place for name, place in left.items() if name not in names}
    return result


def _reached(start: str, cables: tuple[Cable, ...]) -> set[str]:
    seen, waiting = {start}, deque([start])
    while waiting:
        place = waiting.popleft()
        for cable in cables:
            if place in cable.places:
                for name in cable.places:
                    if name not in seen:
                        seen.add(name)
                        waiting.append(name)
    return seen


def _rank(place: Place, cables: tuple[Cable, ...]) -> tuple[bool, int]:
    count = sum(place.name in cable.places for cable in cables)
    return place.shape is Shape.BAR and count > 1, count


def _tree(root: Place, members: dict[str, Place], cables: dict[int, Cable]) -> tuple[Branch, list[int]]:
    """The tree, breadth first, so that each place is as close to the root as possible; and the remaining cables."""
    top = Branch(root)
    waiting, seen, used = deque([top]), {root.name}, set()
    while waiting:
        branch = waiting.popleft()
        name = branch.place.name
        for number, cable in cables.items():
            if name not in cable.places:
                continue
            other = cable.places[1] if cable.places[0] == name else cable.places[0]
            if other not in seen:
                seen.add(other)
                used.add(number)
                child = Branch(members[other], number)
                branch.children.append(child)
                waiting.append(child)
    others = [number for number, cable in cables.items() if cable.places[0] in members and number not in used]
    return top, others


def _sides(children: list[Branch]) -> tuple[list[Branch], list[Branch]]:
    """The children above and below the root. If many are below, half of them move up: the picture is narrower."""
    above = [child for child in children if child.place.above]
    below = [child for child in children if not child.place.above]
    surplus = (len(below) - len(above)) // 2 if len(below) > _MOST_ON_ONE_SIDE else 0
    return above + below[:surplus], below[surplus:]
