"""Lists: which objects, one page or all, as JSON or as a table. Large lists are streamed.

A list is joined from stored bytes, in pieces, so that many lists of many objects need little memory. The pages of one
list are consistent: they are read from the snapshot of the first page (master/cache/snapshots.py).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from aiohttp import web

from master.api.errors import BadRequest, Expired
from master.api.rest import answers, partial
from master.api.rest.answers import Representation
from master.api.rest.call import Call
from master.api.rest.compression import Stream, compressed, wanted
from master.api.rest.selectors import Selection, candidates
from master.api.rest.tables import Tabulator
from master.api.rest.watches import too_large_version
from master.cache import Cache, Entry, HistoryGone, Page
from master.cache.entry import Key
from master.cache.text import Text, size_of
from master.clock import Clock

# Bytes of one piece. Larger lists are streamed.
_PIECE_BYTES: Final = 256 << 10
# Rows of one piece of a table, which take a few milliseconds to make.
_PIECE_ROWS: Final = 200
_ALL: Final = 1 << 62


class Token(msgspec.Struct, frozen=True):
    """The contents of a `continue` token. `revision` 0: the list goes on with the current state."""

    revision: int
    namespace: str
    name: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Token:
        """Raises BadRequest."""
        try:
            padded = text.encode() + b"=" * (-len(text) % 4)
            return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=Token)
        except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError) as error:
            raise BadRequest("continue: the token is not from this server") from error


class Lists:
    """Answers list requests."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def selected(self, call: Call, selection: Selection) -> list[Entry]:
        """The objects of a collection that match the selectors now, in the order of their keys.

        Later changes are not in the list, although other tasks get their turns.
        """
        entries, exact = candidates(self._cache, call.route.resource, selection)
        if exact:
            return entries
        matching: list[Entry] = []
        for begin in range(0, len(entries), _PIECE_ROWS):
            if begin:
                await asyncio.sleep(0)
            matching += [entry for entry in entries[begin : begin + _PIECE_ROWS] if selection.matches(entry)]
        return matching

    async def answer(self, call: Call, selection: Selection) -> web.StreamResponse:
        """The response. Raises BadRequest, Expired, NotAcceptable, Timeout."""
        return await self.respond(call, await self._page(call, selection), selection)

    async def respond(self, call: Call, page: Page, selection: Selection) -> web.StreamResponse:
        """The response with a page. With revision 0 the list has no version: its objects are not from the store.

        Raises NotAcceptable.
        """
        representation = answers.negotiate(call.accept, listed=True)
        if representation.table:
            return await self._table(call, page, selection, representation.table)
        return await _stream(call, await _json_pieces(call, page, selection, representation))

    async def _page(self, call: Call, selection: Selection) -> Page:
        limit, token = call.query.number("limit") or _ALL, call.query.text("continue")
        if token:
            return await self._continued(call, selection, limit, Token.decode(token))
        exact = self._exact_version(call)
        if exact is not None:
            try:
                return await self._part(call, selection, limit, revision=exact)
            except HistoryGone as gone:
                raise Expired(f"too old resource version: {exact} ({gone.oldest})") from gone
        if limit == _ALL:
            revision = self._cache.revision
            return Page(await self.selected(call, selection), revision, 0)
        return await self._part(call, selection, limit)

    async def _part(
        self, call: Call, selection: Selection, limit: int, *, after: Key | None = None, revision: int | None = None
    ) -> Page:
        """A page. Raises HistoryGone."""
        resource, namespace, name = call.route.resource, call.route.namespace, selection.name
        if selection.everything:
            return self._cache.page(resource, namespace, limit=limit, after=after, revision=revision)
        # The current revision is read before the objects, which may change while the others are looked at.
        at = self._cache.revision if revision is None else revision
        entries = self._cache.held(resource, namespace, revision=revision, selection=name)
        if entries is None:
            entries = await self.selected(call, selection)
        return self._cache.page(
            resource, namespace, limit=limit, after=after, revision=at, selection=name, selected=entries
        )

    async def _continued(self, call: Call, selection: Selection, limit: int, token: Token) -> Page:
        if call.query.number("resourceVersion"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        if call.query.text("resourceVersionMatch"):
            raise BadRequest("resourceVersionMatch is forbidden when continue is provided")
        after = (token.namespace, token.name)
        try:
            return await self._part(call, selection, limit, after=after, revision=token.revision or None)
        except HistoryGone as gone:
            fresh = Token(0, *after).encode()
            why = "The provided continue parameter is too old to display a consistent list result. You can start a new"
            raise Expired(
                f"{why} list without the continue parameter, or use the continue token in this response to retrieve the"
                " remainder of the results with the current state.",
                continue_token=fresh,
            ) from gone

    def _exact_version(self, call: Call) -> int | None:
        """The version that the list must have; None for the current one. Raises BadRequest, Timeout.

        An older version can be served as long as no object of the resource has changed since.
        """
        version, match = call.query.number("resourceVersion") or 0, call.query.text("resourceVersionMatch")
        if match and match not in ("Exact", "NotOlderThan"):
            raise BadRequest(f"resourceVersionMatch: {match!r} is not one of Exact, NotOlderThan")
        if match and not call.query.text("resourceVersion"):
            raise BadRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
        if match == "Exact" and not version:
            raise BadRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
        if version > self._cache.revision:
            raise too_large_version(version, self._cache.revision)
        return version if match == "Exact" else None

    async def _table(self, call: Call, page: Page, selection: Selection, version: str) -> web.StreamResponse:
        tabulator = Tabulator(call.route, version, call.query.text("includeObject"))
        now = self._clock.now()
        if len(page.entries) <= _PIECE_ROWS * 3:
            body = b"".join(tabulator.pieces(page.entries, _metadata(page, selection), now, rows=_ALL))
            return await compressed(call.http, answers.raw(body))
        response = answers.streamed(call.http)
        pieces = tabulator.pieces(page.entries, _metadata(page, selection), now, rows=_PIECE_ROWS)
        head, first = next(pieces), next(pieces)
        # The other pieces have about the size of the first one.
        out = Stream(call.http, response, len(first) * len(page.entries) // _PIECE_ROWS)
        await response.prepare(call.http)
        if call.http.method == "HEAD":
            return response
        for piece in chain((head, first), pieces):
            await out.write(piece)
            # The client may read as fast as rows are made: the other clients must get their turn.
            await asyncio.sleep(0)
        await out.end()
        return response


def _metadata(page: Page, selection: Selection) -> dict[str, Any]:
    """The metadata of the list. As in Kubernetes, the remaining items are not counted for a selection."""
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)} if page.revision else {}
    if page.remaining:
        key: Key = page.entries[-1].key
        metadata["continue"] = Token(page.revision, *key).encode()
        if selection.everything:
            metadata["remainingItemCount"] = page.remaining
    return metadata


