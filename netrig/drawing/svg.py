"""A drawing as SVG 1.1 text: always the same text for the same drawing, escaped and self-contained.

Signs and words repeat the meaning of the colours. Sizes are in user units. The picture has its own background, so that
it is legible on any page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from xml.sax.saxutils import escape

from netrig.drawing.layout import Line, Point, layout
from netrig.drawing.metrics import (
    COLUMN_GAP,
    LINE,
    NAME,
    PAD,
    SIGN,
    TITLE,
    Rect,
    Size,
    columns,
    shortened,
    text_width,
)
from netrig.drawing.model import Cable, Drawing, Item, Place, Shape, Tone
from netrig.drawing.style import sheet

_MARGIN: Final = 24.0
_RADIUS: Final = 6
_BASE: Final = 13.0
"""The distance from the upper edge of a line of text to its base line."""
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(drawing: Drawing) -> str:
    """The whole SVG document."""
    positions = layout(drawing)
    heading = list(_heading(drawing))
    top = _MARGIN + TITLE * 1.3 + LINE * len(drawing.notes) + PAD
    moved = positions.moved(_MARGIN, top)
    titles = [text_width(drawing.title, TITLE), *map(text_width, drawing.notes)]
    size = Size(max(positions.size.width, *titles) + 2 * _MARGIN, top + positions.size.height + _MARGIN)
    body = [
        f'<rect class="page" width="{_number(size.width)}" height="{_number(size.height)}"/>',
        *heading,
        *(_cable(line) for line in moved.lines),
        *(line for place, rect in moved.places for line in _place(place, rect)),
        *(line for cable in moved.lines for line in _tag(cable)),
    ]
    return "\n".join([*_head(drawing, size), *body, "</svg>", ""])


def _head(drawing: Drawing, size: Size) -> Iterator[str]:
    width, height = _number(size.width), _number(size.height)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img">'
    )
    yield f"<title>{_escaped(drawing.title)}</title>"
    yield f"<style>\n{sheet()}\n</style>"


def _heading(drawing: Drawing) -> Iterator[str]:
    yield _text(_MARGIN, _MARGIN + TITLE * 0.8, drawing.title, "title")
    for number, note in enumerate(drawing.notes):
        yield _text(_MARGIN, _MARGIN + TITLE * 1.3 + LINE * number + _BASE - 2, note, "faint")


def _cable(line: Line) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in _simplified(line.points))
    return f'<polyline class="{" ".join(["cable", *_state(line.cable)])}" points="{points}"/>'


def _state(cable: Cable) -> list[str]:
    return ["cut"] if cable.cut else ["spoiled"] if cable.faults else []


def _tag(line: Line) -> Iterator[str]:
    """The tag of a cable, which lies on the cable's line."""
    tag, cable = line.tag, line.cable
    if not line.words:
        return
    yield _rect(tag, "tag")
    faults = set(cable.faults)
    for number, words in enumerate(line.words):
        y = tag.y + 2 + LINE * number
        is_fault = words in faults or (len(line.words) == 1 and bool(faults))
        kind = " ".join(["fault", *_state(cable)]) if is_fault else "faint" if words in cable.words else ""
        centre = tag.centre
        if cable.cut and is_fault and words in (line.words[0], cable.faults[0]):
            centre += SIGN / 2
            yield from _sign(Tone.BAD, centre - text_width(words) / 2 - SIGN, y - 1)
        yield _text(centre, y + _BASE - 1, words, kind, middle=True)


def _place(place: Place, rect: Rect) -> Iterator[str]:
    yield f'<g data-place="{_escaped(place.name)}">'
    yield _rect(rect, place.shape)
    yield from _bar(place, rect) if place.shape is Shape.BAR else _box(place, rect)
    yield "</g>"


