"""What every unit test leaves as it found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

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
