"""The content of a picture as values: places, their processes and pods, and the cables between them; no coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """The shape of a place: a box, or a bar with cables along it, for a switch."""

    BOX = "box"
    BAR = "bar"


class Tone(StrEnum):
    """A condition. Each has its own sign besides its colour, so that a black-and-white print shows it too."""

    GOOD = "good"
    WAITING = "waiting"
    PAUSED = "paused"
    BAD = "bad"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Item:
    """A line in a place, with a sign: a process or a pod. The cells of several lines form columns."""

    tone: Tone
    cells: tuple[str, ...]
    full_name: str = ""
    """The tooltip, in case a cell had to be shortened."""


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
    """Whether it is above the central place, and not below it."""


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable between two places; `ends`: the text of each end (interface and address)."""

    places: tuple[str, str]
    ends: tuple[str, str] = ("", "")
    words: tuple[str, ...] = ()
    """Its properties, such as the MTU."""
    faults: tuple[str, ...] = ()
    """Its faults, which are drawn conspicuously."""
    cut: bool = False
    """Whether no packet passes; `faults` has the details."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole picture. Cables refer to places by name; a place may have no cables."""

    title: str
    places: tuple[Place, ...]
    cables: tuple[Cable, ...] = ()
    notes: tuple[str, ...] = ()
