"""Cleans up after a process that was killed: a small process that outlives it and removes what carries its name.

A process that makes things with names of its own (`hull.owner`) calls `watch` before it makes the first. This starts
one watcher for the process, which waits for the process's end on a pidfd (pidfd_open(2)). Then the watcher looks
whether the process left anything, and if so, calls the sweep functions that it was given. It ends in any case: nothing
is left when the process ends normally.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

_OWNER: Final = 3
_ORDERS: Final = 4
"""The watcher's descriptors: the owner's pidfd, and a pipe of lines `module:function<TAB>directory<TAB>…`."""
_READ_BYTES: Final = 65_536


@dataclass(slots=True)
class _Watcher:
    """A process's watcher, as its owner knows it: the write end of its pipe, and the orders that went into it."""

    pipe: int
    orders: set[bytes] = field(default_factory=set)


_watchers: dict[int, _Watcher] = {}
"""By the owner's pid: a forked child of an owner has none yet."""


def watch(sweep: str, *directories: Path, mark: str) -> None:
    """Have `sweep` called when this process has ended and left entries with `mark` in their names in a directory.

    `sweep`: "module:function", imported only then. It runs without a terminal and its errors are not shown, so the next
    run must be able to sweep too. `mark`: what all names of this process contain (`owner.mark`).
    """
    watcher = _watchers.get(os.getpid())
    if watcher is None:
        watcher = _watchers[os.getpid()] = _Watcher(_start(mark))
    order = "\t".join([sweep, *map(str, directories)]).encode() + b"\n"
    if order not in watcher.orders:
        watcher.orders.add(order)
        with suppress(BrokenPipeError):  # a watcher that was killed is not replaced
            os.write(watcher.pipe, order)


def _start(mark: str) -> int:
    """Start the watcher of this process; the write end of its pipe.

    It has a session of its own, so that an interrupt at the terminal does not reach it. It holds no descriptor of its
    owner open: otherwise a reader of the owner's output would not see its end.
    """
    with ExitStack() as stack:

        def above(descriptor: int) -> int:
            """Move to a number that is not one of the watcher's, which are overwritten one after the other."""
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ORDERS + 1)
            os.close(descriptor)
            stack.callback(os.close, moved)
            return moved

        orders, pipe = os.pipe()
        owner, orders, null = above(os.pidfd_open(os.getpid())), above(orders), above(os.open(os.devnull, os.O_RDWR))
        actions = [
            *((os.POSIX_SPAWN_DUP2, null, standard) for standard in (0, 1, 2)),
            (os.POSIX_SPAWN_DUP2, owner, _OWNER),
            (os.POSIX_SPAWN_DUP2, orders, _ORDERS),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-P", "-m", __name__, mark]
        os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    return pipe


def _watch(mark: str) -> None:
    """The watcher itself: waits for its owner's end, then sweeps if something is left."""
    orders = _read_until_owner_ends()
    with ExitStack() as stack:  # calls all, whatever one of them raises
        for order in sorted(set(orders.decode().splitlines())):
            sweep, *directories = order.split("\t")
            if any(mark in name for directory in directories for name in _entries(directory)):
                stack.callback(_call, sweep)


def _read_until_owner_ends() -> bytes:
    poll = select.poll()
    poll.register(_OWNER, select.POLLIN)
    poll.register(_ORDERS, select.POLLIN)
    orders = b""
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if _ORDERS in ready:  # first: the last order may have come just before the end
            received = os.read(_ORDERS, _READ_BYTES)
            orders += received
            if not received:
                poll.unregister(_ORDERS)
        elif _OWNER in ready:
            return orders


def _entries(directory: str) -> list[str]:
    try:
        return [path.name for path in Path(directory).iterdir()]
    except OSError:
        return []


def _call(sweep: str) -> None:
    module, _, function = sweep.partition(":")
    getattr(import_module(module), function)()


def main(arguments: Sequence[str]) -> None:
    (mark,) = arguments
    _watch(mark)


if __name__ == "__main__":
    main(sys.argv[1:])
