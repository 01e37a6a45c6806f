"""Plain tables: columns as wide as their widest cell, two spaces between, no lines."""

from collections.abc import Sequence


def printable(text: str) -> str:
    """The text on one line, without characters that would move the cursor of a terminal or change its colours."""
    return "".join(char if char.isprintable() else " " if char == "\n" else ascii(char)[1:-1] for char in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The lines of the table; each row has as many cells as the header."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows])
    return "\n".join(line.rstrip() for line in lines)
