"""Notifications to systemd and entries for journald, over datagram sockets as theirs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hull import notify
from hull.journal import JournalHandler, encoded, fields


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A datagram socket and its path."""
    path = str(tmp_path / "s")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(path)
        listener.settimeout(10.0)
        yield listener, path


async def test_ready_alive_and_stopping_are_sent_in_this_order(listening: tuple[socket.socket, str]) -> None:
    listener, path = listening
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": str(os.getpid())}
    async with notify.supervised(environment):
        messages = [await asyncio.to_thread(listener.recv, 100) for _ in range(4)]
    assert messages == [b"READY=1", *[b"WATCHDOG=1"] * 3]
    while (last := listener.recv(100)) == b"WATCHDOG=1":
        pass
    assert last == b"STOPPING=1"


async def test_a_blocked_event_loop_sends_no_watchdog_messages(listening: tuple[socket.socket, str]) -> None:
    listener, path = listening
    async with notify.supervised({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000"}):
        await asyncio.sleep(0)
        while listener.recv(100) != b"WATCHDOG=1":
            pass
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):  # this call blocks the loop
            listener.recv(100)


async def test_without_a_supervisor_nothing_is_sent(tmp_path: Path) -> None:
    for address in ("", "relative", str(tmp_path / "nobody"), "@nobody-listens-here"):
        async with notify.supervised({"NOTIFY_SOCKET": address}):
            pass


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_period_is_taken_from_the_environment(environment: dict[str, str], expected: float) -> None:
    assert notify.watchdog_s(environment) == expected


def record(text: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("agent.pods", level, __file__, 1, text, arguments, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pod default/web: started", ("pod/default/web", "n1")),
        ("service kube-system/dns port 53: not served", ("service/kube-system/dns", "n1")),
        ("node n2: no peer", ("node/n2", "n2")),
        ("running by the desired state", (None, "n1")),
        ("pod: nothing", (None, "n1")),
    ],
)
def test_an_entry_names_its_object_and_node(text: str, expected: tuple[str | None, str]) -> None:
    entry = fields(record(text), text, "n1")
    assert (entry.get("SAMPAN_OBJECT"), entry.get("SAMPAN_NODE")) == expected
    assert (entry["MESSAGE"], entry["LOGGER"], entry["PRIORITY"]) == (text, "agent.pods", "6")


def test_an_entry_is_sent_in_journald_s_native_protocol(listening: tuple[socket.socket, str]) -> None:
    listener, path = listening
    handler = JournalHandler.connected("n1", Path(path))
    assert handler is not None
    with closing(handler):
        handler.emit(record("pod %s: two\nlines", "default/web", level=logging.ERROR))
    text = b"pod default/web: two\nlines"
    expected = b"MESSAGE\n" + struct.pack("<Q", len(text)) + text + b"\nPRIORITY=3\n"
    assert listener.recv(1000).startswith(expected)
    assert encoded("A", "b") == b"A=b\n"


def test_without_journald_there_is_no_handler(tmp_path: Path) -> None:
    assert JournalHandler.connected("n1", tmp_path / "nobody") is None
