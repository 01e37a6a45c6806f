"""The node's own address, while a name cannot be resolved or is not answered at all."""

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


async def test_what_is_configured_needs_neither_name_nor_route() -> None:
    assert await OwnAddress("10.0.0.5", "master.example.org", resolve=pytest.fail).get() == "10.0.0.5"


async def test_the_source_address_of_the_route_to_the_master() -> None:
    assert await OwnAddress("", "127.0.0.1", resolve=pytest.fail).get() == "127.0.0.1"
    assert await by(lambda _: "127.0.0.1").get() == "127.0.0.1"


async def test_a_name_that_is_not_known_is_told() -> None:
    def unknown(_: str) -> str:
        raise OSError("Name or service not known")

    with pytest.raises(OSError, match=r"master\.example\.org cannot be resolved: Name or service"):
        await by(unknown).get()


async def test_who_answers_late_is_asked_once_and_heard_then() -> None:
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


async def test_what_the_name_said_last_stands_for_it_while_nobody_answers() -> None:
    forever = threading.Event()
    answers = iter(["127.0.0.1", "", "127.0.0.2"])

    def resolve(_: str) -> str:
        if said := next(answers):
            return said
        raise OSError("temporary failure")

    own = by(resolve)
    assert await own.get() == "127.0.0.1"
    assert await own.get() == "127.0.0.1"
    assert await own.get() == "127.0.0.1", "the source address of a route to 127.0.0.2"
    own._resolve = lambda _: str(forever.wait(20))
    assert await own.get() == "127.0.0.1"
    forever.set()


async def test_a_resolver_that_itself_gave_up_waiting_is_asked_anew() -> None:
    answers = iter([TimeoutError("it gave up"), "127.0.0.1"])

    def resolve(_: str) -> str:
        said = next(answers)
        if isinstance(said, TimeoutError):
            raise said
        return said

    own = by(resolve)
    with pytest.raises(OSError, match="not resolved"):
        await own.get()
    assert await own.get() == "127.0.0.1"
