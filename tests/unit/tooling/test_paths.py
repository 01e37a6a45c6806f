"""Every path and method that a page names in backticks exists, and every relative link leads somewhere."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

PAGES = [name for name in ("ARCHITECTURE.md", "README.md", "CONTRIBUTING.md") if (ROOT / name).exists()]
LINKED = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

# A path below the root, or a file of ours by its name alone. Paths on hosts begin with / or ~.
PATH = re.compile(r"`((?:[\w.*-]+/)+[\w.*-]*|[\w-]+\.(?:md|proto|py|rb|sh))`")
# A method of a class: `Pipeline.create`.
METHOD = re.compile(r"`([A-Z]\w*[a-z]\w*)\.([a-z_]\w*)`")
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def _files() -> tuple[str, ...]:
    """Paths of all files and directories, relative to the root, without hidden ones."""
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    paths = (path.relative_to(ROOT).as_posix() for top in tops for path in (top, *top.rglob("*")))
    return tuple(path for path in paths if "__pycache__" not in path)


def missing_paths(text: str) -> list[str]:
    """The paths in backticks that are neither below the root nor the end of a path there (`rest/routes.py`)."""
    names = {name.rstrip("/") for name in PATH.findall(CODE_BLOCK.sub("", text))}
    return sorted(name for name in names if not any(fnmatch(f"/{path}", f"*/{name}") for path in _files()))


@cache
def _methods() -> frozenset[tuple[str, str]]:
    """Class and name of every method of the product."""
    paths = (path for path in _files() if path.endswith(".py") and not path.startswith("tests/"))
    trees = (ast.parse((ROOT / path).read_text()) for path in paths)
    classes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset((found.name, item.name) for found in classes for item in found.body if isinstance(item, kinds))


def missing_methods(text: str) -> list[str]:
    """The methods in backticks that no class of this name has."""
    return sorted({f"{name}.{method}" for name, method in METHOD.findall(text) if (name, method) not in _methods()})


@pytest.mark.parametrize("page", PAGES)
def test_the_methods_of_a_page_exist(page: str) -> None:
    assert missing_methods((ROOT / page).read_text()) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_paths_of_a_page_exist(page: str) -> None:
    assert missing_paths((ROOT / page).read_text()) == []


@pytest.mark.parametrize("page", LINKED)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    text = CODE_BLOCK.sub("", (ROOT / page).read_text())
    targets = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]
    assert [target for target in targets if target and not (ROOT / page).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`hull/settings.py`, `settings.py`, `api/rest/routes.py`, `docs/design/`, `proto/*.proto`", []),
        ("`hull/gone.py`, `gone.py`, `gone/`", ["gone", "gone.py", "hull/gone.py"]),
        ("`/etc/sampan/master.toml`, `node/NAME --force`, hull/gone.py", []),
        ("```\n`hull/gone.py`\n```", []),
    ],
    ids=["there", "missing", "other", "code block"],
)
def test_missing_paths_are_noticed(text: str, missing: list[str]) -> None:
    assert missing_paths(text) == missing


def test_missing_methods_are_noticed() -> None:
    text = "`Pipeline.create`, `Pipeline.gone`, `Gone.create`, `Secret`, `metadata.generation`, `README.md`"
    assert missing_methods(text) == ["Gone.create", "Pipeline.gone"]
