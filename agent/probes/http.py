"""HTTP/1.1 as probes need it, without I/O: the request as bytes, and the response from bytes.

A response is complete when its body has ended or has reached MAX_BODY. Accepts what Go's client accepts: lines that end
with a bare line feed, interim responses, bodies with a length, in chunks, or up to the end of the connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_BODY: Final = 10 << 10
"""Bytes of a body that are read, as in the kubelet."""
MAX_HEAD: Final = 64 << 10
MAX_INTERIM: Final = 5
"""Interim responses that are skipped, as in Go's client: a server could send them without an end."""

_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: .*)?")
_FORBIDDEN: Final = re.compile(r"[\r\n\0]")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class MalformedResponse(Exception):
    """The server's answer is not HTTP, or it ends too early."""


class InvalidRequest(Exception):
    """The request cannot be written, because of its URL or a header."""


def request(path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A GET request that ends its connection. Raises InvalidRequest."""
    lines = [f"GET {path} HTTP/1.1"]
    for name, value in headers:
        if not _NAME.fullmatch(name) or _FORBIDDEN.search(value):
            raise InvalidRequest(f"invalid header {name!r}")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


class Response:
    """Takes the bytes of one response."""

    def __init__(self) -> None:
        self.status = 0
        """0 until the head is complete."""
        self.location = ""
        self.complete = False
        self.body = bytearray()
        self._data = bytearray()
        self._length: int | None = None
        self._chunked = False
        self._interim = 0

    def feed(self, data: bytes) -> None:
        """Take what was received. Raises MalformedResponse."""
        self._data += data
        while not self.status:
            end = _END.search(self._data)
            if end is None:
                if len(self._data) > MAX_HEAD:
                    raise MalformedResponse("the head of the response is too long")
                return
            head = bytes(self._data[: end.start()])
            del self._data[: end.end()]
            self._take_head(head)
        self._take_body()

    def end(self) -> None:
        """The connection has ended. Raises MalformedResponse."""
        if self.complete:
            return
        if not self.status or self._chunked or self._length is not None:
            raise MalformedResponse("EOF" if not self.status and not self._data else "unexpected EOF")
        self.complete = True

    def _take_head(self, head: bytes) -> None:
        first, *lines = (line.rstrip(b"\r") for line in head.split(b"\n"))
        matched = _STATUS.fullmatch(first)
        if matched is None:
            raise MalformedResponse(f"malformed HTTP response {first[:80].decode('latin-1')!r}")
        status = int(matched[1])
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise MalformedResponse("too many interim responses")
            return  # the real one follows
        for line in lines:
            name, _, value = line.partition(b":")
            self._take_header(name.strip().lower(), value.strip())
        self.status = status
        if status in (101, 204, 304):
            self._length = 0

    def _take_header(self, name: bytes, value: bytes) -> None:
        if name == b"location":
            self.location = value.decode("latin-1")
        elif name == b"content-length":
            if not _LENGTH.fullmatch(value):
                raise MalformedResponse("bad Content-Length")
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._chunked = value.lower() == b"chunked"

    def _take_body(self) -> None:
        if self._length == 0 and not self._chunked:
            self.complete = True
        elif self._chunked:
            self._take_chunks()
        else:
            self.body += self._data
            self._data.clear()
            self.complete = self._length is not None and len(self.body) >= self._length
        if len(self.body) >= MAX_BODY:
            del self.body[MAX_BODY:]
            self.complete = True

    def _take_chunks(self) -> None:
        while not self.complete and len(self.body) < MAX_BODY:
            end = self._data.find(b"\n")
            if end < 0:
                if len(self._data) > MAX_HEAD:
                    raise MalformedResponse("the size of a chunk is too long")
                return
            size = _chunk_size(bytes(self._data[:end]))
            if size == 0:
                self.complete = True
            elif end + 1 + size + 2 <= len(self._data) or end + 1 + MAX_BODY <= len(self._data):
                self.body += self._data[end + 1 : end + 1 + size]
                del self._data[: end + 1 + size + 2]
            else:
                return


def _chunk_size(line: bytes) -> int:
    text = line.split(b";")[0].strip()
    if not _CHUNK_SIZE.fullmatch(text):  # int() would take a sign too
        raise MalformedResponse("bad size of a chunk")
    return int(text, 16)
