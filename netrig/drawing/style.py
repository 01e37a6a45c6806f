"""The style sheet of a picture: sizes, and colours for light and dark screens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from netrig.drawing.metrics import NAME, TEXT, TITLE
from netrig.drawing.model import Tone

_FONT: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_SHAPES: Final = (
    f"text {{ font-family: {_FONT}; font-size: {TEXT:g}px; }}",
    f".name {{ font-size: {NAME:g}px; font-weight: bold; }}",
    f".title {{ font-size: {TITLE:g}px; font-weight: bold; }}",
    ".cable { fill: none; stroke-width: 2; }",
    ".cable.spoiled { stroke-dasharray: 7 4; }",
    ".cable.cut { stroke-width: 2.5; stroke-dasharray: 2 6; }",
    ".rule { stroke-opacity: 0.5; }",
    ".sign { stroke-width: 2; }",
    ".fault { font-weight: bold; }",
)
_LIGHT: Final = {
    "page": "#ffffff",
    "box": "#f6f8fa",
    "bar": "#e2e8f0",
    "edge": "#6e7781",
    "ink": "#1f2328",
    "faint": "#57606a",
    Tone.GOOD: "#1a7f37",
    Tone.WAITING: "#9a6700",
    Tone.PAUSED: "#9a6700",
    Tone.BAD: "#cf222e",
    Tone.ENDED: "#57606a",
}
_DARK: Final = {
    "page": "#0d1117",
    "box": "#161b22",
    "bar": "#2d333b",
    "edge": "#8b949e",
    "ink": "#e6edf3",
    "faint": "#9aa4af",
    Tone.GOOD: "#3fb950",
    Tone.WAITING: "#d29922",
    Tone.PAUSED: "#d29922",
    Tone.BAD: "#ff7b72",
    Tone.ENDED: "#9aa4af",
}


def sheet() -> str:
    """The text of the style sheet. Viewers without support for media queries use the light colours."""
    return "\n".join([*_SHAPES, *_colours(_LIGHT), "@media (prefers-color-scheme: dark) {", *_colours(_DARK), "}"])


def _colours(colour: Mapping[str, str]) -> Iterator[str]:
    yield f".page, .tag {{ fill: {colour['page']}; }}"
    yield f".box {{ fill: {colour['box']}; stroke: {colour['edge']}; }}"
    yield f".bar {{ fill: {colour['bar']}; stroke: {colour['edge']}; }}"
    yield f".rule, .cable {{ stroke: {colour['edge']}; }}"
    yield f"text {{ fill: {colour['ink']}; }}"
    yield f".faint {{ fill: {colour['faint']}; }}"
    for kind, tone in (("spoiled", Tone.WAITING), ("cut", Tone.BAD)):
        yield f".cable.{kind} {{ stroke: {colour[tone]}; }}"
        yield f".fault.{kind} {{ fill: {colour[tone]}; }}"
    for tone in Tone:
        yield f".{tone} {{ fill: {colour[tone]}; stroke: {colour[tone]}; }}"
        yield f".{tone}-text {{ fill: {colour[tone]}; }}"
    yield ".hollow { fill: none; }"
