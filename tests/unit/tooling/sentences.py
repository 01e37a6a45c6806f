"""Extracts every sentence of the repository that a person reads, with its file and line.

From Python files: docstrings, comments, other string literals with a space in them, and the names of tests, as words.
From .proto files, scripts and TOML files: comments. From Markdown: everything outside code blocks; of the changelog
only the section of the coming release.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_SKIPPED_DIRECTORIES = frozenset({"__pycache__", "build", "dist", "fixtures", "gen", "node_modules"})
_COMMENT_MARKS = {".proto": "//", ".rb": "#", ".sh": "#", ".toml": "#", "": "#"}
# Directives to tools in a comment. The text after the codes of a noqa is prose again.
_DIRECTIVE = re.compile(
    r"^#!.*|#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type: ignore(?:\[[\w, -]+\])?|fmt: \w+)"
)
_CODE = re.compile(r"``[^`]*``|`[^`]*`")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*_]*\s+(?=[A-Z\"'(*_`])")
# Lines that do not continue a sentence: bullets, numbered items, headings, and lines of tables and trees.
_LINE_START = re.compile(r"\s*(?:[-*+] |\d+\. |#+ |[|│├└>])")
_TABLE_RULE = re.compile(r"[|\s:-]+")

Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence on one line of text. `path` is relative to the root of the repository."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def of_repository(root: Path = ROOT) -> Iterator[Sentence]:
    """All sentences, file by file."""
    for path in sorted(_files(root)):
        yield from of_file(path, root)


def of_file(path: Path, root: Path = ROOT) -> Iterator[Sentence]:
    """The sentences of one file, which is Python, Markdown, or has comments only."""
    text = path.read_text()
    if path.suffix == ".py":
        blocks = _python_blocks(text)
    elif path.suffix == ".md":
        blocks = _markdown_blocks(text, only_unreleased=path.name == "CHANGELOG.md")
    else:
        blocks = _comment_blocks(text, _COMMENT_MARKS[path.suffix])
    for block in blocks:
        for line, sentence in _sentences(block):
            yield Sentence(path.relative_to(root), line, sentence)


def _files(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            if path.name not in _SKIPPED_DIRECTORIES and path.suffix != ".egg-info":
                yield from _files(path)
        elif path.suffix in (".py", ".md", ".proto", ".rb", ".sh", ".toml") or path.name in ("Vagrantfile", "sampan"):
            yield path


def _python_blocks(source: str) -> Iterator[list[Line]]:
    yield from _python_comments(source)
    tree = ast.parse(source)
    parts: set[int] = set()  # of f-strings, which ast.walk visits before their parts
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield [(node.lineno, node.name.replace("_", " "))]
        elif isinstance(node, ast.JoinedStr):
            parts.update(map(id, node.values))
            values = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield from _literal("".join(map(str, values)), node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield from _literal(node.value, node)


def _literal(value: str, node: ast.expr) -> Iterator[list[Line]]:
    if " " not in value.strip():
        return
    lines = value.split("\n")
    # Only a literal in triple quotes has as many lines in the source as in its value.
    exact = (node.end_lineno or node.lineno) - node.lineno == len(lines) - 1
    yield from _paragraphs((node.lineno + number if exact else node.lineno, line) for number, line in enumerate(lines))


def _python_comments(source: str) -> Iterator[list[Line]]:
    """Each comment beside code, and each run of comment lines."""
    block: list[Line] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = _DIRECTIVE.sub("", token.string).lstrip("# ")
            alone = not token.line[: token.start[1]].strip()
            if block and not (alone and block[-1][0] == token.start[0] - 1):
                yield from _paragraphs(block)
                block = []
            block.append((token.start[0], text))
            if not alone:
                yield from _paragraphs(block)
                block = []
    yield from _paragraphs(block)


def _comment_blocks(source: str, mark: str) -> Iterator[list[Line]]:
    lines = []
    for number, line in enumerate(source.splitlines(), start=1):
        stripped = line.strip()
        is_comment = stripped.startswith(mark) and not stripped.startswith("#!")
        lines.append((number, stripped.lstrip(mark[0]).strip() if is_comment else ""))
    yield from _paragraphs(lines)


def _markdown_blocks(source: str, *, only_unreleased: bool) -> Iterator[list[Line]]:
    lines: list[Line] = []
    in_code, included = False, not only_unreleased
    for number, line in enumerate(source.splitlines(), start=1):
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
            lines.append((number, ""))
            continue
        if only_unreleased and line.startswith("## "):
            included = "unreleased" in line.lower()
        prose = included and not in_code and not line.startswith("    ")
        lines.append((number, re.sub(r"\]\([^)]*\)", "]", line) if prose else ""))
    for block in _paragraphs(lines):
        for number, line in block if block[0][1].lstrip().startswith("|") else ():
            for cell in line.split("|"):
                yield [(number, cell)]
        if not block[0][1].lstrip().startswith("|"):
            yield block


def _paragraphs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Splits at empty lines, and before bullets and lines of tables."""
    block: list[Line] = []
    for number, line in lines:
        if block and (not line.strip() or _LINE_START.match(line)):
            yield block
            block = []
        if line.strip() and not _TABLE_RULE.fullmatch(line):
            block.append((number, line))
    if block:
        yield block


def _sentences(block: list[Line]) -> Iterator[Line]:
    """The sentences of one paragraph, each with the line where it starts. Code in backticks becomes empty."""
    text, starts = "", []
    for _, line in block:
        starts.append(len(text))
        text += re.sub(r"^(?:[-*+]|\d+\.|#+|[│├└─> ]+)\s", "", " ".join(line.split())) + " "
    # The placeholder is as long as the code, so that offsets stay right.
    text = _CODE.sub(lambda match: "`" + "·" * (len(match.group()) - 2) + "`", text)
    begin = 0
    for end in [match.start() for match in _SENTENCE_END.finditer(text)] + [len(text)]:
        sentence = text[begin:end]
        offset = begin + len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            yield block[bisect_right(starts, offset) - 1][0], re.sub("`·*`", "`…`", sentence.strip())
        begin = end
