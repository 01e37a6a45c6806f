"""Runs the examples of docs/pytest-sampan.md that need no cluster; tests/cluster runs the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pytest-sampan.md"
TEST = re.compile(r"^def test_", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_pass(pytester: pytest.Pytester) -> None:
    blocks = BLOCK.findall(PAGE.read_text().partition("\n## Clusters\n")[0])
    for number, block in enumerate(blocks):
        pytester.path.joinpath(f"test_block_{number}.py").write_text(block)
    off = [word for name in ("asyncio", "cacheprovider", "hypothesispytest") for word in ("-p", f"no:{name}")]
    result = pytester.runpytest_inprocess("-p", "netrig.plugin", *off)
    expected = sum(len(TEST.findall(block)) for block in blocks)
    outcomes = result.parseoutcomes()
    assert expected >= 5
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) == expected, result.stdout.str()
    assert not {"failed", "errors"} & set(outcomes)
