"""Calls on threads: one client per thread, errors raised at the caller, closing does not wait for hanging calls."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from agent.runtime.threads import ClientThreads


class Client:
    """A fake client."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clients() -> list[Client]:
    return []


def threads_of(clients: list[Client], **options: Any) -> ClientThreads:
    def make() -> Client:
        clients.append(Client())
        return clients[-1]

    return ClientThreads(make, name="test", **options)  # type: ignore[arg-type]


async def test_a_thread_keeps_its_client_and_closes_it(clients: list[Client]) -> None:
    threads = threads_of(clients, threads=1)
    assert await asyncio.gather(*(threads.call(lambda client: client) for _ in range(3))) == clients * 3
    assert len(clients) == 1 and not clients[0].closed
    threads.close()
    assert clients[0].closed
    with pytest.raises(RuntimeError):
        await threads.call(lambda client: client)


async def test_an_error_is_raised_at_the_caller_and_ends_no_thread(clients: list[Client]) -> None:
    threads = threads_of(clients, threads=1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(lambda client: 1 / 0)
    assert await threads.call(lambda client: 2) == 2
    threads.close()


async def test_closing_cancels_queued_calls_and_leaves_hanging_ones_behind(clients: list[Client]) -> None:
    threads = threads_of(clients, threads=1, patience_s=0.0)
    begun, let_go = threading.Event(), threading.Event()

    def hang(client: object) -> None:
        begun.set()
        let_go.wait()

    hanging = asyncio.ensure_future(threads.call(hang))
    waiting = asyncio.ensure_future(threads.call(lambda client: None))
    await asyncio.to_thread(begun.wait)
    threads.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    let_go.set()
    await hanging


async def test_closing_waits_for_a_call_in_progress(clients: list[Client]) -> None:
    threads = threads_of(clients, threads=1, patience_s=60.0)
    begun, ended = threading.Event(), threading.Event()

    def work(client: object) -> None:
        begun.set()
        ended.wait()

    working = asyncio.ensure_future(threads.call(work))
    await asyncio.to_thread(begun.wait)
    closing = asyncio.create_task(asyncio.to_thread(threads.close))
    ended.set()
    await asyncio.gather(working, closing)
    assert clients[0].closed


def test_no_thread_starts_without_a_call(clients: list[Client]) -> None:
    before = threading.active_count()
    threads_of(clients, threads=4).close()
    assert threading.active_count() == before
