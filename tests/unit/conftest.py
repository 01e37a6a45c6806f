"""What every unit test leaves as it found it, and what it may not do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

# How long an example takes depends on who else works on the machine, as another worker of pytest-xdist.
settings.register_profile("sampan", deadline=None)
settings.load_profile("sampan")


@pytest.fixture(autouse=True)
def logging_as_found() -> Iterator[None]:
    """The command and the daemons configure logging, to a stream that ends with the test: the next one, whichever it is
    in this order or among the workers of pytest-xdist, must not find that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if handler in handlers]
    root.setLevel(level)


class _Purity:
    """Fails a test that binds a socket or starts a process. An audit hook, which the interpreter keeps to its end."""

    EVENTS = frozenset({"socket.bind", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec"})

    def __init__(self) -> None:
        self.watching = False
        self.seen = ""

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching and event in self.EVENTS:
            self.seen = f"{event}{arguments!r:.200} starts a server or a process: it belongs to tests/service"
            pytest.fail(self.seen)

    def watch(self) -> Generator[None]:
        """Around the set-up or the call of a test. The failure counts also where a thread has swallowed it."""
        self.watching, self.seen = True, ""
        try:
            yield
        finally:
            self.watching = False
        if self.seen:
            pytest.fail(self.seen)


_purity = _Purity()
sys.addaudithook(_purity)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    return (yield from _purity.watch())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    return (yield from _purity.watch())
