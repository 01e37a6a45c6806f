"""The pages of docs that are made from code say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from agent.config import AgentConfig
from hull.settings import described
from master.config import MasterConfig

DOCS = Path(__file__).resolve().parents[3] / "docs"


PAGES = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run: python docs/generate.py"


@pytest.mark.parametrize("kind", [MasterConfig, AgentConfig])
def test_every_setting_has_a_description(kind: type[Any]) -> None:
    assert [setting.name for setting in described(kind) if not setting.text.endswith(".")] == []
