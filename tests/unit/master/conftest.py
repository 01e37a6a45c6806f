"""The parts of a master that these tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.masters import config, me, resources  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    """A master that does not start leaves Python's garbage collector off (master/memory.py)."""
    yield
    gc.enable()
