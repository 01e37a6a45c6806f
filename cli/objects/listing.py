"""Prints the server's tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.tables import printable

if TYPE_CHECKING:
    from client.tables import Row, Table

_GAP = "   "


@dataclass(frozen=True, slots=True)
class Style:
    """Which columns a table has besides the kind's own. `prefix` comes before each name, as in `pod/`."""

    wide: bool = False
    namespaces: bool = False
    labels: bool = False
    prefix: str = ""


class Listing:
    """One table on the screen. Rows that come later get the widths of the columns."""

    def __init__(self, table: "Table", style: Style) -> None:
        self._style = style
        self._columns = [number for number, column in enumerate(table.columns) if style.wide or not column.wide]
        self._name = next((number for number, column in enumerate(table.columns) if column.name == "Name"), -1)
        self._header = self._framed(
            [table.columns[number].name.upper() for number in self._columns], "NAMESPACE", "LABELS"
        )
        self._rows = [self.cells(row) for row in table.rows]
        self._widths = [max(map(len, column)) for column in zip(self._header, *self._rows, strict=True)]

    def text(self) -> str:
        return "\n".join(self._line(cells) for cells in [self._header, *self._rows])

    def line(self, row: "Row") -> str:
        """A row that is not in the table."""
        return self._line(self.cells(row))

    def cells(self, row: "Row") -> list[str]:
        metadata = row.object.get("metadata") or {}
        cells = [self._cell(row.cells[number], number) for number in self._columns]
        labels = ",".join(f"{name}={value}" for name, value in (metadata.get("labels") or {}).items())
        return self._framed(cells, metadata.get("namespace") or "", labels or "<none>")

    def _cell(self, value: Any, number: int) -> str:
        text = "<none>" if value is None else printable(str(value))
        return self._style.prefix + text if number == self._name else text

    def _framed(self, cells: list[str], namespace: str, labels: str) -> list[str]:
        return [*([namespace] if self._style.namespaces else []), *cells, *([labels] if self._style.labels else [])]

    def _line(self, cells: Sequence[str]) -> str:
        return _GAP.join(cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)).rstrip()
