"""Pictures of labs and topologies as SVG.

`Drawing` (model.py) is what is to be drawn, as a value; `svg` makes text of it, the same for the same value, that needs
nothing but a reader: no fonts, no scripts, nothing to fetch. Who has something to draw makes a Drawing of it: of_lab.py
here, picture.py of the topologies.
"""

from netrig.drawing.model import Cable, Drawing, Item, Place, Shape, Tone
from netrig.drawing.svg import svg

__all__ = ["Cable", "Drawing", "Item", "Place", "Shape", "Tone", "svg"]
