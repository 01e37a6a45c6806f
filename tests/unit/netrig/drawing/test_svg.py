"""Pictures as SVG: well-formed, escaped, reproducible, without overlaps."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from netrig.drawing import Cable, Drawing, Item, Place, Shape, Tone, svg
from netrig.drawing.layout import Line, layout
from netrig.drawing.metrics import PAD, Rect, items_width, text_width

SVG = "{http://www.w3.org/2000/svg}"


def lab(nodes: int, pods: int) -> Drawing:
    """A bar with two places above it and `nodes` below it, each with `pods` pods."""
    places = [Place("bar", "bridge", Shape.BAR, lines=("10.77.0.1/24",)), Place("master", "master", above=True)]
    places.append(Place("outside", "outside", above=True))
    for node in range(nodes):
        items = tuple(
            Item(Tone.GOOD, (f"some-pod-{node}-{number}", f"10.244.{node}.{number}", "Running"))
            for number in range(pods)
        )
        processes = (Item(Tone.GOOD, ("agent", "up")), Item(Tone.BAD, ("engine", "stopped")))
        places.append(Place(f"node{node}", "node", processes=processes, pods_title="pods", pods=items))
    cables = [
        Cable(("bar", place.name), ("", "eth0 10.77.0.100/24"), ("mtu 1500",), ("cut",), cut=True)
        for place in places[1:]
    ]
    return Drawing("lab", tuple(places), tuple(cables))


def joined(*pairs: str, bars: str = "") -> Drawing:
    """Places with single letters as names; "ab" is a cable between a and b."""
    names = dict.fromkeys("".join(pairs))
    places = tuple(Place(name, "host", Shape.BAR if name in bars else Shape.BOX) for name in names)
    cables = tuple(
        Cable((pair[0], pair[1]), ("eth0 10.0.0.1/24", "eth1 10.0.0.2/24"), ("mtu 1400",), ("loss 5 %",))
        for pair in pairs
        if len(pair) == 2
    )
    return Drawing("places", places, cables)


DRAWINGS = {
    "nothing": Drawing("nothing", ()),
    "one host": joined("a"),
    "one node without pods": lab(1, 0),
    "three nodes": lab(3, 5),
    "ten nodes with thirty pods": lab(10, 30),
    "a chain": joined("ab", "bc", "cd"),
    "a router with many links": joined("ra", "rb", "rc", "rd", "re", "rf", "rg", "rh", "ri"),
    "a ring": joined("ab", "bc", "cd", "da"),
    "a full mesh": joined(*map("".join, itertools.combinations("abcde", 2))),
    "parallel cables": joined("ab", "ab", "ab"),
    "two switches with parallel cables": joined("sa", "sb", "tc", "td", "st", "st", "ra", "rd", bars="st"),
    "switches in a ring": joined("st", "tu", "us", "sa", "tb", "uc", bars="stu"),
    "two parts": joined("ab", "cd", "e"),
    "a switch with fifty hosts": Drawing(
        "fifty",
        (Place("s", "switch", Shape.BAR), *(Place(f"h{number}", "host") for number in range(50))),
        tuple(Cable(("s", f"h{number}"), ("", f"eth0 10.0.0.{number}/24"), ("mtu 1500",)) for number in range(50)),
    ),
}


@pytest.fixture(params=DRAWINGS)
def drawing(request: pytest.FixtureRequest) -> Drawing:
    return DRAWINGS[request.param]


def test_a_picture_is_well_formed_complete_and_reproducible(drawing: Drawing) -> None:
    text = svg(drawing)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert svg(drawing) == text
    words = {element.text for element in root.iter(f"{SVG}text")}
    assert {place.name for place in drawing.places} <= words
    assert {cell for place in drawing.places for pod in place.pods for cell in pod.cells} <= words
    assert len(list(root.iter(f"{SVG}polyline"))) == len(drawing.cables)
    assert not re.search(r"<script|<image|<foreignObject|href|url\(|@import|@font-face", text)


def test_nothing_overlaps(drawing: Drawing) -> None:
    positions = layout(drawing)
    rects = [rect for _, rect in positions.places] + [line.tag for line in positions.lines]
    for first, second in itertools.combinations(rects, 2):
        assert not overlap(first, second), (first, second)
    for line, (place, rect) in itertools.product(positions.lines, positions.places):
        for piece in pieces(line):
            assert not overlap(piece, rect), (line.cable.places, place.name)


def test_everything_is_within_the_picture(drawing: Drawing) -> None:
    root = ElementTree.fromstring(svg(drawing))
    whole = Rect(0, 0, float(root.attrib["width"]), float(root.attrib["height"]))
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    positions = layout(drawing)
    inside = Rect(0, 0, positions.size.width, positions.size.height)
    for rect in [rect for _, rect in positions.places] + [line.tag for line in positions.lines]:
        assert contains(inside, rect), rect
    for text in root.iter(f"{SVG}text"):
        width = 0.0 if text.get("text-anchor") else text_width(text.text or "")
        position = Rect(float(text.attrib["x"]), float(text.attrib["y"]), width, 0)
        assert contains(whole, position), text.text


def test_the_text_of_a_place_fits_into_it(drawing: Drawing) -> None:
    for place, rect in layout(drawing).places:
        if place.shape is Shape.BOX:
            available = rect.width - 2 * PAD + 0.01
            assert max(items_width(place.pods), items_width(place.processes)) <= available
    root = ElementTree.fromstring(svg(drawing))
    for group in (element for element in root.iter(f"{SVG}g") if element.get("data-place")):
        (outer,) = group.findall(f"{SVG}rect")
        x, y, width, height = (float(outer.attrib[name]) for name in ("x", "y", "width", "height"))
        for text in group.iter(f"{SVG}text"):
            assert x <= float(text.attrib["x"]) <= x + width
            assert y <= float(text.attrib["y"]) <= y + height


def test_each_end_of_a_cable_is_at_its_place(drawing: Drawing) -> None:
    positions = layout(drawing)
    rects = {place.name: rect for place, rect in positions.places}
    for line in positions.lines:
        ends = [rects[name] for name in line.cable.places]
        touched = [[touches(rect, point) for rect in ends] for point in (line.points[0], line.points[-1])]
        assert touched in ([[True, False], [False, True]], [[False, True], [True, False]]), line
        for (x, y), (to_x, to_y) in itertools.pairwise(line.points):
            assert abs(x - to_x) < 0.01 or abs(y - to_y) < 0.01, "only vertical and horizontal pieces"


def test_texts_are_escaped() -> None:
    nasty = 'a<b>&"c"\x00\x1b]0;\ud800'
    drawing = Drawing(nasty, (Place(nasty, nasty, lines=(nasty,), pods=(Item(Tone.BAD, (nasty,), nasty),)),))
    root = ElementTree.fromstring(svg(drawing).encode())
    assert 'a<b>&"c"��]0;�' in {element.text for element in root.iter(f"{SVG}text")}


def test_long_names_are_shortened_and_complete_in_the_tooltip() -> None:
    name = "a" * 120 + "-7f9c"
    text = svg(
        Drawing("long", (Place("node", "node", pods=(Item(Tone.GOOD, (name, "10.0.0.1"), f"default/{name}"),)),))
    )
    shown = [element.text or "" for element in ElementTree.fromstring(text).iter(f"{SVG}text")]
    assert any(word.startswith("aaa") and word.endswith("…" + "a" * 16 + "-7f9c") for word in shown)
    assert f"<title>default/{name}</title>" in text


def test_faults_change_the_style_of_the_cable() -> None:
    good, cut = Cable(("a", "b"), words=("mtu 1500",)), Cable(("a", "b"), faults=("cut", "loss 5 %"), cut=True)
    lossy = Cable(("a", "b"), faults=("loss 5 %",))
    kinds = []
    for cable in (good, lossy, cut):
        root = ElementTree.fromstring(svg(Drawing("", (Place("a", "host"), Place("b", "host")), (cable,))))
        (line,) = root.iter(f"{SVG}polyline")
        kinds.append(line.attrib["class"])
        crosses = [path for path in root.iter(f"{SVG}path") if "bad" in path.attrib["class"]]
        assert len(crosses) == (1 if cable.cut else 0)
        words = {element.text: element.get("class") for element in root.iter(f"{SVG}text")}
        assert all("fault" in (words[fault] or "") for fault in cable.faults)
    assert kinds == ["cable", "cable spoiled", "cable cut"]


def test_each_tone_has_a_sign_of_its_own() -> None:
    signs = set()
    for tone in Tone:
        root = ElementTree.fromstring(svg(Drawing("", (Place("a", "host", processes=(Item(tone, ("agent",)),)),))))
        signs.add(
            tuple(
                (element.tag, "hollow" in element.attrib["class"])
                for element in root.iter()
                if str(tone) in element.attrib.get("class", "").split()
            )
        )
    assert len(signs) == len(Tone)


def pieces(line: Line) -> Iterator[Rect]:
    """The straight pieces of a cable, as rectangles without area."""
    for (x, y), (to_x, to_y) in itertools.pairwise(line.points):
        yield Rect(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y))


def overlap(first: Rect, second: Rect) -> bool:
    near = 0.01
    beside = first.right <= second.x + near or second.right <= first.x + near
    return not (beside or first.bottom <= second.y + near or second.bottom <= first.y + near)


def contains(outer: Rect, inner: Rect) -> bool:
    near = 0.06  # numbers are written with one digit
    across = outer.x - near <= inner.x and inner.right <= outer.right + near
    return across and outer.y - near <= inner.y and inner.bottom <= outer.bottom + near


def touches(rect: Rect, point: tuple[float, float]) -> bool:
    x, y = point
    return rect.x <= x <= rect.right and min(abs(y - rect.y), abs(y - rect.bottom)) < 0.01
