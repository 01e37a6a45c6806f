"""Figures of usage as metrics.k8s.io shows them: quantities, the window of a measurement, and the columns of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from master.kinds.quantities import canonical_quantity
from master.registry.table import NAME, Cell, Column

COLUMNS: Final = (
    NAME,
    Column("cpu", format="quantity", description="Processor time in use, on average."),
    Column("memory", format="quantity", description="Memory in use."),
    Column("Window", format="duration", description="The time in which the processor time was measured."),
)


def cells(name: str, usage: Mapping[str, str], window: str) -> Sequence[Cell]:
    """The cells of `COLUMNS`."""
    return name, usage.get("cpu", "0"), usage.get("memory", "0"), window


def quantities(cpu_millis: int, memory_bytes: int) -> dict[str, str]:
    """A usage as a list of resources, from thousandths of a core. Memory is in whole kibibytes."""
    return nano_quantities(cpu_millis * 1_000_000, memory_bytes)


def nano_quantities(cpu_nanos: int, memory_bytes: int) -> dict[str, str]:
    """The same from billionths of a core."""
    return {"cpu": canonical_quantity(f"{cpu_nanos}n"), "memory": canonical_quantity(f"{memory_bytes // 1024}Ki")}


def window(seconds: float) -> str:
    """A duration to the millisecond, as Go writes it: `10.062s`, `1m0.5s`, `1h0m3s`, `500ms`."""
    millis = round(seconds * 1000)
    if 0 < millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
