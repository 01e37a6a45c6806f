"""The JSON of an object in pieces. Equal pieces are kept once in memory, for all objects.

Pieces are the sets of fields in managedFields, and the spec of a kind that says which of its fields vary. More than
half of a pod's JSON are the sets of fields of its managers, and a third is its spec; those of the pods of one template
are equal, but for the name of the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

Text = tuple[bytes, ...]
"""The pieces of one JSON text in their order."""


class Fields(bytes):
    """A piece that is a set of fields. Those of a text come first: they are its second piece, its fourth and so on."""


_LIST: Final = b'"managedFields":['
_FIELDS: Final = b'"fieldsV1":'
# What follows a set of fields: the end of the list, the next entry, or another field of its entry.
_END: Final = b"}]"
_NEXT: Final = b'},{"manager":'
_MORE: Final = b',"subresource":'
# What follows the spec, in all kinds that have a status.
_STATUS: Final = b',"status":{'
# Sets that were seen last. The objects of one template are written, and read at the start, one after the other.
_REMEMBERED: Final = 512
# A larger set is not shared: clients choose the sizes, and the sets above stay in memory.
_MOST_BYTES: Final = 16 << 10
# The sets of an object that are pieces. An object has a few managers; clients may send thousands.
_MOST_SETS: Final = 32


def divided(stored: bytes, before: Text = (), varying: Sequence[str] = ()) -> Text:
    """The pieces of a JSON text. `before`: those of the object's last state, with which it shares what is equal.

    `varying`: the texts in the spec that are pieces of their own, in the order of the JSON. Without any, the spec is
    not shared. A text of another form than the API writes is one piece.
    """
    pieces: list[bytes] = []
    begin, start = 0, stored.find(_LIST)
    while start >= 0 and len(pieces) < 2 * _MOST_SETS and (start := stored.find(_FIELDS, start)) >= 0:
        start += len(_FIELDS)
        position = len(pieces) + 1
        fields = before[position] if position < len(before) else b""
        # A complete JSON object cannot be the beginning of another one.
        if not isinstance(fields, Fields) or not stored.startswith(fields, start):
            try:
                fields = _remembered(stored[start : _end(stored, start)])
            except ValueError:
                return (stored,)
        pieces += (stored[begin:start], fields)
        begin = start + len(fields)
        start = stored.find(b"}", begin)
        if stored.startswith(_END, start):
            break
    if not varying or not pieces:
        return (*pieces, stored[begin:])
    return (*pieces, *_with_spec(stored, begin, before[len(pieces) :], varying))


def _with_spec(stored: bytes, begin: int, before: Text, varying: Sequence[str]) -> list[bytes]:
    """The pieces from `begin` on, where the sets of fields end: the spec, each value that varies apart, and the status.

    `before`: those of the object's last state, if it has as many sets.
    """
    end = stored.rfind(_STATUS)
    if end < begin:
        return [stored[begin:]]
    pieces: list[bytes] = []
    for name in varying:
        start = stored.find(mark(name), begin, end)
        if start >= 0:
            start += len(mark(name))
            stop = max(stored.find(b'"', start, end), start)
            pieces += (stored[begin:start], stored[start:stop])
            begin = stop
    pieces.append(stored[begin:end])
    same = before[:-1]
    return [*(same if (*pieces,) == same else map(_known, pieces)), stored[end:]]


def _end(stored: bytes, start: int) -> int:
    """The end of the set of fields that begins at `start`; an earlier place if a name in it looks like the end.

    Raises ValueError if the set is too large to be a piece.
    """
    end = start + _MOST_BYTES
    places = []
    for what in (_END, _NEXT, _MORE):
        place = stored.find(what, start, end)
        if place >= 0:
            places.append(place)
            # Only what comes before counts.
            end = place
    if not places:
        raise ValueError("a large set of fields")
    return end


def mark(name: str) -> bytes:
    """What comes before the value of this field, if it is a text."""
    return b'"%b":"' % name.encode()


def _known(piece: bytes) -> bytes:
    """The same bytes, or those that were seen before."""
    return _seen(piece) if len(piece) <= _MOST_BYTES else piece


@lru_cache(maxsize=_REMEMBERED)
def _seen(piece: bytes) -> bytes:
    return piece


@lru_cache(maxsize=_REMEMBERED)
def _remembered(fields: bytes) -> Fields:
    """The same bytes, or those that were seen before. Raises ValueError if they are not one JSON object.

    That is the case if a name of a field looks like the end of the set.
    """
    msgspec.json.decode(fields, type=msgspec.Raw)
    if not fields.startswith(b"{"):
        raise ValueError("not an object")
    return Fields(fields)


def whole(text: Text) -> bytes:
    """The JSON text."""
    return b"".join(text)


def lean(text: Text) -> bytes:
    """The JSON text with empty sets of fields, for readers of other fields: half as much to decode."""
    return b"".join([b"{}" if isinstance(piece, Fields) else piece for piece in text])


def size_of(text: Text) -> int:
    """The bytes of the JSON text."""
    return sum(map(len, text))
