"""The reader of responses with which the API is measured."""

from __future__ import annotations

import pytest

from tests.bench.areas.api.response import Response

RESPONSES = {
    "content length": (
        b"HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 8\r\n\r\nab\r\n\r\ncd",
        201,
        b"ab\r\n\r\ncd",
    ),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4;x=y\r\n\r\n\r\n\r\n0\r\n\r\n",
        200,
        b"hello\r\n\r\n",
    ),
    "empty": (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404, b""),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("data", "status", "body"), RESPONSES.values(), ids=RESPONSES)
def test_a_response_is_complete_with_its_last_byte(data: bytes, status: int, body: bytes, size: int) -> None:
    response = Response(keep=True)
    pieces = [data[position : position + size] for position in range(0, len(data), size)]
    assert [response.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert (response.status, response.body, response.size) == (status, body, len(body))


def test_a_body_that_is_not_kept_is_counted() -> None:
    response = Response()
    assert response.feed(RESPONSES["chunked"][0])
    assert (response.body, response.size) == (b"", 9)
