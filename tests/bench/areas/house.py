"""house/file_lines_median and house/function_lines_p95: how long the product's files and functions are.

Every Python file of the product counts, without generated code; a function counts from its `def` to its last line.
"""

from __future__ import annotations

import ast
import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.lab import ROOT


def measure() -> Iterator[Figure]:
    files, functions = lengths()
    yield Figure("house", "file_lines_median", statistics.median(files), "lines", goal=95.0)
    yield Figure("house", "function_lines_p95", statistics.quantiles(functions, n=20)[-1], "lines", goal=20.0)


def lengths() -> tuple[list[int], list[int]]:
    """Lines of each file, and of each function."""
    files, functions = [], []
    for path in _sources():
        text = path.read_text()
        nodes = list(ast.walk(ast.parse(text)))
        files.append(text.count("\n"))
        functions += [
            node.end_lineno - node.lineno + 1
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        ]
    return files, functions


def _sources() -> Iterator[Path]:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["packages"]
    for package in packages:
        yield from (path for path in (ROOT / package).rglob("*.py") if "gen" not in path.relative_to(ROOT).parts)
