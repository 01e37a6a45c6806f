"""Links in pages of HTML that go through a proxy: those to the page's own host lead back to the proxy. No I/O.

The attributes are those of kube-apiserver (k8s.io/apimachinery, pkg/util/proxy). Unlike there, a page passes in pieces,
and only the links change: everything else stays as the pod has sent it.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

_LINKS: Final = {
    **dict.fromkeys(("a", "area", "base", "link"), ("href",)),
    **dict.fromkeys(("blockquote", "del", "ins", "q"), ("cite",)),
    **dict.fromkeys(("audio", "embed", "script", "source"), ("src",)),
    **dict.fromkeys(("frame", "iframe"), ("longdesc", "src")),
    "applet": ("codebase",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "form": ("action",),
    "head": ("profile",),
    "html": ("manifest",),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "object": ("classid", "codebase", "data", "usemap"),
    "video": ("poster", "src"),
}
_RAW: Final = ("iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp")
"""What they contain is text, up to their end tag."""

# Nothing in these expressions is tried twice, so that no page makes them slow.
_VALUE: Final = r"""(?:"([^"]*+)"|'([^']*+)'|(?!["'])([^\s>]*+))"""
_TAG: Final = re.compile(rf"<([a-zA-Z][^\s/>]*+)(?:[^>=]++|=\s*+{_VALUE})*+>")
_ATTRIBUTE: Final = re.compile(rf"([^\s/>=]++)\s*+(?:=\s*+{_VALUE})?+")
_END: Final = re.compile(">")
_END_OF_COMMENT: Final = re.compile("--!?>")
_LOOKAHEAD: Final = len("<!--")
_OVERLAP: Final = len("</plaintext")
"""More than any end that is searched for, which may be divided between two pieces."""
_LONGEST_TAG: Final = 1 << 14
"""Characters in which the end of a tag is searched for; a longer tag passes as it is."""
_PIECE: Final = 1 << 16


class Links:
    """One page. `moved` is where a link leads for the client. Bytes count as Latin-1, so that all of them survive."""

    def __init__(self, moved: Callable[[str], str]) -> None:
        self._moved = moved
        self._held = ""
        self._until: re.Pattern[str] | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be passed on after this piece."""
        text, position = self._held + data.decode("latin-1"), 0
        done: list[str] = []
        while (part := self._next(text, position)) is not None:
            ready, position = part
            done.append(ready)
        self._held = text[position:]
        # A character that Latin-1 does not have comes from a reference, and becomes one again.
        yield "".join(done).encode("latin-1", "xmlcharrefreplace")

    def end(self) -> bytes:
        """The rest of the page."""
        rest, self._held = self._held, ""
        return rest.encode("latin-1")

    def _next(self, text: str, position: int) -> tuple[str, int] | None:
        """The text that is ready next, and the position after what it stands for; None if more has to be read."""
        if position == len(text):
            return None
        if self._until is not None:
            return self._pass(text, position, self._until)
        start = text.find("<", position)
        if start != position:
            stop = len(text) if start < 0 else start
            return text[position:stop], stop
        if len(text) - start < _LOOKAHEAD:
            return None
        if text[start + 1] in "!?/":
            self._until = _END_OF_COMMENT if text.startswith("<!--", start) else _END
            return text[start : start + 2], start + 2
        if not ("a" <= text[start + 1].lower() <= "z"):
            return "<", start + 1
        if (tag := _TAG.match(text, start, start + _LONGEST_TAG)) is not None:
            return self._tag(tag), tag.end()
        if len(text) - start < _LONGEST_TAG:
            return None
        # All that was searched passes at once: if each `<` in it were searched again, a page could stop the master.
        return text[start : start + _LONGEST_TAG], start + _LONGEST_TAG

    def _pass(self, text: str, position: int, until: re.Pattern[str]) -> tuple[str, int] | None:
        found = until.search(text, position)
        if found is not None:
            self._until = None
            return text[position : found.end()], found.end()
        stop = max(position, len(text) - _OVERLAP)
        return (text[position:stop], stop) if stop > position else None

    def _tag(self, tag: re.Match[str]) -> str:
        name, text = tag[1].lower(), tag[0]
        if name in _RAW:
            self._until = re.compile(rf"</{name}", re.IGNORECASE)
        attributes = _LINKS.get(name)
        if attributes is None:
            return text
        start = len(tag[1]) + 1

        def changed(found: re.Match[str]) -> str:
            return self._attribute(found) if found[1].lower() in attributes else found[0]

        return text[:start] + _ATTRIBUTE.sub(changed, text[start:])

    def _attribute(self, found: re.Match[str]) -> str:
        value = next((group for group in found.groups()[1:] if group is not None), "")
        before = html.unescape(value).strip()
        after = self._moved(before)
        return found[0] if after == before else f'{found[1]}="{html.escape(after)}"'


class Coded:
    """The same for a page in an encoding of its body: gzip, or deflate without a header, as kube-apiserver takes it."""

    def __init__(self, links: Links, encoding: str) -> None:
        bits = 16 + zlib.MAX_WBITS if encoding == "gzip" else -zlib.MAX_WBITS
        self._links = links
        self._decoder = zlib.decompressobj(bits)
        self._encoder = zlib.compressobj(wbits=bits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The encoded pieces, each of limited size. Raises zlib.error if the data are not in the encoding."""
        while data and not self._decoder.eof:
            plain = self._decoder.decompress(data, _PIECE)
            data = self._decoder.unconsumed_tail
            for piece in self._links.feed(plain):
                yield self._encoder.compress(piece)
        yield self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """The encoded rest."""
        return self._encoder.compress(self._links.end()) + self._encoder.flush()


def page(content_type: str, encoding: str, moved: Callable[[str], str]) -> Links | Coded | None:
    """What changes a response of this type; None if it stays as it is: no page, or in an encoding that is not known."""
    if content_type.partition(";")[0].strip() != "text/html":
        return None
    match encoding:
        case "":
            return Links(moved)
        case "gzip" | "deflate":
            return Coded(Links(moved), encoding)
        case _:
            return None
