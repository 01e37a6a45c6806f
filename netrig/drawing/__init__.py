"""Pictures of networks as SVG.

A `Drawing` (model.py) is the content of a picture as a value. `svg` turns it into text: always the same for the same
value, without external fonts, scripts or links. netrig/topology/picture.py and lab/picture.py make drawings.
"""

from netrig.drawing.model import Cable, Drawing, Item, Place, Shape, Tone
from netrig.drawing.svg import svg

__all__ = ["Cable", "Drawing", "Item", "Place", "Shape", "Tone", "svg"]
