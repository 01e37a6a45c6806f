"""The node's own address while name resolution fails or hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agent import address
from agent.address import OwnAddress


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PATIENCE_S", 0.02)


def by(resolve: Callable[[str], str]) -> OwnAddress:
    return OwnAddress("", "master.example.org", resolve=resolve)


async def test_a_configured_address_needs_neither_name_nor_route() -> None:
    assert await OwnAddress("10.0.0.5", "master.example.org", resolve=pytest.fail).get() == "10.0.0.5"


async def test_the_source_address_of_the_route_to_the_master() -> None:
    assert await OwnAddress("", "127.0.0.1", resolve=pytest.fail).get() == "127.0.0.1"
    assert await by(lambda _: "127.0.0.1").get() == "127.0.0.1"


async def test_an_unknown_name_is_an_error() -> None:
    def unknown(_: str) -> str:
        raise OSError("Name or service not known")

    with pytest.raises(OSError, match=r"master\.example\.org cannot be resolved: Name or service"):
        await by(unknown).get()


async def test_a_late_answer_is_used_without_a_second_query() -> None:
    answered, asked = threading.Event(), []

    def late(name: str) -> str:
        asked.append(name)
        answered.wait(20)
        return "127.0.0.1"

    own = by(late)
    for _ in range(3):
        with pytest.raises(OSError, match="not resolved within"):
            await own.get()
    answered.set()
    address.PATIENCE_S = 20.0  # type: ignore[misc]
    assert await own.get() == "127.0.0.1"
    assert asked == ["master.example.org"]


async def test_the_last_answer_is_used_while_the_resolver_is_silent() -> None:
    forever = threading.Event()
    answers = iter(["127.0.0.1", "", "127.0.0.2"])

    def resolve(_: str) -> str:
        if answer := next(answers):
            return answer
        raise OSError("temporary failure")

    own = by(resolve)
    assert await own.get() == "127.0.0.1"
    assert await own.get() == "127.0.0.1"
    assert await own.get() == "127.0.0.1", "the source address of the route to 127.0.0.2"
    own._resolve = lambda _: str(forever.wait(20))
    assert await own.get() == "127.0.0.1"
    forever.set()


async def test_a_resolver_that_timed_out_is_asked_again() -> None:
    answers = iter([TimeoutError("it gave up"), "127.0.0.1"])

    def resolve(_: str) -> str:
        answer = next(answers)
        if isinstance(answer, TimeoutError):
            raise answer
        return answer

    own = by(resolve)
    with pytest.raises(OSError, match="not resolved"):
        await own.get()
    assert await own.get() == "127.0.0.1"
