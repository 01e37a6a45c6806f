"""Calls that hang: they release their place, keep that of their key, and what they return late is discarded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from hull.blocking import BlockingCalls, Hangs
from tests.fakes.sessions import until

LONG_S = 60.0


class Server:
    """Calls to it hang until it is back."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.asked = threading.Semaphore(0)
        self.answers: list[str] = []

    def call(self, text: str) -> Callable[[], str]:
        def answer() -> str:
            self.asked.release()
            self.back.wait()
            self.answers.append(text)
            return text

        return answer

    async def asked_once_more(self) -> None:
        await asyncio.to_thread(self.asked.acquire)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.back.set()


async def test_a_call_returns_and_raises_what_it_did() -> None:
    calls = BlockingCalls(1)
    assert await calls.run("k", lambda: 5, deadline_s=LONG_S) == 5

    def fail() -> None:
        raise TimeoutError("by the file system itself")

    with pytest.raises(TimeoutError, match="by the file system itself"):
        await calls.run("k", fail, deadline_s=LONG_S)
    assert calls.long == 0


async def test_a_call_that_hangs_releases_its_place_but_not_that_of_its_key(server: Server) -> None:
    calls, closed = BlockingCalls(1), asyncio.Queue[str]()
    with pytest.raises(Hangs, match=r"no answer within 0\.01 s"):
        await calls.run("dead", server.call("first"), deadline_s=0.01, discard=closed.put_nowait)
    assert calls.long == 1
    assert await calls.run("alive", lambda: "here", deadline_s=LONG_S) == "here"
    with pytest.raises(Hangs):
        await calls.run("dead", server.call("never begins"), deadline_s=0.01)
    later = asyncio.create_task(calls.run("dead", server.call("second"), deadline_s=LONG_S))
    server.back.set()
    assert await later == "second" and server.answers == ["first", "second"]
    assert await closed.get() == "first" and calls.long == 0


async def test_calls_with_one_key_take_one_place(server: Server) -> None:
    calls = BlockingCalls(2)
    hung = [asyncio.create_task(calls.run("dead", server.call(f"{n}"), deadline_s=LONG_S)) for n in range(9)]
    await server.asked_once_more()
    assert await calls.run("alive", lambda: "here", deadline_s=LONG_S) == "here"
    server.back.set()
    assert sorted(await asyncio.gather(*hung)) == [f"{n}" for n in range(9)]


async def test_a_call_that_takes_long_gives_up_its_place_before_its_deadline(server: Server) -> None:
    calls = BlockingCalls(1, long_s=0.01)
    slow = asyncio.create_task(calls.run("slow", server.call("slow"), deadline_s=LONG_S))
    await server.asked_once_more()
    assert await calls.run("fast", lambda: "here", deadline_s=LONG_S) == "here" and calls.long == 1
    server.back.set()
    assert await slow == "slow" and calls.long == 0


async def test_a_cancelled_call_is_left_behind_and_no_other_overtakes_it(server: Server) -> None:
    calls = BlockingCalls(1)
    first = asyncio.create_task(calls.run("pod", server.call("first"), deadline_s=LONG_S))
    await server.asked_once_more()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(calls.run("pod", server.call("second"), deadline_s=LONG_S))
    server.back.set()
    assert await second == "second" and server.answers == ["first", "second"]


async def test_a_call_that_is_cancelled_before_its_turn_is_never_made(server: Server) -> None:
    calls = BlockingCalls(1)
    first = asyncio.create_task(calls.run("a", server.call("first"), deadline_s=LONG_S))
    await server.asked_once_more()
    second = asyncio.create_task(calls.run("b", server.call("second"), deadline_s=LONG_S))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})
    server.back.set()
    assert await first == "first" and await calls.run("b", lambda: "third", deadline_s=LONG_S) == "third"
    assert server.answers == ["first"]


async def test_the_number_of_calls_that_hang_is_bounded(server: Server) -> None:
    calls = BlockingCalls(8, most_long=3)
    for number in range(3):
        with pytest.raises(Hangs):
            await calls.run(f"dead {number}", server.call(""), deadline_s=0.01)
    with pytest.raises(Hangs, match="3 other operations have not ended"):
        await calls.run("alive", lambda: "here", deadline_s=LONG_S)
    server.back.set()
    await until(lambda: calls.long == 0)
    assert await calls.run("alive", lambda: "here", deadline_s=LONG_S) == "here"


def test_a_call_that_hangs_outlives_its_loop() -> None:
    server, seen = Server(), list[str]()

    async def leave() -> None:
        with pytest.raises(Hangs):
            await BlockingCalls(1).run("dead", server.call("late"), deadline_s=0.01, discard=seen.append)

    before = set(threading.enumerate())
    asyncio.run(leave())
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon, "it does not keep the process"
    server.back.set()
    thread.join()
    assert server.answers == ["late"] and not seen
