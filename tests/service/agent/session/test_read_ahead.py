"""What gRPC reads of a stream before anybody asks for it is bounded, on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from proto import contract

SIZE = 256 << 10
METHOD = "/t.T/Stream"


def _raw(data: bytes) -> bytes:
    return data


async def _count(numbers: list[int]) -> int:
    """The number of messages that were sent, once it does not change any more."""
    before = -1
    while before != len(numbers):
        before = len(numbers)
        await asyncio.sleep(0.3)
    return before


@pytest.mark.parametrize("sender", ["client", "server"])
async def test_a_peer_that_does_not_read_gets_little_more_than_it_may_read_ahead(sender: str) -> None:
    sent: list[int] = []
    release = asyncio.Event()

    async def stream(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        if sender == "client":
            await release.wait()
            return
        for number in range(60):
            yield bytes(SIZE)
            sent.append(number)

    server = grpc.aio.server(options=contract.CHANNEL_LIMITS)
    handler = grpc.stream_stream_rpc_method_handler(stream, _raw, _raw)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {"Stream": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=contract.CHANNEL_LIMITS) as channel:
            call = channel.stream_stream(METHOD)()

            async def send() -> None:
                for number in range(60):
                    await call.write(bytes(SIZE))
                    sent.append(number)

            sending = asyncio.create_task(send()) if sender == "client" else None
            number = await _count(sent)
            if sending is not None:
                sending.cancel()
            call.cancel()
            assert number * SIZE <= contract.READ_AHEAD_BYTES
    finally:
        release.set()
        await server.stop(0)