def _bar(place: Place, rect: Rect) -> Iterator[str]:
    """The text of a bar: one row, from the left."""
    x, y = rect.x + PAD, rect.y + 0.7 * PAD
    yield _text(x, y + _BASE, place.name, "name")
    x += text_width(place.name, NAME) + COLUMN_GAP
    for text in (place.role, *place.lines):
        yield _text(x, y + _BASE, text, "faint" if text == place.role else "")
        x += text_width(text) + 2 * COLUMN_GAP
    for item in place.processes:
        yield from _items([item], x, y)
        x += SIGN + sum(text_width(cell) + COLUMN_GAP for cell in item.cells) + COLUMN_GAP


def _box(place: Place, rect: Rect) -> Iterator[str]:
    x, y = rect.x + PAD, rect.y + 0.6 * PAD
    yield _text(x, y + _BASE, place.name, "name")
    yield _text(rect.right - PAD - text_width(place.role), y + _BASE, place.role, "faint")
    y += LINE * 1.2
    for line in place.lines:
        yield _text(x, y + _BASE, line)
        y += LINE
    yield from _items(place.processes, x, y)
    y += LINE * len(place.processes)
    if place.pods_title or place.pods:
        y += PAD / 2
        yield (
            f'<line class="rule" x1="{_number(rect.x)}" x2="{_number(rect.right)}" y1="{_number(y)}" '
            f'y2="{_number(y)}"/>'
        )
        y += PAD / 4
        if place.pods_title:
            yield _text(x, y + _BASE, place.pods_title, "faint")
            y += LINE
        yield from _items(place.pods, x, y)


def _items(items: Iterable[Item], x: float, y: float) -> Iterator[str]:
    items = list(items)
    starts = columns(items)
    for number, item in enumerate(items):
        row = y + LINE * number
        yield "<g>"
        if item.full_name:
            yield f"<title>{_escaped(item.full_name)}</title>"
        yield from _sign(item.tone, x, row)
        for column, cell in enumerate(item.cells):
            is_last = column == len(item.cells) - 1
            kind = f"{item.tone}-text" if is_last and item.tone is not Tone.GOOD else ""
            yield _text(x + starts[column], row + _BASE, shortened(cell), kind)
        yield "</g>"


def _sign(tone: Tone, x: float, y: float) -> Iterator[str]:
    """The sign of a tone, ten units wide, beside the line of text with its upper edge at y."""
    left, right, top, bottom = (_number(value) for value in (x + 1, x + 9, y + 5, y + 13))
    middle = _number(x + 5), _number(y + 9)
    match tone:
        case Tone.GOOD:
            yield f'<circle class="{tone}" cx="{middle[0]}" cy="{middle[1]}" r="4"/>'
        case Tone.WAITING:
            yield f'<circle class="sign {tone} hollow" cx="{middle[0]}" cy="{middle[1]}" r="3.5"/>'
        case Tone.PAUSED:
            for bar in (x + 2, x + 6):
                yield f'<rect class="{tone}" x="{_number(bar)}" y="{top}" width="2" height="8"/>'
        case Tone.BAD:
            yield f'<path class="sign {tone}" d="M{left} {top} L{right} {bottom} M{left} {bottom} L{right} {top}"/>'
        case Tone.ENDED:
            yield f'<rect class="sign {tone} hollow" x="{left}" y="{top}" width="7" height="7"/>'


def _rect(rect: Rect, kind: str) -> str:
    area = f'x="{_number(rect.x)}" y="{_number(rect.y)}" width="{_number(rect.width)}" height="{_number(rect.height)}"'
    return f'<rect class="{kind}" {area} rx="{_RADIUS}"/>'


def _text(x: float, y: float, text: str, kind: str = "", *, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    classes = f' class="{kind}"' if kind else ""
    return f'<text{classes} x="{_number(x)}" y="{_number(y)}"{anchor}>{_escaped(text)}</text>'


def _simplified(points: Iterable[Point]) -> list[Point]:
    """Without points that repeat the point before them."""
    distinct: list[Point] = []
    for point in points:
        if not distinct or point != distinct[-1]:
            distinct.append(point)
    return distinct


def _escaped(text: str) -> str:
    """Escaped for text and attributes; characters that XML 1.0 does not allow become replacement characters."""
    return escape(_NOT_XML.sub("\ufffd", text), {'"': "&quot;"})


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
