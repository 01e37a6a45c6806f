"""A host to install on."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.layout import HostLayout
from host.source import Source
from tests.fakes.host import Fake, fresh, source_of


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    return fresh(tmp_path / "host")


@pytest.fixture
def fake(layout: HostLayout) -> Fake:
    return Fake(layout)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(tmp_path)
