"""The commands that README.md and the pages in docs/ print: which blocks there are, and why some are not run.

Two kinds of code blocks have commands. In a `console` block they follow a prompt (`# ` for root, `$ ` for anybody), and
the other lines are output. In a `sh` block every line is a command. A block that the tests cannot run has a comment
with the reason in front of it: `<!-- not run: needs a second machine -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

RUN: Final = ("README.md", "docs/lab.md")
"""The pages with blocks that tests/cluster/test_documentation.py runs, in this order, on one lab."""

WITH_COMMANDS: Final = frozenset({"console", "sh"})
OTHER: Final = frozenset({"python", "text", "toml", "yaml"})
"""The languages of blocks that have no commands: output, pictures, files, and Python (tests/examples)."""

_FENCE: Final = re.compile(r"```(\w*)$")
_NOT_RUN: Final = re.compile(r"<!-- not run: (\S.*\S) -->$")
_PROMPT: Final = re.compile(r"[#$] ")


@dataclass(frozen=True, slots=True)
class Block:
    """One code block of a page."""

    page: str
    line: int
    language: str
    content: tuple[str, ...]
    reason: str
    """Why it is not run; empty: it is run."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a reader types, one string for each command. A line that ends with a backslash goes on below."""
        return tuple("\n".join(lines) for typed, lines in self._parts() if typed)

    @property
    def output(self) -> tuple[str, ...]:
        """The lines that the commands of a `console` block print."""
        return tuple(line for typed, lines in self._parts() if not typed for line in lines)

    def _parts(self) -> Iterator[tuple[bool, list[str]]]:
        """Commands and lines of output in their order; True: a command."""
        lines = iter(self.content)
        for line in lines:
            command = _typed(line, self.language)
            if not command:
                yield False, [line]
                continue
            part = [command]
            while part[-1].endswith("\\"):
                part.append(next(lines, ""))
            yield True, part


def pages() -> list[str]:
    """README.md and all pages in docs/, relative to the root."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]


def blocks(page: str, text: str | None = None) -> list[Block]:
    """The code blocks of a page in their order. `text`: what the page has; default: read it."""
    return list(_blocks(page, (ROOT / page).read_text() if text is None else text))


def run_blocks() -> list[Block]:
    """The blocks that are run, in the order in which they are: the command that removes the lab is the last."""
    run = [block for page in RUN for block in blocks(page) if block.language in WITH_COMMANDS and not block.reason]
    return sorted(run, key=lambda block: block.commands == ("./sampan down",))


def _blocks(page: str, text: str) -> Iterator[Block]:
    opened: tuple[int, str] | None = None
    content: list[str] = []
    reason = ""
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is not None and line == "```":
            yield Block(page, *opened, tuple(content), reason)
            opened, content, reason = None, [], ""
        elif opened is not None:
            content.append(line)
        elif fence:
            opened = (number, fence[1])
        elif match := _NOT_RUN.match(line):
            reason = match[1]
        elif line.strip():
            reason = ""


def _typed(line: str, language: str) -> str:
    """The command that starts on this line; empty for a line of output, a comment, or other text."""
    if language == "console":
        return line[2:] if _PROMPT.match(line) else ""
    return line if language == "sh" and not line.startswith("#") else ""
