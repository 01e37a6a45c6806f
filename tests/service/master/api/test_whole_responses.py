"""A response that is written at once differs from one of aiohttp in nothing that a client sees."""

from __future__ import annotations

import asyncio

from tests.masters import Client

PATH = "/api/v1/namespaces/default"


async def exchange(api: Client, *requests: str) -> list[tuple[list[str], bytes]]:
    """The heads and bodies of the responses on one connection. All requests are sent before the first is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.context, server_hostname="127.0.0.1")
    for request in requests:
        writer.write(f"{request}\r\n\r\n".encode())
    responses = []
    for request in requests:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        length = next(int(line.split(":")[1]) for line in head if line.startswith("Content-Length:"))
        body = b"" if request.startswith("HEAD") else await reader.readexactly(length)
        responses.append(([line for line in head if not line.startswith("Date:")], body))
    writer.close()
    return responses


async def test_the_heads_are_those_of_aiohttp(api: Client) -> None:
    (head, _), (whole, body) = await exchange(
        api, f"HEAD {PATH} HTTP/1.1\r\nHost: m", f"GET {PATH} HTTP/1.1\r\nHost: m"
    )
    assert whole == head and b'"Namespace"' in body


async def test_warnings_are_in_the_head(api: Client) -> None:
    body = '{"metadata":{"name":"a"},"%d %s {}":1,"shape":1}'
    request = f"POST {PATH}/configmaps HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
    [(head, _)] = await exchange(api, f"{request}Content-Length: {len(body)}\r\n\r\n{body}")
    assert head[0] == "HTTP/1.1 201 Created"
    warnings = [line for line in head if line.startswith("Warning:")]
    assert [line.split("unknown field ")[1] for line in warnings] == ['\\"%d %s {}\\""', '\\"shape\\""']


async def test_the_last_response_of_a_connection_closes_it(api: Client) -> None:
    (head, _), (closing, _) = await exchange(
        api, f"GET {PATH} HTTP/1.1\r\nHost: m", f"GET {PATH} HTTP/1.1\r\nHost: m\r\nConnection: close"
    )
    assert closing == [*head, "Connection: close"]


async def test_an_old_client_gets_a_response_of_its_version(api: Client) -> None:
    [(head, body)] = await exchange(api, f"GET {PATH} HTTP/1.0")
    assert head[0] == "HTTP/1.0 200 OK" and b'"Namespace"' in body


async def test_a_client_that_reads_late_gets_every_response(api: Client) -> None:
    data = {"a": "x" * 200_000}
    await api("POST", f"{PATH}/configmaps", {"metadata": {"name": "large"}, "data": data})
    responses = await exchange(api, *[f"GET {PATH}/configmaps/large HTTP/1.1\r\nHost: m"] * 20)
    assert len({body for _, body in responses}) == 1
