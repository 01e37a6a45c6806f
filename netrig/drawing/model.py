"""What a picture shows, as values: places, the cables between them, and what is in the places. Knows no coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """How a place is drawn: a box, or a bar along which its cables are plugged in, as a switch."""

    BOX = "box"
    BAR = "bar"


class Tone(StrEnum):
    """How something is. Each has a sign of its own beside its colour, so that black and white print tells as much."""

    GOOD = "good"
    WAITING = "waiting"
    PAUSED = "paused"
    BAD = "bad"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Item:
    """A line in a place with a sign: a process, a pod. Equal cells of several lines stand below each other."""

    tone: Tone
    cells: tuple[str, ...]
    full_name: str = ""
    """What a pointer over it shows, where a cell had to be shortened."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host, router or switch. `name` is unique in its drawing."""

    name: str
    role: str
    shape: Shape = Shape.BOX
    lines: tuple[str, ...] = ()
    processes: tuple[Item, ...] = ()
    pods_title: str = ""
    pods: tuple[Item, ...] = ()
    above: bool = False
    """Stands above the place in the middle, and not below it: who looks at the others, as a master does."""


@dataclass(frozen=True, slots=True)
class Cable:
    """Between two places, with the text of each end (interface and address)."""

    places: tuple[str, str]
    ends: tuple[str, str] = ("", "")
    words: tuple[str, ...] = ()
    """What it is like: its MTU."""
    faults: tuple[str, ...] = ()
    """What is wrong with it; drawn so that it is seen at once."""
    cut: bool = False
    """Nothing goes through; some of `faults` say how."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole picture. Cables name places of it; a place without a cable stands for itself."""

    title: str
    places: tuple[Place, ...]
    cables: tuple[Cable, ...] = ()
    notes: tuple[str, ...] = ()