async def _json_pieces(
    call: Call, page: Page, selection: Selection, representation: Representation
) -> tuple[bytes, Sequence[Text], bytes]:
    """What comes before the items, the items, and what comes after them."""
    route = call.route
    head = {
        "kind": partial.LIST if representation.metadata else f"{route.resource.kind}List",
        "apiVersion": representation.metadata or route.answered_version,
        "metadata": _metadata(page, selection),
    }
    start = msgspec.json.encode(head)[:-1] + b',"items":['
    if route.stored and not representation.metadata:
        return start, [entry.text for entry in page.entries], b"]}\n"
    items: list[Text] = []
    for begin in range(0, len(page.entries), _PIECE_ROWS):
        # Each object is converted, which takes time.
        await asyncio.sleep(0)
        items += [(answers.form(entry, route, representation),) for entry in page.entries[begin : begin + _PIECE_ROWS]]
    return start, items, b"]}\n"


async def stream(call: Call, entries: list[Entry], revision: int) -> web.StreamResponse:
    """The response with all these objects."""
    page = Page(entries, revision, 0)
    return await _stream(call, await _json_pieces(call, page, Selection(), Representation()))


async def _stream(call: Call, parts: tuple[bytes, Sequence[Text], bytes]) -> web.StreamResponse:
    start, items, end = parts
    size = len(start) + sum(map(len, chain.from_iterable(items))) + max(len(items) - 1, 0) + len(end)
    if size <= _PIECE_BYTES or call.http.method == "HEAD":
        return await compressed(call.http, answers.raw(b"".join([start, *_joined(items), end])))
    if wanted(call.http, size):
        response = answers.streamed(call.http)
    else:
        response = web.StreamResponse(headers=answers.JSON)
        response.content_length = size
    out = Stream(call.http, response, size)
    await response.prepare(call.http)
    await out.write(start)
    for piece in _joined(items):
        await out.write(piece)
        await asyncio.sleep(0)
    await out.write(end)
    await out.end()
    return response


def _joined(items: Sequence[Text]) -> Iterator[bytes]:
    """The items with commas between them, in pieces of about `_PIECE_BYTES`."""
    parts: list[bytes] = []
    size = 0
    for item in items:
        parts += item
        parts.append(b",")
        size += size_of(item) + 1
        if size >= _PIECE_BYTES:
            # The comma waits for the next item.
            yield b"".join(parts[:-1])
            parts, size = [b","], 1
    if size > 1:
        yield b"".join(parts[:-1])
